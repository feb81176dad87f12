"""Two firms become partners without a ceremony on a screen: for set-up of practice worlds and tests. No step is left out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.outbox import OutboxRow
from app.firms.queries import firm_of
from app.notary.actions import remember_partner_keys
from app.notary.queries import key_document
from app.partners.framework import card_of, draft_framework
from app.partners.queries import framework_for, own_words, partnership_with
from app.partners.receiving import receive_accept, receive_invite
from app.partners.rows import open_row
from app.partners.signing import approve_partnership, proposal_to_sign
from app.partners.telling import proposal_body, signatures_body

Sign = Callable[[str, bytes], dict[str, Any]]
"""(firm id, digest) -> a manager's passkey signature in the ledger's form, as `notary.actions.passkey_approval` makes it"""


@dataclass(frozen=True)
class _Handed:
    """A message handed over by hand."""

    firm_id: str
    from_id: str
    body: dict[str, Any]


def link_firms_directly(session: Session, one_firm_id: str, other_firm_id: str, sign: Sign) -> str:
    """Make two firms partners in the running transaction, with the real record in both ledgers; returns the framework id.

    Both managers sign with `sign`, both seals are added, every check of the messages runs. It leaves no event behind: who
    wants the partners to know each other's abilities emits AbilitiesChanged for both afterwards.
    """
    before = set(session.info.get("events", ()))
    _introduce(session, one_firm_id, other_firm_id, we_invited=True)
    _introduce(session, other_firm_id, one_firm_id, we_invited=False)
    framework = draft_framework(session, partnership_with(session, one_firm_id, other_firm_id))
    _approve(session, one_firm_id, framework.id, sign)
    receive_invite(session, _Handed(other_firm_id, one_firm_id, proposal_body(session, framework)))
    _approve(session, other_firm_id, framework.id, sign)
    body = signatures_body(session, framework_for(session, other_firm_id, framework.id))
    receive_accept(session, _Handed(one_firm_id, other_firm_id, body))
    _forget_events(session, before)
    return framework.id


def _introduce(session: Session, firm_id: str, partner_id: str, *, we_invited: bool) -> None:
    remember_partner_keys(session, firm_id, partner_id, key_document(session, partner_id))
    card = card_of(firm_of(session, partner_id))
    open_row(session, firm_id, partner_id, card, own_words(session, partner_id), we_invited=we_invited)


def _approve(session: Session, firm_id: str, framework_id: str, sign: Sign) -> None:
    digest = proposal_to_sign(session, firm_id, framework_id).digest
    approve_partnership(session, firm_id, None, framework_id, sign(firm_id, digest))


def _forget_events(session: Session, before: set[str]) -> None:
    session.flush()
    events = session.info.get("events", [])
    new = [event_id for event_id in events if event_id not in before]
    session.execute(sa.delete(OutboxRow).where(OutboxRow.id.in_(new)))
    session.info["events"] = [event_id for event_id in events if event_id in before]
