"""The scripts in a real Chromium: messages are always shown, answers need the server's OK, copies belong to one person."""

import json
import threading
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Worker, expect, sync_playwright

from app.push.rules import endpoint_mark
from e2e.parts.gallery import Look, render_page
from e2e.parts.serve import FLAGS, Gallery

pytestmark = pytest.mark.browser
expect.set_options(timeout=30_000)

NOTE = """() => self.registration.getNotifications().then(
    (all) => all.map((n) => [n.title, n.body, n.actions.map((a) => a.action), n.data.token]))"""
DATA = {
    "id": "a1",
    "token": "t1",
    "answer_url": "/antwort",
    "undo_url": "/zurueck",
    "seen_url": "/gesehen",
    "arrived_url": "/angekommen",
    "thanks": {"title": "Danke. Keller weiß Bescheid.", "body": "Dein Ja ist noch kein Vertrag."},
    "failed": {"title": "Noch nicht gesendet – tippe hier"},
    "tag": "a1",
}
MARK_OF_2 = endpoint_mark("https://push.example/2")
ACTIONS = [{"action": "yes", "title": "Ja, das geht"}, {"action": "no", "title": "Diesmal nicht"}]
MESSAGE = {
    "web_push": 8030,
    "notification": {
        "title": "40 h Fräsen in KW 48?",
        "body": "Keller braucht Hilfe.",
        "tag": "a1",
        "lang": "de",
        "navigate": "/hell/antwort",
        "data": DATA,
        "actions": ACTIONS,
    },
    "app_badge": 1,
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        running = play.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def gallery() -> Iterator[Gallery]:
    server = Gallery()
    yield server
    server.close()


@pytest.fixture
def context(browser: Browser, gallery: Gallery) -> Iterator[BrowserContext]:
    opened = browser.new_context(
        viewport={"width": 360, "height": 640}, has_touch=True, locale="de-DE", base_url=gallery.url
    )
    opened.grant_permissions(["notifications"], origin=gallery.url)
    opened.set_default_timeout(30_000)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture
def worker(page: Page) -> Worker:
    """The worker of the real world, in charge of the page."""
    page.goto("/hell/leer")
    page.evaluate(
        "() => Promise.race([navigator.serviceWorker.ready.then(() => navigator.serviceWorker.controller"
        " || new Promise(done => navigator.serviceWorker.addEventListener('controllerchange', done))).then(() => 1),"
        " new Promise((done, fail) => setTimeout(() => fail(new Error('no worker is in charge')), 30_000))])"
    )
    return page.context.service_workers[0]


def alert(worker: Worker, action: str, **changed: object) -> list[list[object]]:
    """Tap one button of a message; returns what stands on the lock screen afterwards."""
    worker.evaluate("([action, data]) => self.onAlert(action, data)", [action, DATA | changed])
    return shown(worker)


def shown(worker: Worker) -> list[list[object]]:
    found: list[list[object]] = worker.evaluate(NOTE)
    return found


def is_kept(worker: Worker) -> bool:
    """Say whether the phone holds a copy of today."""
    return bool(worker.evaluate("() => caches.match(TODAY, { cacheName: TODAY_COPY }).then(Boolean)"))


def until(page: Page, check: Callable[[], object]) -> None:
    """Wait for something that happens behind the page, at most 5 s."""
    for _ in range(100):
        if check():
            return
        page.wait_for_timeout(50)
    pytest.fail("it never happened")


def test_a_message_from_the_push_service_is_shown_with_its_buttons_and_reported(
    worker: Worker, page: Page, gallery: Gallery
) -> None:
    # given a registered worker
    devtools = page.context.new_cdp_session(page)
    found: list[str] = []
    devtools.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: found.extend(row["registrationId"] for row in event["registrations"]),
    )
    devtools.send("ServiceWorker.enable")
    until(page, lambda: found)

    # when the push service delivers
    delivery = {"origin": gallery.url, "registrationId": found[0], "data": json.dumps(MESSAGE)}
    devtools.send("ServiceWorker.deliverPushMessage", delivery)
    until(page, lambda: gallery.posts)

    # then
    assert shown(worker) == [["40 h Fräsen in KW 48?", "Keller braucht Hilfe.", ["yes", "no"], "t1"]]
    assert gallery.posts == [("/angekommen", '{"token":"t1","id":"a1"}')]


