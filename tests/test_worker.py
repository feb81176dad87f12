"""The worker settles events and ends deadlines one by one: what fails is tried again, then parked, and stops nobody else."""

import dataclasses
import datetime as dt
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import worker
from app.config import load_config
from app.core import clock
from app.core.db import Database
from app.core.events import CapacityFreed, Event, PlanChosen, SignedOut, event_from
from app.core.outbox import PARKED_S, RETRIES_S, OutboxRow, emit
from app.firms.models import NodeSetting
from app.operator.health import last_heartbeat
from app.worker import (
    MOST_ROUNDS,
    end_what_is_due,
    note_heartbeat,
    run_errands,
    run_until_quiet,
    settle_events,
)
from tests.conftest import MONDAY

FIRM = "firm-1"


SLOW_ERRAND = """
import signal, time
from app import worker
from app.config import load_config
def errands(*_):
    while signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # the engine listens only after its first task has begun
        time.sleep(0.01)
    print("begun", flush=True)
    time.sleep(1)
    print("ended", flush=True)
worker.run_errands = errands
worker.enqueue(load_config())
worker.main()
"""


@dataclass
class House:
    """Reactions that write down what they were told; some fail."""

    broken: set[str] = field(default_factory=set)

    def react(self, session: Session, event: Any) -> None:
        note(session, event.plan_id)
        if event.plan_id in self.broken:
            raise ZeroDivisionError("Geheim")


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    made = House()
    monkeypatch.setattr(worker, "REACTIONS", {PlanChosen: (made.react,)})
    return made


def test_every_event_is_settled_once(database: Database, house: House) -> None:
    tell(database, "a", "b")
    run_until_quiet(database)
    run_until_quiet(database)
    assert notes(database) == ["a", "b"]
    assert all(row.settled_at == clock.now() and row.attempts == 0 for row in rows(database))


def test_an_event_without_reaction_is_settled_too(database: Database, house: House) -> None:
    with database.write() as session:
        emit(session, SignedOut(FIRM, "s"))
    assert settle_events(database) == 1
    assert settle_events(database) == 0


def test_a_failing_reaction_leaves_nothing_and_its_fault_is_kept_without_stopping_the_others(
    database: Database, house: House
) -> None:
    house.broken = {"b"}
    tell(database, "a", "b", "c")
    run_until_quiet(database)
    assert notes(database) == ["a", "c"]
    bad = rows(database)[1]
    assert (bad.settled_at, bad.attempts, bad.parked_at) == (None, 1, None)
    assert bad.error == "ZeroDivisionError: Geheim"
    assert bad.next_try_at == clock.now() + dt.timedelta(seconds=RETRIES_S[0])


