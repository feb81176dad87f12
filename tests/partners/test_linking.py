"""From the QR to the record in both ledgers: step by step, and every step that must not work."""

import datetime as dt
import json

import pytest
import sqlalchemy as sa

from app.core import clock
from app.core.db import Database
from app.core.errors import Conflict, NotFound, RuleBroken
from app.federation.models import Message
from app.firms.models import AuditEvent
from app.notary.models import LedgerEntry, LedgerEvidence
from app.notary.queries import evidence_file
from app.partners.actions import (
    decline_partnership,
    inviter_by,
    lapse_invitations,
    propose_partnership,
    receive_accept,
    receive_invite,
)
from app.partners.direct import link_firms_directly
from app.partners.framework import choose_template, edit_clause, set_terms
from app.partners.models import Framework, PartnerInvitation, Partnership
from app.partners.queries import partnership_with
from app.partners.signing import approve_partnership, proposal_to_sign
from app.worker import run_until_quiet
from tests.notary.test_actions import verified
from tests.partners.houses import (
    approve,
    become_partners,
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


def test_both_ledgers_hold_byte_identical_evidence_that_verifies_offline(database: Database, tmp_path: object) -> None:
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
    assert verified(file, tmp_path) == 0  # type: ignore[arg-type]