def test_even_a_broken_message_is_shown_because_silence_costs_the_subscription(worker: Worker) -> None:
    worker.evaluate("() => self.onPush(null)")
    assert shown(worker) == [["Neue Nachricht", "Tippe hier.", [], None]]


def test_yes_is_confirmed_only_after_the_servers_ok_and_can_be_taken_back(worker: Worker, gallery: Gallery) -> None:
    assert alert(worker, "yes") == [["Danke. Keller weiß Bescheid.", "Dein Ja ist noch kein Vertrag.", ["undo"], "t1"]]
    assert gallery.posts == [("/antwort", '{"token":"t1","id":"a1","answer":"yes"}')]

    assert alert(worker, "undo") == [["Zurückgenommen.", "", [], "t1"]]
    assert gallery.posts[-1] == ("/zurueck", '{"token":"t1","id":"a1","answer":"undo"}')


def test_without_the_servers_ok_nothing_looks_done(worker: Worker, gallery: Gallery) -> None:
    gallery.answers["/antwort"] = (503, {})
    assert alert(worker, "yes") == [["Noch nicht gesendet – tippe hier", "", [], "t1"]]


def test_a_dead_net_leaves_the_same_honest_message(worker: Worker, page: Page, gallery: Gallery) -> None:
    page.context.set_offline(True)
    assert alert(worker, "no") == [["Noch nicht gesendet – tippe hier", "", [], "t1"]]
    assert gallery.posts == []


def test_a_message_about_a_matter_that_is_done_says_so_and_asks_nothing(
    worker: Worker, page: Page, gallery: Gallery
) -> None:
    gallery.answers["/angekommen"] = (200, {"ok": True, "title": "Schon erledigt."})
    worker.evaluate("(message) => self.onPush({ json: () => message })", MESSAGE)
    assert shown(worker) == [["Schon erledigt.", "", [], ""]]


def test_a_refusal_speaks_in_the_servers_words(worker: Worker, gallery: Gallery) -> None:
    gallery.answers["/antwort"] = (409, {"error": "Die Frist ist vorbei."})
    assert alert(worker, "yes") == [["Die Frist ist vorbei.", "", [], "t1"]]


def test_seen_is_reported_and_foreign_addresses_get_nothing(worker: Worker, gallery: Gallery) -> None:
    alert(worker, "seen")
    alert(worker, "yes", answer_url="https://elsewhere.example/antwort")
    assert [path for path, _ in gallery.posts] == ["/gesehen"]


def test_without_a_net_a_page_that_is_not_kept_becomes_the_offline_page(worker: Worker, page: Page) -> None:
    page.context.set_offline(True)
    page.goto("/hell/vertrag")
    expect(page.get_by_text("Gerade keine Anfragen.")).to_be_visible()


def test_today_is_read_from_the_phone_with_its_time_until_another_person_comes(
    worker: Worker, page: Page, gallery: Gallery
) -> None:
    # given today was opened once
    gallery.extra["/heute"] = gallery_page("Dein Tag, Ayşe")
    page.goto("/heute")
    until(page, lambda: is_kept(worker))

    # when the net is gone
    page.context.set_offline(True)
    page.goto("/heute")
    expect(page.get_by_text("Dein Tag, Ayşe")).to_be_visible()
    expect(page.locator("#band-offline")).to_contain_text("Stand ")

    # then the next person finds nothing
    page.evaluate("() => navigator.serviceWorker.controller.postMessage({ type: 'forget' })")
    until(page, lambda: not is_kept(worker))
    page.goto("/heute")
    expect(page.get_by_text("Dein Tag, Ayşe")).not_to_be_visible()


