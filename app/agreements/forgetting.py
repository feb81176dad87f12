"""An agreement's contents are erased: when the duty to keep them is over, or earlier when both sides want it.

What stays is the ledger's record that it existed, and one row that says when the rest went.
"""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.models import Agreement, AgreementErasure, AgreementLine, Amendment, Bundle
from app.agreements.notices import ERASURE_TEMPLATE, erasure_text
from app.agreements.queries import agreement_for, amendments_of, lines_of, locked_agreement, partner_of
from app.agreements.rules import OPEN, OVER
from app.agreements.telling import tell_managers
from app.bookings.models import Booking
from app.core import clock
from app.core.db import each_alone
from app.core.errors import NotFound, RuleBroken, WerkringError
from app.core.events import AgreementErased
from app.core.outbox import emit
from app.core.units import monday
from app.federation.actions import drop_files, erase_bodies, send_message
from app.federation.rules import Incoming
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.notary.documents import Display, new_message
from app.notary.erasing import erase_evidence
from app.notary.queries import address, digests_about
from app.passkeys.models import Approval
from app.push.actions import erase_alerts
from app.requests.models import WorkRequest

KEEP_YEARS = 6
"""Business letters, counted from the end of the calendar year (HGB § 257)."""
REQUESTED, AGREED, DECLINED = "erasure.requested", "erasure.agreed", "erasure.declined"
DONE = "done"
ALONE = "retention period over"


def is_over(session: Session, agreement: Agreement) -> bool:
    """Nothing of it is owed any more: it ended, or its last week is past, and no change of it is open."""
    if agreement.entry_seq is None or agreement.state in OPEN:
        return False
    if any(one.state in ("frozen", "signed_one") for one in amendments_of(session, agreement.firm_id, agreement.id)):
        return False
    return agreement.state != "in_force" or _last_day(session, agreement) < clock.today()


def keep_until(session: Session, agreement: Agreement) -> dt.date:
    """The last day on which the law wants it kept."""
    ended = agreement.ended_at.date() if agreement.ended_at else _last_day(session, agreement)
    return dt.date(ended.year + KEEP_YEARS, 12, 31)


def is_kept_long_enough(session: Session, agreement: Agreement) -> bool:
    """Each side may erase alone."""
    return clock.today() > keep_until(session, agreement)


def is_bound(session: Session, firm_id: str) -> bool:
    """Something that both sides know is still owed: an agreement that runs, or waits for the other signature."""
    rows = session.scalars(sa.select(Agreement).where(Agreement.firm_id == firm_id, Agreement.state.not_in(OVER)))
    return any(
        not is_over(session, one) if one.entry_seq is not None else bool(one.signed_at or one.partner_signed_at)
        for one in rows
    )


def erasure_of(session: Session, firm_id: str, agreement_id: str) -> AgreementErasure:
    """What stands about the erasure of an agreement; raises NotFound."""
    found = session.get(AgreementErasure, (firm_id, agreement_id))
    if found is None:
        raise NotFound
    return found


def erased_agreements(session: Session, firm_id: str) -> list[AgreementErasure]:
    """What is gone, the newest first."""
    rows = sa.select(AgreementErasure).where(AgreementErasure.firm_id == firm_id, AgreementErasure.state == DONE)
    return list(session.scalars(rows.order_by(AgreementErasure.erased_at.desc(), AgreementErasure.id)))


def prepare_erasure(session: Session, actor: Actor, agreement_id: str) -> AgreementErasure:
    """Freeze the text that a manager signs next; one that waits already stays."""
    agreement = locked_agreement(session, actor.firm_id, agreement_id)
    found = session.get(AgreementErasure, (actor.firm_id, agreement_id))
    if found is not None:
        return found
    if not is_over(session, agreement):
        raise RuleBroken("Das geht erst, wenn der Vertrag vorbei ist.")
    return _new_row(session, agreement, "draft")


def renew_erasures(session: Session, now: dt.datetime) -> None:
    """Once an hour: a wish that the partner never answered needs nobody else once the duty to keep is over.

    What was signed says that both agree. So it becomes a new text, which our manager signs alone.
    """
    if now.minute:
        return
    waiting = session.execute(
        sa.select(AgreementErasure.firm_id, AgreementErasure.id)
        .where(AgreementErasure.state.in_(("draft", "asked")), AgreementErasure.is_agreed.is_(False))
        .order_by(AgreementErasure.firm_id, AgreementErasure.id)
    ).all()
    each_alone(session, waiting, lambda row: _renew(session, row.firm_id, row.id))


