"""From the QR to the record in both ledgers: step by step, and every step that must not work."""

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import Database
from app.core.errors import Conflict, NotFound, RuleBroken
from app.core.ids import new_id
from app.core.outbox import OutboxRow
from app.federation.models import Message
from app.firms.models import AuditEvent, Firm, Membership
from app.notary.models import LedgerEntry, LedgerEvidence
from app.notary.queries import evidence_file, key_document
from app.partners import record
from app.partners.actions import (
    decline_partnership,
    invite_partner,
    inviter_by,
    lapse_invitations,
    propose_partnership,
    recall_invitation,
    receive_accept,
    receive_invite,
)
from app.partners.direct import link_firms_directly
from app.partners.framework import choose_template, edit_clause, set_terms
from app.partners.models import Framework, PartnerInvitation, Partnership
from app.partners.queries import invitation_token, open_invitations, partnership_with, waiting_count
from app.partners.signing import approve_partnership, proposal_to_sign
from app.partners.telling import joined_body, proposal_body
from app.passkeys.models import Passkey
from app.worker import run_until_quiet
from tests.notary.test_actions import verified
from tests.partners.houses import (
    House,
    approve,
    become_partners,
    end,
    invitation_of,
    state_of,
    three_houses,
    use_invitation,
)


def test_two_firms_become_partners_step_by_step(database: Database) -> None:
    keller, yilmaz, nowak = three_houses(database)
    token = invitation_of(database, keller)
    use_invitation(database, yilmaz, token)
    assert (state_of(database, keller, yilmaz), state_of(database, yilmaz, keller)) == ("invited", "invited")
    approve(database, keller, yilmaz)
    assert (state_of(database, keller, yilmaz), state_of(database, yilmaz, keller)) == ("half", "half")
    approve(database, yilmaz, keller)
    assert (state_of(database, keller, yilmaz), state_of(database, yilmaz, keller)) == ("active", "active")
    assert state_of(database, nowak, keller) == state_of(database, nowak, yilmaz) == ""


def test_both_ledgers_hold_byte_identical_evidence_that_verifies_offline(database: Database, tmp_path: Path) -> None:
    keller, yilmaz, _ = three_houses(database)
    become_partners(database, keller, yilmaz)
    with database.read() as session:
        bodies = [
            session.scalars(
                sa.select(LedgerEvidence.body)
                .join(
                    LedgerEntry,
                    (LedgerEntry.firm_id == LedgerEvidence.firm_id)
                    & (LedgerEntry.evidence_sha256 == LedgerEvidence.sha256),
                )
                .where(LedgerEntry.firm_id == house.id, LedgerEntry.type == "link.partner")
            ).one()
            for house in (keller, yilmaz)
        ]
        file = evidence_file(session, keller.id, 1)
    assert bodies[0] == bodies[1]
    evidence = json.loads(bodies[0])
    assert [one["role"] for one in evidence["signatures"]] == ["manager", "firm", "manager", "firm"]
    assert "Rahmenvertrag" in evidence["display"]["text"]
    assert verified(file, tmp_path) == 0


def test_before_both_signed_a_firm_shows_its_name_town_words_and_contract_facts_only(database: Database) -> None:
    keller, yilmaz, _ = three_houses(database)
    use_invitation(database, yilmaz, invitation_of(database, keller))
    approve(database, keller, yilmaz)
    with database.read() as session:
        for one, other in ((keller, yilmaz), (yilmaz, keller)):
            row = partnership_with(session, one.id, other.id)
            assert (row.lat, row.lon, row.scope, row.partner_scope) == (None, None, [], [])
            assert set(row.profile) == {
                "legal_form", "register_court", "register_no", "vat_id", "street", "postcode", "words",
            }  # fmt: skip
            assert len(row.profile["words"].split()) == 6


def test_after_both_signed_each_knows_the_others_processes_and_place_but_no_machine(database: Database) -> None:
    keller, yilmaz, _ = three_houses(database)
    become_partners(database, keller, yilmaz)
    with database.read() as session:
        row = partnership_with(session, keller.id, yilmaz.id)
        assert [one["de"] for one in row.profile["processes"]] == ["5-Achs-Fräsen"]
        assert row.lat == pytest.approx(50.6091, abs=0.001)
        told = json.dumps(row.profile)
        bodies = json.dumps(list(session.scalars(sa.select(Message.body))))
    for secret in ("F5-650", '"M1"', "rate_cents"):
        assert secret not in told
        assert secret not in bodies


