"""A phone in somebody's hand: taps what can be seen, counts taps, keys and seconds, and judges every page it meets."""

import json
import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, CDPSession, Error, Locator, Page, expect

from tests.push.service import Phone as PushPhone

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
AXE = (Path(__file__).parent / "node_modules/axe-core/axe.min.js").read_text()
LOOKS = ("hell", "dunkel", "sonne")
SHOTS = Path(__file__).parent / "shots"
SMALLEST_TARGET_PX = 56
OF_COLOURS = ("color-contrast", "link-in-text-block")
OF_A_LOOK = {"dunkel": OF_COLOURS}
"""Rules of axe that a look can break: the dark one changes colours alone (tests/web/test_parts.py); the others are asked all"""
PUSH_STUB = """
(() => {
  const given = %s;
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0)).buffer;
  let options = null;
  const made = () => ({ endpoint: given.endpoint, expirationTime: null, options, toJSON: () => given,
    getKey: (name) => bytes(given.keys[name]), unsubscribe: async () => { options = null; return true; } });
  PushManager.prototype.subscribe = async function (wanted) { options = wanted; return made(); };
  PushManager.prototype.getSubscription = async function () { return options ? made() : null; };
  const asked = () => localStorage.getItem("asked") === "yes";
  Object.defineProperty(Notification, "permission", { get: () => asked() ? "granted" : "default" });
  Notification.requestPermission = async () => { localStorage.setItem("asked", "yes"); return "granted"; };
})();
"""


