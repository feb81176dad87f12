"""What managers sign with their passkey: the framework agreement, first one side, then the other; and its end."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from flask import url_for
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import NotFound, RuleBroken
from app.core.events import FrameworkApproved, FrameworkSealed, PartnershipEnded
from app.core.outbox import emit
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.notary.actions import append_entry, check_signature, seal
from app.partners.documents import FrameworkFacts
from app.partners.framework import facts_of, freeze_framework, proposal_of, signed_names
from app.partners.models import Framework, Partnership
from app.partners.queries import framework_for, framework_with, is_blocked, locked_partnership
from app.partners.receiving import begin_partnership
from app.partners.record import (
    END,
    END_TYPE,
    LINK,
    LINK_TYPE,
    check_end,
    check_link,
    end_display,
    end_message,
    end_text,
    link_display,
)
from app.partners.rules import LINKED, check_step
from app.passkeys.documents import DOCUMENTS, Signable, SignableDocument

FRAMEWORK, ENDING = "framework", "link.end"
TOO_LATE = "Die Frist ist vorbei. Ladet euch neu ein."
SIGNED = "Ihr habt schon unterschrieben."


@dataclass(frozen=True)
class Proposal:
    """A framework agreement as this firm may sign it right now."""

    partnership: Partnership
    framework: Framework
    facts: FrameworkFacts
    text: str
    message: dict[str, Any]
    digest: bytes


def proposal_to_sign(session: Session, firm_id: str, framework_id: str) -> Proposal:
    """What this firm signs next; raises NotFound, or RuleBroken when it is not its turn or the time is over."""
    framework = framework_for(session, firm_id, framework_id)
    partnership = locked_partnership(session, firm_id, framework.partner_id)
    session.refresh(framework)
    if partnership.framework_id != framework.id or is_blocked(session, firm_id, partnership.address):
        raise NotFound
    if partnership.state in LINKED or (partnership.we_invited and partnership.state == "half"):
        raise RuleBroken(SIGNED)
    if partnership.state != ("invited" if partnership.we_invited else "half"):
        raise RuleBroken(TOO_LATE)
    if partnership.expires_at is not None and partnership.expires_at <= clock.now():
        raise RuleBroken(TOO_LATE)
    if framework.frozen_at is None:
        facts, text, message = proposal_of(session, partnership, framework)
    else:
        facts, text, message = facts_of(session, framework), framework.text, framework.record["message"]
        if clock.now().timestamp() > message["expiresAt"]:
            raise RuleBroken(TOO_LATE)
    return Proposal(partnership, framework, facts, text, message, check_link(message, facts))


def draft_digest(session: Session, partnership: Partnership, framework: Framework) -> str:
    """The digest (0x hex) of our draft as it reads right now."""
    facts, _text, message = proposal_of(session, partnership, framework)
    return f"0x{check_link(message, facts).hex()}"


def approve_partnership(
    session: Session, firm_id: str, person_id: str | None, framework_id: str, approval: dict[str, Any]
) -> None:
    """A manager's passkey has signed the framework agreement for this firm; its seal is added here.

    First side: text and record are frozen and go to the partner. Second side: the record enters our ledger.
    """
    proposal = proposal_to_sign(session, firm_id, framework_id)
    check_signature(session, firm_id, None, proposal.digest, approval)
    own = [approval, seal(session, firm_id, proposal.digest)]
    if proposal.partnership.we_invited:
        _sign_first(session, proposal, own)
    else:
        _sign_second(session, proposal, own)
    partner_id, named = proposal.partnership.partner_id, {"object": proposal.partnership.name}
    note_event(session, firm_id, person_id, "framework_signed", "partner", partner_id, partner_id, named)
    bump_version(session, firm_id)


def prepare_end(session: Session, actor: Actor, partner_id: str) -> None:
    """Write down what the manager will sign to end the partnership; nothing has ended yet."""
    partnership = _to_end(session, actor.firm_id, partner_id)
    framework = framework_with(session, partnership)
    text = end_text(*signed_names(session, partnership))
    message = end_message(session, partnership, framework.digest, text, clock.now())
    partnership.ending = {"message": message, "text": text}
    check_end(message, partnership.ending["text"])


def end_partnership(
    session: Session, firm_id: str, person_id: str | None, partner_id: str, approval: dict[str, Any]
) -> None:
    """End a partnership at once, by a manager's passkey and the seal: from this transaction on no message passes."""
    partnership = _to_end(session, firm_id, partner_id)
    message, text = _prepared(partnership)
    digest = check_end(message, text)
    check_signature(session, firm_id, None, digest, approval)
    signatures = [approval, seal(session, firm_id, digest)]
    check_step(partnership.state, "ended")
    append_entry(
        session, firm_id, END, END_TYPE, message, end_display(text), signatures, subject_id=partnership.partner_id
    )
    partnership.ending = partnership.ending | {"signatures": signatures}
    partnership.state, partnership.ended_at, partnership.paused_by = "ended", clock.now(), ""
    named = {"object": partnership.name}
    note_event(session, firm_id, person_id, "partner_ended", "partner", partner_id, partner_id, named)
    bump_version(session, firm_id)
    emit(session, PartnershipEnded(firm_id, partner_id))


