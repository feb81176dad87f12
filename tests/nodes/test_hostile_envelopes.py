"""A partner with valid keys and bad intent gets nothing: no effect, no connection into the house, one audit row each."""

import copy
import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from sqlalchemy.exc import NoResultFound

from app.core import outgoing
from app.factory import create_app
from app.federation.arriving import INBOX_PATH, SEVERAL_PATH
from app.federation.models import Message
from app.partners.models import Partnership
from app.web.limits import KNOCKS
from app.worker import run_until_quiet
from ledger.encoding import from_b64url, to_b64url
from tests.nodes.hostile import Attacker, Listener, effects, knock_on, refusals
from tests.nodes.job import agreement, answer, ask, draft, plan, play, sign
from tests.nodes.world import Node, link, messages, partnership, settle_all
from tests.passkeys.software import P256_ORDER

SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@pytest.fixture
def partners(nodes: list[Node]) -> list[Node]:
    one, two, _ = nodes
    link(one, "keller", two, "yilmaz", nodes)
    play(nodes, [(two, "yilmaz")])
    return nodes


@pytest.fixture
def listener() -> Iterator[Listener]:
    found = Listener()
    yield found
    found.close()


@pytest.mark.parametrize("path", [INBOX_PATH, SEVERAL_PATH])
def test_every_hostile_knock_changes_nothing_and_leaves_one_row(partners: list[Node], path: str) -> None:
    one, two, _ = partners
    attacker = replace(Attacker.at(two, "yilmaz", one, "keller"), path=path)
    before, rows = effects(one), refusals(one)
    # of several messages each has its own id, and the request another one
    knocks = [knock for knock in attacker.all() if path == INBOX_PATH or knock.fault != "another id"]
    wrong = []
    for count, knock in enumerate(knocks, 1):
        status, told = knock_on(one, knock)
        is_plain = "%(" not in told.get("error", "")
        if not knock.is_right(status, told) or not is_plain or effects(one) != before or refusals(one) != rows + count:
            wrong.append((knock.fault, status, told, refusals(one) - rows - count))
            before, rows = effects(one), refusals(one) - count
    assert wrong == []


def test_strangers_of_one_network_fill_no_audit_and_keep_no_partner_out(partners: list[Node]) -> None:
    one, two, _ = partners
    counting(one)
    attacker = Attacker.at(two, "yilmaz", one, "keller")
    unsigned = replace(attacker.valid(attacker.envelope()), headers={})
    before = refusals(one)
    statuses = [knock_on(one, unsigned)[0] for _ in range(KNOCKS.most + 20)]
    assert statuses == [400] * KNOCKS.most + [429] * 20
    assert refusals(one) == before + KNOCKS.most
    assert knock_on(one, attacker.valid(attacker.envelope(seq=5_000)))[0] == 202
    assert knock_on(one, attacker.valid(attacker.envelope(seq=4_000)))[0] == 409
    assert refusals(one) == before + KNOCKS.most + 1


def counting(node: Node) -> None:
    """From now on the node counts who knocks, as a real one does."""
    assert node.server is not None
    app = create_app(replace(node.config, counts_people=True), node.database)
    node.server.app = lambda environ, start_response: node.context.copy().run(app, environ, start_response)


def test_a_valid_message_between_hostile_ones_arrives(partners: list[Node]) -> None:
    """The harness can fail: the same message without a fault is taken, and it is an effect."""
    one, two, _ = partners
    attacker = Attacker.at(two, "yilmaz", one, "keller")
    before = effects(one)
    assert knock_on(one, attacker.valid(attacker.envelope(seq=5_000)))[0] == 202
    assert effects(one) != before
    assert [row.state for row in messages(one, "in") if row.kind == "board.posted"] == ["unknown"]


def test_slow_bodies_hold_up_nobody_else(partners: list[Node]) -> None:
    one, two, _ = partners
    attacker = Attacker.at(two, "yilmaz", one, "keller")
    knock = attacker.valid(attacker.envelope())
    host, _, port = one.config.node.partition(":")
    slow = []
    for _ in range(8):
        connection = http.client.HTTPConnection(host, int(port), timeout=20)
        connection.putrequest("POST", "/federation/inbox")
        for name, value in knock.headers.items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(knock.body)))
        connection.endheaders()
        connection.send(knock.body[:5])
        slow.append(connection)
    began = time.monotonic()
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status in (200, 503)
    assert time.monotonic() - began < 5
    for one_connection in slow:
        one_connection.close()


