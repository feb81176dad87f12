"""The public page: only for firms that want it, readable by search engines, and safe whatever a firm calls itself."""

import datetime as dt
import json
import re
from html import unescape

from app.core import clock
from app.core.ids import new_id
from app.directory.linked_data import json_ld
from app.directory.queries import Entry
from app.firms.models import Firm
from app.partners.models import BlockedFirm
from app.worker import run_until_quiet
from tests.partners.test_routes import YILMAZ, firm_id, founded
from tests.partners.test_routes import node as node
from tests.passkeys.world import Node

NASTY = "</script><script>alert('1')</script> & \"Söhne\" 5 Achs"


def data_of(page: str) -> dict[str, object]:
    found = re.search(r'<script type="application/ld\+json">(.*?)</script>', page)
    assert found is not None
    told: dict[str, object] = json.loads(found[1])
    return told


def test_the_page_exists_only_while_the_firm_wants_it(node: Node) -> None:
    keller, stranger = founded(node), node.browser()
    keller.post("/verzeichnis/eintrag", is_listed="on")
    hidden = stranger.get("/betrieb/keller", 404).get_data(as_text=True)
    keller.post("/verzeichnis/eintrag", is_public="on")
    run_until_quiet(node.database)
    answer = stranger.get("/betrieb/keller")
    page = answer.get_data(as_text=True)
    assert '<meta name="robots" content="index">' in page
    assert data_of(page)["name"] == "Keller Metallbau GmbH"
    assert data_of(page)["url"] == f"{node.config.public_url}/betrieb/keller"
    for secret in ("Werkstr", "Petra", "petra@keller.de", "HRB", "98693"):
        assert secret not in page
    keller.post("/verzeichnis/eintrag", is_public="off")
    gone = stranger.get("/betrieb/keller", 404).get_data(as_text=True)
    never = stranger.get("/betrieb/kellex", 404).get_data(as_text=True)
    assert gone == hidden
    assert gone.replace("/betrieb/keller", "") == never.replace("/betrieb/kellex", "")


def test_a_firm_that_is_blocked_meets_no_page(node: Node) -> None:
    keller, yilmaz = founded(node), founded(node, **YILMAZ)
    keller.post("/verzeichnis/eintrag", is_public="on")
    yilmaz.get("/betrieb/keller")
    with node.database.write() as session:
        address = session.get_one(Firm, firm_id(node, "Yilmaz")).address
        session.add(
            BlockedFirm(
                firm_id=firm_id(node, "Keller"), id=new_id(), created_at=clock.now(), address=address, name="Yilmaz"
            )
        )
    yilmaz.get("/betrieb/keller", 404)
    keller.get("/betrieb/keller")


def test_whatever_a_firm_calls_itself_nothing_of_it_runs(node: Node) -> None:
    keller, stranger = founded(node), node.browser()
    keller.post("/verzeichnis/eintrag", is_public="on")
    with node.database.write() as session:
        session.get_one(Firm, firm_id(node, "Keller")).name = NASTY
    answer = stranger.get("/betrieb/keller")
    page = answer.get_data(as_text=True)
    assert data_of(page)["name"] == NASTY
    assert "<script>alert" not in page
    assert "alert('1')" in unescape(page)
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert "'unsafe-inline'" not in answer.headers["Content-Security-Policy"]


def test_strange_handles_are_not_there(node: Node) -> None:
    founded(node).post("/verzeichnis/eintrag", is_public="on")
    for handle in ("%25", "k%25", "KELLER", "keller@localhost", "kelle_", "-keller", "a" * 200):
        node.browser().get(f"/betrieb/{handle}", 404)


def test_the_data_holds_the_certificates_with_their_end() -> None:
    entry = Entry("id", "k", "Keller", "Ilmenau", ("Drehen",), (("ISO 9001", dt.date(2028, 1, 1)),), is_public=True)
    found = json.loads(json_ld(entry, "https://werkring.example/betrieb/k"))
    assert found["knowsAbout"] == ["Drehen"]
    assert found["hasCertification"] == [{"@type": "Certification", "name": "ISO 9001", "expires": "2028-01-01"}]
    assert found["address"] == {"@type": "PostalAddress", "addressLocality": "Ilmenau", "addressCountry": "DE"}