def test_two_firms_with_one_qr_and_one_gets_in(database: Database) -> None:
    keller, yilmaz, nowak = three_houses(database)
    token = invitation_of(database, keller)
    use_invitation(database, yilmaz, token)
    with pytest.raises(NotFound), database.write() as session:
        propose_partnership(session, nowak.manager, token)
    assert state_of(database, nowak, keller) == state_of(database, keller, nowak) == ""


def test_a_qr_lasts_48_hours(database: Database) -> None:
    keller, yilmaz, _ = three_houses(database)
    token = invitation_of(database, keller)
    with clock.frozen(clock.now() + dt.timedelta(hours=47, minutes=59)), database.read() as session:
        assert inviter_by(session, token).town == "Ilmenau"
    with clock.frozen(clock.now() + dt.timedelta(hours=48)), pytest.raises(NotFound), database.write() as session:
        propose_partnership(session, yilmaz.manager, token)


def test_an_invitation_taken_back_opens_nothing_and_still_counts_for_the_day(database: Database) -> None:
    keller, yilmaz, nowak = three_houses(database)
    token = invitation_of(database, keller)
    with database.write() as session:
        (row,) = open_invitations(session, keller.id)
        with pytest.raises(NotFound):
            recall_invitation(session, nowak.manager, row.id)
        recall_invitation(session, keller.manager, row.id)
        assert open_invitations(session, keller.id) == []
    with pytest.raises(NotFound):
        use_invitation(database, yilmaz, token)
    use_invitation(database, yilmaz, invitation_of(database, keller))
    with pytest.raises(Conflict), database.write() as session:
        used = session.scalars(sa.select(PartnerInvitation.id).where(PartnerInvitation.used_at.is_not(None))).one()
        recall_invitation(session, keller.manager, used)


@pytest.mark.parametrize("is_locked", [True, False], ids=["locked", "gone"])
def test_the_invitation_of_somebody_who_was_locked_or_left_opens_nothing(database: Database, is_locked: bool) -> None:
    keller, yilmaz, _ = three_houses(database)
    token = invitation_of(database, keller)
    with database.write() as session:
        if is_locked:
            session.add(
                Passkey(
                    firm_id=keller.id, id=new_id(), created_at=clock.now(), person_id=keller.manager.person_id,
                    credential_id="lost", public_key=b"", user_handle="lost", name="Handy", revoked_at=clock.now(),
                )
            )  # fmt: skip
        else:
            session.execute(sa.update(Membership).values(ended_at=clock.now()))
    with pytest.raises(NotFound):
        use_invitation(database, yilmaz, token)
    with database.read() as session:
        assert waiting_count(session, keller.id) == 0


def test_the_token_is_128_bit_and_only_its_hash_is_stored(database: Database) -> None:
    keller, _, _ = three_houses(database)
    token = invitation_of(database, keller)
    assert len(token) == 22
    with database.read() as session:
        row = session.scalars(sa.select(PartnerInvitation)).one()
        assert token not in repr([getattr(row, column.key) for column in PartnerInvitation.__table__.columns])
        assert token not in repr(session.execute(sa.select(AuditEvent.detail, AuditEvent.object_id)).all())


def test_the_own_invitation_opens_nothing(database: Database) -> None:
    keller, _, _ = three_houses(database)
    token = invitation_of(database, keller)
    with pytest.raises(RuleBroken, match="eure eigene"), database.write() as session:
        propose_partnership(session, keller.manager, token)


def test_partners_cannot_be_invited_again_until_it_is_over(database: Database) -> None:
    keller, yilmaz, _ = three_houses(database)
    become_partners(database, keller, yilmaz)
    with pytest.raises(RuleBroken, match="schon Partner"):
        use_invitation(database, yilmaz, invitation_of(database, keller))


def test_both_scan_each_other_at_once_and_still_become_partners(database: Database) -> None:
    keller, yilmaz, _ = three_houses(database)
    tokens = invitation_of(database, keller), invitation_of(database, yilmaz)
    with database.write() as session:
        propose_partnership(session, yilmaz.manager, tokens[0])
        propose_partnership(session, keller.manager, tokens[1])
    run_until_quiet(database)
    approve(database, keller, yilmaz)
    approve(database, yilmaz, keller)
    assert (state_of(database, keller, yilmaz), state_of(database, yilmaz, keller)) == ("active", "active")


