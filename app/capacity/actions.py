"""Free hours: offered by people, held for offers, agreed by contracts. One conditional UPDATE decides, never a reading.

Every action takes the firm's row first (bump_version) and then windows in the order of (machine, week), so that no two
writers of one firm wait for each other in a circle.
"""

import datetime as dt
from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.capacity.calendar import is_plannable
from app.capacity.models import CapacityWindow, Hold, HoursChange
from app.capacity.planning import plan_windows
from app.capacity.rules import STEP_MIN, check_window
from app.core import clock
from app.core.db import insert_into
from app.core.errors import Conflict, NotFound, RuleBroken
from app.core.events import CapacityFreed
from app.core.ids import new_id
from app.core.outbox import emit
from app.core.units import hours_text, monday, week_of, week_short
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.machines.queries import machine_for

UNDO_FOR = dt.timedelta(minutes=10)
FREE = CapacityWindow.actual_min - CapacityWindow.held_min - CapacityWindow.agreed_min
BOUND = CapacityWindow.held_min + CapacityWindow.agreed_min
QUIET = {"synchronize_session": False}


def offer_hours(session: Session, actor: Actor, machine_id: str, week: str, actual_min: int) -> HoursChange:
    """Report how many minutes of the week are free for partners, those already promised included.

    Returns the change, whose id undoes it. Raises RuleBroken for a past week, odd minutes, less than promised or more
    than the calendar allows.
    """
    bump_version(session, actor.firm_id)
    machine = machine_for(session, actor.firm_id, machine_id)
    if machine.state != "ready":
        raise RuleBroken("Diese Maschine ist gerade nicht bereit. Wähle eine andere.", "machine")
    _check_offer(week, actual_min)
    plan_windows(session, actor.firm_id, machine_id, [week])
    # Read under a lock for the record alone: whether the hours fit is decided by the UPDATE.
    before = session.execute(
        sa.select(CapacityWindow.actual_min, CapacityWindow.confirmed_at.is_not(None).label("was_reported"))
        .where(*_window(actor.firm_id, machine_id, week))
        .with_for_update()
    ).one()
    write_actual(session, actor.firm_id, machine_id, week, actual_min, actor.person_id)
    change = note_change(
        session,
        actor.firm_id,
        actor.person_id,
        (machine_id, week),
        before.actual_min,
        actual_min,
        bool(before.was_reported),
    )
    detail = {
        "machine": machine.name,
        "week": week_short(week),
        "before_min": before.actual_min,
        "after_min": actual_min,
    }
    note_event(session, actor.firm_id, actor.person_id, "hours_offered", "machine", machine_id, detail=detail)
    if actual_min > before.actual_min:
        emit(session, CapacityFreed(actor.firm_id, machine_id))
    return change


def note_change(
    session: Session,
    firm_id: str,
    person_id: str | None,
    window: tuple[str, str],
    before_min: int,
    after_min: int,
    was_reported: bool,
) -> HoursChange:
    """Write down who set the free minutes of (machine, week) from what to what."""
    change = HoursChange(
        firm_id=firm_id,
        id=new_id(),
        created_at=clock.now(),
        machine_id=window[0],
        week=window[1],
        before_min=before_min,
        after_min=after_min,
        was_reported=was_reported,
        person_id=person_id,
    )
    session.add(change)
    return change


def write_actual(
    session: Session, firm_id: str, machine_id: str, week: str, actual_min: int, person_id: str | None
) -> None:
    """Set the free minutes of a planned window; raises RuleBroken when they are less than promised or more than fits."""
    done = session.execute(
        sa.update(CapacityWindow)
        .where(*_window(firm_id, machine_id, week))
        .where(actual_min >= BOUND, CapacityWindow.maximum_min >= actual_min)
        .values(actual_min=actual_min, confirmed_at=clock.now(), confirmed_by=person_id),
        execution_options=QUIET,
    )
    if _count(done) == 1:
        return
    now = session.execute(
        sa.select(CapacityWindow.maximum_min, CapacityWindow.held_min, CapacityWindow.agreed_min).where(
            *_window(firm_id, machine_id, week)
        )
    ).one()
    if now.maximum_min == 0:
        raise RuleBroken("In %(week)s ist der Betrieb zu. Wähle eine andere Woche.", "week", week=week_short(week))
    check_window(now.maximum_min, actual_min, now.held_min, now.agreed_min)
    raise Conflict("Jemand war schneller. Versuch es noch einmal.")


