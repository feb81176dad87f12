"""A firm moves to another node: what was open goes on there, and partners notice nothing but the new address."""

import contextvars
import datetime as dt
import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.agreements.actions import approve_amendment, propose_change, signable_amendment
from app.agreements.models import Amendment
from app.bookings.models import Booking
from app.core import clock
from app.core.db import Database
from app.core.errors import Conflict, RuleBroken
from app.federation.actions import send_message
from app.federation.fetching import fetch_wanted_files
from app.federation.models import Message, StoredFile, WantedFile
from app.moving.exporting import write_archive
from app.moving.leaving import stay_after_all
from app.moving.rules import MovingError
from app.notary.keys import log_signer
from app.notary.queries import key_document
from app.partners.actions import invite_partner
from app.partners.homes import follow_partner
from app.partners.queries import invitation_token
from app.requests.models import Question, WorkRequest
from app.worker import end_what_is_due
from ledger import note as notes
from tests.conftest import empty_tables
from tests.nodes.job import agreement, answer, ask, draft, evidence, plan, play, sign, verified
from tests.nodes.moving import TRANSFER_KEY, ask_about, link_here, move, pack, unpack
from tests.nodes.silence import received, write
from tests.nodes.world import Node, approval, link, messages, partnership, running_nodes, settle_all

KELLER = "keller@eins.test"


@pytest.fixture
def make_nodes(tmp_path: Path) -> Iterator[Callable[..., list[Node]]]:
    """Nodes with these firms on databases of their own, the last on the one given."""
    with ExitStack() as stack:

        def make(*homes: list[str], last: Database | None = None) -> list[Node]:
            databases = []
            for number in range(len(homes) - (last is not None)):
                made = Database(f"sqlite:///{tmp_path / str(number)}.sqlite")
                stack.callback(made.close)
                made.create_tables()
                databases.append(made)
            return stack.enter_context(running_nodes([*databases, *([last] if last else [])], tmp_path, homes))

        yield make


def test_all_that_was_open_goes_on_at_the_new_node(
    make_nodes: Callable[..., list[Node]], house_of_postgres: Database, tmp_path: Path
) -> None:
    house_of_postgres.dispatch = None
    empty_tables(house_of_postgres)
    one, two, three, four = nodes = make_nodes(["keller"], ["yilmaz"], ["brandt"], [], last=house_of_postgres)
    link(one, "keller", two, "yilmaz", nodes)
    link(one, "keller", three, "brandt", nodes)
    yilmaz, brandt = one.partner_id("keller", "yilmaz@zwei.test"), one.partner_id("keller", "brandt@drei.test")
    # 1. in force, with bookings; half signed; offered and not yet planned
    (in_force,) = play(nodes, [(two, "yilmaz")], need_min=40 * 60)
    half = ask(one, [yilmaz], 20 * 60)
    settle_all(nodes)
    answer(two, "yilmaz", half)
    settle_all(nodes)
    (half_signed,) = draft(one, plan(one, half))
    sign(one, "keller", half_signed)
    settle_all(nodes)
    offered = ask(one, [yilmaz, brandt], 30 * 60)
    settle_all(nodes)
    answer(two, "yilmaz", offered)
    answer(three, "brandt", offered)
    settle_all(nodes)
    # 2. nobody hears anybody: messages wait on both sides
    one.is_cut = two.is_cut = three.is_cut = True
    late = ask(one, [yilmaz, brandt], 10 * 60)
    ask_about(two, "yilmaz", offered, "Welche Spannung?")
    settle_all(nodes)
    sent_before = {row.id for row in messages(one) if row.state == "delivered"}
    assert {row.kind for row in messages(one) if row.state == "waiting"} >= {"request.published"}
    move(one, four, "keller", tmp_path)
    one.is_cut = two.is_cut = three.is_cut = False
    with clock.frozen(clock.now() + dt.timedelta(minutes=10)):
        settle_all(nodes)
        # 3. partners know the new address, and nothing else has changed
        for node, key in ((two, "yilmaz"), (three, "brandt")):
            theirs = partnership(node, key, KELLER)
            assert (theirs.node, theirs.state, theirs.address) == (four.config.node, "active", KELLER)
        # 4. what waited came once, from the new node alone
        assert {row.id for row in messages(one) if row.state == "delivered"} == sent_before
        check_everything_came(nodes)
        with four.database.read() as session:
            assert session.scalars(sa.select(Question.text)).all() == ["Welche Spannung?"]
        answer(three, "brandt", late)
        settle_all(nodes)
        # 5. the half-signed agreement comes into force, the offers are planned and signed, a booking is changed
        sign(two, "yilmaz", half_signed)
        settle_all(nodes)
        planned = draft(four, plan(four, offered))
        for agreement_id in planned:
            sign(four, "keller", agreement_id)
        settle_all(nodes)
        by_partner = {
            four.partner_id("keller", "yilmaz@zwei.test"): (two, "yilmaz"),
            four.partner_id("keller", "brandt@drei.test"): (three, "brandt"),
        }
        providers = {half_signed: (two, "yilmaz"), in_force: (two, "yilmaz")}
        for agreement_id in planned:
            providers[agreement_id] = by_partner[agreement(four, "keller", agreement_id).partner_id]
            sign(*providers[agreement_id], agreement_id)
        settle_all(nodes)
        change_first_week(four, two, in_force, nodes)
        for agreement_id, (node, key) in providers.items():
            assert agreement(four, "keller", agreement_id).state == "in_force"
            assert agreement(node, key, agreement_id).state == "in_force"
            files = evidence(four, "keller", agreement_id), evidence(node, key, agreement_id)
            assert json.loads(files[0])["evidence"] == json.loads(files[1])["evidence"]
            assert [verified(file, tmp_path) for file in files] == [0, 0]
        check_everything_came(nodes)
    # 6. at the old node nothing has gone on
    assert agreement(one, "keller", half_signed).state != "in_force"


