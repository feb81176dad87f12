"""Two worlds on one address: nothing of the one can be reached from the other, and no game from another game."""

import datetime as dt
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import sqlalchemy as sa
from werkzeug.test import Client

from app.capacity.models import CapacityWindow
from app.config import load_config
from app.core import clock
from app.core.db import Base, Database
from app.factory import create_site
from app.firms.access import Role
from app.firms.models import Firm, Person
from app.passkeys.models import SignIn
from app.passkeys.sessions import start_sign_in
from app.practice.people import acting, firm_by_short_name
from app.practice.worlds import practice_config
from app.web.crossing import Ticket, crossing_key, issue_ticket
from tests.conftest import MONDAY
from tests.practice.visitors import BASE, OWN_FORM, Site, Visitor, text_of
from tests.world import make_firm

ROOT = Path(__file__).parents[2]


def test_a_visitor_practises_without_account_in_two_taps_and_a_choice(site: Site) -> None:
    visitor = site.visitor()
    visitor.open("/uebung/")
    assert "Das ist der Übungsbetrieb. Alle Firmen sind erfunden. Du kannst nichts kaputt machen." in visitor.words
    visitor.tap_button("ueben")
    visitor.become("Yilmaz", "worker")
    assert visitor.path == "/uebung/heute"
    assert "Ayşe" in visitor.words


def test_every_page_of_the_practice_world_says_so(site: Site) -> None:
    visitor = site.player()
    visitor.become("Keller", "manager")
    for path in ("/uebung/personen", "/uebung/handy", "/uebung/suchen", "/uebung/vertraege", "/uebung/mehr"):
        visitor.open(path)
        assert re.search(r"<title>\s*(Fehler: )?Übung: ", visitor.page), path
        assert 'data-testid="band-uebung"' in visitor.page, path
    sheet = (ROOT / "static/css/app.css").read_text()
    assert 'content: "ÜBUNG"' in sheet.split("@media print", 1)[1]


def test_the_practice_world_offers_nothing_that_only_a_real_phone_can_do(site: Site) -> None:
    visitor = site.player()
    visitor.become("Keller", "manager")
    for path in ("/uebung/mehr", "/uebung/geraete"):
        visitor.open(path)
        found = set(re.findall(r'(?:href|action|data-options-url)="(/uebung/[^"#]*)"', visitor.page))
        closed = {url for url in found if visitor.client.open(url, base_url=BASE, headers=OWN_FORM).status_code == 403}
        assert closed == set(), path
        assert "<passkey-button" not in visitor.page
    assert "anderes-handy" not in visitor.page


def test_two_visitors_play_in_two_worlds(site: Site) -> None:
    one, other = site.player(), site.player()
    with site.database(one).write() as session:
        session.execute(sa.update(CapacityWindow).values(actual_min=CapacityWindow.agreed_min))
    with site.database(other).read() as session:
        assert session.scalar(sa.select(sa.func.sum(CapacityWindow.actual_min))) > 1000 * 60
    one.become("Keller", "manager")
    assert one.client.get_cookie("uebung", path="/uebung") is not None
    # the sign-in of one game opens nothing in another
    stolen = one.client.get_cookie("uebung", path="/uebung").value  # type: ignore[union-attr]
    other.client.set_cookie("uebung", stolen, path="/uebung")
    other.open("/uebung/vertraege")
    assert "Das ist der Übungsbetrieb." in other.words


def test_a_second_browser_joins_the_same_game_by_its_code(site: Site) -> None:
    one, other = site.player(), site.visitor()
    one.open("/uebung/zweites-handy")
    code = re.search(r'class="code num">([A-Z]{6})<', one.page)
    assert code is not None
    assert "<svg" in one.page
    other.open("/uebung/")
    other.tap("/uebung/mitmachen", code=code.group(1).lower())
    assert one.game(site.practice).id == other.game(site.practice).id
    one.become("Keller", "manager")
    other.become("Yilmaz", "foreman")
    with site.database(one).read() as session:
        firms = set(session.scalars(sa.select(Firm.short_name).join(SignIn, SignIn.firm_id == Firm.id)))
    assert firms == {"Keller", "Yilmaz"}


def test_the_picture_on_the_first_phone_leads_the_second_one_in_with_one_tap(site: Site) -> None:
    one, other = site.player(), site.visitor()
    other.open(f"/uebung/mitmachen/{one.game(site.practice).code}")
    other.tap_button("mitspielen")
    assert other.game(site.practice).id == one.game(site.practice).id