def test_a_copied_accept_opens_nothing_and_a_third_firm_cannot_send_it(database: Database) -> None:
    keller, yilmaz, nowak = three_houses(database)
    use_invitation(database, yilmaz, invitation_of(database, keller))
    with database.write() as session:
        body = session.scalars(sa.select(Message.body).where(Message.kind == "partner.accept").limit(1)).one()
        with pytest.raises(NotFound), session.begin_nested():
            receive_accept(session, Told(keller.id, nowak.id, body))
        decline_partnership(session, keller.manager, yilmaz.id)
        receive_accept(session, Told(keller.id, yilmaz.id, body))
    run_until_quiet(database)
    assert state_of(database, keller, nowak) == ""
    assert state_of(database, keller, yilmaz) == "declined"
    assert state_of(database, yilmaz, keller) == "declined"


def test_a_card_with_another_firms_keys_is_refused(database: Database) -> None:
    keller, yilmaz, nowak = three_houses(database)
    with database.write() as session:
        propose_partnership(session, yilmaz.manager, invitation_of_in(session, keller))
        joined = joined_body(session, yilmaz.id, keller.id)
        for forged in (
            joined | {"keys": key_document(session, nowak.id)},
            joined | {"card": joined["card"] | {"address": "nowak@test"}},
            joined | {"card": joined["card"] | {"extra": "x"}},
            joined | {"invitation_id": "00000000-0000-7000-8000-000000000000"},
            {"step": "joined"},
        ):
            with pytest.raises((NotFound, RuleBroken)), session.begin_nested():
                receive_accept(session, Told(keller.id, yilmaz.id, forged))


def test_a_managers_passkey_of_another_firm_approves_nothing(database: Database) -> None:
    keller, yilmaz, nowak = three_houses(database)
    use_invitation(database, yilmaz, invitation_of(database, keller))
    for signer in (nowak, yilmaz):
        with pytest.raises(RuleBroken):
            approve(database, keller, yilmaz, signer=signer)
    assert state_of(database, keller, yilmaz) == "invited"
    approve(database, keller, yilmaz)
    with pytest.raises(RuleBroken):
        approve(database, yilmaz, keller, signer=keller)
    assert state_of(database, yilmaz, keller) == "half"


def test_nobody_signs_out_of_turn_twice_or_for_a_third_firm(database: Database) -> None:
    keller, yilmaz, nowak = three_houses(database)
    use_invitation(database, yilmaz, invitation_of(database, keller))
    with pytest.raises(NotFound):
        approve(database, yilmaz, keller)
    approve(database, keller, yilmaz)
    with pytest.raises(RuleBroken, match="schon unterschrieben"):
        approve(database, keller, yilmaz)
    with database.read() as session:
        framework_id = partnership_with(session, keller.id, yilmaz.id).framework_id or ""
    with pytest.raises(NotFound), database.write() as session:
        approve_partnership(session, nowak.id, None, framework_id, nowak.sign(session, b"\0" * 32))


def test_a_proposal_with_one_changed_word_number_or_party_is_refused(database: Database) -> None:
    keller, yilmaz, _ = three_houses(database)
    use_invitation(database, yilmaz, invitation_of(database, keller))
    approve_without_delivery(database, keller, yilmaz)
    with database.write() as session:
        partnership = partnership_with(session, keller.id, yilmaz.id)
        good = proposal_body(session, session.get_one(Framework, (keller.id, partnership.framework_id)))
        facts = good["facts"]
        clause = facts["clauses"][0]
        for forged in (
            good | {"facts": facts | {"notice_days": 31}},
            good
            | {"facts": facts | {"clauses": [clause | {"text": clause["text"] + " Immer."}, *facts["clauses"][1:]]}},
            good | {"facts": facts | {"party_b": facts["party_b"] | {"name": "Nowak Zerspanung"}}},
            good | {"message": good["message"] | {"to": "nowak@test"}},
            good | {"message": good["message"] | {"genesisTo": "0x" + "11" * 32}},
            good | {"signatures": good["signatures"][:1]},
            good | {"signatures": [*good["signatures"], good["signatures"][0]]},
            good | {"extra": 1},
        ):
            with pytest.raises((NotFound, RuleBroken)), session.begin_nested():
                receive_invite(session, Told(yilmaz.id, keller.id, forged))
        assert partnership_with(session, yilmaz.id, keller.id).state == "invited"
        receive_invite(session, Told(yilmaz.id, keller.id, good))
        receive_invite(session, Told(yilmaz.id, keller.id, good))
        assert partnership_with(session, yilmaz.id, keller.id).state == "half"