def test_a_hub_lets_a_firm_go_to_the_hub_of_its_partner(make_nodes: Callable[..., list[Node]], tmp_path: Path) -> None:
    """Brandt was next door and is far away now; Yilmaz was far away and is next door."""
    one, two = nodes = make_nodes(["keller", "brandt"], ["yilmaz"])
    link_here(one, "keller", "brandt")
    link(one, "keller", two, "yilmaz", nodes)
    brandt = one.partner_id("keller", "brandt@eins.test")
    before = ask(one, [brandt], 10 * 60)
    settle_all(nodes)
    move(one, two, "keller", tmp_path)
    answer(one, "brandt", before)
    settle_all(nodes)
    assert (partnership(one, "brandt", KELLER).node, partnership(two, "yilmaz", KELLER).node) == (two.config.node,) * 2
    assert partnership(two, "keller", "brandt@eins.test").node == one.config.node
    later = ask(
        two, [two.partner_id("keller", f"{key}@{node.name}") for key, node in (("brandt", one), ("yilmaz", two))]
    )
    settle_all(nodes)
    answer(one, "brandt", later)
    answer(two, "yilmaz", later)
    settle_all(nodes)
    for request_id in (before, later):
        for agreement_id in draft(two, plan(two, request_id)):
            sign(two, "keller", agreement_id)
            settle_all(nodes)
            at_brandt = agreement(two, "keller", agreement_id).partner_id == two.partner_id(
                "keller", "brandt@eins.test"
            )
            node, key = (one, "brandt") if at_brandt else (two, "yilmaz")
            sign(node, key, agreement_id)
            settle_all(nodes)
            assert (
                agreement(node, key, agreement_id).state == agreement(two, "keller", agreement_id).state == "in_force"
            )
            assert verified(evidence(node, key, agreement_id), tmp_path) == 0
    check_everything_came(nodes)


