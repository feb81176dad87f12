"""Several nodes in one process: each with its own database, application and real server on the loopback."""

import contextvars
import datetime as dt
import io
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from app.config import Config, load_config
from app.core import clock
from app.core.db import Database
from app.factory import create_app
from app.federation.carrying import send_due_messages
from app.federation.fetching import fetch_wanted_files
from app.federation.linking import ask_node, read_link
from app.federation.models import Message
from app.firms.models import Firm
from app.notary.actions import open_ledger, passkey_approval
from app.notary.documents import draft_ledger, origin_for
from app.notary.keys import use_node_key
from app.notary.queries import passkey_kid
from app.partners.actions import invite_partner, propose_far_partnership
from app.partners.models import Partnership
from app.partners.queries import invitation_token, own_words, partner_by_address
from app.partners.signing import approve_partnership, proposal_to_sign
from app.worker import run_until_quiet
from ledger.encoding import to_b64url
from ledger.evidence import passkey_signature
from tests.passkeys.software import SoftwarePasskey
from tests.world import TestFirm, make_firm


class QuietHandler(WSGIRequestHandler):
    """Keeps connections open, as the real server does, and says nothing."""

    protocol_version = "HTTP/1.1"

    def log(self, *args: object) -> None:
        pass

    def connection_dropped(self, error: BaseException, environ: object = None) -> None:
        """A cut cable: whoever knocked knows it at once."""
        self.close_connection = True


@dataclass
class Node:
    """One node with its firms by key. `is_cut`: nothing comes in."""

    name: str
    database: Database
    config: Config
    firms: dict[str, TestFirm] = field(default_factory=dict)
    passkeys: dict[str, SoftwarePasskey] = field(default_factory=dict)
    passkey_seqs: dict[str, int] = field(default_factory=dict)
    """Where the record of a firm's passkey stands, if that is not its first one"""
    server: BaseWSGIServer | None = None
    thread: threading.Thread | None = None
    context: contextvars.Context = field(default_factory=contextvars.copy_context)
    is_cut: bool = False
    knocks: int = 0
    wire: list[str] | None = None
    """Every body that came in and went out, once somebody wants to know"""

    def settle(self) -> None:
        """What worker and errands do, once."""
        run_until_quiet(self.database)
        fetch_wanted_files(self.database, self.config)
        send_due_messages(self.database, self.config)

    def actor(self, key: str) -> Any:
        return self.firms[key].actor()

    def firm_id(self, key: str) -> str:
        return self.firms[key].id

    def partner_id(self, key: str, address: str) -> str:
        """The id under which this node knows a partner."""
        with self.database.read() as session:
            found = partner_by_address(session, self.firm_id(key), address)
            assert found is not None, address
            return found.partner_id

    def address(self, key: str) -> str:
        return f"{key}@{self.name}"


@contextmanager
def running_nodes(databases: Sequence[Database], folder: Path, homes: Sequence[Sequence[str]]) -> Iterator[list[Node]]:
    """Nodes named eins.test, zwei.test …, each with these firms, each with a server of its own."""
    names = [f"{name}.test" for name in ("eins", "zwei", "drei", "vier")[: len(databases)]]
    nodes: list[Node] = []
    try:
        for name, database, keys in zip(names, databases, homes, strict=True):
            nodes.append(_start(name, database, folder / name, keys))
        near = tuple(node.config.node for node in nodes)
        for node in nodes:
            node.config = replace(node.config, federation_test_nodes=near)
        yield nodes
    finally:
        for node in nodes:
            stop(node)


def stop(node: Node) -> None:
    if node.server is not None and node.thread is not None:
        node.server.shutdown()
        node.thread.join()
        node.server.server_close()
        node.server = None


def settle_all(nodes: Sequence[Node], rounds: int = 30) -> None:
    """Let every node work until nothing waits anywhere that could go now."""
    for _ in range(rounds):
        before = [_weight(node.database) for node in nodes]
        for node in nodes:
            node.context = contextvars.copy_context()
        for node in nodes:
            node.settle()
        if before == [_weight(node.database) for node in nodes]:
            return
    raise AssertionError("the nodes do not come to rest")


def pass_time(
    nodes: Sequence[Node], begin: dt.datetime, minutes: int, step_min: int = 1, until: Callable[[], bool] | None = None
) -> dt.datetime:
    """Let the clock go on in steps and every node work at each; ends early once `until` holds. Returns the time then."""
    for passed in range(step_min, minutes + 1, step_min):
        now = begin + dt.timedelta(minutes=passed)
        with clock.frozen(now):
            settle_all(nodes)
        if until is not None and until():
            return now
    return begin + dt.timedelta(minutes=minutes)