def test_signing_out_takes_the_copy_along(worker: Worker, page: Page, gallery: Gallery) -> None:
    gallery.extra["/heute"] = gallery_page("Dein Tag, Ayşe").replace(
        "</main>", '<form method="post" action="/abmelden" data-abmelden><button>Abmelden</button></form></main>'
    )
    page.goto("/heute")
    until(page, lambda: is_kept(worker))
    page.get_by_role("button", name="Abmelden").click()
    until(page, lambda: not is_kept(worker))


def test_a_page_that_sends_to_the_sign_in_ends_the_copy(worker: Worker, page: Page, gallery: Gallery) -> None:
    gallery.extra["/heute"] = gallery_page("Dein Tag, Ayşe")
    page.goto("/heute")
    until(page, lambda: is_kept(worker))
    worker.evaluate("() => keepToday({ waitUntil: (work) => { self.done = work } }, new Response('', { status: 403 }))")
    assert worker.evaluate("() => self.done.then(() => caches.has(TODAY_COPY))") is False


def test_the_real_worker_leaves_the_practice_world_alone(worker: Worker) -> None:
    assert worker.evaluate("() => [isOurs('/heute'), isOurs('/uebung/heute'), STORE]") == [True, False, "werkring:/:"]


def test_a_second_tap_is_ignored_and_waiting_shows_after_a_moment(page: Page) -> None:
    page.goto("/hell/formular")
    page.evaluate(
        "() => { self.sent = 0;"
        " addEventListener('submit', (e) => { if (!e.defaultPrevented) self.sent += 1; e.preventDefault(); }) }"
    )
    button = page.get_by_test_id("weiter")
    button.click()
    button.click()
    expect(button).to_have_attribute("aria-busy", "true")
    expect(button).to_have_text("Einen Moment …")
    assert page.evaluate("() => self.sent") == 1


def test_who_has_tapped_a_link_goes_there_although_the_page_wants_to_draw_itself_anew(
    page: Page, gallery: Gallery
) -> None:
    asks = '<div hx-get="/stand" hx-trigger="every 200ms" hx-swap="none"></div><a href="/ziel">Weiter</a>'
    gallery.extra["/seite"] = render_page("leer", Look()).replace("</main>", asks + "</main>")
    gallery.extra["/ziel"], gallery.slow["/ziel"] = gallery_page("Angekommen"), 2
    news = threading.Event()
    page.route("**/stand", lambda route: route.fulfill(headers={"HX-Refresh": "true"} if news.is_set() else {}))
    page.goto("/seite")
    page.get_by_text("Weiter").click(no_wait_after=True)
    news.set()
    page.get_by_text("Angekommen").wait_for(timeout=8_000)
    assert page.url.endswith("/ziel")


def test_what_is_chosen_while_the_part_is_on_its_way_stays_chosen(page: Page, gallery: Gallery) -> None:
    def chips(*names: str) -> str:
        return "".join(f'<label>{name}<input type="radio" name="bis" value="{name}"></label>' for name in names)

    first = '<label>Von<input type="radio" name="von"></label>'
    asks = f'<div hx-get="/teil" hx-trigger="change" hx-target="#bis">{first}</div>'
    form = f'<form>{asks}<div id="bis">{chips("vier", "fünf")}</div></form>'
    gallery.extra["/seite"] = render_page("leer", Look()).replace("</main>", form + "</main>")
    gallery.extra["/teil"], gallery.slow["/teil"] = chips("vier", "fünf", "sechs"), 1
    page.goto("/seite")
    page.get_by_text("Von").click()
    page.get_by_text("vier").click()
    page.wait_for_timeout(1_500)
    expect(page.get_by_label("vier")).to_be_checked()
    expect(page.locator("#stoerung")).to_be_hidden()
    page.get_by_text("fünf").click()
    expect(page.get_by_label("fünf")).to_be_checked()
    page.locator("[name=von]").evaluate("(one) => one.dispatchEvent(new Event('change', { bubbles: true }))")
    expect(page.get_by_label("sechs")).to_be_visible()


