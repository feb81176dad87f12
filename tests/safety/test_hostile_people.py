"""Stolen phones, old invitations, old answers, and people of the own firm who want more than their role gives."""

from collections.abc import Iterable
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.core import clock
from app.core.db import Database
from app.core.errors import NotFound, RuleBroken
from app.core.ids import new_id
from app.firms.access import Actor, Role
from app.firms.actions import end_membership, set_roles
from app.firms.models import Membership, Person
from app.passkeys.actions import (
    end_access,
    invite_device,
    invite_person,
    join_without_passkey,
    revoke_passkey,
)
from app.passkeys.models import JoinInvitation, Passkey, SignIn
from app.passkeys.queries import invitation_by
from app.passkeys.rules import SIGN_IN_REST
from app.push.models import Alert, PushDevice
from app.push.tokens import make_answer_token, receipt_ticket
from tests.agreements.world import make_deal
from tests.passkeys.software import SoftwarePasskey
from tests.requests.story import ask, people_of_the_story
from tests.safety.hostile import HostileNode, open_node
from tests.world import TestFirm

World = dict[str, TestFirm]


@pytest.fixture
def firm(sqlite_database: Database) -> TestFirm:
    """Keller with a ledger: invitations are made from its keys."""
    return make_deal(sqlite_database).firms["keller"]


@pytest.fixture
def node(sqlite_database: Database, tmp_path: Path, firm: TestFirm) -> HostileNode:
    return open_node(sqlite_database, tmp_path)


def token_of_invitation(database: Database, actor: Actor, name: str, roles: Iterable[Role]) -> str:
    with database.write() as session:
        return invite_person(session, actor, name, list(roles), "neu@keller.example")


def is_open(database: Database, token: str) -> bool:
    with database.read() as session:
        try:
            invitation_by(session, token)
        except NotFound:
            return False
    return True


def test_a_phone_without_screen_lock_cannot_give_itself_a_key_for_more_than_a_worker(
    sqlite_database: Database, node: HostileNode, firm: TestFirm
) -> None:
    # given a worker without passkey who was made a manager since
    thief = node.person(firm, Role.WORKER, has_passkey=False)
    with sqlite_database.write() as session:
        set_roles(session, firm.actor(Role.MANAGER), firm.people[Role.WORKER], [Role.WORKER, Role.MANAGER])
    # when the phone asks for another device of its own
    answer = thief.post("/geraete/neu")
    # then there is none
    assert answer.status_code in (403, 422)
    with sqlite_database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(JoinInvitation)) == 0


def test_a_device_that_a_foreman_vouched_for_is_no_longer_his_to_give_when_its_owner_got_more_rights(
    sqlite_database: Database, firm: TestFirm
) -> None:
    worker = firm.people[Role.WORKER]
    with sqlite_database.write() as session:
        by_foreman = invite_device(session, firm.actor(Role.FOREMAN), worker)
        by_manager = invite_device(session, firm.actor(Role.MANAGER), worker)
        set_roles(session, firm.actor(Role.MANAGER), worker, [Role.WORKER, Role.MANAGER])
    assert not is_open(sqlite_database, by_foreman)
    with sqlite_database.read() as session:
        assert invitation_by(session, by_manager).waits_for_second


def test_without_a_passkey_nobody_joins_as_somebody_who_is_more_than_a_worker_by_now(
    sqlite_database: Database, firm: TestFirm
) -> None:
    worker = firm.people[Role.WORKER]
    with sqlite_database.write() as session:
        token = invite_device(session, firm.actor(Role.MANAGER), worker)
        set_roles(session, firm.actor(Role.MANAGER), worker, [Role.FOREMAN])
    with pytest.raises(RuleBroken), sqlite_database.write() as session:
        join_without_passkey(session, invitation_by(session, token), "Handy", "de")


