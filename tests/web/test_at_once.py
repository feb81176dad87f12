"""A tap on a slow phone: the deed and the page after it come in one round trip, with the same rights as in two."""

from pathlib import Path

import pytest
from flask import Blueprint, Response
from sqlalchemy.orm import Session

from app.core.db import Database
from app.firms.access import Actor, Role
from app.web.render import go_to, render
from app.web.transaction import deed, page
from tests.web.tiny import Tiny, open_tiny
from tests.world import make_world


@pytest.fixture
def tiny(sqlite_database: Database, tmp_path: Path) -> Tiny:
    with sqlite_database.write() as session:
        keller = make_world(session, ("keller", "yilmaz"))["keller"]
    tiny = open_tiny(sqlite_database, tmp_path)
    tiny.acting[0] = keller.actor()
    tiny.app.register_blueprint(_more_room())
    return tiny


def _more_room() -> Blueprint:
    room = Blueprint("more", __name__)

    @room.get("/t/blatt")
    @page("own.use")
    def show_page(_session: Session, _actor: Actor) -> Response:
        return render("errors/show.html", sentence="Ein Blatt.", reference="", code=200)

    @room.post("/t/quittung")
    @deed("own.use")
    def act_with_receipt(_session: Session, _actor: Actor) -> Response:
        return go_to("/t/blatt", "Gemerkt.")

    @room.post("/t/hinaus")
    @deed("own.use")
    def leave(_session: Session, _actor: Actor) -> Response:
        return go_to("https://woanders.example/")

    return room


def test_the_page_after_the_deed_comes_with_the_answer(tiny: Tiny) -> None:
    answer = tiny.post("/sofort/t/tat", wert="eins")
    assert answer.status_code == 200
    assert answer.text.startswith("für ")
    assert answer.headers["HX-Replace-Url"] == "/t/seite?wert=eins"
    assert tiny.done() == ["eins"]


def test_the_receipt_is_shown_on_that_page_and_not_again(tiny: Tiny) -> None:
    client = tiny.app.test_client()
    headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin", "HX-Request": "true"}
    page = client.post("/sofort/t/quittung", headers=headers)
    assert "Gemerkt." in page.text
    assert "Gemerkt." not in client.get("/t/blatt").text


def test_the_same_tap_twice_is_done_once_and_sees_the_same_page(tiny: Tiny) -> None:
    first, second = (tiny.post("/sofort/t/tat", wert="eins", once="k-1") for _ in range(2))
    assert second.text == first.text
    assert tiny.done() == ["eins"]


def test_a_refusal_is_a_page_that_can_be_shown(tiny: Tiny) -> None:
    """The script shows pages of 422 only; what is wrong stands in the page."""
    answer = tiny.post("/sofort/t/tat", wert="x", fehler="zu-spät")
    assert answer.status_code == 422
    assert "Das geht gerade nicht mehr. Lade die Seite neu." in answer.text
    assert tiny.done() == []


def test_a_fault_stays_a_fault(tiny: Tiny) -> None:
    assert tiny.post("/sofort/t/tat", wert="x", fehler="absturz").status_code == 500
    assert tiny.done() == []


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}])
def test_a_foreign_form_is_refused_this_way_too(tiny: Tiny, headers: dict[str, str]) -> None:
    assert tiny.post("/sofort/t/tat", headers, wert="x").status_code == 422
    assert tiny.done() == []


def test_nobody_gets_a_right_by_it(tiny: Tiny, sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        tiny.acting[0] = make_world(session, ("brandt",))["brandt"].actor(Role.WORKER)
    assert "Das darf nur deine Leitung." in tiny.post("/sofort/t/leitung").text
    tiny.acting[0] = None
    assert "Melde dich zuerst an." in tiny.post("/sofort/t/tat", wert="x").text
    assert tiny.done() == []


def test_what_leads_out_of_this_world_is_left_to_the_browser(tiny: Tiny) -> None:
    answer = tiny.client.post("/sofort/t/hinaus", headers={"Origin": "http://localhost", "Sec-Fetch-Site": "none"})
    assert (answer.status_code, answer.location) == (303, "https://woanders.example/")


def test_nothing_can_be_read_by_it(tiny: Tiny) -> None:
    assert tiny.client.get("/sofort/t/seite").status_code == 404
