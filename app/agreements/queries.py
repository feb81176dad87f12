"""Agreements of the acting firm, one by one and under a lock for deeds; lists of them stand in `lists`."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.lists import waiting_count as waiting_count
from app.agreements.models import Agreement, AgreementLine, Amendment, Bundle
from app.agreements.rules import OPEN, Signing
from app.capacity.models import Hold
from app.core.errors import NotFound
from app.federation.models import Message
from app.firms.access import Actor, Role
from app.firms.queries import firm_of, people, person_for
from app.firms.rules import effective_limit
from app.partners.models import Partnership
from app.partners.queries import find_partnership, partnership_with


def agreement_for(session: Session, firm_id: str, agreement_id: str) -> Agreement:
    """One agreement of the firm, of either side; raises NotFound."""
    found = session.get(Agreement, (firm_id, agreement_id))
    if found is None:
        raise NotFound
    return found


def locked_agreement(session: Session, firm_id: str, agreement_id: str) -> Agreement:
    """The agreement for writing: a second manager who signs at the same time waits here and then sees the first.

    Its bundle is locked first, everywhere, so that two members of one plan never wait for each other in a circle.
    """
    bundle_of(session, agreement_for(session, firm_id, agreement_id))
    return session.get_one(Agreement, (firm_id, agreement_id), with_for_update=True, populate_existing=True)


def lines_of(session: Session, firm_id: str, agreement_id: str) -> Sequence[AgreementLine]:
    """The lines of an agreement in the order of its text."""
    return session.scalars(
        sa.select(AgreementLine)
        .where(AgreementLine.firm_id == firm_id, AgreementLine.agreement_id == agreement_id)
        .order_by(AgreementLine.line_no)
    ).all()


def agreements_of_request(session: Session, firm_id: str, request_id: str) -> Sequence[Agreement]:
    """All agreements about one request, whatever became of them."""
    return session.scalars(
        sa.select(Agreement)
        .where(Agreement.firm_id == firm_id, Agreement.request_id == request_id)
        .order_by(Agreement.created_at, Agreement.id)
    ).all()


def bundle_of(session: Session, agreement: Agreement) -> Bundle | None:
    """The requester's own bundle, for writing."""
    if agreement.bundle_id is None:
        return None
    return session.get(Bundle, (agreement.firm_id, agreement.bundle_id), with_for_update=True, populate_existing=True)


def agreements_of_bundle(session: Session, firm_id: str, bundle_id: str) -> Sequence[Agreement]:
    """All agreements of a bundle in one order, for writing: two writers never wait for each other in a circle."""
    return session.scalars(
        sa.select(Agreement)
        .where(Agreement.firm_id == firm_id, Agreement.bundle_id == bundle_id)
        .order_by(Agreement.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def live_agreement_of_offer(session: Session, firm_id: str, offer_id: str) -> Agreement | None:
    """The agreement that an offer already went into, if it still counts."""
    return session.scalar(
        sa.select(Agreement)
        .where(Agreement.firm_id == firm_id, Agreement.offer_id == offer_id)
        .where(Agreement.state.in_((*OPEN, "in_force")))
        .limit(1)
    )


def signing_case(session: Session, actor: Actor, agreement: Agreement) -> Signing:
    """All that decides whether this person may sign this agreement now."""
    firm = firm_of(session, actor.firm_id)
    partnership = find_partnership(session, actor.firm_id, agreement.partner_id)
    return Signing(
        state=agreement.state,
        is_ours=agreement.side == "ours",
        expires_at=agreement.expires_at,
        total_cents=agreement.total_cents,
        has_printed_recovery=firm.recovery_printed_at is not None,
        is_partner_active=partnership is not None and partnership.state == "active",
        has_signed=actor.person_id in agreement.signers,
        limit_cents=limit_of(session, actor),
        two_person_above_cents=firm.two_person_above_cents,
        signer_count=len(agreement.signers),
    )


def limit_of(session: Session, actor: Actor) -> int | None:
    """The spending limit of a manager; who stands in for an absent manager may sign up to that one's limit too."""
    absent = [
        manager.spending_limit_cents
        for manager in people(session, actor.firm_id, Role.MANAGER)
        if manager.is_absent and manager.deputy_id == actor.person_id
    ]
    return effective_limit(person_for(session, actor.firm_id, actor.person_id).spending_limit_cents, absent)


def partner_of(session: Session, agreement: Agreement) -> Partnership:
    """The partnership that an agreement stands in."""
    return partnership_with(session, agreement.firm_id, agreement.partner_id)


def next_to_sign(session: Session, agreement: Agreement) -> str | None:
    """Another draft of the same request that waits for our signature: who signs one plan goes on to its next agreement."""
    if agreement.side != "ours":
        return None
    return session.scalar(
        sa.select(Agreement.id)
        .where(Agreement.firm_id == agreement.firm_id, Agreement.request_id == agreement.request_id)
        .where(Agreement.state == "frozen", Agreement.id != agreement.id)
        .order_by(Agreement.created_at, Agreement.id)
        .limit(1)
    )


def are_hours_held(session: Session, agreement: Agreement) -> bool:
    """Say whether the provider still keeps every minute of the agreement; always true at the requester's side."""
    if agreement.side == "ours":
        return True
    held = dict(
        session.execute(
            sa.select(Hold.offer_line_id, Hold.minutes).where(
                Hold.firm_id == agreement.firm_id, Hold.offer_id == agreement.offer_id, Hold.state == "held"
            )
        ).all()
    )
    return all(
        held.get(line.offer_line_id, 0) >= line.minutes for line in lines_of(session, agreement.firm_id, agreement.id)
    )


def is_on_its_way(session: Session, firm_id: str, subject_id: str, kinds: Sequence[str]) -> bool:
    """Say whether our first message about this reached the partner or still may: then its word decides."""
    state = session.scalar(
        sa.select(Message.state)
        .where(Message.firm_id == firm_id, Message.direction == "out")
        .where(Message.subject_id == subject_id, Message.kind.in_(kinds))
        .order_by(Message.seq)
        .limit(1)
    )
    return state in ("waiting", "parked", "delivered")


def amendments_of(session: Session, firm_id: str, agreement_id: str) -> Sequence[Amendment]:
    """Changes and cancellations of an agreement, the oldest first."""
    return session.scalars(
        sa.select(Amendment)
        .where(Amendment.firm_id == firm_id, Amendment.agreement_id == agreement_id)
        .order_by(Amendment.created_at, Amendment.id)
    ).all()


def amendment_for(session: Session, firm_id: str, amendment_id: str) -> Amendment:
    """One change or cancellation; raises NotFound."""
    found = session.get(Amendment, (firm_id, amendment_id))
    if found is None:
        raise NotFound
    return found


def locked_amendment(session: Session, firm_id: str, amendment_id: str) -> Amendment:
    """The change or cancellation for writing."""
    found = session.get(Amendment, (firm_id, amendment_id), with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound
    return found
