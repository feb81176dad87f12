"""Messages from node to node per second, beside signed POSTs to a server that checks the signature and keeps nothing.

What waits for a partner goes several to a request, as in the running house; the last figure sends one by one. The peer is
the same bare server when it keeps one row: any receiver has to wait for the disk before it says yes, so whoever waits
once for each message is no faster than that.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import tests.tables  # noqa: F401
from app.core import clock
from app.core.connections import Connections
from app.core.ids import new_id
from app.core.outgoing import courier
from app.federation import carrying
from app.federation.actions import send_message
from app.federation.carrying import INBOX, send_due_messages
from app.federation.envelopes import MOST_TOGETHER, Envelope, write_envelope
from app.federation.http_signatures import sign_request
from tests.bench.bare import KEPT, KEY_ID
from tests.bench.figure import Figure, alternating_s, figure
from tests.bench.server import free_port, serving
from tests.long.race_world import MONDAY
from tests.nodes.apart import apart, nodes_on_disk, one_clock
from tests.nodes.world import Node, link, messages

GOAL = 0.5
EACH = 100
"""Messages of one pair of firms in a round"""
HOUSES = (["keller", "nowak"], ["yilmaz", "brandt"])
BODY = {"n": 0, "text": "x" * 600}


def run() -> list[Figure]:
    """One pair of firms, whose messages keep their order; four pairs side by side; one pair, each message by itself.

    `ok`: each message arrived once and in its order, and the ratio to the floor reaches the goal. One by one there is none.
    `latency_ms` is what a message costs its lane, from due to settled; `answer_ms` how long a request waits for its answer,
    and all messages in it.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        start = stack.enter_context(one_clock())
        with clock.frozen(MONDAY):
            one, two = stack.enter_context(nodes_on_disk(folder, HOUSES))
            pairs = [(own, other) for own in HOUSES[0] for other in HOUSES[1]]
            for own, other in pairs:
                link(one, own, two, other)
        stack.enter_context(apart(two, start))
        key, port = Ed25519PrivateKey.generate(), free_port()
        public = key.public_key().public_bytes_raw().hex()
        (folder / "bare").mkdir()
        stack.enter_context(serving(folder / "bare", port, "tests.bench.bare:app", BARE_KEY=public))
        return [
            _figure("node_messages_per_s", one, two, pairs[:1], key, port),
            _figure("node_messages_side_by_side_per_s", one, two, pairs, key, port),
            _figure("node_messages_one_by_one_per_s", one, two, pairs[:1], key, port, together=1, goal=None),
        ]


def _figure(
    name: str, one: Node, two: Node, pairs: Sequence[tuple[str, str]], key: Ed25519PrivateKey, port: int,
    together: int = MOST_TOGETHER, goal: float | None = GOAL,
) -> Figure:  # fmt: skip
    lanes = [(one.firm_id(own), one.partner_id(own, two.address(other))) for own, other in pairs]
    before = len(_arrived(two))
    rounds = 0

    def ours() -> None:
        nonlocal rounds
        rounds += 1
        with patch.object(carrying, "MOST_TOGETHER", together):
            send_due_messages(one.database, one.config)

    def write() -> None:
        with one.database.write() as session:
            for lane in lanes:
                for _ in range(EACH):
                    send_message(session, *lane, "board.posted", BODY)

    works = [ours, *(partial(lambda end: asyncio.run(_bare(key, port, len(lanes), end)), end) for end in ("", KEPT))]
    waits_s: list[list[float]] = [[] for _ in works]
    ours_s, floor_s, peer_s = alternating_s(
        [_watched(work, waits) for work, waits in zip(works, waits_s, strict=True)], before=write
    )
    arrived = _arrived(two)
    is_right = len(arrived) - before == rounds * EACH * len(lanes) and all(
        row.state == "delivered" for row in messages(one)
    )
    count, share = EACH * len(lanes), floor_s / ours_s
    answers = [round(median(waits) * 1000, 2) for waits in waits_s]
    return figure(
        name, count / ours_s, floor=count / floor_s, peer=count / peer_s, ratio=share, goal=goal,
        is_good=is_right and share >= (goal or 0), together=together,
        latency_ms=round(ours_s / EACH * 1000, 2), floor_latency_ms=round(floor_s / EACH * 1000, 2),
        answer_ms=answers[0], floor_answer_ms=answers[1], peer_answer_ms=answers[2],
    )  # fmt: skip


def _watched(work: Callable[[], object], waits_s: list[float]) -> Callable[[], object]:
    """Note how long each message waited for its answer: those of one request all wait for the same."""
    send = Connections.send

    async def watched_send(self: Connections, *given: Any, **more: Any) -> Any:
        began = time.perf_counter()
        answer = await send(self, *given, **more)
        waits_s.append(time.perf_counter() - began)
        return answer

    def watched() -> None:
        with patch.object(Connections, "send", watched_send):
            work()

    return watched


def _arrived(node: Node) -> list[int]:
    return [row.seq for row in messages(node, "in") if row.kind == "board.posted"]


async def _bare(key: Ed25519PrivateKey, port: int, lanes: int, end: str) -> None:
    """The same envelopes, the same client; each lane waits for its answer before it sends the next one."""
    node = f"localhost:{port}"
    sender, receiver = "keller@eins.test", "yilmaz@zwei.test"
    now_s = int(clock.now().timestamp())

    async def send() -> None:
        for seq in range(1, EACH + 1):
            message_id, url = new_id(), f"http://{node}{INBOX}{end}"
            envelope = Envelope(message_id, sender, receiver, seq, "board.posted", now_s, now_s + 9, "", BODY)
            body = write_envelope(envelope)
            headers = sign_request("POST", url, sender, receiver, body, (KEY_ID, key), message_id, now_s)
            answer = await post.send("POST", url, headers | {"content-type": "application/json"}, body)
            assert answer.status == 200, answer.status

    async with courier((node,)) as post:
        await asyncio.gather(*(send() for _ in range(lanes)))