def test_firms_that_correct_their_data_while_the_contract_waits_still_become_partners(database: Database) -> None:
    keller, yilmaz, _ = three_houses(database)
    use_invitation(database, yilmaz, invitation_of(database, keller))
    correct_names(database, keller, yilmaz)
    approve(database, keller, yilmaz)
    approve(database, yilmaz, keller)
    assert (state_of(database, keller, yilmaz), state_of(database, yilmaz, keller)) == ("active", "active")
    with database.read() as session:
        text = session.scalars(sa.select(Framework.text)).first() or ""
        assert partnership_with(session, yilmaz.id, keller.id).name == "keller neu"
    assert "keller neu" in text
    assert "yilmaz neu" not in text


def test_a_firm_that_corrected_its_name_can_still_end_the_partnership(database: Database) -> None:
    keller, yilmaz, _ = three_houses(database)
    become_partners(database, keller, yilmaz)
    correct_names(database, keller, yilmaz)
    end(database, yilmaz, keller)
    run_until_quiet(database)
    assert (state_of(database, keller, yilmaz), state_of(database, yilmaz, keller)) == ("ended", "ended")


def correct_names(database: Database, *houses: House) -> None:
    with database.write() as session:
        for house in houses:
            session.get_one(Firm, house.id).name = f"{house.firm.key} neu"


@pytest.mark.parametrize("forged", ["seal_from", "seal_to", "fingerprint"])
def test_a_proposal_with_false_keys_is_refused_even_when_its_own_manager_signed_it(
    database: Database, monkeypatch: pytest.MonkeyPatch, forged: str
) -> None:
    keller, yilmaz, _ = three_houses(database)
    use_invitation(database, yilmaz, invitation_of(database, keller))
    value = "ab cd" if forged == "fingerprint" else "0x" + "11" * 20
    honest = record.new_message
    monkeypatch.setattr(record, "new_message", lambda *args, **told: honest(*args, **(told | {forged: value})))
    approve(database, keller, yilmaz)
    assert (state_of(database, keller, yilmaz), state_of(database, yilmaz, keller)) == ("half", "invited")


def test_the_text_is_edited_before_the_first_approval_and_never_after(database: Database) -> None:
    keller, yilmaz, nowak = three_houses(database)
    use_invitation(database, yilmaz, invitation_of(database, keller))
    with database.read() as session:
        framework_id = partnership_with(session, keller.id, yilmaz.id).framework_id or ""
    with database.write() as session:
        edit_clause(session, keller.manager, framework_id, 24, "Kündigung", "Kündigen geht per Fax.")
        set_terms(session, keller.manager, framework_id, {"notice_days": 60}, ["requests"])
        assert "Kündigen geht per Fax." in proposal_to_sign(session, keller.id, framework_id).text
        with pytest.raises(NotFound):
            edit_clause(session, nowak.manager, framework_id, 24, "Kündigung", "Nie.")
    approve(database, keller, yilmaz)
    for house in (keller, yilmaz):
        with pytest.raises(RuleBroken, match="schon unterschrieben"), database.write() as session:
            edit_clause(session, house.manager, framework_id, 24, "Kündigung", "Nie.")
        with pytest.raises(RuleBroken), database.write() as session:
            choose_template(session, house.manager, framework_id, "maschinennutzung")
    with database.read() as session:
        texts = session.scalars(sa.select(Framework.text)).all()
    assert len(set(texts)) == 1
    assert "Kündigen geht per Fax." in texts[0]


def test_editing_between_reading_and_signing_is_refused(database: Database) -> None:
    keller, yilmaz, _ = three_houses(database)
    use_invitation(database, yilmaz, invitation_of(database, keller))
    with database.write() as session:
        framework_id = partnership_with(session, keller.id, yilmaz.id).framework_id or ""
        seen = keller.sign(session, proposal_to_sign(session, keller.id, framework_id).digest)
        edit_clause(session, keller.manager, framework_id, 24, "Kündigung", "Nie.")
    with pytest.raises(RuleBroken), database.write() as session:
        approve_partnership(session, keller.id, keller.manager.person_id, framework_id, seen)


