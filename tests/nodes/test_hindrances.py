"""What stands between two nodes, and what they once told each other: nothing is judged twice, no stranger answers."""

import datetime as dt
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import RuleBroken
from app.core.outbox import OutboxRow
from app.core.outgoing import Answer
from app.federation import fetching
from app.federation.actions import send_message
from app.federation.arriving import INBOX_PATH, Knock, receive_knock
from app.federation.arriving import Answer as Answered
from app.federation.rules import Incoming
from app.requests.models import WorkRequest
from tests.nodes.hostile import Attacker
from tests.nodes.job import ask
from tests.nodes.world import Node, link, messages, settle_all


class Portal:
    """A box on the way that says no to everything in its own words."""

    async def send(self, *_: Any, **__: Any) -> Answer:
        return Answer(404, {"content-type": "text/html"}, b"<h1>Not found</h1>")

    @asynccontextmanager
    async def open(self, _near: object = ()) -> AsyncIterator["Portal"]:
        yield self


@pytest.fixture
def partners(nodes: list[Node]) -> list[Node]:
    link(nodes[0], "keller", nodes[1], "yilmaz", nodes)
    return nodes


def test_what_was_refused_is_refused_again_although_it_would_fit_by_now(partners: list[Node]) -> None:
    one, two, _ = partners
    sender, taken = Attacker.at(one, "keller", two, "yilmaz"), list[str]()

    def refuse(_session: Session, _incoming: Incoming) -> None:
        raise RuleBroken("Das passt nicht.")

    def take(_session: Session, incoming: Incoming) -> None:
        taken.append(incoming.id)

    refused, younger = sender.envelope(seq=100_001), sender.envelope(seq=100_002)

    def hear(act: Callable[[Session, Incoming], None], envelope: Any) -> Answered:
        return receive_knock(two.database, two.config, {"board.posted": act}, knock(sender, envelope), lambda: 0)

    first, _, again = hear(refuse, refused), hear(take, younger), hear(take, refused)
    assert (first.status, again.status, again.body["state"]) == (422, 422, "refused")
    assert first.body["error"] == again.body["error"] == "Das passt nicht."
    assert taken == [younger.id]


def test_a_box_on_the_way_cannot_say_that_a_partner_has_no_such_file(
    partners: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, _ = partners
    with monkeypatch.context() as patched:
        patched.setattr(fetching, "courier", Portal().open)
        request_id = ask(one, [one.partner_id("keller", two.address("yilmaz"))])
        settle_all(partners)
        assert [row.state for row in messages(one) if row.kind == "request.published"] == ["waiting"]
    settle_all(partners)
    with two.database.read() as session:
        assert session.get(WorkRequest, (two.firm_id("yilmaz"), request_id)) is not None


def test_a_message_whose_file_never_comes_is_told_to_a_person_after_seven_days(
    partners: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, _ = partners
    monkeypatch.setattr(fetching, "courier", Portal().open)
    ask(one, [one.partner_id("keller", two.address("yilmaz"))])
    settle_all(partners)
    with clock.frozen(clock.now() + dt.timedelta(days=7, minutes=1)):
        settle_all(partners)
    assert [row.state for row in messages(one) if row.kind == "request.published"] == ["parked"]
    with one.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).where(OutboxRow.kind == "MessageParked")) == 1


def test_what_is_signed_here_and_refused_there_is_told_to_a_person(partners: list[Node]) -> None:
    one, two, _ = partners
    with one.database.write() as session:
        partner_id = one.partner_id("keller", two.address("yilmaz"))
        send_message(session, one.firm_id("keller"), partner_id, "booking.cancelled", {"n": 1})
    settle_all(partners)
    assert [row.state for row in messages(one) if row.kind == "booking.cancelled"] == ["refused"]
    with one.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).where(OutboxRow.kind == "MessageParked")) == 1


def knock(sender: Attacker, envelope: Any) -> Knock:
    made = sender.valid(envelope)
    headers = {name.lower(): value for name, value in made.headers.items()}
    return Knock("POST", INBOX_PATH, headers, len(made.body), lambda most_bytes: made.body[:most_bytes])
