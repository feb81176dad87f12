"""Offering, holding, agreeing and releasing hours, on both databases."""

import datetime as dt
import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.capacity.actions import (
    agree_held,
    extend_hold,
    hold_hours,
    offer_hours,
    release_agreed,
    release_hold,
    release_offer,
    undo_offer,
)
from app.capacity.models import CapacityWindow, Hold
from app.capacity.planning import plan_windows, recompute_maximum
from app.core import clock
from app.core.db import Database
from app.core.errors import Conflict, NotFound, RuleBroken
from app.core.outbox import OutboxRow
from app.firms.access import Role
from app.firms.models import AuditEvent, Closure, Firm, Site
from app.machines.models import Machine
from tests.world import TestFirm, add_machine, make_world

KW48, KW49, KW53, KW1 = "2026-W48", "2026-W49", "2026-W53", "2027-W01"
UNTIL = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


@pytest.fixture
def world(database: Database) -> dict[str, TestFirm]:
    """Yilmaz has 120 h free from KW 49 on (13.25 h a week); Brandt and Nowak are noise."""
    with database.write() as session:
        return make_world(session, ("keller", "yilmaz", "brandt", "nowak"))


@pytest.fixture
def yilmaz(world: dict[str, TestFirm]) -> TestFirm:
    return world["yilmaz"]


def window(database: Database, firm: TestFirm, week: str = KW49) -> tuple[int, int, int, int]:
    """(maximum, actual, held, agreed) of the firm's first machine."""
    with database.read() as session:
        row = session.execute(
            sa.select(
                CapacityWindow.maximum_min,
                CapacityWindow.actual_min,
                CapacityWindow.held_min,
                CapacityWindow.agreed_min,
            ).where(
                CapacityWindow.firm_id == firm.id,
                CapacityWindow.machine_id == firm.machine_id,
                CapacityWindow.week == week,
            )
        ).one()
    return row[0], row[1], row[2], row[3]


def hold(session: Session, firm: TestFirm, line: str, minutes: int, week: str = KW49, offer: str = "offer-1") -> None:
    hold_hours(session, firm.id, offer, line, firm.machine_id, week, minutes, UNTIL)


def others(database: Database, firm: TestFirm) -> list[tuple[object, ...]]:
    """All windows and holds of the other firms."""
    with database.read() as session:
        columns = (CapacityWindow.id, CapacityWindow.actual_min, CapacityWindow.held_min, CapacityWindow.agreed_min)
        rows = session.execute(sa.select(*columns).where(CapacityWindow.firm_id != firm.id).order_by(CapacityWindow.id))
        return [tuple(row) for row in rows]


def test_a_foreman_offers_hours_in_a_week_that_nobody_planned_yet(database: Database, yilmaz: TestFirm) -> None:
    before = others(database, yilmaz)
    with database.write() as session:
        change = offer_hours(session, yilmaz.actor(Role.FOREMAN), yilmaz.machine_id, KW48, 24 * 60)
    assert window(database, yilmaz, KW48) == (4440, 24 * 60, 0, 0)
    assert (change.before_min, change.after_min) == (0, 24 * 60)
    assert others(database, yilmaz) == before
    with database.read() as session:
        assert session.scalar(sa.select(OutboxRow.kind).where(OutboxRow.firm_id == yilmaz.id)) == "CapacityFreed"
        noted = session.scalars(sa.select(AuditEvent.verb).where(AuditEvent.firm_id == yilmaz.id)).all()
        assert list(noted) == ["hours_offered"]
        assert session.scalar(sa.select(Firm.version).where(Firm.id == yilmaz.id)) == 1