@pytest.mark.parametrize("column", ["text", "clauses", "digest", "terms", "template_key", "text_sha256", "frozen_at"])
def test_the_database_itself_refuses_to_change_a_signed_text(database: Database, column: str) -> None:
    keller, yilmaz, _ = three_houses(database)
    become_partners(database, keller, yilmaz)
    value = {"clauses": [], "terms": {"x": 1}, "frozen_at": clock.now() + dt.timedelta(days=1)}.get(column, "anders")
    with pytest.raises(sa.exc.IntegrityError), database.write() as session:
        session.execute(sa.update(Framework).values({column: value}))


def test_an_invitation_that_nobody_signs_lapses_on_both_sides(database: Database) -> None:
    keller, yilmaz, _ = three_houses(database)
    use_invitation(database, yilmaz, invitation_of(database, keller))
    later = clock.now() + dt.timedelta(hours=48)
    with clock.frozen(later), database.write() as session:
        lapse_invitations(session, later)
    assert (state_of(database, keller, yilmaz), state_of(database, yilmaz, keller)) == ("lapsed", "invited")
    with clock.frozen(later), pytest.raises(RuleBroken, match="Frist"):
        approve(database, keller, yilmaz)
    latest = later + dt.timedelta(hours=48)
    with clock.frozen(latest), database.write() as session:
        lapse_invitations(session, latest)
    assert state_of(database, yilmaz, keller) == "lapsed"


def test_a_signature_after_the_deadline_is_refused(database: Database) -> None:
    keller, yilmaz, _ = three_houses(database)
    use_invitation(database, yilmaz, invitation_of(database, keller))
    approve(database, keller, yilmaz)
    with clock.frozen(clock.now() + dt.timedelta(hours=97)), pytest.raises(RuleBroken, match="Frist"):
        approve(database, yilmaz, keller)


def test_when_the_second_signature_reaches_us_too_late_neither_side_stays_alone(database: Database) -> None:
    keller, yilmaz, _ = three_houses(database)
    use_invitation(database, yilmaz, invitation_of(database, keller))
    approve(database, keller, yilmaz)
    with database.write() as session:
        session.execute(
            sa.update(Partnership).where(Partnership.firm_id == keller.id).values(state="lapsed", ended_at=clock.now())
        )
    approve(database, yilmaz, keller)
    assert (state_of(database, keller, yilmaz), state_of(database, yilmaz, keller)) == ("lapsed", "ended")


def test_after_an_end_the_two_may_begin_anew(database: Database) -> None:
    keller, yilmaz, _ = three_houses(database)
    become_partners(database, keller, yilmaz)
    end(database, yilmaz, keller)
    run_until_quiet(database)
    assert (state_of(database, keller, yilmaz), state_of(database, yilmaz, keller)) == ("ended", "ended")
    become_partners(database, yilmaz, keller)
    assert (state_of(database, keller, yilmaz), state_of(database, yilmaz, keller)) == ("active", "active")


def test_linking_directly_makes_the_same_records_and_leaves_no_event(database: Database) -> None:
    keller, yilmaz, nowak = three_houses(database)
    houses = {house.id: house for house in (keller, yilmaz)}
    with database.write() as session:
        link_firms_directly(session, keller.id, yilmaz.id, lambda firm, digest: houses[firm].sign(session, digest))
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(OutboxRow)) == 0
        entries = session.execute(
            sa.select(LedgerEntry.firm_id, LedgerEntry.evidence_sha256).where(LedgerEntry.type == "link.partner")
        ).all()
    assert {row.firm_id for row in entries} == {keller.id, yilmaz.id}
    assert len({row.evidence_sha256 for row in entries}) == 1
    assert (state_of(database, keller, yilmaz), state_of(database, yilmaz, keller)) == ("active", "active")
    with pytest.raises(RuleBroken), database.write() as session:
        link_firms_directly(session, keller.id, nowak.id, lambda _firm, digest: keller.sign(session, digest))


@dataclass(frozen=True)
class Told:
    """A message handed over by hand, as nobody should."""

    firm_id: str
    from_id: str
    body: dict[str, Any]


def invitation_of_in(session: Session, house: House) -> str:
    return invitation_token(session, house.id, invite_partner(session, house.manager))


def approve_without_delivery(database: Database, house: House, partner: House) -> None:
    with database.write() as session:
        framework_id = partnership_with(session, house.id, partner.id).framework_id or ""
        digest = proposal_to_sign(session, house.id, framework_id).digest
        approve_partnership(session, house.id, None, framework_id, house.sign(session, digest))
