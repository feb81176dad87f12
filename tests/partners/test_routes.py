"""The pages: from the QR to the signed framework agreement, as two phones walk through it."""

import re
from html import unescape
from pathlib import Path
from unittest.mock import patch

import pytest
import sqlalchemy as sa

from app import factory
from app.config import load_config
from app.core import clock
from app.core.db import Database
from app.federation.models import Message
from app.firms.models import Firm
from app.partners.models import PartnerInvitation
from app.partners.queries import find_partnership, invitation_token, partnership_with
from app.worker import run_until_quiet
from tests.passkeys.world import Browser, Node

ROOMS = ("firms", "passkeys", "federation", "partners", "directory")
YILMAZ = {"name": "Dreherei Yilmaz GmbH", "short_name": "Yilmaz", "postcode": "98527", "town": "Suhl"}
NOWAK = {"name": "Nowak Zerspanung", "short_name": "Nowak", "postcode": "07743", "town": "Jena"}


@pytest.fixture
def node(database: Database, tmp_path: Path) -> Node:
    config = load_config({"DATA_DIR": str(tmp_path / "data"), "DATABASE_URL": database.url})
    with patch.object(factory, "ROOMS", ROOMS):
        return Node(factory.create_app(config, database), database, config)


def founded(node: Node, **facts: str) -> Browser:
    """A manager whose firm may sign."""
    browser = node.browser()
    browser.found_firm(**facts)
    browser.post("/notfall/schluessel/gedruckt")
    return browser


def firm_id(node: Node, short_name: str) -> str:
    with node.database.read() as session:
        return session.scalars(sa.select(Firm.id).where(Firm.short_name == short_name)).one()


def new_link(node: Node, browser: Browser) -> str:
    """The path behind a new QR."""
    page = browser.post("/partner/einladen").headers["Location"]
    shown = browser.get(page).get_data(as_text=True)
    with node.database.read() as session:
        row = session.get_one(PartnerInvitation, (firm_id(node, "Keller"), page.rsplit("/", 1)[1]))
        path = f"/join/{invitation_token(session, row.firm_id, row.id)}"
    assert path in shown
    assert "<svg" in shown
    return path


def framework_id(node: Node, of: str, partner: str) -> str:
    with node.database.read() as session:
        return partnership_with(session, firm_id(node, of), firm_id(node, partner)).framework_id or ""


def linked(node: Node) -> tuple[Browser, Browser]:
    """Keller and Yilmaz, partners by both signatures."""
    keller, yilmaz = founded(node), founded(node, **YILMAZ)
    yilmaz.post(new_link(node, keller))
    run_until_quiet(node.database)
    keller.approve("framework", framework_id(node, "Keller", "Yilmaz"))
    run_until_quiet(node.database)
    yilmaz.approve("framework", framework_id(node, "Yilmaz", "Keller"))
    run_until_quiet(node.database)
    return keller, yilmaz


def test_two_phones_become_partners(node: Node) -> None:
    keller, yilmaz = founded(node), founded(node, **YILMAZ)
    path = new_link(node, keller)
    assert "Keller Metallbau GmbH" in yilmaz.get(path).get_data(as_text=True)
    partner = yilmaz.post(path).headers["Location"]
    run_until_quiet(node.database)
    assert "Jetzt ist Keller Metallbau GmbH dran" in yilmaz.get(partner).get_data(as_text=True)
    yilmaz_id, keller_id = firm_id(node, "Yilmaz"), firm_id(node, "Keller")
    contract = keller.get(f"/partner/{yilmaz_id}/vertrag").get_data(as_text=True)
    assert "Dreherei Yilmaz GmbH" in contract
    assert "Entwurf für Ihre Rechtsberatung" in contract
    keller.approve("framework", framework_id(node, "Keller", "Yilmaz"))
    run_until_quiet(node.database)
    yilmaz.get(f"/partner/{keller_id}/vertrag")
    yilmaz.approve("framework", framework_id(node, "Yilmaz", "Keller"))
    run_until_quiet(node.database)
    for browser, other in ((keller, yilmaz_id), (yilmaz, keller_id)):
        assert "Beide haben unterschrieben" in browser.get(f"/partner/{other}").get_data(as_text=True)
        assert browser.get(f"/partner/{other}/beweis.json").mimetype == "application/json"
        browser.get("/partner")
        browser.get(f"/partner/{other}/stand")


def test_a_stranger_without_account_sees_name_town_and_words_and_comes_back_after_founding(node: Node) -> None:
    keller, stranger = founded(node), node.browser()
    path = new_link(node, keller)
    page = stranger.get(path).get_data(as_text=True)
    assert "lädt Ihren Betrieb ein" in page
    assert "Erfurt" in page
    for secret in ("Werkstr. 1", "petra@keller.de", "Petra", "HRB"):
        assert secret not in page.split("<form")[0]
    assert 'action="/betrieb/neu"' in page
    assert f'name="weiter" value="{path}"' in page
    stranger.post("/betrieb/neu", **({"weiter": path} | NOWAK | {
        "legal_form": "GmbH", "street": "Weg 2", "person_name": "Nora Nowak", "email": "nora@nowak.de",
    }))  # fmt: skip
    stranger.register("/betrieb/neu/schluessel/optionen", "/betrieb/neu/schluessel")
    answer = stranger.answer("/betrieb/neu/bestaetigen/optionen", "/betrieb/neu/bestaetigen")
    assert answer["next"] == path
    stranger.post(path)