@pytest.mark.parametrize(
    ("week", "hours", "sentence"),
    [
        (KW48, 74.25, "In dieser Woche sind höchstens 74 Stunden möglich."),
        ("2026-W46", 8, "Diese Woche ist schon vorbei. Wähle eine spätere."),
        ("2025-W53", 8, "Die KW 53 gibt es im Jahr 2025 nicht."),
        (KW48, -1, "Gib die Stunden in Viertelstunden ein, zum Beispiel 7,25 oder 7,5."),
        (KW48, 0.1, "Gib die Stunden in Viertelstunden ein, zum Beispiel 7,25 oder 7,5."),
    ],
)
def test_a_foreman_cannot_offer_more_than_the_calendar_allows(
    database: Database, yilmaz: TestFirm, week: str, hours: float, sentence: str
) -> None:
    with pytest.raises(RuleBroken) as refused, database.write() as session:
        offer_hours(session, yilmaz.actor(Role.FOREMAN), yilmaz.machine_id, week, round(hours * 60))
    assert str(refused.value) == sentence


def test_a_closed_week_is_refused_in_plain_words(database: Database, yilmaz: TestFirm) -> None:
    close(database, yilmaz, dt.date(2026, 12, 24), dt.date(2027, 1, 6))
    with (
        pytest.raises(RuleBroken, match="In KW 53 ist der Betrieb zu"),
        database.write() as session,
    ):
        offer_hours(session, yilmaz.actor(Role.FOREMAN), yilmaz.machine_id, KW53, 60)


def test_nobody_offers_hours_of_another_firms_machine(database: Database, world: dict[str, TestFirm]) -> None:
    with pytest.raises(NotFound), database.write() as session:
        offer_hours(session, world["yilmaz"].actor(Role.FOREMAN), world["brandt"].machine_id, KW48, 60)


def test_a_machine_that_stands_still_offers_nothing(database: Database, yilmaz: TestFirm) -> None:
    with database.write() as session:
        session.execute(sa.update(Machine).where(Machine.id == yilmaz.machine_id).values(state="down"))
    with pytest.raises(RuleBroken, match="nicht bereit"), database.write() as session:
        offer_hours(session, yilmaz.actor(Role.FOREMAN), yilmaz.machine_id, KW48, 60)


def test_hours_cannot_shrink_below_what_is_promised(database: Database, yilmaz: TestFirm) -> None:
    with database.write() as session:
        hold(session, yilmaz, "a", 600)
    with (
        pytest.raises(RuleBroken, match="10 Stunden sind schon zugesagt"),
        database.write() as session,
    ):
        offer_hours(session, yilmaz.actor(Role.FOREMAN), yilmaz.machine_id, KW49, 585)
    with database.write() as session:
        offer_hours(session, yilmaz.actor(Role.FOREMAN), yilmaz.machine_id, KW49, 600)
    assert window(database, yilmaz) == (4440, 600, 600, 0)


def test_an_offer_of_free_hours_can_be_taken_back_for_ten_minutes(database: Database, yilmaz: TestFirm) -> None:
    foreman = yilmaz.actor(Role.FOREMAN)
    with database.write() as session:
        change = offer_hours(session, foreman, yilmaz.machine_id, KW48, 24 * 60)
    with database.write() as session:
        undo_offer(session, foreman, change.id)
    with database.write() as session:
        undo_offer(session, foreman, change.id)
    assert window(database, yilmaz, KW48) == (4440, 0, 0, 0)


def test_taking_back_comes_too_late_after_ten_minutes_or_a_promise(database: Database, yilmaz: TestFirm) -> None:
    foreman = yilmaz.actor(Role.FOREMAN)
    with database.write() as session:
        late = offer_hours(session, foreman, yilmaz.machine_id, KW48, 24 * 60)
        promised = offer_hours(session, foreman, yilmaz.machine_id, "2026-W50", 24 * 60)
        hold(session, yilmaz, "a", 20 * 60, "2026-W50")
    later = clock.frozen(clock.now() + dt.timedelta(minutes=11))
    with later, pytest.raises(RuleBroken, match="zehn Minuten"), database.write() as session:
        undo_offer(session, foreman, late.id)
    with pytest.raises(RuleBroken, match="schon zugesagt oder geändert"), database.write() as session:
        undo_offer(session, foreman, promised.id)


