"""Asking a firm of the directory to become partners, without a QR. Nobody but the two learns of it."""

import datetime as dt
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import Conflict, NotFound, RuleBroken
from app.core.events import ApproachAnswered, ApproachArrived, ApproachMade
from app.core.ids import new_id
from app.core.outbox import emit
from app.directory.models import Approach
from app.directory.queries import listed_firm
from app.directory.rules import APPROACH_LIFE, MOST_APPROACHES_A_DAY, is_settled
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.firms.models import Firm
from app.firms.queries import firm_of
from app.partners.actions import hide_firm, invite_partner, propose_by_invitation
from app.partners.models import BlockedFirm, PartnerInvitation, Partnership
from app.partners.queries import find_partnership, is_blocked
from app.partners.rules import LINKED, OPEN

A_DAY = dt.timedelta(days=1)


def approach_firm(session: Session, actor: Actor, other_id: str) -> str:
    """Ask a listed firm to become partners; it will see our name and town. Returns the approach's id.

    Raises NotFound for a firm that does not show itself to us, RuleBroken when it is known, asked or has said no.
    """
    other = listed_firm(session, actor.firm_id, other_id)
    # two managers at once: one after the other
    session.execute(sa.select(Firm.id).where(Firm.id == actor.firm_id).with_for_update())
    _check_stranger(session, actor.firm_id, other_id)
    _check_last(session, actor.firm_id, other_id)
    check_pace(session, actor.firm_id)
    row = _keep(session, new_id(), "out", actor.firm_id, other)
    row.person_id = actor.person_id
    note_approach(session, row, actor.person_id, "approach_made")
    emit(session, ApproachMade(actor.firm_id, row.id))
    return row.id


def deliver_approach(session: Session, event: ApproachMade) -> None:
    """Bring it to the other house, which does not hear of one that it has hidden from or just refused."""
    sent = session.get_one(Approach, (event.firm_id, event.approach_id))
    asking = firm_of(session, event.firm_id)
    known = session.get(Approach, (sent.peer_id, sent.id))
    if known is not None or is_blocked(session, sent.peer_id, asking.address) or _is_known(session, sent):
        return
    row = _keep(session, sent.id, "in", sent.peer_id, asking)
    note_approach(session, row, None, "approach_arrived")
    emit(session, ApproachArrived(row.firm_id, row.id))


def accept_approach(session: Session, actor: Actor, approach_id: str) -> None:
    """Say yes: an invitation for that firm alone is written, and the usual way to a partnership begins."""
    if _asked(session, actor, approach_id).node:
        raise NotFound  # its own invitation is there: nobody needs one of ours
    row = _answer(session, actor, approach_id, "accepted")
    _check_stranger(session, actor.firm_id, row.peer_id)
    invite_partner(session, actor, for_firm=row.peer_id)
    emit(session, ApproachAnswered(actor.firm_id, row.id))


def decline_approach(session: Session, actor: Actor, approach_id: str) -> None:
    """Say no, without a reason; the firm cannot ask again for 90 days."""
    row = _answer(session, actor, approach_id, "declined")
    emit(session, ApproachAnswered(actor.firm_id, row.id))


def block_approach(session: Session, actor: Actor, approach_id: str) -> None:
    """Hide from the firm that asks, and hide it from us, without notice: to it the question just stays open."""
    row = _asked(session, actor, approach_id)
    hide_firm(session, actor, row.address, row.name)
    note_approach(session, row, actor.person_id, "firm_blocked")


def deliver_answer(session: Session, event: ApproachAnswered) -> None:
    """Tell the firm that asked; after a yes it uses the invitation that it asked for."""
    answered = session.get_one(Approach, (event.firm_id, event.approach_id))
    row = session.get(Approach, (answered.peer_id, answered.id), with_for_update=True)
    if row is None or row.state != "waiting":
        return
    row.state, row.answered_at = answered.state, clock.now()
    bump_version(session, row.firm_id)
    if row.state == "accepted":
        _begin(session, row)