def test_what_partners_send_while_the_archive_is_on_its_way_waits(
    make_nodes: Callable[..., list[Node]], tmp_path: Path
) -> None:
    one, two, three = nodes = make_nodes(["keller"], ["yilmaz"], [])
    link(one, "keller", two, "yilmaz", nodes)
    request_id = ask(one, [one.partner_id("keller", "yilmaz@zwei.test")])
    settle_all(nodes)
    archive = pack(one, three, "keller", tmp_path)
    ask_about(two, "yilmaz", request_id, "Noch da?")
    settle_all(nodes)
    assert partnership(two, "yilmaz", KELLER).node == three.config.node
    assert [row.state for row in messages(two) if row.kind == "request.asked"] == ["waiting"]
    unpack(archive, one, three, "keller", tmp_path)
    with clock.frozen(clock.now() + dt.timedelta(hours=1)):
        settle_all(nodes)
    assert [row.state for row in messages(two) if row.kind == "request.asked"] == ["delivered"]
    check_everything_came(nodes)


def test_a_move_that_was_given_up_brings_partners_back(make_nodes: Callable[..., list[Node]], tmp_path: Path) -> None:
    one, two, three = nodes = make_nodes(["keller", "brandt"], ["yilmaz"], [])
    link_here(one, "keller", "brandt")
    link(one, "keller", two, "yilmaz", nodes)
    request_id = ask(one, [one.partner_id("keller", "yilmaz@zwei.test")])
    settle_all(nodes)
    pack(one, three, "keller", tmp_path)
    ask_about(two, "yilmaz", request_id, "Noch da?")
    settle_all(nodes)
    assert partnership(one, "brandt", KELLER).node == partnership(two, "yilmaz", KELLER).node == three.config.node
    with clock.frozen(clock.now() + dt.timedelta(hours=1)):
        with one.database.write() as session:
            stay_after_all(session, one.firm_id("keller"), one.config.node)
        settle_all(nodes)
        assert partnership(one, "brandt", KELLER).node == ""
        assert partnership(two, "yilmaz", KELLER).node == one.config.node
    with clock.frozen(clock.now() + dt.timedelta(hours=9)):
        settle_all(nodes)
    assert [row.state for row in messages(two) if row.kind == "request.asked"] == ["delivered"]


def test_a_copy_that_goes_on_alone_brings_partners_to_its_node(
    make_nodes: Callable[..., list[Node]], tmp_path: Path
) -> None:
    """The old node burnt down with a neighbour on it; all that is left is a copy."""
    one, two, three = nodes = make_nodes(["keller", "brandt"], ["yilmaz"], [])
    link_here(one, "keller", "brandt")
    link(one, "keller", two, "yilmaz", nodes)
    copy = tmp_path / "copy.tar.gz"
    with copy.open("wb") as file:
        write_archive(one.database, one.firm_id("keller"), file, TRANSFER_KEY, tmp_path, node=one.config.node)
    one.is_cut = True
    unpack(copy, one, three, "keller", tmp_path)
    assert partnership(three, "keller", "brandt@eins.test").node == one.config.node
    with clock.frozen(clock.now() + dt.timedelta(hours=1)):
        with three.database.write() as session:
            stay_after_all(session, three.firm_id("keller"), three.config.node)
        settle_all([two, three])
        assert partnership(two, "yilmaz", KELLER).node == three.config.node
        write(two, "yilmaz", two.partner_id("yilmaz", KELLER), [7])
        settle_all([two, three])
    assert received(three) == [7]


def test_an_archive_is_taken_only_by_the_node_that_partners_were_told(
    make_nodes: Callable[..., list[Node]], tmp_path: Path
) -> None:
    one, two, three = make_nodes(["keller"], ["yilmaz"], [])
    archive = pack(one, three, "keller", tmp_path)
    with pytest.raises(MovingError, match=f"moves to {three.config.node}"):
        unpack(archive, one, two, "keller", tmp_path)


def test_an_old_qr_code_says_that_the_firm_moved(make_nodes: Callable[..., list[Node]], tmp_path: Path) -> None:
    one, two = make_nodes(["keller"], [])
    with one.database.write() as session:
        token = invitation_token(session, one.firm_id("keller"), invite_partner(session, one.actor("keller")))
    assert "umgezogen" not in read_page(one, f"/join/{token}")
    pack(one, two, "keller", tmp_path)
    assert "Dieser Betrieb ist umgezogen." in read_page(one, f"/join/{token}")
    assert "umgezogen" not in read_page(one, "/join/unbekannt")