def test_plus_and_minus_step_by_half_hours_with_a_german_comma(page: Page) -> None:
    page.goto("/hell/formular")
    page.get_by_test_id("hours-mehr").click()
    expect(page.locator("#feld-hours")).to_have_value("8")
    page.get_by_test_id("hours-weniger").click()
    page.get_by_test_id("hours-weniger").click()
    expect(page.locator("#feld-hours")).to_have_value("7")


def test_the_list_of_faults_has_the_focus(page: Page) -> None:
    page.goto("/dunkel/formular")
    expect(page.get_by_test_id("fehlerliste")).to_be_focused()


def test_a_dead_net_is_said_on_top_of_the_page(page: Page) -> None:
    page.goto("/hell/anfragen")
    expect(page.get_by_test_id("band-offline")).to_be_hidden()
    page.context.set_offline(True)
    expect(page.get_by_test_id("band-offline")).to_contain_text("Kein Netz")


@pytest.mark.parametrize("size", [(320, 568), (360, 640)])
def test_all_three_answers_are_in_sight_also_with_gloves(page: Page, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto("/sonne/antwort")
    for name in ("anfrage-ja", "anfrage-teil", "anfrage-nein"):
        box = page.get_by_test_id(name).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= size[1]
        assert box["height"] >= (96 if name == "anfrage-ja" else 80)


def test_signing_with_the_phone_posts_the_credential_without_secrets_and_goes_on(page: Page, gallery: Gallery) -> None:
    # given a phone with a lock, and a server that asks for a new key
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options | {"automaticPresenceSimulation": True}})
    gallery.answers["/o"] = (200, NEW_KEY)
    gallery.answers["/f"] = (200, {"next": "/hell/leer"})
    page.goto("/hell/vertrag")
    page.evaluate("() => { document.querySelector('passkey-button').dataset.mode = 'register' }")

    # when
    page.get_by_role("button", name="Mit Fingerabdruck unterschreiben").click()
    page.wait_for_url("**/hell/leer")

    # then
    sent = json.loads(dict(gallery.posts)["/f"])["credential"]
    assert sent["type"] == "public-key"
    assert sent["clientExtensionResults"] == {}
    assert sent["response"]["attestationObject"]


def test_a_refused_or_cancelled_signature_is_said_in_plain_words(page: Page, gallery: Gallery) -> None:
    page.goto("/hell/vertrag")
    button = page.get_by_role("button", name="Mit Fingerabdruck unterschreiben")
    gallery.answers["/o"] = (422, {"error": "Der Text hat sich geändert. Bitte prüfe ihn neu."})
    button.click()
    expect(page.get_by_text("Der Text hat sich geändert.")).to_be_visible()

    gallery.answers["/o"] = (200, {"challenge": "AAAA", "rpId": "localhost", "timeout": 100, "allowCredentials": []})
    page.evaluate("() => { navigator.credentials.get = () => Promise.reject(new DOMException('', 'NotAllowedError')) }")
    button.click()
    expect(page.get_by_text("Abgebrochen. Es ist nichts passiert.")).to_be_visible()
    expect(button).to_be_enabled()


def test_messages_are_asked_for_only_after_a_tap_and_the_subscription_is_sent(page: Page, gallery: Gallery) -> None:
    page.add_init_script(SUBSCRIBE.format(1))
    page.goto("/hell/leer")
    page.wait_for_timeout(300)
    assert gallery.posts == []

    page.get_by_test_id("push-an").click()
    expect(page.get_by_text("Gleich kommt eine Probe.")).to_be_visible()
    path, body = gallery.posts[0]
    assert path == "/push"
    assert json.loads(body)["subscription"]["endpoint"] == "https://push.example/1"
    assert json.loads(body)["platform"]["os"] == "desktop"


@pytest.mark.parametrize(("known", "is_sent"), [("", 1), ("0123456789abcdef", 1), ("off", 0), (MARK_OF_2, 0)])
def test_a_subscription_that_the_server_does_not_know_is_sent_without_a_word(
    page: Page, gallery: Gallery, known: str, is_sent: int
) -> None:
    head = f'<meta name="push" content="a2V5" data-device="{known}" data-subscribe-url="/push" data-count="0">'
    gallery.extra["/seite"] = render_page("plaene", Look()).replace("</head>", head + "</head>")
    page.add_init_script(SUBSCRIBE.format(2))
    page.goto("/seite")
    page.wait_for_function("navigator.serviceWorker.ready.then(() => true)")
    page.wait_for_timeout(400)
    assert [path for path, _ in gallery.posts] == ["/push"] * is_sent