@dataclass
class Phone:
    """One person's phone: a browser context of its own with a passkey chip and, on wish, a push subscription."""

    name: str
    context: BrowserContext
    page: Page
    cdp: CDPSession
    base: str
    taps: int = 0
    keys: int = 0
    fields: int = 0
    started: float = field(default_factory=time.monotonic)
    judged: dict[str, list[str]] = field(default_factory=dict)
    registrations: list[dict[str, Any]] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)

    @classmethod
    def pick_up(
        cls, browser: Browser, base: str, name: str, push: PushPhone | None = None, size: tuple[int, int] = (360, 640)
    ) -> "Phone":
        """A new phone, 360×640, touch, German, with a virtual authenticator that always says yes."""
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, device_scale_factor=2, is_mobile=True, has_touch=True, locale="de-DE",
            timezone_id="Europe/Berlin", base_url=base, reduced_motion="reduce",
        )  # fmt: skip
        context.set_default_timeout(30_000)
        if push is not None:
            context.grant_permissions(["notifications"], origin=base)
            context.add_init_script(PUSH_STUB % json.dumps(push.json()))
        page = context.new_page()
        cdp = context.new_cdp_session(page)
        cdp.send("WebAuthn.enable")
        cdp.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal", "hasResidentKey": True,
                    "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True,
                }
            },
        )  # fmt: skip
        return cls(name, context, page, cdp, base)

    # --- what a person does ------------------------------------------------------------------------------------------

    def open(self, url: str) -> None:
        """Come by a link from outside: a QR code, a message, the icon of the app."""
        try:
            self.page.goto(url)
        except Error as error:
            if "ERR_ABORTED" not in str(error):
                raise
            self.page.goto(url)  # in the same moment the page drew itself anew; a person tries again

    def go(self, *words: str) -> None:
        """Open the app by its icon, then tap one visible word after the other."""
        self.open("/")
        for word in words:
            self.tap(word, exact=True)

    def tap_message(self, notification: dict[str, Any]) -> None:
        """Tap the message itself, as on an iPhone, where messages have no buttons."""
        self.open(notification["data"]["navigate"])
        self.taps += 1

    def tap(self, text: str, exact: bool = False) -> None:
        """Tap the first visible button, link, chip or summary with this text."""
        target = self._target(text, exact)
        target.scroll_into_view_if_needed()
        target.click()
        self.taps += 1
        self.wait_for_answer()

    def wait_for_answer(self) -> None:
        """Until what was tapped has come back: a part of the page is exchanged without a new page being loaded."""
        expect(self.page.locator(".htmx-request")).to_have_count(0)

    def write(self, label: str, text: str) -> None:
        """Type into the field with this label; the keys are counted, the field and the tap into it too."""
        box = self.page.get_by_label(label, exact=False).first
        box.fill(text)
        self.taps += 1
        self.fields += 1
        self.keys += len(text)

    def see(self, text: str) -> None:
        """Wait until the text is there for a person to see."""
        expect(self.page.get_by_text(text).locator("visible=true").first).to_be_visible()

    def see_receipt(self, text: str) -> None:
        """Wait for the green band that says what was done."""
        expect(self.page.get_by_test_id("quittung").filter(has_text=text)).to_be_visible()

    def see_not(self, text: str) -> None:
        expect(self.page.get_by_text(text).locator("visible=true")).to_have_count(0)

    def count_from_here(self) -> None:
        """Start counting taps, keys, fields and seconds anew."""
        self.taps, self.keys, self.fields, self.started = 0, 0, 0, time.monotonic()

    def counted(self) -> dict[str, float]:
        seconds = round(time.monotonic() - self.started, 1)
        return {"taps": self.taps, "keys": self.keys, "fields": self.fields, "seconds": seconds}

    def _target(self, text: str, exact: bool) -> Locator:
        wanted: Any = text if exact else re.compile(re.escape(text).replace(r"\ ", r"\s"), re.IGNORECASE)
        page = self.page
        found = (
            page.get_by_role("button", name=wanted, exact=exact)
            .or_(page.get_by_role("link", name=wanted, exact=exact))
            .or_(page.locator("label", has_text=wanted))
            .or_(page.locator("summary", has_text=wanted))
            .locator("visible=true")
            .first
        )
        expect(found).to_be_visible()
        return found

    # --- what a careful eye checks -----------------------------------------------------------------------------------

    def judge(self, screen: str, looks: tuple[str, ...] = LOOKS) -> list[str]:
        """Axe, one h1, no sideways scroll and large targets at 320 px, in these looks; returns the faults.

        Keeps two pictures of a page with faults; of every page when PICTURES is set, they cost a quarter of the time.
        """
        self.judged[screen] = []
        before = self.page.viewport_size
        self.page.set_viewport_size({"width": 320, "height": 568})
        self.page.evaluate(AXE)
        for look in looks:
            self._wear(look)
            self.judged[screen] += [f"{look}: {fault}" for fault in self._faults(look)]
        has_pictures = bool(self.judged[screen] or os.environ.get("PICTURES"))
        if has_pictures:
            self.page.screenshot(path=SHOTS / f"{screen}-320.png", full_page=True)
        self._wear("hell")
        self.page.set_viewport_size(before or {"width": 360, "height": 640})
        if has_pictures:
            self.page.screenshot(path=SHOTS / f"{screen}-360.png")
        return self.judged[screen]

    def judge_language(self, language: str) -> list[str]:
        """The page says which language it speaks, and its longer words fit at 320 px."""
        before = self.page.viewport_size
        self.page.set_viewport_size({"width": 320, "height": 568})
        faults = ["scrolls sideways"] if self.page.evaluate(SCROLLS_SIDEWAYS) else []
        if (found := self.page.locator("html").get_attribute("lang")) != language:
            faults.append(f"speaks {found}")
        self.page.set_viewport_size(before or {"width": 360, "height": 640})
        return faults

    def _wear(self, look: str) -> None:
        self.page.emulate_media(color_scheme="dark" if look == "dunkel" else "light", reduced_motion="reduce")
        self.page.evaluate(
            "(sonne) => { const d = document.documentElement.dataset; d.licht = sonne ? 'sonne' : ''; d.hand = sonne ? 'handschuh' : ''; }",
            look == "sonne",
        )

    def _faults(self, look: str) -> list[str]:
        page = self.page
        faults = page.evaluate(RUN_AXE, {"runOnly": OF_A_LOOK[look]} if look in OF_A_LOOK else {})
        if page.evaluate(SCROLLS_SIDEWAYS):
            faults.append("scrolls sideways")
        if page.locator("h1").count() != 1:
            faults.append(f"{page.locator('h1').count()} h1")
        return [*faults, *page.evaluate(SMALL_TARGETS, 80 if look == "sonne" else SMALLEST_TARGET_PX)]

    # --- messages ----------------------------------------------------------------------------------------------------

    def deliver(self, message: dict[str, Any]) -> dict[str, Any]:
        """Put a decrypted push message into the real service worker and return the notification that it shows."""
        self.page.evaluate("async () => { await navigator.serviceWorker.ready; }")
        if not self.registrations:
            self.cdp.on(
                "ServiceWorker.workerRegistrationUpdated",
                lambda event: self.registrations.extend(event["registrations"]),
            )
            self.cdp.send("ServiceWorker.enable")
            self._until(lambda: bool(self.registrations))
            self._watch_notifications()
        before = len(self.shown)
        self.cdp.send(
            "ServiceWorker.deliverPushMessage",
            {
                "origin": self.base,
                "registrationId": self.registrations[-1]["registrationId"],
                "data": json.dumps(message),
            },
        )
        return self._notification(message["notification"]["tag"], before)

    def answer(self, action: str, notification: dict[str, Any]) -> dict[str, Any]:
        """Tap a button of the notification: the worker's own handler runs, as on a locked phone."""
        worker = self.context.service_workers[-1]
        before = len(self.shown)
        worker.evaluate("([action, data]) => self.onAlert(action, data)", [action, notification["data"]])
        self.taps += 1
        return self._notification(notification["tag"], before)

    def _watch_notifications(self) -> None:
        self.cdp.on(
            "BackgroundService.backgroundServiceEventReceived",
            lambda event: self.shown.append(event["backgroundServiceEvent"]["instanceId"]),
        )
        self.cdp.send("BackgroundService.startObserving", {"service": "notifications"})
        self.cdp.send("BackgroundService.setRecording", {"service": "notifications", "shouldRecord": True})

    def _notification(self, tag: str, before: int) -> dict[str, Any]:
        """What the phone shows now under this tag; asked once the browser says so: who asks Chromium for a notification
        while it is being put up makes it forget that one.
        """
        self._until(lambda: tag in self.shown[before:])
        return self.page.evaluate(READ_NOTIFICATIONS, tag)[-1]

    def _until(self, is_done: Any, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not is_done():
            assert time.monotonic() < deadline, "nothing happened"
            self.page.wait_for_timeout(50)


SCROLLS_SIDEWAYS = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"
RUN_AXE = """
async (options) => (await axe.run(document, { resultTypes: ["violations"], ...options })).violations
  .map((v) => v.id + ": " + v.nodes.map((n) => n.target.join(" ")).slice(0, 3).join(" | "))
"""
SMALL_TARGETS = """
(least) => {
  const words = (e) => (e.textContent || e.name || e.type).trim().slice(0, 30);
  const size = ({ width, height }) => `${Math.round(width)}x${Math.round(height)}`;
  const isText = (e) => e.closest("p, noscript, .tippbar h2") || getComputedStyle(e, "::after").position === "absolute";
  const bar = (e) => e.closest(".aktion, .leiste, .kopf, .fuehrung, .band");
  const targets = [...document.querySelectorAll("a, button, input, select, textarea, summary, label.chip")]
    .filter((e) => { const s = getComputedStyle(e); const r = e.getBoundingClientRect();
      return r.width > 1 && r.height > 1 && e.checkVisibility({ contentVisibilityAuto: true, visibilityProperty: true }) && s.position !== "absolute" && !e.closest(".sprung, .band")
        && !["radio", "checkbox", "file", "hidden"].includes(e.type) && !isText(e); })
    .map((e) => [e, e.getBoundingClientRect()]);
  const isFirst = (e) => e.matches(".knopf.pri, .knopf.ja");
  const wanted = (e) => isFirst(e) ? (least >= 80 ? 96 : 64) : least;
  const small = targets.filter(([e, r]) => r.height < wanted(e) - 0.6 || r.width < least - 0.6)
    .map(([e, r]) => `small target ${size(r)}: ${words(e)}`);
  const apart = (a, b) => Math.max(a.left - b.right, b.left - a.right, a.top - b.bottom, b.top - a.bottom);
  const near = targets.flatMap(([e, r], at) => targets.slice(at + 1)
    .filter(([other, o]) => !e.closest(".leiste") && bar(e) === bar(other) && !e.contains(other) && apart(r, o) < 11.4)
    .map(([other, o]) => `only ${Math.round(apart(r, o))} px between: ${words(e)} | ${words(other)}`));
  return [...small, ...near];
}
"""
READ_NOTIFICATIONS = """
async (tag) => (await (await navigator.serviceWorker.ready).getNotifications({ tag }))
  .map((n) => ({ title: n.title, body: n.body, tag: n.tag, data: n.data, actions: n.actions.map((a) => ({ action: a.action, title: a.title })) }))
"""