def test_a_link_is_dead_after_use_and_looks_like_one_that_never_was(node: Node) -> None:
    keller, yilmaz, nowak = founded(node), founded(node, **YILMAZ), founded(node, **NOWAK)
    path = new_link(node, keller)
    yilmaz.post(path)
    used, never = nowak.get(path, 404).get_data(), nowak.get("/join/" + "A" * 22, 404).get_data()
    assert used == never
    nowak.post(path, 404)
    with node.database.read() as session:
        assert find_partnership(session, firm_id(node, "Nowak"), firm_id(node, "Keller")) is None


def test_the_own_link_is_refused_with_a_sentence(node: Node) -> None:
    keller = founded(node)
    path = new_link(node, keller)
    assert "eure eigene Einladung" in keller.get(path).get_data(as_text=True)
    keller.post(path, 422)


def test_a_clause_is_edited_before_the_first_approval_and_never_after(node: Node) -> None:
    keller, yilmaz = founded(node), founded(node, **YILMAZ)
    yilmaz.post(new_link(node, keller))
    run_until_quiet(node.database)
    other = firm_id(node, "Yilmaz")
    keller.get(f"/partner/{other}/vertrag/aendern")
    page = keller.get(f"/partner/{other}/vertrag/ziffer/24").get_data(as_text=True)
    assert "Entwurf für Ihre Rechtsberatung" in page
    wrong = keller.post(f"/partner/{other}/vertrag/ziffer/24", 422, title="Kündigung", clause_24="%(gibtsnicht)s")
    assert "gibtsnicht" in wrong.get_data(as_text=True)
    keller.post(f"/partner/{other}/vertrag/ziffer/24", title="Kündigung", clause_24="Kündigen geht per Fax.")
    keller.post(
        f"/partner/{other}/vertrag/aendern", scopes="requests", notice_days="60", payment_days="14",
        acceptance_days="10", silence_days="5", tolerance_percent="10", scrap_percent="3",
    )  # fmt: skip
    wrong = keller.post(f"/partner/{other}/vertrag/aendern", 422, scopes="requests", notice_days="0")
    found = re.findall(r'<a href="#feld-[^>]*>([^<]*)</a>', wrong.get_data(as_text=True))
    assert found[:2] == [
        "Kündigungsfrist: Gib eine ganze Zahl von 14 bis 365 ein.",
        "Zahlungsziel: Gib eine ganze Zahl von 7 bis 60 ein.",
    ]
    contract = keller.get(f"/partner/{other}/vertrag").get_data(as_text=True).replace("\N{NO-BREAK SPACE}", " ")
    assert "Kündigen geht per Fax." in contract
    assert "60 Tagen" in contract
    keller.approve("framework", framework_id(node, "Keller", "Yilmaz"))
    keller.post(f"/partner/{other}/vertrag/ziffer/24", 422, title="Kündigung", clause_24="Nie.")
    keller.post(f"/partner/{other}/vertrag/vorlage", 422, template_key="maschinennutzung")
    assert "Kündigen geht per Fax." in keller.get(f"/partner/{other}/vertrag").get_data(as_text=True)


def test_a_new_firm_goes_on_to_its_machines_and_then_to_its_tasks(database: Database, tmp_path: Path) -> None:
    config = load_config({"DATA_DIR": str(tmp_path / "data"), "DATABASE_URL": database.url, "PRACTICE": "off"})
    node = Node(factory.create_app(config, database), database, config)
    keller, yilmaz = node.browser(), node.browser()
    keller.found_firm()
    yilmaz.found_firm(**YILMAZ)
    machines = yilmaz.post(new_link(node, keller)).headers["Location"]
    assert "Welche Maschinen habt ihr?" in yilmaz.get(machines).get_data(as_text=True)
    tasks = yilmaz.post(machines, types=["cnc_lathe", "saw"]).headers["Location"]
    assert "1 von 4 erledigt" in yilmaz.get(tasks).get_data(as_text=True)
    yilmaz.post(f"/partner/{firm_id(node, 'Keller')}/nein")
    assert "/partner/" in yilmaz.post(new_link(node, keller)).headers["Location"]