@pytest.fixture
def moved(make_nodes: Callable[..., list[Node]], tmp_path: Path) -> tuple[list[Node], str]:
    """Keller asked Yilmaz for something, with a drawing, and has moved since; Brandt is anybody."""
    one, two, _three, _four = nodes = make_nodes(["keller"], ["yilmaz"], ["brandt"], [])
    link(one, "keller", two, "yilmaz", nodes)
    request_id = ask(one, [one.partner_id("keller", "yilmaz@zwei.test")])
    settle_all(nodes)
    move(one, nodes[3], "keller", tmp_path)
    return nodes, request_id


def test_the_old_node_shows_the_way_for_90_days_and_then_knows_nobody(moved: tuple[list[Node], str]) -> None:
    (one, two, _, four), request_id = moved
    four.is_cut = True
    with clock.frozen(clock.now() + dt.timedelta(days=91)):
        ask_about(two, "yilmaz", request_id, "Noch da?")
        settle_all([one, two])
        assert partnership(two, "yilmaz", KELLER).node == one.config.node
        assert [row.error for row in messages(two) if row.kind == "request.asked"] == ["audience"]
        assert not fetches_drawing(two)
    with clock.frozen(clock.now() + dt.timedelta(days=89)):
        one.context = contextvars.copy_context()
        assert fetches_drawing(two)
        with two.database.write() as session:
            session.execute(sa.update(Message).where(Message.state == "waiting").values(next_try_at=clock.now()))
        settle_all([one, two])
    assert partnership(two, "yilmaz", KELLER).node == four.config.node


def fetches_drawing(node: Node) -> bool:
    """Whether the drawing of a message that came before the move is to be had, as if it had not been fetched yet."""
    with node.database.write() as session:
        session.execute(sa.update(StoredFile).values(origin_id=""))
        session.execute(sa.update(WantedFile).values(ended_at=None))
    fetch_wanted_files(node.database, node.config)
    with node.database.read() as session:
        return session.scalar(sa.select(StoredFile.id).where(StoredFile.origin_id != "")) is not None


def note_by(node: Node, key: str, log: str, home: str, at: int) -> str:
    with node.database.read() as session:
        return notes.sign(f"werkring moved v1\n{log}\n{home}\n{at}\n", log_signer(session, node.firm_id(key)))


def test_nobody_but_the_firm_itself_moves_it(moved: tuple[list[Node], str]) -> None:
    (one, two, three, four), request_id = moved
    keller, at = two.partner_id("yilmaz", KELLER), int(clock.now().timestamp())
    with one.database.read() as session:
        document = key_document(session, one.firm_id("keller"))
    log, real = document["origin"], document["moved"]
    other = note_by(three, "brandt", log, three.config.node, at + 5)
    forged = [
        None, "", real.replace(four.config.node, three.config.node), other,
        note_by(three, "brandt", f"{log}x", three.config.node, at + 5),
        note_by(one, "keller", "brandt.drei.test", three.config.node, at + 5),
        note_by(one, "keller", log, "localhost/x?", at + 5), note_by(one, "keller", log, "", at + 5),
    ]  # fmt: skip
    for note in forged:
        with pytest.raises(RuleBroken), two.database.write() as session:
            follow_partner(session, two.firm_id("yilmaz"), keller, document | {"moved": note})
    with three.database.read() as session:
        strange = key_document(session, three.firm_id("brandt")) | {"moved": other}
    with pytest.raises(RuleBroken), two.database.write() as session:
        follow_partner(session, two.firm_id("yilmaz"), keller, strange)
    # the old node itself answers so: the message waits, and goes nowhere else
    hostile_answers(one, {"state": "moved", "keys": document | {"moved": other}})
    ask_about(two, "yilmaz", request_id, "Noch da?")
    before = three.knocks
    settle_all([two])
    assert (partnership(two, "yilmaz", KELLER).node, three.knocks) == (one.config.node, before)
    assert [row.state for row in messages(two) if row.kind == "request.asked"] == ["waiting"]


