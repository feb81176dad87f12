"""The directory's pages: asking a firm here and on a linked node, and opening one that a partner introduced."""

import datetime as dt
import re
from html import unescape

from app.core import clock
from app.directory.far import keep_entries, link_node, take_far_approach, waiting_approaches
from app.directory.models import IntroductionOffer
from app.directory.wire import Asked, Listed
from app.worker import run_until_quiet
from tests.partners.test_routes import YILMAZ, firm_id, founded, linked, node  # noqa: F401
from tests.passkeys.world import Node


def test_a_firm_of_the_directory_is_asked_and_says_yes(node: Node) -> None:  # noqa: F811
    keller, yilmaz = founded(node), founded(node, **YILMAZ)
    assert "Noch habt ihr keinen Partner" in keller.get("/partner").get_data(as_text=True)
    assert "Hier steht noch kein anderer Betrieb" in keller.get("/verzeichnis").get_data(as_text=True)
    yilmaz.post("/verzeichnis/eintrag", is_listed="on")
    run_until_quiet(node.database)
    assert "Dreherei Yilmaz GmbH" in yilmaz.get("/verzeichnis/eintrag").get_data(as_text=True)
    page = keller.get("/verzeichnis?ort=suhl&umkreis=100&verfahren=gibtsnicht").get_data(as_text=True)
    ask = re.search(r'action="(/verzeichnis/[^"]+/anfragen)"', page)
    assert ask is not None
    assert "Dreherei Yilmaz GmbH" in page
    keller.post(ask[1])
    run_until_quiet(node.database)
    shown = yilmaz.get("/partner").get_data(as_text=True)
    assert "Keller Metallbau GmbH" in shown
    yes = re.search(r'action="(/verzeichnis/anfrage/[^"]+/ja)"', shown)
    assert yes is not None
    yilmaz.post(yes[1])
    run_until_quiet(node.database)
    contract = yilmaz.get(f"/partner/{firm_id(node, 'Keller')}/vertrag").get_data(as_text=True)
    assert "Keller Metallbau GmbH" in contract
    yilmaz.post("/verzeichnis/eintrag", is_listed="off")
    assert "Dreherei Yilmaz" not in keller.get("/verzeichnis").get_data(as_text=True)


def test_a_firm_that_a_partner_introduced_is_opened_on_pages_of_our_own(node: Node) -> None:  # noqa: F811
    keller, _yilmaz = linked(node)
    links = [f"{node.config.origin}/join/{'A' * 22}#ofen-rad", f"https://fremd.example/join/{'B' * 22}#ofen-rad"]
    with node.database.write() as session:
        for number, link in enumerate(links):
            session.add(
                IntroductionOffer(
                    firm_id=firm_id(node, "Keller"), id=f"offer-{number}", created_at=clock.now(), answer="yes",
                    from_id=firm_id(node, "Yilmaz"), processes=[{"key": "turning", "de": "Drehen", "en": "Turning"}],
                    region="07", name=f"Nowak {number}", town="Jena", address=f"nowak-{number}@x", link=link,
                    expires_at=clock.now() + dt.timedelta(days=1),
                )
            )  # fmt: skip
    page = unescape(keller.get("/partner").get_data(as_text=True))
    assert "Nowak 0" in page
    assert f'href="/join/{"A" * 22}#ofen-rad"' in page
    assert f'href="/partner/annehmen?link=https%3A%2F%2Ffremd.example%2Fjoin%2F{"B" * 22}%23ofen-rad"' in page
    assert 'href="https://fremd' not in page
    keller.post("/partner/vorstellen", 422, one=firm_id(node, "Yilmaz"), other=firm_id(node, "Yilmaz"))
    keller.get("/partner/vorstellen")


def test_firms_of_linked_nodes_are_shown_asked_and_answered_by_their_invitation(node: Node) -> None:  # noqa: F811
    keller = founded(node)
    link = f"https://other.example/join/{'a' * 22}#eins-zwei"
    with node.database.write() as session:
        code = link_node(session, "other.example")
        mueller = Listed("mueller@other.example", "Müller Drehteile", "Suhl", None, None, [], [])
        keep_entries(session, "other.example", [mueller])
    page = keller.get("/verzeichnis").get_data(as_text=True)
    assert "Müller Drehteile" in page
    ask = re.search(r'action="(/verzeichnis/fern/[^"]+/anfragen)"', page)
    assert ask is not None
    keller.post(ask[1])
    assert "habt schon gefragt" in keller.get("/verzeichnis").get_data(as_text=True)
    with node.database.read() as session:
        ((to, shown, body),) = waiting_approaches(session)
    assert (to, shown, body["to"]) == ("other.example", code, "mueller@other.example")
    assert body["link"].startswith("http://localhost:8000/join/")
    # the other way round: a yes leads to the page that takes the link
    keller.post("/verzeichnis/eintrag", is_listed="on")
    assert "other.example" in keller.get("/verzeichnis/eintrag").get_data(as_text=True)
    keller.post("/verzeichnis/eintrag", is_far="on")
    with node.database.write() as session:
        asked = Asked("keller@localhost", "braun@other.example", "Braun Fräsen", "Jena", link)
        take_far_approach(session, "other.example", asked)
    shown = unescape(keller.get("/partner").get_data(as_text=True))
    assert "Braun Fräsen" in shown
    yes = re.search(r'href="(/partner/annehmen[?]link=[^"]+)"', shown)
    assert yes is not None
    assert link in unescape(keller.get(yes[1]).get_data(as_text=True))
