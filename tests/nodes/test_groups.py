"""Several messages in one signed request: each is judged alone, what one does to the others is nothing."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.errors import RuleBroken
from app.core.events import AbilitiesChanged
from app.core.ids import new_id
from app.core.outbox import OutboxRow, emit_once
from app.federation import judging
from app.federation.arriving import INBOX_PATH, SEVERAL_PATH, Answer, Knock, receive_knock
from app.federation.envelopes import MOST_TOGETHER, Envelope, write_envelope
from app.federation.rules import Incoming
from tests.nodes.hostile import Attacker, refusals
from tests.nodes.silence import received, write
from tests.nodes.world import Node, link, messages, settle_all

Bodies = Sequence[bytes | Envelope]


@pytest.fixture
def partners(nodes: list[Node]) -> list[Node]:
    link(nodes[0], "keller", nodes[1], "yilmaz", nodes)
    return nodes


def send_all(partners: list[Node], count: int) -> int:
    """Keller writes so many messages to Yilmaz; returns in how many requests they came."""
    one, two, _ = partners
    write(one, "keller", one.partner_id("keller", "yilmaz@zwei.test"), range(count))
    before = two.knocks
    settle_all(partners)
    return two.knocks - before


def test_what_waits_for_a_partner_goes_in_a_few_requests_in_its_order(partners: list[Node]) -> None:
    assert send_all(partners, MOST_TOGETHER + 10) == 2
    assert received(partners[1]) == list(range(MOST_TOGETHER + 10))
    assert {row.state for row in messages(partners[0])} == {"delivered"}


def test_a_node_that_takes_one_at_a_time_gets_one_at_a_time(partners: list[Node]) -> None:
    _, two, _ = partners
    assert two.server is not None
    app: Any = two.server.app

    def older(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] != SEVERAL_PATH:
            return app(environ, start_response)
        environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        start_response("404 Not Found", [("Content-Length", "0")])
        return []

    two.server.app = older
    assert send_all(partners, 5) == 5
    assert received(two) == list(range(5))


def test_a_group_that_takes_too_long_is_judged_bit_by_bit(
    partners: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "LONGEST_WRITE_S", 0)
    monkeypatch.setattr(judging, "LONGEST_ANSWER_S", 0.02)
    send_all(partners, 8)
    assert received(partners[1]) == list(range(8))


def test_each_of_a_group_is_judged_alone_and_each_refusal_leaves_one_row(partners: list[Node]) -> None:
    one, two, _ = partners
    sender, taken, rows = Attacker.at(one, "keller", two, "yilmaz"), list[int](), refusals(two)

    def act(_session: Session, incoming: Incoming) -> None:
        if incoming.body["n"] == 4:
            raise RuleBroken("Das passt nicht.")
        taken.append(incoming.body["n"])

    first, *others = (sender.envelope(seq=100_000 + n, body={"n": n}) for n in range(6))
    group: Bodies = [
        first,
        write_envelope(others[0]).replace(b":", b": ", 1),
        replace(others[1], sender="brandt@drei.test"),
        replace(others[2], kind="introduction.offered"),
        others[3],
        first,
        others[4],
    ]
    answer = hear(sender, two, group, act)
    statuses = [verdict["status"] for verdict in answer.body["verdicts"]]
    assert statuses == [202, 400, 400, 404, 422, 200, 202]
    assert taken == [0, 5]
    assert refusals(two) == rows + 5


def test_a_fault_of_ours_keeps_back_one_message_and_what_is_behind_it(partners: list[Node]) -> None:
    one, two, _ = partners
    sender, taken = Attacker.at(one, "keller", two, "yilmaz"), list[int]()
    group = [sender.envelope(seq=100_000 + n, body={"n": n}) for n in range(4)]

    def fail(_session: Session, incoming: Incoming) -> None:
        assert incoming.body["n"] != 2
        taken.append(incoming.body["n"])

    answer = hear(sender, two, group, fail)
    assert [verdict["status"] for verdict in answer.body["verdicts"]] == [202, 202, 500]
    hear(sender, two, group, lambda _session, incoming: taken.append(incoming.body["n"]))
    assert taken == [0, 1, 2, 3]


def test_news_of_a_message_that_was_refused_does_not_silence_the_next_one(partners: list[Node]) -> None:
    one, two, _ = partners
    sender = Attacker.at(one, "keller", two, "yilmaz")

    def act(session: Session, incoming: Incoming) -> None:
        emit_once(session, AbilitiesChanged(incoming.firm_id))
        if incoming.body["n"] == 0:
            raise RuleBroken("Das passt nicht.")

    hear(sender, two, [sender.envelope(seq=100_000 + n, body={"n": n}) for n in range(2)], act)
    with two.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).where(OutboxRow.kind == "AbilitiesChanged")) == 1


def test_nobody_else_gets_a_group_in(partners: list[Node]) -> None:
    one, two, _ = partners
    sender = Attacker.at(one, "keller", two, "yilmaz")
    group = [sender.envelope(seq=100_000 + n) for n in range(MOST_TOGETHER + 1)]
    assert hear(sender, two, group).status == 400
    assert hear(replace(sender, sender="brandt@drei.test"), two, group[:2]).status == 404
    assert hear(sender, two, group[:2], path=INBOX_PATH).status == 401
    assert hear(sender, two, group[:2]).status == 200


def hear(sender: Attacker, node: Node, group: Bodies, act: Any = lambda *_: None, path: str = SEVERAL_PATH) -> Answer:
    """Knock with these messages in one request that was signed for this path."""
    nonce = new_id()
    body = b"\n".join(one if isinstance(one, bytes) else write_envelope(one) for one in group)
    headers = {name.lower(): value for name, value in sender.signed(body, nonce, url=node.config.origin + path).items()}
    knock = Knock("POST", SEVERAL_PATH, headers, len(body), lambda most_bytes: body[:most_bytes])
    return receive_knock(node.database, node.config, {"board.posted": act}, knock, lambda: 0)