def test_an_open_invitation_is_found_again_and_taken_back(node: Node) -> None:
    keller, yilmaz = founded(node), founded(node, **YILMAZ)
    path = new_link(node, keller)
    where = re.search(r'action="(/partner/einladung/[^"]+/zurueck)"', keller.get("/partner").get_data(as_text=True))[1]  # type: ignore[index]
    yilmaz.post(where, 404)
    keller.post(where)
    yilmaz.get(path, 404)
    assert "gilt nicht mehr" in keller.get(where.removesuffix("/zurueck")).get_data(as_text=True)
    assert "/zurueck" not in keller.get("/partner").get_data(as_text=True)


def test_a_contract_edited_by_a_colleague_is_read_again_before_it_is_signed(node: Node) -> None:
    keller, yilmaz = founded(node), founded(node, **YILMAZ)
    yilmaz.post(new_link(node, keller))
    run_until_quiet(node.database)
    contract = f"/partner/{firm_id(node, 'Yilmaz')}/vertrag"
    loaded = options_url(keller.get(contract).get_data(as_text=True))
    keller.post(f"{contract}/ziffer/24", title="Kündigung", clause_24="Kündigen geht per Fax.")
    assert "geändert" in keller.send(loaded, status=422)["error"]
    keller.send(options_url(keller.get(contract).get_data(as_text=True)))


def options_url(page: str) -> str:
    """Where the button on this page asks for the phone's options."""
    return unescape(re.search(r'data-options-url="([^"]+)"', page)[1])  # type: ignore[index]


def test_nobody_but_a_party_sees_a_partnership(node: Node) -> None:
    keller, yilmaz, nowak = founded(node), founded(node, **YILMAZ), founded(node, **NOWAK)
    yilmaz.post(new_link(node, keller))
    run_until_quiet(node.database)
    framework = framework_id(node, "Keller", "Yilmaz")
    for other in (firm_id(node, "Keller"), firm_id(node, "Yilmaz")):
        for page in ("", "/stand", "/vertrag", "/vertrag/aendern", "/vertrag/ziffer/1", "/ende", "/beweis.json"):
            nowak.get(f"/partner/{other}{page}", 404)
        for deed in ("/umfang", "/pause", "/weiter", "/nein", "/ende", "/blockieren", "/nachsenden"):
            nowak.post(f"/partner/{other}{deed}", 404)
    nowak.send(f"/unterschrift/framework/{framework}/optionen", status=404)
    assert "Keller" not in nowak.get("/partner").get_data(as_text=True)


def test_a_signed_contract_and_its_proof_open_although_the_partner_is_blocked(node: Node) -> None:
    keller, _ = linked(node)
    other = firm_id(node, "Yilmaz")
    keller.post(f"/partner/{other}/blockieren")
    keller.get(f"/partner/{other}", 404)
    assert f"/partner/{other}/vertrag" in keller.get("/partner").get_data(as_text=True)
    assert f'/partner/{other}"' not in keller.get(f"/partner/{other}/vertrag").get_data(as_text=True)
    keller.get(f"/partner/{other}/beweis.json")


def test_a_partner_that_nothing_reaches_is_named_and_one_tap_sends_again(node: Node) -> None:
    keller, _ = linked(node)
    page = f"/partner/{firm_id(node, 'Yilmaz')}"
    keller.post(f"{page}/umfang", scope="requests")
    run_until_quiet(node.database)
    with node.database.write() as session:
        sent = sa.select(Message).where(Message.firm_id == firm_id(node, "Keller"), Message.direction == "out")
        session.scalars(sent.order_by(Message.seq.desc()).limit(1)).one().state = "parked"
    shown = keller.get(page).get_data(as_text=True)
    assert f"Seit {clock.today():%d.%m.} kommt bei Dreherei Yilmaz GmbH nichts an." in shown
    assert "Noch einmal senden" in shown
    keller.post(f"{page}/nachsenden")
    run_until_quiet(node.database)
    assert "nichts an." not in keller.get(page).get_data(as_text=True)
    assert "gehen noch einmal hinaus" in keller.get("/protokoll").get_data(as_text=True)


def test_ending_needs_a_signature_and_holds_at_once(node: Node) -> None:
    keller, yilmaz = linked(node)
    partner = f"/partner/{firm_id(node, 'Keller')}"
    other = firm_id(node, "Yilmaz")
    keller.get(f"/partner/{other}/ende", 404)
    keller.post(f"/partner/{other}/umfang", scope="requests")
    keller.post(f"/partner/{other}/umfang", 422, scope="training")
    keller.post(f"/partner/{other}/pause")
    assert "Pause" in keller.get(f"/partner/{other}").get_data(as_text=True)
    keller.post(f"/partner/{other}/weiter")
    keller.post(f"/partner/{other}/ende")
    assert "beendet die Partnerschaft" in keller.get(f"/partner/{other}/ende").get_data(as_text=True)
    keller.approve("link.end", other)
    run_until_quiet(node.database)
    assert "beendet" in yilmaz.get(partner).get_data(as_text=True)
    log = keller.get("/protokoll").get_data(as_text=True)
    assert "Die Partnerschaft mit Dreherei Yilmaz GmbH ist beendet." in log
