"""Rows for S20 and S25: what waits, what runs, what is done, what is at risk. Always of the acting firm only."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.models import Agreement, AgreementLine, Amendment
from app.agreements.rules import ONE_SIDED_AFTER, OPEN, SOON, waits_for_us
from app.bookings.models import Booking
from app.federation.models import Message
from app.firms.access import Actor, may
from app.partners.models import Partnership
from app.requests.models import WorkRequest

DONE = ("declined", "lapsed", "terminated", "superseded", "fulfilled")
MOST_ROWS = 100
SHOW_ENDED = dt.timedelta(days=30)


@dataclass(frozen=True, slots=True)
class AgreementRow:
    """One agreement in a list."""

    id: str
    side: str
    state: str
    partner_name: str
    title: str
    minutes: int
    total_cents: int
    first_week: str
    last_week: str
    expires_at: dt.datetime
    end_reason: str
    is_settled: bool
    """All its hours are invoiced and paid"""

    @property
    def waits_for_us(self) -> bool:
        return self.state == waits_for_us(self.side == "ours")


@dataclass(frozen=True, slots=True)
class Risk:
    """Something that needs a look: `kind` lost, soon, one_sided, refused, no_offer; `id` of agreement or request."""

    kind: str
    id: str
    partner_name: str
    title: str
    at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Overview:
    """The three cards of S20, in minutes and counts."""

    to_sign: int
    amendments: int
    first_to_sign: str
    quoted: int
    first_quoted: str
    given_min: int
    taken_min: int
    in_force: int
    open_requests: int
    risks: tuple[Risk, ...]

    @property
    def waiting(self) -> int:
        return self.to_sign + self.amendments + self.quoted


def open_agreements(session: Session, actor: Actor) -> list[AgreementRow]:
    """What is not signed by everybody yet: what waits for us first, then by deadline."""
    rows = _rows(session, actor, Agreement.state.in_(OPEN), Agreement.expires_at)
    return sorted(rows, key=lambda row: (not row.waits_for_us, row.expires_at, row.id))


def running_agreements(session: Session, actor: Actor, week: str) -> list[AgreementRow]:
    """In force, with hours in this week or later."""
    rows = _rows(session, actor, Agreement.state == "in_force", Agreement.in_force_at.desc())
    return [row for row in rows if row.last_week >= week]


def done_agreements(session: Session, actor: Actor, week: str, since: dt.datetime) -> list[AgreementRow]:
    """Whose last week is over, and what ended since some time, the newest first."""
    over = sa.and_(Agreement.state.in_(DONE), Agreement.ended_at >= since)
    rows = _rows(session, actor, sa.or_(over, Agreement.state == "in_force"), Agreement.created_at.desc())
    return [row for row in rows if row.state != "in_force" or row.last_week < week]


def waiting_count(session: Session, actor: Actor) -> int:
    """How many agreements, changes and cancellations wait for this person's signature: the number on the tab."""
    if not may(actor, "agreements.sign"):
        return 0
    return len(_to_sign(session, actor)) + _amendments_to_sign(session, actor)


def overview(session: Session, actor: Actor, now: dt.datetime, week: str) -> Overview:
    """What the manager sees first."""
    to_sign, quoted = _to_sign(session, actor), _quoted(session, actor)
    given_min, taken_min = (_booked_min(session, actor, side, week) for side in ("ours", "theirs"))
    return Overview(
        to_sign=len(to_sign),
        amendments=_amendments_to_sign(session, actor),
        first_to_sign=to_sign[0] if to_sign else "",
        quoted=len(quoted),
        first_quoted=quoted[0] if quoted else "",
        given_min=given_min,
        taken_min=taken_min,
        in_force=len(running_agreements(session, actor, week)),
        open_requests=_open_requests(session, actor),
        risks=tuple(risks(session, actor, now)),
    )