def test_a_subscription_that_its_service_forgot_is_made_anew(page: Page, gallery: Gallery) -> None:
    head = '<meta name="push" content="a2V5" data-device="gone" data-subscribe-url="/push" data-count="0">'
    gallery.extra["/seite"] = render_page("plaene", Look()).replace("</head>", head + "</head>")
    page.add_init_script(SUBSCRIBE.format(2) + DEAD)
    with page.expect_response("**/push"):
        page.goto("/seite")
    assert page.evaluate("() => self.dropped") == 1


DEAD = """
    self.dropped = 0;
    PushManager.prototype.getSubscription = async () => ({ options: {}, unsubscribe: async () => { self.dropped += 1; } });
"""


@pytest.mark.parametrize(
    ("agent", "steps"),
    [
        ("Mozilla/5.0 (iPhone)", "ios"),
        ("Mozilla/5.0 (Linux; Android 14)", "android"),
        ("Mozilla/5.0 (X11)", "desktop"),
    ],
)
def test_without_an_offer_of_the_browser_each_phone_shows_its_own_steps(
    browser: Browser, gallery: Gallery, agent: str, steps: str
) -> None:
    context = browser.new_context(user_agent=agent, base_url=gallery.url)
    page = context.new_page()
    page.goto("/hell/leer")
    shown = page.locator("install-button [data-zeigen]:visible")
    expect(shown).to_have_count(1)
    expect(shown).to_have_attribute("data-zeigen", steps)
    context.close()


def test_a_code_is_scanned_where_the_browser_can_and_only_our_own_address_is_opened(
    page: Page, gallery: Gallery
) -> None:
    gallery.extra["/code"] = gallery_page("x").replace("</main>", SCANNER + "</main>")
    gallery.extra["/willkommen/abc"] = gallery_page("Willkommen bei Keller")
    page.goto("/code")
    expect(page.get_by_role("button", name="Code scannen")).not_to_be_visible()

    page.add_init_script(CAMERA % json.dumps(["https://elsewhere.example/x", f"{gallery.url}/willkommen/abc"]))
    page.goto("/code")
    page.get_by_role("button", name="Code scannen").click()
    expect(page.get_by_text("Willkommen bei Keller")).to_be_visible()


SCANNER = """<code-scanner hidden data-foreign="fremd" data-denied="nein"><video muted hidden></video>
    <button type="button"><span>Code scannen</span></button><p class="meldung" hidden></p></code-scanner>"""
CAMERA = """
    const codes = %s;
    self.BarcodeDetector = class {
      static async getSupportedFormats() { return ["qr_code"]; }
      async detect() { return codes.splice(0, 1).map((rawValue) => ({ rawValue })); }
    };
    navigator.mediaDevices.getUserMedia = async () => new MediaStream();
    HTMLMediaElement.prototype.play = async () => {};
"""
SUBSCRIBE = """
    PushManager.prototype.getSubscription = async () => null;
    PushManager.prototype.subscribe = async () => {{
      const endpoint = 'https://push.example/{}';
      return {{ endpoint, toJSON: () => ({{ endpoint, keys: {{}} }}) }};
    }};
"""
NEW_KEY = {
    "challenge": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
    "rp": {"id": "localhost", "name": "Werkring"},
    "user": {"id": "AQID", "name": "Petra", "displayName": "Petra"},
    "pubKeyCredParams": [{"type": "public-key", "alg": -7}],
    "authenticatorSelection": {"residentKey": "required", "userVerification": "required"},
    "timeout": 60_000,
}


def gallery_page(words: str) -> str:
    """A small page of the frame with some words in it."""
    return render_page("leer", Look()).replace("Gerade keine Anfragen.", words)