def link(one: Node, one_key: str, other: Node, other_key: str, nodes: Sequence[Node] = ()) -> None:
    """Two firms on two nodes become partners: QR, words, both signatures, as their managers would."""
    both = nodes or (one, other)
    for node in both:
        node.context = contextvars.copy_context()
    with one.database.write() as session:
        invitation_id = invite_partner(session, one.actor(one_key))
        token = invitation_token(session, one.firm_id(one_key), invitation_id)
        words = own_words(session, one.firm_id(one_key))
    text = f"{one.config.origin}/join/{token}#{words.replace(' ', '-')}"
    invited = ask_node(other.config, read_link(text))
    with other.database.write() as session:
        propose_far_partnership(session, other.actor(other_key), invited)
    settle_all(both)
    sign_framework(one, one_key, other.address(other_key))
    settle_all(both)
    sign_framework(other, other_key, one.address(one_key))
    settle_all(both)


def sign_framework(node: Node, key: str, partner_address: str) -> None:
    with node.database.write() as session:
        partner = partner_by_address(session, node.firm_id(key), partner_address)
        assert partner is not None
        assert partner.framework_id is not None
        digest = proposal_to_sign(session, node.firm_id(key), partner.framework_id).digest
        signature = approval(session, node, key, digest)
        approve_partnership(session, node.firm_id(key), None, partner.framework_id, signature)


def approval(session: Session, node: Node, key: str, digest: bytes, role: str = "manager") -> dict[str, Any]:
    """The manager's passkey signature over a digest."""
    passkey = node.passkeys[key]
    seq = node.passkey_seqs.get(key, 0)
    return passkey_approval(session, node.firm_id(key), role, passkey.cose, seq, passkey.assertion(to_b64url(digest)))


def partnership(node: Node, key: str, partner_address: str) -> Partnership:
    with node.database.read() as session:
        found = partner_by_address(session, node.firm_id(key), partner_address)
        assert found is not None
        session.expunge(found)
        return found


def messages(node: Node, direction: str = "out") -> list[Message]:
    with node.database.read() as session:
        rows = list(
            session.scalars(
                sa.select(Message)
                .where(Message.direction == direction)
                .order_by(Message.firm_id, Message.peer_id, Message.seq)
            )
        )
        for row in rows:
            session.expunge(row)
        return rows


def _start(name: str, database: Database, folder: Path, keys: Sequence[str]) -> Node:
    folder.mkdir(parents=True, exist_ok=True)
    node = Node(name, database, load_config({"DATA_DIR": str(folder), "NODE_NAME": name, "PRACTICE": "off"}))
    node.server = make_server("127.0.0.1", 0, _front(node), threaded=True, request_handler=QuietHandler)
    url = f"http://localhost:{node.server.server_port}"
    node.config = replace(node.config, public_url=url, port=node.server.server_port, counts_people=False)
    use_node_key(node.config.node_key)
    with database.write() as session:
        for key in keys:
            open_firm(session, node, key)
    node.thread = threading.Thread(target=node.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    node.thread.start()
    return node


def _front(node: Node) -> Any:
    """The application behind a cable that a test may cut; it lives at the test's own time."""
    made: list[Any] = []

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        node.knocks += 1
        if node.is_cut:
            raise ConnectionAbortedError
        if not made:
            made.append(create_app(node.config, node.database))
        if node.wire is None:
            return node.context.copy().run(made[0], environ, start_response)
        asked = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        told = b"".join(node.context.copy().run(made[0], environ | {"wsgi.input": io.BytesIO(asked)}, start_response))
        node.wire += [environ["PATH_INFO"] + asked.decode("utf-8", "replace"), told.decode("utf-8", "replace")]
        return [told]

    return answer


def open_firm(session: Session, node: Node, key: str) -> None:
    """A firm with people, machine, free hours, and a ledger that its manager's passkey began."""
    firm, passkey = make_firm(session, key), SoftwarePasskey(rp_id=node.config.rp_id, origin=node.config.origin)
    address = f"{key}@{node.name}"
    session.get_one(Firm, firm.id).address = address
    node.firms[key], node.passkeys[key] = firm, passkey
    session.flush()
    origin = origin_for(key, node.name, is_practice=False)
    draft = draft_ledger(
        node.config.node_key, address, origin, f"{key} beginnt.", passkey.cose, passkey.rp_id, (passkey.origin,)
    )
    parts = passkey.assertion(to_b64url(draft.digest))
    kid = passkey_kid(passkey.cose)
    open_ledger(session, firm.id, draft, passkey_signature("manager", address, kid, (origin, 0), parts))


def _weight(database: Database) -> tuple[int, ...]:
    with database.read() as session:
        return tuple(
            session.scalar(sa.text(query)) or 0
            for query in (
                "SELECT count(*) FROM message",
                "SELECT count(*) FROM message WHERE state = 'waiting'",
                "SELECT count(*) FROM outbox WHERE settled_at IS NULL",
                "SELECT count(*) FROM stored_file",
                "SELECT count(*) FROM message_refusal",
            )
        )