def test_taking_back_somebody_elses_change_finds_nothing(database: Database, world: dict[str, TestFirm]) -> None:
    with database.write() as session:
        change = offer_hours(session, world["yilmaz"].actor(Role.FOREMAN), world["yilmaz"].machine_id, KW48, 60)
    with pytest.raises(NotFound), database.write() as session:
        undo_offer(session, world["brandt"].actor(Role.FOREMAN), change.id)


def test_held_hours_are_taken_from_the_free_ones_once(database: Database, yilmaz: TestFirm) -> None:
    before = others(database, yilmaz)
    with database.write() as session:
        hold(session, yilmaz, "a", 300)
    with database.write() as session:
        hold(session, yilmaz, "a", 300)
    assert window(database, yilmaz) == (4440, 795, 300, 0)
    assert others(database, yilmaz) == before


def test_more_than_what_is_left_is_refused_with_the_hours_left(database: Database, yilmaz: TestFirm) -> None:
    with database.write() as session:
        hold(session, yilmaz, "a", 600)
        with pytest.raises(RuleBroken, match="In KW 49 sind nur noch 3,25 Stunden frei"):
            hold(session, yilmaz, "b", 210)
        hold(session, yilmaz, "b", 195)
        with pytest.raises(RuleBroken, match="In KW 49 ist nichts mehr frei"):
            hold(session, yilmaz, "c", 15)
    assert window(database, yilmaz) == (4440, 795, 795, 0)
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.sum(Hold.minutes)).where(Hold.firm_id == yilmaz.id)) == 795


def test_a_week_nobody_reported_holds_nothing(database: Database, yilmaz: TestFirm) -> None:
    with pytest.raises(RuleBroken, match="In KW 48 ist nichts mehr frei"), database.write() as session:
        hold(session, yilmaz, "a", 15, KW48)


def test_the_same_line_with_other_hours_is_a_conflict(database: Database, yilmaz: TestFirm) -> None:
    with database.write() as session:
        hold(session, yilmaz, "a", 300)
    with pytest.raises(Conflict), database.write() as session:
        hold(session, yilmaz, "a", 315)
    with database.write() as session:
        release_hold(session, yilmaz.id, "a")
    with pytest.raises(Conflict), database.write() as session:
        hold(session, yilmaz, "a", 300)


def test_two_firms_may_use_the_same_line_id(database: Database, world: dict[str, TestFirm]) -> None:
    with database.write() as session:
        hold(session, world["yilmaz"], "a", 300)
        hold(session, world["brandt"], "a", 600)
    assert window(database, world["yilmaz"])[2] == 300
    assert window(database, world["brandt"])[2] == 600


def test_releasing_frees_the_hours_once(database: Database, yilmaz: TestFirm) -> None:
    with database.write() as session:
        hold(session, yilmaz, "a", 300)
        hold(session, yilmaz, "b", 195)
    with database.write() as session:
        assert release_hold(session, yilmaz.id, "a") == 300
        assert release_hold(session, yilmaz.id, "a") == 0
    assert window(database, yilmaz) == (4440, 795, 195, 0)


def test_an_offers_end_frees_all_its_lines_and_no_others(database: Database, yilmaz: TestFirm) -> None:
    with database.write() as session:
        hold(session, yilmaz, "a", 300)
        hold(session, yilmaz, "b", 150, "2026-W50")
        hold(session, yilmaz, "c", 120, offer="offer-2")
    with database.write() as session:
        assert release_offer(session, yilmaz.id, "offer-1") == 450
    assert window(database, yilmaz) == (4440, 795, 120, 0)
    assert window(database, yilmaz, "2026-W50") == (4440, 795, 0, 0)


def test_a_hold_lasts_longer_once_it_is_extended_and_not_after_its_end(database: Database, yilmaz: TestFirm) -> None:
    later = UNTIL + dt.timedelta(days=3)
    with database.write() as session:
        hold(session, yilmaz, "a", 300)
        extend_hold(session, yilmaz.id, "a", later)
        release_hold(session, yilmaz.id, "a")
        with pytest.raises(Conflict):
            extend_hold(session, yilmaz.id, "a", later)
    with database.read() as session:
        assert session.scalar(sa.select(Hold.valid_until).where(Hold.firm_id == yilmaz.id)) == later