def test_a_wrong_code_is_told_plainly_and_kept(site: Site) -> None:
    visitor = site.visitor()
    visitor.tap("/uebung/mitmachen", 422, code="QQQQQQ")
    assert "Dieses Spiel gibt es nicht. Prüfe den Code." in visitor.words
    assert 'value="QQQQQQ"' in visitor.page
    visitor.tap("/uebung/mitmachen", 422, code="")
    assert "Gib den Code ein. Er hat 6 Buchstaben." in visitor.words


def test_a_reset_touches_only_the_own_game(site: Site) -> None:
    one, other = site.player(), site.player()
    for player in (one, other):
        with site.database(player).write() as session:
            session.execute(sa.update(Firm).values(name="Umbenannt (Demo)"))
    one.open("/uebung/personen")
    one.tap_button("neu")
    assert "Alles ist wieder wie am Anfang." in one.words
    with site.database(one).read() as session:
        assert "Keller Metallbau (Demo)" in session.scalars(sa.select(Firm.name)).all()
    with site.database(other).read() as session:
        assert set(session.scalars(sa.select(Firm.name))) == {"Umbenannt (Demo)"}
    files = {path.name for path in (site.practice.config.data_dir / "games").glob(f"{one.game(site.practice).id}*")}
    assert one.game(site.practice).file_name in files
    assert not any("-1.sqlite" in name for name in files)


def test_the_practice_world_is_left_by_itself_after_half_an_hour_without_a_tap(site: Site) -> None:
    visitor = site.player()
    visitor.become("Keller", "manager")
    with clock.frozen(MONDAY + dt.timedelta(minutes=29)):
        visitor.open("/uebung/suchen", **{"HX-Request": "true"})  # a page that asks again by itself is no tap
        assert visitor.path == "/uebung/suchen"
    with clock.frozen(MONDAY + dt.timedelta(minutes=31)):
        answer = visitor.client.get("/uebung/suchen", base_url=BASE, headers={"HX-Request": "true"})
        assert answer.headers["HX-Redirect"] == "/uebung/"
        visitor.open("/uebung/suchen")
        assert "Das ist der Übungsbetrieb." in visitor.words
        visitor.tap_button("ueben")
        visitor.become("Keller", "manager")
        visitor.open("/uebung/suchen")
        assert visitor.path == "/uebung/suchen"


def test_leaving_ends_in_the_real_world_without_a_practice_band(site: Site) -> None:
    visitor = site.player()
    visitor.become("Keller", "worker")
    visitor.open("/uebung/personen")
    visitor.tap_button("verlassen")
    assert visitor.path == "/"
    assert "Du bist jetzt wieder im echten Betrieb." in visitor.words
    assert "Übung:" not in visitor.page
    assert "band-uebung" not in visitor.page
    assert visitor.client.get_cookie("uebung", path="/uebung") is None


def test_language_and_look_stay_with_the_visitor_whoever_they_play(site: Site) -> None:
    visitor = site.visitor()
    for name, value in (("language", "en"), ("light", "sonne"), ("hand", "handschuh")):
        visitor.client.set_cookie(name, value)
    visitor.tap("/uebung/vorfuehrung")
    assert _look(visitor) == ("en", "sonne", "handschuh")
    visitor.tap_button("vorfuehrung-ende")
    visitor.tap("/uebung/ueben")
    for firm in ("Keller", "Yilmaz"):
        visitor.become(firm, "foreman")
        assert _look(visitor) == ("en", "sonne", "handschuh")


def test_two_browsers_play_one_person_each_in_its_own_language(site: Site) -> None:
    one, other = site.player(), site.visitor()
    other.client.set_cookie("language", "en")
    other.tap("/uebung/mitmachen", code=one.game(site.practice).code)
    one.become("Keller", "manager")
    other.become("Keller", "manager")
    one.open("/uebung/mehr")
    other.open("/uebung/mehr")
    assert (_look(one)[0], _look(other)[0]) == ("de", "en")


def test_who_crosses_over_brings_role_language_and_look_and_nothing_else(site: Site) -> None:
    visitor = site.visitor()
    ticket = _ticket(site)
    assert [one.name for one in fields(Ticket)] == ["id", "role", "language", "light", "hand"]
    visitor.open(f"/uebung/herueber?karte={ticket}")
    visitor.tap_button("ueben")
    assert _look(visitor) == ("en", "sonne", "")
    visitor.open(_firm_path(visitor, "Keller"))
    assert re.findall(r'data-testid="person-(\w+)"', visitor.page)[0] == "foreman"