def arrived_approaches(session: Session, firm_id: str) -> Sequence[Approach]:
    """Who asks us and waits for an answer, the oldest first; without firms that we hide from or know by now."""
    hidden = sa.select(sa.literal(1)).where(BlockedFirm.firm_id == firm_id, BlockedFirm.address == Approach.address)
    known = sa.select(sa.literal(1)).where(
        Partnership.firm_id == firm_id,
        Partnership.address == Approach.address,
        Partnership.state.in_(sorted(LINKED | OPEN)),
    )
    return session.scalars(
        sa.select(Approach)
        .where(Approach.firm_id == firm_id, Approach.direction == "in", Approach.state == "waiting")
        .where(Approach.created_at > clock.now() - APPROACH_LIFE, ~hidden.exists(), ~known.exists())
        .order_by(Approach.created_at, Approach.id)
    ).all()


def _begin(session: Session, row: Approach) -> None:
    invitation = session.scalars(
        sa.select(PartnerInvitation)
        .where(PartnerInvitation.firm_id == row.peer_id, PartnerInvitation.for_firm == row.firm_id)
        .where(PartnerInvitation.used_at.is_(None), PartnerInvitation.expires_at > clock.now())
        .order_by(PartnerInvitation.created_at.desc())
        .limit(1)
    ).first()
    if invitation is None:
        return
    try:
        with session.begin_nested():
            propose_by_invitation(session, row.firm_id, row.person_id, invitation)
    except (NotFound, RuleBroken, Conflict):
        # meanwhile blocked, or partners by another way: then there is nothing to begin
        return


def _asked(session: Session, actor: Actor, approach_id: str) -> Approach:
    row = session.get(Approach, (actor.firm_id, approach_id), with_for_update=True, populate_existing=True)
    if row is None or row.direction != "in" or is_blocked(session, actor.firm_id, row.address):
        raise NotFound
    return row


def _answer(session: Session, actor: Actor, approach_id: str, state: str) -> Approach:
    row = _asked(session, actor, approach_id)
    if row.state != "waiting":
        raise Conflict("Darauf habt ihr schon geantwortet.")
    row.state, row.answered_at, row.person_id = state, clock.now(), actor.person_id
    note_approach(session, row, actor.person_id, f"approach_{state}")
    return row


def _check_stranger(session: Session, firm_id: str, other_id: str) -> None:
    known = find_partnership(session, firm_id, other_id)
    if known is not None and known.state in LINKED | OPEN:
        raise RuleBroken("Ihr kennt euch schon. Sieh bei euren Partnern nach.")


def _check_last(session: Session, firm_id: str, other_id: str) -> None:
    for last in _open_between(session, firm_id, other_id):
        if last.direction == "in":
            if last.state == "waiting":
                raise RuleBroken("Dieser Betrieb hat euch schon gefragt. Antworte ihm.")
        elif last.state == "waiting":
            raise RuleBroken("Ihr habt schon gefragt. Warte auf die Antwort.")
        else:
            raise RuleBroken("Dieser Betrieb möchte gerade nicht. Frag später noch einmal.")


def check_pace(session: Session, firm_id: str) -> None:
    """Raise RuleBroken for a firm that asked many others today."""
    recent = sa.select(sa.func.count()).select_from(Approach)
    recent = recent.where(Approach.firm_id == firm_id, Approach.direction == "out")
    if (session.scalar(recent.where(Approach.created_at > clock.now() - A_DAY)) or 0) >= MOST_APPROACHES_A_DAY:
        raise RuleBroken("Das waren heute viele Anfragen. Versuch es morgen wieder.")


def _is_known(session: Session, sent: Approach) -> bool:
    """The receiver's own memory: what waits with it, or what it refused within 90 days."""
    return any(one.direction == "in" for one in _open_between(session, sent.peer_id, sent.firm_id))


def _open_between(session: Session, firm_id: str, other_id: str) -> list[Approach]:
    rows = session.scalars(sa.select(Approach).where(Approach.firm_id == firm_id, Approach.peer_id == other_id))
    now = clock.now()
    return [one for one in rows if not is_settled(one.state, one.answered_at or one.created_at, now)]


def _keep(session: Session, approach_id: str, direction: str, firm_id: str, other: Firm) -> Approach:
    row = Approach(
        firm_id=firm_id, id=approach_id, created_at=clock.now(), direction=direction, peer_id=other.id,
        address=other.address, name=other.name, town=other.town, state="waiting",
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def note_approach(session: Session, row: Approach, person_id: str | None, verb: str) -> None:
    """One line in the Protokoll of the house whose row it is."""
    note_event(session, row.firm_id, person_id, verb, "approach", row.id, row.peer_id, {"object": row.name})
    bump_version(session, row.firm_id)