def _sign_first(session: Session, proposal: Proposal, own: list[dict[str, Any]]) -> None:
    partnership = proposal.partnership
    record = {"message": proposal.message, "signatures": own}
    freeze_framework(session, proposal.framework, proposal.facts, proposal.text, proposal.digest, record)
    check_step(partnership.state, "half")
    partnership.state, partnership.approved_at = "half", clock.now()
    partnership.expires_at = dt.datetime.fromtimestamp(proposal.message["expiresAt"], dt.UTC)
    emit(session, FrameworkApproved(partnership.firm_id, partnership.partner_id))


def _sign_second(session: Session, proposal: Proposal, own: list[dict[str, Any]]) -> None:
    partnership, framework = proposal.partnership, proposal.framework
    signatures = [*framework.record["signatures"], *own]
    framework.sealed_seq = append_entry(
        session, framework.firm_id, LINK, LINK_TYPE, proposal.message, link_display(proposal.facts, proposal.text),
        signatures, subject_id=partnership.partner_id,
    )  # fmt: skip
    framework.record = framework.record | {"signatures": signatures}
    partnership.approved_at = clock.now()
    # the signatures leave before anything else does: the partner must know us before our first request arrives
    emit(session, FrameworkSealed(partnership.firm_id, partnership.partner_id))
    begin_partnership(session, partnership, proposal.facts)


def _to_end(session: Session, firm_id: str, partner_id: str) -> Partnership:
    partnership = locked_partnership(session, firm_id, partner_id)
    if partnership.state not in LINKED:
        raise RuleBroken("Diese Partnerschaft ist schon beendet.")
    return partnership


def _prepared(partnership: Partnership) -> tuple[dict[str, Any], str]:
    if not partnership.ending:
        raise NotFound
    return partnership.ending["message"], partnership.ending["text"]


def _load_framework(session: Session, actor: Actor, framework_id: str) -> SignableDocument:
    proposal = proposal_to_sign(session, actor.firm_id, framework_id)
    url = url_for("partners.show", partner_id=proposal.partnership.partner_id)
    return SignableDocument(proposal.digest, proposal.text, url, "partners.edit")


def _finish_framework(session: Session, actor: Actor, framework_id: str, approval: dict[str, Any]) -> str:
    approve_partnership(session, actor.firm_id, actor.person_id, framework_id, approval)
    partner_id = framework_for(session, actor.firm_id, framework_id).partner_id
    return url_for("partners.show", partner_id=partner_id)


def _load_end(session: Session, actor: Actor, partner_id: str) -> SignableDocument:
    message, text = _prepared(_to_end(session, actor.firm_id, partner_id))
    return SignableDocument(check_end(message, text), text, url_for("partners.index"), "partners.edit")


def _finish_end(session: Session, actor: Actor, partner_id: str, approval: dict[str, Any]) -> str:
    end_partnership(session, actor.firm_id, actor.person_id, partner_id, approval)
    return url_for("partners.index")


DOCUMENTS[FRAMEWORK] = Signable(_load_framework, _finish_framework)
DOCUMENTS[ENDING] = Signable(_load_end, _finish_end)