def risks(session: Session, actor: Actor, now: dt.datetime) -> list[Risk]:
    """What may go wrong: hours a partner cannot work, deadlines within a day, seals on one side only, refused drafts, requests
    without any offer.
    """
    return [
        *_risks(session, actor, "lost", Agreement.side == "ours", _loses_hours()),
        *_risks(session, actor, "soon", Agreement.state.in_(OPEN), Agreement.expires_at <= now + SOON),
        *_risks(session, actor, "one_sided", *_one_sided(now)),
        *_risks(session, actor, "refused", Agreement.state == "signed_one", _is_refused(actor.firm_id)),
        *_requests_without_offer(session, actor, now),
    ]


def place_in_bundle(session: Session, agreement: Agreement) -> tuple[int, int]:
    """Which of how many agreements of one plan this is; (1, 1) alone or at the provider's side."""
    if agreement.bundle_id is None:
        return (1, 1)
    ids = session.scalars(
        sa.select(Agreement.id)
        .where(Agreement.firm_id == agreement.firm_id, Agreement.bundle_id == agreement.bundle_id)
        .order_by(Agreement.created_at, Agreement.id)
    ).all()
    return (ids.index(agreement.id) + 1, len(ids))


def is_one_sided(agreement: Agreement, now: dt.datetime) -> bool:
    """Say whether the record stands in one log only for more than an hour, or is over here and in force there."""
    if agreement.state == "lapsed":
        is_proved = agreement.counterpart is not None and not agreement.is_bundled
        return is_proved or agreement.effective_digest != ""
    if agreement.sealed_at is None:
        return False
    return agreement.counterpart is None and agreement.sealed_at <= now - ONE_SIDED_AFTER


def _rows(session: Session, actor: Actor, which: sa.ColumnElement[bool], order: Any) -> list[AgreementRow]:
    lines = (
        sa.select(
            AgreementLine.agreement_id,
            sa.func.min(AgreementLine.week).label("first_week"),
            sa.func.max(AgreementLine.week).label("last_week"),
        )
        .where(AgreementLine.firm_id == actor.firm_id)
        .group_by(AgreementLine.agreement_id)
        .subquery()
    )
    found = session.execute(
        sa.select(
            Agreement.id, Agreement.side, Agreement.state, Partnership.name, WorkRequest.title, Agreement.minutes,
            Agreement.total_cents, lines.c.first_week, lines.c.last_week, Agreement.expires_at, Agreement.end_reason,
            _is_settled(),
        )
        .join(Partnership, _is_partner())
        .join(WorkRequest, _is_request())
        .join(lines, lines.c.agreement_id == Agreement.id)
        .where(Agreement.firm_id == actor.firm_id, which)
        .order_by(order, Agreement.id)
        .limit(MOST_ROWS)
    )  # fmt: skip
    return [AgreementRow(*row) for row in found]


def _is_settled() -> sa.ColumnElement[bool]:
    """Every booking of it is settled, but for those that nobody works on."""
    of_it = (Booking.firm_id == Agreement.firm_id) & (Booking.agreement_id == Agreement.id)
    is_settled, is_other = Booking.state == "settled", Booking.state.not_in(("settled", "cancelled", "released"))
    return sa.exists().where(of_it, is_settled) & ~sa.exists().where(of_it, is_other)


def _is_partner() -> sa.ColumnElement[bool]:
    return (Partnership.firm_id == Agreement.firm_id) & (Partnership.partner_id == Agreement.partner_id)


def _is_request() -> sa.ColumnElement[bool]:
    return (WorkRequest.firm_id == Agreement.firm_id) & (WorkRequest.id == Agreement.request_id)


def _to_sign(session: Session, actor: Actor) -> list[str]:
    """Agreements without our firm's signature, without those that this person has signed as the first of two."""
    waits = sa.or_(
        sa.and_(Agreement.side == "ours", Agreement.state == "frozen"),
        sa.and_(Agreement.side == "theirs", Agreement.state == "signed_one"),
    )
    found = session.execute(
        sa.select(Agreement.id, Agreement.signers)
        .where(Agreement.firm_id == actor.firm_id, waits)
        .order_by(Agreement.expires_at, Agreement.created_at, Agreement.id)
    )
    return [row.id for row in found if actor.person_id not in row.signers]