def undo_offer(session: Session, actor: Actor, change_id: str) -> HoursChange:
    """Take back a report of free hours within ten minutes, unless the week was changed or promised since."""
    bump_version(session, actor.firm_id)
    change = session.get(HoursChange, (actor.firm_id, change_id), with_for_update=True)
    if change is None:
        raise NotFound
    if change.undone_at is not None:
        return change
    if clock.now() - change.created_at > UNDO_FOR:
        raise RuleBroken("Rückgängig geht nur zehn Minuten lang. Ändere die Stunden im Plan.")
    done = session.execute(
        sa.update(CapacityWindow)
        .where(*_window(actor.firm_id, change.machine_id, change.week))
        .where(CapacityWindow.actual_min == change.after_min, change.before_min >= BOUND)
        .values(
            actual_min=change.before_min, confirmed_at=CapacityWindow.confirmed_at if change.was_reported else None
        ),
        execution_options=QUIET,
    )
    if _count(done) != 1:
        raise RuleBroken("Das geht nicht mehr. Die Stunden sind schon zugesagt oder geändert.")
    change.undone_at = clock.now()
    name = machine_for(session, actor.firm_id, change.machine_id).name
    detail = {"machine": name, "week": week_short(change.week), "after_min": change.before_min}
    note_event(session, actor.firm_id, actor.person_id, "hours_undone", "machine", change.machine_id, detail=detail)
    return change


def hold_hours(
    session: Session,
    firm_id: str,
    offer_id: str,
    offer_line_id: str,
    machine_id: str,
    week: str,
    minutes: int,
    valid_until: dt.datetime,
) -> None:
    """Keep minutes of a window for one offer line; the same line twice holds once.

    Raises RuleBroken with the hours left when they do not fit, Conflict when the line was held differently before.
    """
    if minutes <= 0:
        raise RuleBroken("Gib mehr als null Stunden an.", "hours")
    bump_version(session, firm_id)
    row = {
        "firm_id": firm_id,
        "id": new_id(),
        "created_at": clock.now(),
        "offer_id": offer_id,
        "offer_line_id": offer_line_id,
        "machine_id": machine_id,
        "week": week,
        "minutes": minutes,
        "state": "held",
        "valid_until": valid_until,
    }
    once = insert_into(session, Hold).values(row).on_conflict_do_nothing(index_elements=["firm_id", "offer_line_id"])
    if session.scalar(once.returning(Hold.id)) is None:
        _check_same_hold(session, firm_id, offer_line_id, (machine_id, week, minutes))
        return
    taken = session.execute(
        sa.update(CapacityWindow)
        .where(*_window(firm_id, machine_id, week), BOUND + minutes <= CapacityWindow.actual_min)
        .values(held_min=CapacityWindow.held_min + minutes),
        execution_options=QUIET,
    )
    if _count(taken) != 1:
        # The caller may go on with other lines in this transaction: no row may stay behind that holds nothing.
        session.execute(sa.delete(Hold).where(*_line(firm_id, offer_line_id)), execution_options=QUIET)
        raise _too_little(session, firm_id, machine_id, week)


def extend_hold(session: Session, firm_id: str, offer_line_id: str, valid_until: dt.datetime) -> None:
    """Let a hold last until another time, later or earlier; raises Conflict when nothing is held any more."""
    done = session.execute(
        sa.update(Hold).where(*_line(firm_id, offer_line_id), Hold.state == "held").values(valid_until=valid_until),
        execution_options=QUIET,
    )
    if _count(done) != 1:
        raise _gone()


def release_hold(session: Session, firm_id: str, offer_line_id: str) -> int:
    """Free what is held for a line; returns the minutes freed, 0 when nothing was held any more."""
    freed = _release(session, firm_id, Hold.offer_line_id == offer_line_id)
    return sum(freed.values())


def release_offer(session: Session, firm_id: str, offer_id: str) -> int:
    """Free everything that is held for an offer; returns the minutes freed. Agreed hours stay."""
    freed = _release(session, firm_id, Hold.offer_id == offer_id)
    return sum(freed.values())


def erase_holds(session: Session, firm_id: str, offer_ids: Collection[str]) -> None:
    """Erase what these offers held once; what still counts stays."""
    ended = Hold.firm_id == firm_id, Hold.offer_id.in_(offer_ids), Hold.state == "released"
    session.execute(sa.delete(Hold).where(*ended))


def agree_held(session: Session, firm_id: str, offer_line_id: str, minutes: int) -> None:
    """Turn a hold into agreed hours; what was held beyond `minutes` becomes free. The same call twice agrees once.

    Raises Conflict when the hold is gone or smaller than `minutes`.
    """
    bump_version(session, firm_id)
    hold = session.execute(
        sa.update(Hold)
        .where(*_line(firm_id, offer_line_id), Hold.state == "held", Hold.minutes >= minutes)
        .values(state="agreed")
        .returning(Hold.machine_id, Hold.week, Hold.minutes),
        execution_options=QUIET,
    ).one_or_none()
    if hold is None:
        _check_same_agreement(session, firm_id, offer_line_id, minutes)
        return
    # The row is ours until the commit: now it may say what is agreed instead of what was held.
    session.execute(
        sa.update(Hold).where(*_line(firm_id, offer_line_id)).values(minutes=minutes), execution_options=QUIET
    )
    _move(session, firm_id, hold.machine_id, hold.week, held=-hold.minutes, agreed=minutes)
    if hold.minutes > minutes:
        emit(session, CapacityFreed(firm_id, hold.machine_id))