def test_who_left_takes_their_open_invitations_along(sqlite_database: Database, firm: TestFirm) -> None:
    manager, foreman = firm.actor(Role.MANAGER), firm.actor(Role.FOREMAN)
    made = token_of_invitation(sqlite_database, foreman, "Kumpel", [Role.WORKER])
    with sqlite_database.write() as session:
        own = invite_device(session, manager, firm.people[Role.FOREMAN])
    with sqlite_database.write() as session:
        end_membership(session, manager, firm.people[Role.FOREMAN])
        end_access(session, firm.id, firm.people[Role.FOREMAN])
    assert not is_open(sqlite_database, made)
    assert not is_open(sqlite_database, own)


def test_a_device_invitation_of_somebody_who_left_is_gone_and_no_fault(
    sqlite_database: Database, node: HostileNode, firm: TestFirm
) -> None:
    with sqlite_database.write() as session:
        token = invite_device(session, firm.actor(Role.MANAGER), firm.people[Role.WORKER])
        session.execute(
            sa.update(Membership).where(Membership.person_id == firm.people[Role.WORKER]).values(ended_at=clock.now())
        )
    assert node.visitor().post(f"/willkommen/{token}/ohne").status_code in (404, 422)


def test_a_locked_passkey_ends_the_invitations_made_with_the_stolen_phone(
    sqlite_database: Database, firm: TestFirm
) -> None:
    with sqlite_database.write() as session:
        foreman = firm.people[Role.FOREMAN]
        key = Passkey(
            firm_id=firm.id, id=new_id(), created_at=clock.now(), person_id=foreman, credential_id=new_id(),
            public_key=SoftwarePasskey().cose, user_handle=new_id(), name="gestohlen",
        )  # fmt: skip
        session.add(key)
        session.flush()
        key_id = key.id
    thief = firm.actor(Role.FOREMAN)
    accomplice = token_of_invitation(sqlite_database, thief, "Komplize", [Role.WORKER])
    with sqlite_database.write() as session:
        second_phone = invite_device(session, thief, thief.person_id)
    with sqlite_database.write() as session:
        revoke_passkey(session, firm.actor(Role.MANAGER), key_id)
    assert not is_open(sqlite_database, accomplice)
    assert not is_open(sqlite_database, second_phone)


def test_an_invitation_hands_out_no_role_that_its_maker_lost(sqlite_database: Database, firm: TestFirm) -> None:
    with sqlite_database.write() as session:
        second = Person(firm_id=firm.id, id=new_id(), created_at=clock.now(), name="Zweite Leitung")
        session.add(second)
        session.flush()
        session.add(
            Membership(firm_id=firm.id, id=new_id(), created_at=clock.now(), person_id=second.id, role=Role.MANAGER)
        )
    demoted = Actor(firm.id, second.id, frozenset({Role.MANAGER}), Role.MANAGER, "Zweite Leitung", "s")
    token = token_of_invitation(sqlite_database, demoted, "Komplize", [Role.MANAGER])
    with sqlite_database.write() as session:
        set_roles(session, firm.actor(Role.MANAGER), second.id, [Role.WORKER])
    assert not is_open(sqlite_database, token)


@pytest.fixture
def world(sqlite_database: Database) -> World:
    return people_of_the_story(sqlite_database)


def answer_token(database: Database, firm: TestFirm, request_id: str, *, has_passkey: bool = True) -> str:
    """The token of a message that lies on the foreman's phone."""
    now, person_id, sign_in_id = clock.now(), firm.people[Role.FOREMAN], new_id()
    with database.write() as session:
        session.add(
            SignIn(
                id_hash=new_id(), public_id=sign_in_id, firm_id=firm.id, person_id=person_id, role="foreman",
                has_passkey=has_passkey, device="Handy", created_at=now, last_seen_at=now,
                expires_at=now.replace(year=now.year + 1),
            )
        )  # fmt: skip
        device = PushDevice(
            firm_id=firm.id, id=new_id(), created_at=now, person_id=person_id, sign_in_id=sign_in_id,
            endpoint=f"https://push.example/{sign_in_id}", p256dh="x", auth="y",
        )  # fmt: skip
        session.add(device)
        session.flush()
        alert = session.scalars(sa.select(Alert).where(Alert.firm_id == firm.id, Alert.subject_id == request_id)).one()
        return make_answer_token(session, alert, device.id, now.replace(day=now.day + 2), ("yes", "no"))