def test_a_node_name_that_leads_into_the_house_is_never_called(
    partners: list[Node], listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _two, _ = partners
    one.config = replace(one.config, federation_test_nodes=())
    names = {
        "rebind.example": f"rebind.example:{listener.port}",
        "127.0.0.1": f"127.0.0.1:{listener.port}",
        "localhost": f"localhost:{listener.port}",
        "[::1]": f"[::1]:{listener.port}",
        "0x7f000001": f"0x7f000001:{listener.port}",
    }
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo",
        lambda host, *more, **named: real("127.0.0.1" if host == "rebind.example" else host, *more, **named),
    )  # fmt: skip
    for node in names.values():
        with one.database.write() as session:
            for row in session.scalars(sa.select(Partnership)):
                row.node = node
            for message in session.scalars(sa.select(Message).where(Message.direction == "out")):
                message.state, message.next_try_at = "waiting", message.created_at
        settle_all([one])
    assert listener.connections == 0
    assert {row.state for row in messages(one)} == {"waiting"}


def test_a_redirect_is_an_answer_that_does_not_count(partners: list[Node], listener: Listener) -> None:
    one, two, _ = partners

    def moved(environ: object, start_response: object) -> list[bytes]:
        start_response("307 Moved", [("Location", f"http://127.0.0.1:{listener.port}/federation/inbox")])  # type: ignore[operator]
        return []

    assert two.server is not None
    two.server.app = moved
    ask(one, [one.partner_id("keller", "yilmaz@zwei.test")])
    settle_all([one])
    assert listener.connections == 0
    assert [row.state for row in messages(one) if row.kind == "request.published"][-1] == "waiting"


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "::1", "fe80::1", "::ffff:127.0.0.1", "fd00::1",
                "0.0.0.0", "100.64.0.1", "224.0.0.1", "64:ff9b::7f00:1"],
)  # fmt: skip
def test_addresses_inside_any_house_are_not_public(address: str) -> None:
    assert not outgoing.is_public(address)


def test_partners_stay_partners_through_all_of_it(partners: list[Node]) -> None:
    one, two, _ = partners
    attacker = Attacker.at(two, "yilmaz", one, "keller", seed=2)
    for knock in attacker.all():
        knock_on(one, knock)
    assert partnership(one, "keller", "yilmaz@zwei.test").state == "active"


def seal_twin(body: dict[str, Any]) -> None:
    """The same seal with the other s: as good on the curve, and not the one form that counts."""
    for signature in body["signatures"]:
        if signature["kind"] == "seal":
            raw = bytes.fromhex(signature["signature"].removeprefix("0x"))
            s = SECP256K1_ORDER - int.from_bytes(raw[32:64], "big")
            signature["signature"] = "0x" + (raw[:32] + s.to_bytes(32, "big") + bytes([55 - raw[64]])).hex()


def passkey_twin(body: dict[str, Any]) -> None:
    for signature in body["signatures"]:
        if signature["kind"] == "passkey":
            r, s = decode_dss_signature(from_b64url(signature["signature"]))
            signature["signature"] = to_b64url(encode_dss_signature(r, P256_ORDER - s))


def changed_clause(body: dict[str, Any]) -> None:
    body["facts"] = json.loads(json.dumps(body["facts"]).replace("9500", "9600", 1))


@pytest.mark.parametrize("forge", [seal_twin, passkey_twin])
def test_a_twin_of_a_signature_binds_nobody(partners: list[Node], forge: Callable[[dict[str, Any]], None]) -> None:
    one, two, _ = partners
    agreement_id = signed_by_asker(one, two, partners)
    sign(two, "yilmaz", agreement_id)
    run_until_quiet(two.database)
    forge_waiting(two, "agreement.signed", forge)
    settle_all(partners)
    assert agreement(one, "keller", agreement_id).state != "in_force"
    assert [row.state for row in messages(two) if row.kind == "agreement.signed"][-1] == "refused"


def test_a_changed_clause_is_refused(partners: list[Node]) -> None:
    one, two, _ = partners
    agreement_id = signed_by_asker(one, two, partners, forge=changed_clause)
    assert [row.state for row in messages(one) if row.kind == "agreement.drafted"][-1] == "refused"
    with pytest.raises(NoResultFound):
        agreement(two, "yilmaz", agreement_id)


def signed_by_asker(
    one: Node, two: Node, nodes: list[Node], forge: Callable[[dict[str, Any]], None] | None = None
) -> str:
    """Keller has signed a second agreement; its draft has gone to Yilmaz, forged on its way out if asked for."""
    request_id = ask(one, [one.partner_id("keller", "yilmaz@zwei.test")], 20 * 60, file=b"")
    settle_all(nodes)
    answer(two, "yilmaz", request_id)
    settle_all(nodes)
    (agreement_id,) = draft(one, plan(one, request_id))
    sign(one, "keller", agreement_id)
    run_until_quiet(one.database)
    if forge is not None:
        forge_waiting(one, "agreement.drafted", forge)
    settle_all(nodes)
    return agreement_id


def forge_waiting(node: Node, kind: str, forge: Callable[[dict[str, Any]], None]) -> None:
    """What a node's own operator may do: change a message in its own database before it leaves."""
    with node.database.write() as session:
        row = session.scalars(sa.select(Message).where(Message.kind == kind, Message.state == "waiting")).one()
        body = copy.deepcopy(row.body)
        forge(body)
        assert body != row.body
        row.body = body
