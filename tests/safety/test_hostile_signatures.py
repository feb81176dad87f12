"""Signatures over another text, by another key, from before a lock, or used twice: none of them signs anything."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from app.agreements.actions import approve_agreement, signable_digest
from app.agreements.models import Agreement
from app.core import clock
from app.core.db import Database
from app.core.errors import Conflict, RuleBroken
from app.core.ids import new_id
from app.firms.access import Role
from app.firms.models import Firm
from app.notary.models import LedgerEntry
from app.passkeys.models import Challenge, Passkey, SignIn
from ledger.encoding import to_b64url
from tests.agreements.world import Deal, approval, at, drafted, make_deal, sign, sign_only
from tests.passkeys.software import SoftwarePasskey
from tests.safety.hostile import HostileNode, Visitor, open_node


@pytest.fixture
def deal(sqlite_database: Database) -> Deal:
    made = make_deal(sqlite_database, ("yilmaz", "brandt"), all_or_none=False)
    with sqlite_database.write() as session:
        session.execute(sa.update(Firm).values(recovery_printed_at=clock.now()))
        for key in ("keller", "yilmaz"):
            firm, passkey = made.firms[key], made.passkeys[key]
            session.add(
                Passkey(
                    firm_id=firm.id, id=new_id(), created_at=clock.now(), person_id=firm.people[Role.MANAGER],
                    credential_id=to_b64url(passkey.credential_id), public_key=passkey.cose, user_handle="handle",
                    name="Handy", registered_seq=0,
                )
            )  # fmt: skip
    return made


@pytest.fixture
def ids(sqlite_database: Database, deal: Deal) -> list[str]:
    return drafted(sqlite_database, deal)


@pytest.fixture
def node(sqlite_database: Database, tmp_path: Path, deal: Deal) -> HostileNode:
    return open_node(sqlite_database, tmp_path)


def ask_options(visitor: Visitor, agreement_id: str) -> TestResponse:
    with visitor.client.application.extensions["world"].database().read() as session:
        shown = session.scalars(sa.select(Agreement.digest).where(Agreement.id == agreement_id)).first()
    return visitor.post(f"/unterschrift/agreement/{agreement_id}/optionen?shown={shown}", json={})


def options(visitor: Visitor, agreement_id: str) -> dict[str, Any]:
    answer = ask_options(visitor, agreement_id)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def finish(visitor: Visitor, agreement_id: str, credential: dict[str, Any]) -> int:
    return visitor.post(f"/unterschrift/agreement/{agreement_id}", json={"credential": credential}).status_code


def test_an_honest_approval_signs_and_the_same_answer_again_signs_nothing(
    sqlite_database: Database, deal: Deal, ids: list[str], node: HostileNode
) -> None:
    manager = node.person(deal.firms["keller"], Role.MANAGER)
    credential = deal.passkeys["keller"].get(options(manager, ids[0]))
    assert finish(manager, ids[0], credential) == 200
    assert finish(manager, ids[0], credential) == 422
    assert len(at(sqlite_database, deal, "keller", ids[0]).signatures) == 2


def test_an_answer_over_one_agreement_signs_no_other_one(
    sqlite_database: Database, deal: Deal, ids: list[str], node: HostileNode
) -> None:
    manager = node.person(deal.firms["keller"], Role.MANAGER)
    credential = deal.passkeys["keller"].get(options(manager, ids[0]))
    options(manager, ids[1])
    assert finish(manager, ids[1], credential) == 422
    assert finish(node.person(deal.firms["keller"], Role.MANAGER), ids[0], credential) == 422
    assert at(sqlite_database, deal, "keller", ids[1]).signatures == []


def test_an_answer_to_the_sign_in_signs_no_agreement(
    sqlite_database: Database, deal: Deal, ids: list[str], node: HostileNode
) -> None:
    manager = node.person(deal.firms["keller"], Role.MANAGER)
    options(manager, ids[0])
    challenge = manager.post("/anmelden/optionen", json={}).get_json()
    assert finish(manager, ids[0], deal.passkeys["keller"].get(challenge)) == 422
    assert at(sqlite_database, deal, "keller", ids[0]).signatures == []


def test_an_approval_begun_before_the_key_was_locked_signs_nothing_after_it(
    sqlite_database: Database, deal: Deal, ids: list[str], node: HostileNode
) -> None:
    thief = node.person(deal.firms["keller"], Role.MANAGER)
    credential = deal.passkeys["keller"].get(options(thief, ids[0]))
    with sqlite_database.write() as session:
        session.execute(sa.update(Passkey).values(revoked_at=clock.now()))
    assert finish(thief, ids[0], credential) == 422
    assert at(sqlite_database, deal, "keller", ids[0]).signatures == []


def test_an_approval_begun_before_the_sign_out_ends_with_it(
    sqlite_database: Database, deal: Deal, ids: list[str], node: HostileNode
) -> None:
    thief = node.person(deal.firms["keller"], Role.MANAGER)
    credential = deal.passkeys["keller"].get(options(thief, ids[0]))
    with sqlite_database.write() as session:
        session.execute(sa.delete(SignIn))
    assert finish(thief, ids[0], credential) == 403
    assert at(sqlite_database, deal, "keller", ids[0]).signatures == []


def test_a_partner_or_a_foreman_signs_nothing_of_ours(
    sqlite_database: Database, deal: Deal, ids: list[str], node: HostileNode
) -> None:
    for visitor in (
        node.person(deal.firms["nowak"], Role.MANAGER),
        node.person(deal.firms["yilmaz"], Role.MANAGER),
        node.person(deal.firms["keller"], Role.FOREMAN),
        node.person(deal.firms["keller"], Role.MANAGER, has_passkey=False),
    ):
        answer = ask_options(visitor, ids[0])
        assert answer.status_code in (403, 404, 422)
    with sqlite_database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Challenge)) == 0


@pytest.mark.parametrize("kind", ["amendment", "framework", "link.end", "key.register", "practice", "../agreement"])
def test_a_document_under_another_kind_is_not_there(deal: Deal, ids: list[str], node: HostileNode, kind: str) -> None:
    manager = node.person(deal.firms["keller"], Role.MANAGER)
    assert manager.post(f"/unterschrift/{kind}/{ids[0]}/optionen", json={}).status_code in (404, 405)


def test_the_key_of_another_firm_signs_nothing(sqlite_database: Database, deal: Deal, ids: list[str]) -> None:
    who = deal.actor("keller")
    with sqlite_database.read() as session:
        digest, role = signable_digest(session, who, ids[0])
        foreign = approval(session, deal, "yilmaz", digest, role)
        disguised = foreign | {"party": "keller@test"}
        stolen_name = approval(session, deal, "keller", digest, role) | {"kid": foreign["kid"]}
    for signature in (foreign, disguised, stolen_name):
        with pytest.raises(RuleBroken), sqlite_database.write() as session:
            approve_agreement(session, who, ids[0], signature)
    assert at(sqlite_database, deal, "keller", ids[0]).signatures == []


def test_a_made_up_key_that_calls_itself_registered_signs_nothing(
    sqlite_database: Database, deal: Deal, ids: list[str]
) -> None:
    deal.passkeys["keller"] = SoftwarePasskey()
    with pytest.raises((RuleBroken, Conflict)):
        sign_only(sqlite_database, deal, "keller", ids[0])
    assert at(sqlite_database, deal, "keller", ids[0]).signatures == []


@pytest.mark.parametrize("column", ["text", "facts", "message", "digest"])
def test_a_text_that_was_changed_in_the_database_is_never_signed(
    sqlite_database: Database, deal: Deal, ids: list[str], column: str
) -> None:
    row = at(sqlite_database, deal, "keller", ids[0])
    changed: dict[str, Any] = {
        "text": row.text.replace("95,00", "94,00"),
        "facts": row.facts | {"total_cents": row.facts["total_cents"] - 1},
        "message": row.message | {"totalCents": row.message["totalCents"] - 1},
        "digest": "0x" + "11" * 32,
    }
    with sqlite_database.write() as session:
        session.execute(sa.update(Agreement).where(Agreement.id == ids[0]).values({column: changed[column]}))
    with pytest.raises(RuleBroken):
        sign_only(sqlite_database, deal, "keller", ids[0])


def test_a_record_enters_each_log_once_however_often_its_message_comes(
    sqlite_database: Database, deal: Deal, ids: list[str]
) -> None:
    from app.federation.models import Message
    from tests.safety.test_hostile_partners import forge

    sign(sqlite_database, deal, "keller", ids[0])
    sign(sqlite_database, deal, "yilmaz", ids[0])
    keller, yilmaz = deal.firms["keller"].id, deal.firms["yilmaz"].id
    with sqlite_database.read() as session:
        sent = session.execute(
            sa.select(Message.firm_id, Message.peer_id, Message.kind, Message.body).where(
                Message.direction == "out", Message.kind.in_(("agreement.drafted", "agreement.signed"))
            )
        ).all()
        before = session.scalar(sa.select(sa.func.count()).select_from(LedgerEntry))
    assert {(row.firm_id, row.kind) for row in sent} >= {(keller, "agreement.drafted"), (yilmaz, "agreement.signed")}
    for row in sent:
        assert forge(sqlite_database, row.firm_id, row.peer_id, row.kind, row.body) in ("delivered", "refused")
    with sqlite_database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(LedgerEntry)) == before