def test_all_reactions_of_an_event_stand_or_fall_together(
    database: Database, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    first: Callable[[Session, Any], None] = lambda session, event: note(session, "first " + event.plan_id)  # noqa: E731
    monkeypatch.setattr(worker, "REACTIONS", {PlanChosen: (first, house.react)})
    house.broken = {"a"}
    tell(database, "a", "b")
    run_until_quiet(database)
    assert notes(database) == ["b", "first b"]


def test_what_failed_is_tried_again_when_its_time_comes_and_then_settled(database: Database, house: House) -> None:
    house.broken = {"a"}
    tell(database, "a")
    run_until_quiet(database)
    house.broken = set()
    assert settle_events(database) == 0
    with clock.frozen(MONDAY + dt.timedelta(seconds=RETRIES_S[0])):
        run_until_quiet(database)
    assert notes(database) == ["a"]


def test_after_the_last_try_an_event_is_parked_for_a_person_and_tried_once_a_day(
    database: Database, house: House
) -> None:
    house.broken = {"a"}
    tell(database, "a")
    now = MONDAY
    for number in range(len(RETRIES_S) + 1):
        with clock.frozen(now):
            assert settle_events(database) == 1, number
        now += dt.timedelta(seconds=RETRIES_S[min(number, len(RETRIES_S) - 1)])
    (row,) = rows(database)
    assert row.parked_at is not None
    assert row.attempts == len(RETRIES_S) + 1
    with clock.frozen(now):
        assert settle_events(database) == 0
    house.broken = set()
    with clock.frozen(now + dt.timedelta(seconds=PARKED_S)):
        assert settle_events(database) == 1
    assert notes(database) == ["a"]


def test_an_event_of_a_kind_that_nobody_knows_any_more_stops_no_other(database: Database, house: House) -> None:
    tell(database, "a", "b")
    with database.write() as session:
        session.execute(sa.update(OutboxRow).where(OutboxRow.id == rows(database)[0].id).values(kind="Gone"))
    run_until_quiet(database)
    assert notes(database) == ["b"]
    assert rows(database)[0].error == "KeyError: 'Gone'"


def test_what_follows_from_what_is_settled_in_the_same_go(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        worker,
        "REACTIONS",
        {
            PlanChosen: (lambda session, event: emit(session, CapacityFreed(event.firm_id, "m")),),
            CapacityFreed: (lambda session, event: note(session, event.machine_id),),
        },
    )
    tell(database, "a")
    run_until_quiet(database)
    assert notes(database) == ["m"]


def test_events_that_breed_for_ever_end_with_the_round(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "REACTIONS", {PlanChosen: (lambda session, event: emit(session, event),)})
    monkeypatch.setattr(worker, "MOST_ROUNDS", 5)
    tell(database, "a")
    run_until_quiet(database)
    assert len(rows(database)) == 6
    assert MOST_ROUNDS < 1000


def test_a_deadline_that_fails_stops_neither_the_others_nor_what_follows(
    database: Database, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end_well(session: Session, now: dt.datetime) -> None:
        note(session, "ended " + now.date().isoformat())
        emit(session, PlanChosen(FIRM, "follows"))

    def end_badly(session: Session, _now: dt.datetime) -> None:
        note(session, "half done")
        raise ZeroDivisionError

    monkeypatch.setattr(worker, "DEADLINES", (end_badly, end_well, end_badly))
    end_what_is_due(database)
    assert notes(database) == ["ended 2026-11-16", "follows"]


def test_an_errand_that_fails_keeps_no_other_from_running(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = []

    def fail(_database: Database, _config: object) -> None:
        raise OSError("no net")

    monkeypatch.setattr(worker, "ERRANDS", (fail, lambda found, config: ran.append((found, config)), fail))
    config = load_config({"DATA_DIR": str(tmp_path)})
    run_errands(database, config)
    assert ran == [(database, config)]


def test_the_worker_says_that_it_lives(database: Database) -> None:
    with database.read() as session:
        assert last_heartbeat(session) is None
    note_heartbeat(database)
    later = MONDAY + dt.timedelta(minutes=1)
    with clock.frozen(later):
        note_heartbeat(database)
    with database.read() as session:
        assert last_heartbeat(session) == later


def test_every_event_of_the_house_can_be_rebuilt_from_its_row() -> None:
    for kind, event_type in Event.kinds.items():
        event = event_type(*["x"] * len(dataclasses.fields(event_type)))
        assert (event_from(kind, event.to_body()), kind) == (event, kind)


def tell(database: Database, *plan_ids: str) -> None:
    with database.write() as session:
        for plan_id in plan_ids:
            emit(session, PlanChosen(FIRM, plan_id))


def note(session: Session, word: str) -> None:
    """Something that a reaction did; twice the same is refused by the table."""
    session.add(NodeSetting(key="note:" + word, value=word))
    session.flush()


def notes(database: Database) -> list[str]:
    with database.read() as session:
        query = sa.select(NodeSetting.value).where(NodeSetting.key.startswith("note:")).order_by(NodeSetting.key)
        return list(session.scalars(query))


def rows(database: Database) -> list[Any]:
    with database.read() as session:
        return list(session.execute(sa.select(*OutboxRow.__table__.columns).order_by(OutboxRow.id)))


def test_a_worker_that_is_told_to_stop_ends_what_it_has_begun(tmp_path: Path) -> None:
    told = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | {"DATA_DIR": str(tmp_path)}
    database = Database(load_config(told).database_url)
    database.create_tables()
    database.close()
    with subprocess.Popen([sys.executable, "-c", SLOW_ERRAND], env=told, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any("begun" in line for line in process.stdout)
        process.send_signal(signal.SIGTERM)
        assert "ended" in process.communicate(timeout=30)[0]