def _renew(session: Session, firm_id: str, agreement_id: str) -> None:
    agreement, row = locked_agreement(session, firm_id, agreement_id), erasure_of(session, firm_id, agreement_id)
    if row.message["legalBasis"] == ALONE or not is_kept_long_enough(session, agreement):
        return
    session.delete(row)
    session.flush()
    _new_row(session, agreement, "draft")
    tell_managers(session, agreement, "erasure")
    bump_version(session, firm_id)


def drop_erasure(session: Session, actor: Actor, agreement_id: str) -> None:
    """No: our unsigned wish is dropped, or the partner's is refused. What we signed is the partner's to decide.

    Taken back while its yes is on the way, only the partner's copy would be gone.
    """
    row = erasure_of(session, actor.firm_id, agreement_id)
    if row.state in (DONE, "asked"):
        raise NotFound
    agreement = agreement_for(session, actor.firm_id, agreement_id)
    if row.state == "wanted":
        send_message(session, actor.firm_id, row.partner_id, DECLINED, {"digest": agreement.digest}, agreement_id)
    session.delete(row)


def signable_erasure(session: Session, actor: Actor, agreement_id: str) -> AgreementErasure:
    """The erasure if it waits for a signature of ours; raises NotFound or RuleBroken."""
    row = erasure_of(session, actor.firm_id, agreement_id)
    if row.state not in ("draft", "wanted"):
        raise NotFound
    if not is_over(session, agreement_for(session, actor.firm_id, agreement_id)):
        raise RuleBroken("Das geht erst, wenn der Vertrag vorbei ist.")
    return row


def approve_erasure(session: Session, actor: Actor, agreement_id: str, approval: dict[str, Any]) -> AgreementErasure:
    """A manager signed: erase at once where that needs nobody else, or ask the partner."""
    row = signable_erasure(session, actor, agreement_id)
    agreement = locked_agreement(session, actor.firm_id, agreement_id)
    row.approval = approval
    if row.state == "wanted":
        send_message(session, actor.firm_id, row.partner_id, AGREED, {"digest": agreement.digest}, agreement_id)
    if row.state == "wanted" or row.is_agreed or is_kept_long_enough(session, agreement):
        _erase(session, row, agreement)
    else:
        send_message(session, actor.firm_id, row.partner_id, REQUESTED, {"digest": agreement.digest}, agreement_id)
        row.state = "asked"
    note_event(session, actor.firm_id, actor.person_id, "erasure", "agreement", agreement_id, row.partner_id)
    return row


def receive_erasure_requested(session: Session, incoming: Incoming) -> None:
    """The partner wants an agreement erased before its time: our managers decide. Both wanted it: that is a yes."""
    agreement = _told_of(session, incoming)
    row = session.get(AgreementErasure, (incoming.firm_id, agreement.id))
    if row is not None and row.state == "asked":
        send_message(session, incoming.firm_id, incoming.from_id, AGREED, {"digest": agreement.digest}, agreement.id)
        return _erase_as_agreed(session, row, agreement)
    if not is_over(session, agreement):
        raise RuleBroken("Das geht erst, wenn der Vertrag vorbei ist.")
    if row is None:
        _new_row(session, agreement, "wanted")
        tell_managers(session, agreement, "erasure")
    elif row.state == "draft":
        row.state = "wanted"
    bump_version(session, incoming.firm_id)
    return None


def receive_erasure_agreed(session: Session, incoming: Incoming) -> None:
    """The partner has erased its copy, as we asked."""
    agreement = _told_of(session, incoming)
    row = erasure_of(session, incoming.firm_id, agreement.id)
    if row.state != "asked":
        raise NotFound
    _erase_as_agreed(session, row, agreement)


def receive_erasure_declined(session: Session, incoming: Incoming) -> None:
    """The partner keeps it, so we do too."""
    agreement = _told_of(session, incoming)
    row = erasure_of(session, incoming.firm_id, agreement.id)
    if row.state != "asked":
        raise NotFound
    session.delete(row)
    tell_managers(session, agreement, "erasure_declined")
    bump_version(session, incoming.firm_id)