def test_a_ticket_lets_in_once_and_a_forged_one_brings_nothing(site: Site) -> None:
    ticket = _ticket(site)
    for given, language in ((ticket, "en"), (ticket, "de"), (ticket[:-2] + "xx", "de"), ("", "de")):
        visitor = site.visitor()
        visitor.open(f"/uebung/herueber?karte={given}")
        assert _look(visitor)[0] == language, given


def test_the_way_to_practice_and_back_starts_and_ends_in_the_real_firm(tmp_path: Path) -> None:
    config = load_config({"DATA_DIR": str(tmp_path)})
    real = Database(config.database_url)
    real.create_tables()
    with real.write() as session:
        firm = make_firm(session, "keller")
        session.flush()
        person = session.get_one(Person, (firm.id, firm.people[Role.FOREMAN]))
        person.language, person.light = "en", "sonne"
        secret = start_sign_in(session, firm.id, person.id, "", has_passkey=True).secret
    visitor = Visitor(Client(create_site(config)))
    visitor.client.set_cookie("werkring", secret)
    visitor.open("/mehr")
    assert 'href="/zur-uebung"' in visitor.page
    visitor.open("/zur-uebung")
    assert visitor.path == "/uebung/"
    assert _look(visitor) == ("en", "sonne", "")
    assert firm.name not in visitor.page
    visitor.open("/zurueck")
    assert "You are back in the real firm now." in visitor.words
    assert "band-uebung" not in visitor.page
    real.close()


def test_a_practice_sign_in_gives_no_right_in_the_real_world(site: Site) -> None:
    visitor = site.player()
    visitor.become("Keller", "manager")
    secret = visitor.client.get_cookie("uebung", path="/uebung")
    assert secret is not None
    stranger = Client(site.wsgi)
    for name in ("werkring", "__Host-werkring", "uebung"):
        stranger.set_cookie(name, secret.value)
    answer = stranger.get("/vertraege", base_url=BASE, headers={"Accept": "text/html"})
    assert answer.headers["Location"].startswith("/anmelden")


def test_a_real_sign_in_gives_no_right_in_the_practice_world(site: Site) -> None:
    visitor = site.player()
    with site.database(visitor).write() as session:
        petra = acting(session, firm_by_short_name(session, "Keller").id, Role.MANAGER)
        secret = start_sign_in(session, petra.firm_id, petra.person_id, "", has_passkey=True).secret
    visitor.client.set_cookie("werkring", secret)
    visitor.client.set_cookie("__Host-werkring", secret)
    visitor.open("/uebung/vertraege")
    assert "Das ist der Übungsbetrieb." in visitor.words


def test_playing_writes_nothing_into_the_real_database(site: Site) -> None:
    before = _rows(site)
    visitor = site.player()
    visitor.become("Keller", "manager")
    for path in ("/uebung/", "/uebung/personen", "/uebung/suchen", "/uebung/mehr", "/uebung/geraete"):
        visitor.open(path)
    visitor.tap("/uebung/neu-anfangen")
    assert _rows(site) == before
    assert sum(before.values()) == 0


def test_a_practice_thing_is_not_found_in_the_real_world(site: Site) -> None:
    visitor = site.player()
    visitor.become("Keller", "manager")
    visitor.open("/uebung/vertraege")
    agreement = re.search(r'href="/uebung(/vertraege/[0-9a-f-]{36})"', visitor.page)
    assert agreement is not None
    visitor.open("/uebung" + agreement.group(1))
    answer = visitor.client.get(agreement.group(1), base_url=BASE, headers={"Accept": "text/html"})
    assert answer.status_code in (303, 404)
    assert "Keller" not in text_of(answer)


@pytest.mark.parametrize(
    "path", ["/vorfuehrung", "/ueben", "/weiter", "/mitmachen", "/neu-anfangen", "/handy/x", "/personen/a/b"]
)
def test_the_real_world_has_no_practice_paths(site: Site, path: str) -> None:
    answer = Client(site.wsgi).post(path, base_url=BASE, headers=OWN_FORM)
    assert answer.status_code == 404