def test_an_older_word_changes_nothing(moved: tuple[list[Node], str]) -> None:
    (one, two, three, four), _ = moved
    settle_all([one, two, three, four])
    keller, at = two.partner_id("yilmaz", KELLER), int(clock.now().timestamp())
    with one.database.read() as session:
        document = key_document(session, one.firm_id("keller"))
    older = note_by(one, "keller", document["origin"], three.config.node, at - 1)
    for told in (document["moved"], older):
        with two.database.write() as session:
            assert not follow_partner(session, two.firm_id("yilmaz"), keller, document | {"moved": told})
    assert partnership(two, "yilmaz", KELLER).node == four.config.node


def test_a_firm_that_left_sends_nothing_from_here_and_its_deadlines_end_nothing(moved: tuple[list[Node], str]) -> None:
    (one, two, _, _), request_id = moved
    keller = one.firm_id("keller")
    before = [row.state for row in messages(one)]
    with clock.frozen(clock.now() + dt.timedelta(days=60)):
        end_what_is_due(one.database)
        end_what_is_due(two.database)
        one.settle()
    with one.database.read() as session:
        assert session.get_one(WorkRequest, (keller, request_id)).state == "open"
    assert [row.state for row in messages(one)] == before
    with one.database.write() as session, pytest.raises(Conflict):
        send_message(session, keller, one.partner_id("keller", "yilmaz@zwei.test"), "partner.pause", {})


def check_everything_came(nodes: list[Node]) -> None:
    """Every message that left stands in its receiver's house once, in the order of its numbers."""
    arrived: dict[tuple[str, str], list[Message]] = {}
    for node in nodes:
        for row in messages(node, "in"):
            arrived.setdefault((node.name + row.firm_id, row.peer_id), []).append(row)
    for rows in arrived.values():
        assert [row.seq for row in rows] == sorted({row.seq for row in rows})
        assert len({row.id for row in rows}) == len(rows)
    known = {row.id for rows in arrived.values() for row in rows}
    assert [row.kind for node in nodes for row in messages(node) if row.id not in known] == []


def change_first_week(asker: Node, provider: Node, agreement_id: str, nodes: list[Node]) -> None:
    with asker.database.write() as session:
        first = session.scalars(
            sa.select(Booking).where(Booking.agreement_id == agreement_id).order_by(Booking.line_no)
        ).first()
        assert first is not None
        minutes = first.agreed_min - 60
        change = {first.line_no: minutes}
        amendment_id = propose_change(session, asker.actor("keller"), agreement_id, change, "weniger Teile").id
    for node, key in ((asker, "keller"), (provider, "yilmaz")):
        with node.database.write() as session:
            digest, role = signable_amendment(session, node.actor(key), amendment_id)
            approve_amendment(session, node.actor(key), amendment_id, approval(session, node, key, digest, role))
        settle_all(nodes)
    for node, key in ((asker, "keller"), (provider, "yilmaz")):
        with node.database.read() as session:
            assert session.get_one(Amendment, (node.firm_id(key), amendment_id)).state == "in_force"
            booked = sa.select(Booking.agreed_min).where(Booking.firm_id == node.firm_id(key))
            assert minutes in session.scalars(booked.where(Booking.agreement_id == agreement_id)).all()


def read_page(node: Node, path: str) -> str:
    host, _, port = node.config.node.partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    connection.request("GET", path)
    return connection.getresponse().read().decode()


def hostile_answers(node: Node, said: dict[str, Any]) -> None:
    """The node answers every message with this."""

    def answer_all(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        nonce = environ["HTTP_SIGNATURE_INPUT"].split('nonce="')[1][:36]
        body = json.dumps(said).encode()
        start_response("421 Moved", [("Werkring-Answer", nonce), ("Content-Length", str(len(body)))])
        return [body]

    assert node.server is not None
    node.server.app = answer_all