def release_agreed(
    session: Session, firm_id: str, machine_id: str, week: str, minutes: int, offer_line_id: str = ""
) -> None:
    """Free agreed minutes of a window, because a booking was changed or cancelled.

    With `offer_line_id` the line's own row shrinks too. Raises Conflict when so much is not agreed.
    """
    if minutes <= 0:
        return
    bump_version(session, firm_id)
    if offer_line_id:
        _shrink_agreed(session, firm_id, offer_line_id, minutes)
    _move(session, firm_id, machine_id, week, held=0, agreed=-minutes)
    emit(session, CapacityFreed(firm_id, machine_id))


def _check_offer(week: str, actual_min: int) -> None:
    monday(week)
    if week < week_of(clock.today()):
        raise RuleBroken("Diese Woche ist schon vorbei. Wähle eine spätere.", "week")
    if not is_plannable(week, clock.today()):
        raise RuleBroken("So weit voraus geht es nicht. Wähle eine frühere Woche.", "week")
    if actual_min < 0 or actual_min % STEP_MIN:
        raise RuleBroken("Gib die Stunden in Viertelstunden ein, zum Beispiel 7,25 oder 7,5.", "hours")


def _release(session: Session, firm_id: str, which: sa.ColumnElement[bool]) -> dict[tuple[str, str], int]:
    """Set the holds free; returns the minutes freed by (machine, week)."""
    bump_version(session, firm_id)
    released = session.execute(
        sa.update(Hold)
        .where(Hold.firm_id == firm_id, Hold.state == "held", which)
        .values(state="released")
        .returning(Hold.machine_id, Hold.week, Hold.minutes),
        execution_options=QUIET,
    ).all()
    freed: dict[tuple[str, str], int] = {}
    for row in released:
        freed[row.machine_id, row.week] = freed.get((row.machine_id, row.week), 0) + row.minutes
    for (machine_id, week), minutes in sorted(freed.items()):
        _move(session, firm_id, machine_id, week, held=-minutes, agreed=0)
    for machine_id in sorted({machine_id for machine_id, _ in freed}):
        emit(session, CapacityFreed(firm_id, machine_id))
    return freed


def _shrink_agreed(session: Session, firm_id: str, offer_line_id: str, minutes: int) -> None:
    line = (*_line(firm_id, offer_line_id), Hold.state == "agreed")
    ended = session.execute(
        sa.update(Hold).where(*line, Hold.minutes == minutes).values(state="released"), execution_options=QUIET
    )
    if _count(ended) == 1:
        return
    smaller = session.execute(
        sa.update(Hold).where(*line, Hold.minutes > minutes).values(minutes=Hold.minutes - minutes),
        execution_options=QUIET,
    )
    if _count(smaller) != 1:
        raise _gone()


def _move(session: Session, firm_id: str, machine_id: str, week: str, held: int, agreed: int) -> None:
    """Move minutes between the counters of a window; raises Conflict instead of going below zero."""
    done = session.execute(
        sa.update(CapacityWindow)
        .where(*_window(firm_id, machine_id, week))
        .where(CapacityWindow.held_min + held >= 0, CapacityWindow.agreed_min + agreed >= 0)
        .values(held_min=CapacityWindow.held_min + held, agreed_min=CapacityWindow.agreed_min + agreed),
        execution_options=QUIET,
    )
    if _count(done) != 1:
        raise _gone()


def _check_same_hold(session: Session, firm_id: str, offer_line_id: str, asked: tuple[str, str, int]) -> None:
    hold = session.execute(
        sa.select(Hold.machine_id, Hold.week, Hold.minutes, Hold.state).where(*_line(firm_id, offer_line_id))
    ).one()
    if hold.state == "released" or (hold.machine_id, hold.week, hold.minutes) != asked:
        raise Conflict("Diese Position war schon anders vorgemerkt. Lade die Seite neu.")


def _check_same_agreement(session: Session, firm_id: str, offer_line_id: str, minutes: int) -> None:
    is_done = session.scalar(
        sa.select(Hold.id).where(*_line(firm_id, offer_line_id), Hold.state == "agreed", Hold.minutes == minutes)
    )
    if is_done is None:
        raise _gone()


def _too_little(session: Session, firm_id: str, machine_id: str, week: str) -> RuleBroken:
    left = session.scalar(sa.select(FREE).where(*_window(firm_id, machine_id, week))) or 0
    if left <= 0:
        return RuleBroken("In %(week)s ist nichts mehr frei. Wähle eine andere Woche.", "hours", week=week_short(week))
    return RuleBroken(
        "In %(week)s sind nur noch %(left)s Stunden frei.", "hours", week=week_short(week), left=hours_text(left)
    )


def _gone() -> Conflict:
    return Conflict("Diese Stunden sind nicht mehr vorgemerkt. Lade die Seite neu.")


def _window(firm_id: str, machine_id: str, week: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (CapacityWindow.firm_id == firm_id, CapacityWindow.machine_id == machine_id, CapacityWindow.week == week)


def _line(firm_id: str, offer_line_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (Hold.firm_id == firm_id, Hold.offer_line_id == offer_line_id)


def _count(result: sa.Result[tuple[object, ...]]) -> int:
    return int(result.rowcount)  # type: ignore[attr-defined]