def test_an_agreement_turns_held_into_agreed_and_frees_the_rest(database: Database, yilmaz: TestFirm) -> None:
    with database.write() as session:
        hold(session, yilmaz, "a", 600)
    with database.write() as session:
        agree_held(session, yilmaz.id, "a", 480)
        agree_held(session, yilmaz.id, "a", 480)
    assert window(database, yilmaz) == (4440, 795, 0, 480)
    with pytest.raises(Conflict), database.write() as session:
        agree_held(session, yilmaz.id, "a", 300)


def test_more_than_was_held_is_never_agreed(database: Database, yilmaz: TestFirm) -> None:
    with database.write() as session:
        hold(session, yilmaz, "a", 300)
    with pytest.raises(Conflict), database.write() as session:
        agree_held(session, yilmaz.id, "a", 315)
    with pytest.raises(Conflict), database.write() as session:
        agree_held(session, yilmaz.id, "unknown", 15)
    assert window(database, yilmaz) == (4440, 795, 300, 0)


def test_a_released_hold_is_not_agreed_any_more(database: Database, yilmaz: TestFirm) -> None:
    with database.write() as session:
        hold(session, yilmaz, "a", 300)
        release_offer(session, yilmaz.id, "offer-1")
        with pytest.raises(Conflict):
            agree_held(session, yilmaz.id, "a", 300)


def test_a_cancelled_booking_frees_its_agreed_hours(database: Database, yilmaz: TestFirm) -> None:
    with database.write() as session:
        hold(session, yilmaz, "a", 600)
        agree_held(session, yilmaz.id, "a", 600)
    with database.write() as session:
        release_agreed(session, yilmaz.id, yilmaz.machine_id, KW49, 240, "a")
    assert window(database, yilmaz) == (4440, 795, 0, 360)
    with database.write() as session:
        release_agreed(session, yilmaz.id, yilmaz.machine_id, KW49, 360, "a")
        with pytest.raises(Conflict):
            release_agreed(session, yilmaz.id, yilmaz.machine_id, KW49, 15)
    assert window(database, yilmaz) == (4440, 795, 0, 0)


def test_a_closure_shrinks_free_hours_and_tells_what_is_promised(database: Database, yilmaz: TestFirm) -> None:
    with database.write() as session:
        hold(session, yilmaz, "a", 600, KW53)
    close(database, yilmaz, dt.date(2026, 12, 28), dt.date(2027, 1, 3))
    with database.write() as session:
        bound = recompute_maximum(session, yilmaz.id, yilmaz.site_id)
    assert [(row.week, row.bound_min, row.possible_min) for row in bound] == [(KW53, 600, 0)]
    assert window(database, yilmaz, KW53) == (600, 600, 600, 0)
    assert window(database, yilmaz, "2026-W52")[:2] == (3840, 795)


def test_new_year_and_the_short_friday_count_in_the_year_of_53_weeks(database: Database, yilmaz: TestFirm) -> None:
    with database.write() as session:
        site = session.get_one(Site, (yilmaz.id, yilmaz.site_id))
        site.shift_minutes = [480, 480, 480, 480, 300, 0, 0]
        site.unattended_min = 0
        session.flush()
        found = plan_windows(session, yilmaz.id, yilmaz.machine_id, [KW48, KW53, KW1])
    assert found == {KW48: 2220, KW53: 1920, KW1: 2220}
    assert window(database, yilmaz, KW53) == (1920, 795, 0, 0)


def test_planning_twice_keeps_what_people_reported(database: Database, yilmaz: TestFirm) -> None:
    with database.write() as session:
        offer_hours(session, yilmaz.actor(Role.FOREMAN), yilmaz.machine_id, KW48, 1440)
        plan_windows(session, yilmaz.id, yilmaz.machine_id, [KW48, KW48])
        plan_windows(session, yilmaz.id, yilmaz.machine_id, [KW48])
    assert window(database, yilmaz, KW48) == (4440, 1440, 0, 0)