def _told_of(session: Session, incoming: Incoming) -> Agreement:
    if incoming.body.keys() != {"digest"} or not isinstance(incoming.body["digest"], str):
        raise NotFound
    found = session.scalar(
        sa.select(Agreement.id).where(
            Agreement.firm_id == incoming.firm_id,
            Agreement.partner_id == incoming.from_id,
            Agreement.digest == incoming.body["digest"],
            Agreement.entry_seq.is_not(None),
        )
    )
    if found is None:
        raise NotFound
    return locked_agreement(session, incoming.firm_id, found)


def _erase_as_agreed(session: Session, row: AgreementErasure, agreement: Agreement) -> None:
    """Our manager signed earlier; a key that was locked since signs nothing: then another signature is needed."""
    try:
        with session.begin_nested():
            _erase(session, row, agreement)
    except WerkringError:
        session.refresh(row)
        row.state, row.is_agreed, row.approval = "draft", True, {}
        tell_managers(session, agreement, "erasure")
    bump_version(session, agreement.firm_id)


def _new_row(session: Session, agreement: Agreement, state: str) -> AgreementErasure:
    own, partner = address(session, agreement.firm_id), partner_of(session, agreement)
    hours = digests_about(session, agreement.firm_id, agreement.id, ("hours.report", "hours.confirm"))
    digests = [agreement.digest, *(one.digest for one in _sealed_amendments(session, agreement)), *hours]
    alone = is_kept_long_enough(session, agreement)
    basis = ALONE if alone else "both parties agree"
    text = erasure_text(partner.name, alone)
    row = AgreementErasure(
        firm_id=agreement.firm_id,
        id=agreement.id,
        created_at=clock.now(),
        partner_id=agreement.partner_id,
        state=state,
        text=text,
        message=new_message("erasure", own, own, text, erased=tuple(digests), legal_basis=basis),
        approval={},
        entry_seq=agreement.entry_seq,
    )
    session.add(row)
    session.flush()
    return row


def _erase(session: Session, row: AgreementErasure, agreement: Agreement) -> None:
    firm_id, named = agreement.firm_id, row.message["erased"]
    erase_evidence(
        session, firm_id, agreement.id, row.message, Display(ERASURE_TEMPLATE, "de", row.text), row.approval, named
    )
    subjects = [agreement.id, *(one.id for one in amendments_of(session, firm_id, agreement.id))]
    erase_bodies(session, firm_id, subjects)
    session.execute(sa.delete(Approval).where(Approval.firm_id == firm_id, Approval.document_id.in_(subjects)))
    for subject in subjects:
        erase_alerts(session, firm_id, subject)
    if agreement.pdf_file_id is not None:
        drop_files(session, firm_id, [agreement.pdf_file_id])
    _drop_rows(session, agreement)
    emit(session, AgreementErased(firm_id, row.id))
    row.state, row.erased_at, row.message, row.text, row.approval = DONE, clock.now(), {}, "", {}
    session.flush()


def _drop_rows(session: Session, agreement: Agreement) -> None:
    """The request's sweep takes offers, drawings and questions afterwards: they stood because of this agreement."""
    firm_id = agreement.firm_id
    for table in (Booking, AgreementLine, Amendment):
        session.execute(sa.delete(table).where(table.firm_id == firm_id, table.agreement_id == agreement.id))
    session.execute(
        sa.update(WorkRequest)
        .where(WorkRequest.firm_id == firm_id, WorkRequest.id == agreement.request_id)
        .values(unchosen_erased_at=None)
    )
    bundle_id = agreement.bundle_id
    session.delete(agreement)
    session.flush()
    others = sa.select(Agreement.id).where(Agreement.firm_id == firm_id, Agreement.bundle_id == bundle_id)
    if bundle_id is not None and session.scalar(others.limit(1)) is None:
        session.execute(sa.delete(Bundle).where(Bundle.firm_id == firm_id, Bundle.id == bundle_id))


def _sealed_amendments(session: Session, agreement: Agreement) -> list[Amendment]:
    return [one for one in amendments_of(session, agreement.firm_id, agreement.id) if one.entry_seq is not None]


def _last_day(session: Session, agreement: Agreement) -> dt.date:
    weeks = [line.week for line in lines_of(session, agreement.firm_id, agreement.id)]
    return monday(max(weeks)) + dt.timedelta(days=6)