def test_a_foreman_who_became_a_worker_answers_no_request_from_an_old_message(
    sqlite_database: Database, tmp_path: Path, world: World
) -> None:
    yilmaz, request_id = world["yilmaz"], ask(sqlite_database, world)
    token = answer_token(sqlite_database, yilmaz, request_id)
    with sqlite_database.write() as session:
        set_roles(session, yilmaz.actor(Role.MANAGER), yilmaz.people[Role.FOREMAN], [Role.WORKER])
    visitor = open_node(sqlite_database, tmp_path).visitor()
    for said in ("yes", "no"):
        assert visitor.post("/antwort", json={"token": token, "answer": said}).status_code == 404


def test_a_device_without_passkey_has_worker_rights_and_answers_no_request(
    sqlite_database: Database, tmp_path: Path, world: World
) -> None:
    request_id = ask(sqlite_database, world)
    token = answer_token(sqlite_database, world["yilmaz"], request_id, has_passkey=False)
    visitor = open_node(sqlite_database, tmp_path).visitor()
    assert visitor.post("/antwort", json={"token": token, "answer": "yes"}).status_code == 404


def test_a_phone_that_rested_too_long_answers_no_request(
    sqlite_database: Database, tmp_path: Path, world: World
) -> None:
    token = answer_token(sqlite_database, world["yilmaz"], ask(sqlite_database, world))
    with sqlite_database.write() as session:
        session.execute(sa.update(SignIn).values(last_seen_at=clock.now() - SIGN_IN_REST))
    visitor = open_node(sqlite_database, tmp_path).visitor()
    assert visitor.post("/antwort", json={"token": token, "answer": "yes"}).status_code == 404


def test_a_phone_that_was_signed_out_can_no_longer_stop_the_escalation(
    sqlite_database: Database, tmp_path: Path, world: World
) -> None:
    yilmaz, request_id = world["yilmaz"], ask(sqlite_database, world)
    answer_token(sqlite_database, yilmaz, request_id)
    node = open_node(sqlite_database, tmp_path)
    with sqlite_database.write() as session:
        alert_id = session.scalars(sa.select(Alert.id).where(Alert.firm_id == yilmaz.id)).one()
        device_id = session.scalars(sa.select(PushDevice.id).where(PushDevice.firm_id == yilmaz.id)).one()
        session.execute(sa.delete(PushDevice))
    ticket = receipt_ticket(node.config, yilmaz.id, alert_id, device_id)
    assert node.visitor().post("/push/gesehen", query_string={"zettel": ticket}).status_code == 404
    with sqlite_database.read() as session:
        assert session.get_one(Alert, (yilmaz.id, alert_id)).seen_at is None


def test_no_stranger_may_post_without_being_counted(sqlite_database: Database, tmp_path: Path) -> None:
    from app.web.limits import limiter

    app = open_node(sqlite_database, tmp_path).app
    views = [app.view_functions[rule.endpoint] for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())]
    names = {f"{view.__module__}.{view.__name__}.{view.__name__}" for view in views if view.permission == "public"}  # type: ignore[attr-defined]
    assert len(names) >= 20
    # the inbox counts who proves nothing itself: partners may send as much as they have to say (tests/nodes)
    assert names - limiter._marked_for_limiting == {"app.federation.routes_nodes.inbox.inbox"}


def test_a_flood_from_one_network_counts_as_one_whatever_it_says_about_itself(
    sqlite_database: Database, tmp_path: Path
) -> None:
    node = open_node(sqlite_database, tmp_path)
    answers = [
        node.visitor().post(
            "/anmelden/code", data={"code": f"AAAA{n:02d}"},
            headers={"X-Forwarded-For": f"198.51.100.{n}", "Forwarded": f"for=198.51.100.{n}"},
            environ_overrides={"REMOTE_ADDR": f"2001:db8:1:2::{n:x}"},
        ).status_code
        for n in range(1, 14)
    ]  # fmt: skip
    assert answers[:10] == [422] * 10
    assert answers[10:] == [429] * 3