def test_eight_writers_on_one_week_never_sell_more_than_there_is(database: Database, yilmaz: TestFirm) -> None:
    rounds = 12
    counts = {"held": 0, "refused": 0}
    guard = threading.Lock()

    def work(writer: int) -> None:
        for number in range(rounds):
            line = f"w{writer}-{number}"
            done = (
                "held" if attempt(database, lambda s, line=line: hold(s, yilmaz, line, 45, offer=line)) else "refused"
            )  # type: ignore[misc]
            with guard:
                counts[done] += 1
            if number % 3 == 0:
                attempt(database, lambda s, line=line: release_hold(s, yilmaz.id, line))  # type: ignore[misc]
            elif number % 3 == 1:
                attempt(database, lambda s, line=line: agree_held(s, yilmaz.id, line, 30))  # type: ignore[misc]

    run_together(work, 8)
    assert counts["held"] > 0
    assert counts["refused"] > 0
    maximum, actual, held, agreed = window(database, yilmaz)
    assert held + agreed <= actual <= maximum
    assert sums(database, yilmaz) == (held, agreed)


def test_shrinking_hours_while_others_hold_them_never_oversells(database: Database, yilmaz: TestFirm) -> None:
    foreman = yilmaz.actor(Role.FOREMAN)

    def work(writer: int) -> None:
        for number in range(10):
            line = f"w{writer}-{number}"
            if writer % 2:
                attempt(database, lambda s, n=number: offer_hours(s, foreman, yilmaz.machine_id, KW49, (n % 5) * 150))  # type: ignore[misc]
            else:
                attempt(database, lambda s, line=line: hold(s, yilmaz, line, 60, offer=line))  # type: ignore[misc]

    run_together(work, 8)
    maximum, actual, held, agreed = window(database, yilmaz)
    assert held + agreed <= actual <= maximum
    assert sums(database, yilmaz) == (held, agreed)


def test_a_retried_hold_from_two_threads_counts_once(database: Database, yilmaz: TestFirm) -> None:
    run_together(lambda _writer: attempt(database, lambda s: hold(s, yilmaz, "same", 45)), 6)
    assert window(database, yilmaz)[2] == 45


def test_a_second_machine_does_not_lend_its_hours(database: Database, yilmaz: TestFirm) -> None:
    with database.write() as session:
        other = add_machine(session, yilmaz, "M2")
        offer_hours(session, yilmaz.actor(Role.FOREMAN), other, KW49, 4440)
        with pytest.raises(RuleBroken):
            hold(session, yilmaz, "a", 810)


def close(database: Database, firm: TestFirm, first: dt.date, last: dt.date) -> None:
    with database.write() as session:
        session.add(
            Closure(
                firm_id=firm.id,
                id=f"c-{first}",
                created_at=clock.now(),
                site_id=firm.site_id,
                first_day=first,
                last_day=last,
            )
        )


def attempt(database: Database, deed: Callable[[Session], object]) -> bool:
    """Do it in a transaction of its own; False when it was refused. Anything else fails the test."""
    try:
        with clock.frozen(dt.datetime(2026, 11, 16, 6, tzinfo=dt.UTC)), database.write() as session:
            deed(session)
    except (RuleBroken, Conflict):
        return False
    return True


def run_together(work: Callable[[int], object], count: int) -> None:
    faults: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not faults, faults


def sums(database: Database, firm: TestFirm) -> tuple[int, int]:
    """Minutes of the hold rows of KW 49, by state: (held, agreed)."""
    with database.read() as session:
        rows = session.execute(
            sa.select(Hold.state, sa.func.sum(Hold.minutes))
            .where(Hold.firm_id == firm.id, Hold.week == KW49)
            .group_by(Hold.state)
        )
        found = {state: int(minutes) for state, minutes in rows}
    return found.get("held", 0), found.get("agreed", 0)