def _amendments_to_sign(session: Session, actor: Actor) -> int:
    waits = sa.or_(
        sa.and_(Amendment.by_us, Amendment.state == "frozen"),
        sa.and_(Amendment.by_us.is_(False), Amendment.state == "signed_one"),
    )
    found = session.execute(sa.select(Amendment.signers).where(Amendment.firm_id == actor.firm_id, waits))
    return sum(actor.person_id not in row.signers for row in found)


def _quoted(session: Session, actor: Actor) -> Sequence[str]:
    """Own requests with offers and no plan yet."""
    return session.scalars(
        sa.select(WorkRequest.id)
        .where(WorkRequest.firm_id == actor.firm_id, WorkRequest.side == "ours", WorkRequest.state == "quoted")
        .order_by(WorkRequest.reply_by, WorkRequest.id)
    ).all()


def _open_requests(session: Session, actor: Actor) -> int:
    query = sa.select(sa.func.count()).where(
        WorkRequest.firm_id == actor.firm_id, WorkRequest.side == "ours", WorkRequest.state == "open"
    )
    return session.scalar(query) or 0


def _booked_min(session: Session, actor: Actor, side: str, week: str) -> int:
    query = sa.select(sa.func.coalesce(sa.func.sum(Booking.agreed_min), 0)).where(
        Booking.firm_id == actor.firm_id,
        Booking.side == side,
        Booking.week >= week,
        Booking.state.in_(("confirmed", "running")),
    )
    return int(session.scalar(query) or 0)


def _one_sided(now: dt.datetime) -> tuple[sa.ColumnElement[bool], ...]:
    is_alone = sa.and_(Agreement.counterpart.is_(sa.null()), Agreement.sealed_at <= now - ONE_SIDED_AFTER)
    is_over_here = sa.or_(
        sa.and_(Agreement.counterpart.is_not(sa.null()), ~Agreement.is_bundled), Agreement.effective_digest != ""
    )
    return (
        sa.or_(
            sa.and_(Agreement.state.in_(("in_force", "waiting_bundle")), is_alone),
            sa.and_(Agreement.state == "lapsed", is_over_here),
        ),
    )


def _loses_hours() -> sa.ColumnElement[bool]:
    return sa.exists().where(
        Booking.firm_id == Agreement.firm_id, Booking.agreement_id == Agreement.id, Booking.lost_min > 0
    )


def _is_refused(firm_id: str) -> sa.ColumnElement[bool]:
    return sa.exists().where(
        Message.firm_id == firm_id,
        Message.direction == "out",
        Message.kind == "agreement.drafted",
        Message.subject_id == Agreement.id,
        Message.state.in_(("refused", "parked", "cancelled")),
    )


def _risks(session: Session, actor: Actor, kind: str, *which: sa.ColumnElement[bool]) -> list[Risk]:
    found = session.execute(
        sa.select(Agreement.id, Partnership.name, WorkRequest.title, Agreement.expires_at)
        .join(Partnership, _is_partner())
        .join(WorkRequest, _is_request())
        .where(Agreement.firm_id == actor.firm_id, *which)
        .order_by(Agreement.expires_at, Agreement.id)
        .limit(MOST_ROWS)
    )
    return [Risk(kind, row.id, row.name, row.title, row.expires_at) for row in found]


def _requests_without_offer(session: Session, actor: Actor, now: dt.datetime) -> list[Risk]:
    found = session.execute(
        sa.select(WorkRequest.id, WorkRequest.title, WorkRequest.reply_by)
        .where(WorkRequest.firm_id == actor.firm_id, WorkRequest.side == "ours", WorkRequest.state == "open")
        .where(WorkRequest.reply_by <= now + SOON)
        .order_by(WorkRequest.reply_by, WorkRequest.id)
    )
    return [Risk("no_offer", row.id, "", row.title, row.reply_by) for row in found]