def test_a_node_without_practice_world_never_loads_its_code() -> None:
    code = """
import sys, tempfile
from app.config import load_config
from app.core.db import Database
from app.factory import create_site
config = load_config({"DATA_DIR": tempfile.mkdtemp(), "PRACTICE": "off"})
Database(config.database_url).create_tables()
site = create_site(config)
assert not [name for name in sys.modules if name.startswith("app.practice")], "practice code was loaded"
client = site.test_client()
assert client.get("/uebung/").status_code == 404
own = {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin"}
assert client.post("/uebung/unterschrift/agreement/x", headers=own).status_code == 404
assert "practice" not in site.blueprints
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_real_app_beside_the_practice_world_has_no_software_passkey(site: Site) -> None:
    real = site.wsgi.app
    assert "practice" not in real.blueprints
    assert not [rule for rule in real.url_map.iter_rules() if rule.endpoint.startswith("practice.")]
    assert site.practice.app.url_map.bind("x").match("/unterschrift/agreement/1", "POST")[0] == "practice.sign"
    assert real.url_map.bind("x").match("/unterschrift/agreement/1", "POST")[0] == "passkeys.finish_approval"


def test_the_practice_world_has_its_own_keys_and_no_way_out(site: Site) -> None:
    own = practice_config(site.config)
    assert own.secret_key != site.config.secret_key
    assert own.node_key != site.config.node_key
    assert own.database_url != site.config.database_url
    assert (own.smtp_url, own.queue_url, own.push_test_hosts, own.practice) == ("", "", (), False)


@pytest.mark.parametrize("path", ["/uebung/betrieb/neu", "/uebung/willkommen/ABCDEF", "/uebung/notfall"])
def test_nothing_real_can_be_begun_in_the_practice_world(site: Site, path: str) -> None:
    visitor = site.player()
    visitor.become("Keller", "manager")
    visitor.open(path, 403)
    assert "Das geht nur im echten Betrieb." in visitor.words


@pytest.mark.parametrize(
    "path",
    [
        "/uebung/geraete/schluessel/optionen",
        "/uebung/anmelden/optionen",
        "/uebung/push/geraet",
        "/uebung/unterschrift/a/b/optionen",
    ],
)
def test_no_real_passkey_and_no_real_message_in_the_practice_world(site: Site, path: str) -> None:
    visitor = site.player()
    visitor.become("Keller", "manager")
    answer = visitor.client.post(path, json={}, base_url=BASE, headers=OWN_FORM)
    assert answer.status_code == 403


def test_without_a_game_only_the_door_is_open(site: Site) -> None:
    visitor = site.visitor()
    for path in ("/uebung/suchen", "/uebung/personen", "/uebung/handy", "/uebung/anmelden", "/uebung/betrieb/neu"):
        visitor.open(path)
        assert visitor.path == "/uebung/", path
    visitor.client.set_cookie("uebung-spiel", "forged", path="/uebung")
    visitor.open("/uebung/suchen")
    assert "Üben starten" in visitor.words


def test_the_oldest_games_are_erased_with_their_files(site: Site) -> None:
    with clock.frozen(MONDAY - dt.timedelta(days=30)):
        old = site.player()
        file_name = old.game(site.practice).file_name
    assert site.practice.stores.has(file_name)
    site.player()
    assert not site.practice.stores.has(file_name)
    old.open("/uebung/suchen")
    assert "Üben starten" in old.words


def test_files_without_a_game_are_erased(site: Site) -> None:
    player = site.player()
    folder = site.practice.config.data_dir / "games"
    for name in ("0123456789abcdef-1.sqlite", "0123456789abcdef-1.sqlite-wal"):
        (folder / name).write_bytes(b"left over")
    site.practice.erase_old()
    assert not list(folder.glob("0123456789abcdef*"))
    assert site.practice.stores.has(player.game(site.practice).file_name)


def _look(visitor: Visitor) -> tuple[str, ...]:
    found = re.search(r'<html lang="(\w*)".*? data-licht="(\w*)" data-hand="(\w*)"', visitor.page)
    assert found is not None
    return found.groups()


def _ticket(site: Site) -> str:
    return issue_ticket(crossing_key(site.config.secret_key), "foreman", "en", light="sonne", hand="")


def _firm_path(visitor: Visitor, firm: str) -> str:
    visitor.open("/uebung/personen")
    found = re.search(rf'href="([^"]+)"><span><strong>{firm}<', visitor.page)
    assert found is not None
    return found.group(1)


def _rows(site: Site) -> dict[str, int]:
    with site.real.read() as session:
        return {
            table.name: session.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
            if table.name != "rate_limit"
        }
