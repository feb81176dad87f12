"""What runs beside the pages: events find their reactions, messages their receivers, deadlines their end."""

import datetime as dt
from functools import cache
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria

from app.config import Config, ConfigError, load_config
from app.core import clock, outbox
from app.core.db import Database, FirmOwned, unusable
from app.core.events import event_from
from app.core.log import prepare_log
from app.federation.actions import deliver_message, following_message, put_off, waiting_messages
from app.federation.models import Message
from app.federation.photos import clean_photos
from app.firms.models import NodeSetting
from app.notary.actions import resume_checkpoints
from app.notary.audit import audit_next_log
from app.notary.keys import use_node_key
from app.notary.transfer import firms_elsewhere, is_elsewhere
from app.operator.health import HEARTBEAT
from app.reactions import DEADLINES, ERRANDS, INBOX, REACTIONS

log = structlog.get_logger()
MOST_ROUNDS = 200
MOST_WAITING = 4
STOP_S = 10
MOST_IN_A_ROW = 50
ELSEWHERE_PAUSE = dt.timedelta(days=1)
_ANY_ELSEWHERE = firms_elsewhere().limit(1)


class ElsewhereError(Exception):
    """One of the two works at another node: what is delivered here, it would never see."""


def run_until_quiet(database: Database) -> None:
    """Clean photos, settle events and deliver messages until nothing is due: each in a transaction of its own."""
    for _ in range(MOST_ROUNDS):
        # photos first: then what names them finds them clean and need not wait for another round
        if clean_photos(database) + settle_events(database) + deliver_messages(database) == 0:
            return


def settle_events(database: Database) -> int:
    """Run the reactions of every due event, one transaction per event; returns how many were due."""
    with database.read() as session:
        due = outbox.due_events(session, clock.now())
    for event_id in due:
        _settle(database, event_id)
    return len(due)


def deliver_messages(database: Database) -> int:
    """Deliver the oldest waiting message of every pair of firms; returns how many were tried."""
    with database.read() as session:
        waiting = waiting_messages(session, clock.now())
    for firm_id, message_id in waiting:
        _deliver_lane(database, firm_id, message_id)
    return len(waiting)


def _settle(database: Database, event_id: str) -> None:
    try:
        with database.write() as session:
            session.info["is_inside_worker"] = True
            row = session.get(outbox.OutboxRow, event_id, with_for_update=True)
            if row is None or row.settled_at is not None:
                return
            if is_elsewhere(session, row.firm_id):
                # should the move be given up, it follows then
                row.next_try_at = clock.now() + ELSEWHERE_PAUSE
                return
            event = event_from(row.kind, row.body)
            for react in REACTIONS.get(type(event), ()):
                react(session, event)
            row.settled_at = clock.now()
    except Exception as error:
        log.exception("reaction failed", event_id=event_id)
        _note_failure(database, event_id, error)


def _note_failure(database: Database, event_id: str, error: Exception) -> None:
    with database.write() as session:
        row = session.get(outbox.OutboxRow, event_id)
        if row is None:
            return
        row.attempts += 1
        row.error = f"{type(error).__name__}: {error}"[:500]
        row.next_try_at = outbox.retry_at(row.attempts, clock.now())
        if outbox.is_parked(row.attempts):
            row.parked_at = row.parked_at or clock.now()
            log.error("event parked", event_id=event_id, event_kind=row.kind, attempts=row.attempts)


def _deliver_lane(database: Database, firm_id: str, message_id: str) -> None:
    """Deliver what waits for one partner, in order; not all at once, so that the others get their turn."""
    following: str | None = message_id
    for _ in range(MOST_IN_A_ROW):
        if following is None or not _deliver(database, firm_id, following):
            return
        with database.read() as session:
            following = following_message(session, firm_id, following, clock.now())


def _deliver(database: Database, firm_id: str, message_id: str) -> bool:
    """Deliver one message in a transaction of its own; False when it has to be tried again later."""
    for is_last in (False, False, True):
        try:
            with database.write() as session:
                session.info["is_inside_worker"] = True
                _check_both_are_here(session, firm_id, message_id)
                deliver_message(session, firm_id, message_id, INBOX)
            return True
        except OperationalError as error:
            # two transactions waited for each other and the database ended this one: it may go again at once
            if is_last:
                _put_off(database, firm_id, message_id, error)
        except Exception as error:
            _put_off(database, firm_id, message_id, error)
            break
    return False


def _check_both_are_here(session: Session, firm_id: str, message_id: str) -> None:
    peer = session.scalar(sa.select(Message.peer_id).where(Message.firm_id == firm_id, Message.id == message_id))
    if is_elsewhere(session, firm_id, peer or ""):
        raise ElsewhereError


def _put_off(database: Database, firm_id: str, message_id: str, error: Exception) -> None:
    log.error("delivery failed", message_id=message_id, exc_info=error)
    with database.write() as session:
        put_off(session, firm_id, message_id, type(error).__name__)


def end_what_is_due(database: Database) -> None:
    """Deadlines: each in a transaction of its own, so that one fault stops nothing else.

    What was said in time arrives first: after a night without a worker a deadline must not overtake it.
    """
    resume_checkpoints(database)
    run_until_quiet(database)
    for end in DEADLINES:
        try:
            with database.write() as session:
                session.info["is_inside_worker"] = True
                _spare_firms_elsewhere(session)
                end(session, clock.now())
        except Exception:
            log.exception("deadline failed", deadline=end.__name__)
    resume_checkpoints(database)
    run_until_quiet(database)


def _spare_firms_elsewhere(session: Session) -> None:
    """A deadline finds no rows of firms that work at another node: there it ends what is due, not here."""
    if session.scalar(_ANY_ELSEWHERE) is not None:
        sa.event.listen(session, "do_orm_execute", _look_away)


def _look_away(state: ORMExecuteState) -> None:
    state.statement = state.statement.options(
        with_loader_criteria(FirmOwned, lambda owned: owned.firm_id.not_in(firms_elsewhere()), include_aliases=True)
    )


def run_errands(database: Database, config: Config) -> None:
    """Send what is due to phones and mailboxes."""
    for run in ERRANDS:
        try:
            run(database, config)
        except Exception:
            log.exception("errand failed", errand=run.__name__)


def note_heartbeat(database: Database) -> None:
    with database.write() as session:
        row = session.get(NodeSetting, HEARTBEAT) or NodeSetting(key=HEARTBEAT)
        row.value = clock.now().isoformat()
        session.add(row)


def enqueue(config: Config) -> None:
    """Wake the worker after a commit; what is not told here is found by the sweep each minute."""
    engine = task_engine(config)
    if engine.pending_count() < MOST_WAITING:
        engine.run_due()


@cache
def task_engine(config: Config) -> Any:
    """The engine with its tasks, for the web (to enqueue) and the worker (to run)."""
    from huey import crontab

    engine = _engine_for(config)

    def run_due() -> None:
        run_until_quiet(_database(config))
        engine.run_out()

    def run_out() -> None:
        run_errands(_database(config), config)

    def tend() -> None:
        note_heartbeat(_database(config))
        end_what_is_due(_database(config))
        engine.run_out()

    def audit() -> None:
        audit_next_log(_database(config))

    engine.run_due = engine.task(name="run_due")(run_due)
    engine.run_out = engine.task(name="run_out")(run_out)
    engine.periodic_task(crontab(minute="*"), name="tend")(tend)
    engine.periodic_task(crontab(minute="*/5"), name="audit")(audit)
    return engine


def _engine_for(config: Config) -> Any:
    from huey import PostgresHuey, RedisHuey, SqliteHuey  # with all its databases: not before the first thing is done

    url = config.queue_url or ("" if config.is_embedded else config.database_url)
    if url.startswith("redis"):
        return RedisHuey("werkring", url=url, results=False)
    if url.startswith("postgres"):
        return PostgresHuey("werkring", dsn=url.replace("postgresql+psycopg", "postgresql"), results=False)
    # a file of its own with a rollback journal: the standard library's older SQLite corrupts write-ahead logs
    return SqliteHuey("werkring", filename=str(config.data_dir / "tasks.sqlite"), journal_mode="delete", results=False)


@cache
def _database(config: Config) -> Database:
    return Database(config.database_url)


def main() -> None:
    """Run the worker until it is told to stop."""
    try:
        config = load_config()
    except ConfigError as error:
        raise SystemExit(f"Error: {error}") from None
    prepare_log()
    clock.start_at(config.clock_start)
    use_node_key(config.node_key)
    database = _database(config)
    try:
        note_heartbeat(database)
    except DBAPIError as error:
        raise SystemExit(f"Error: {unusable(error)}") from None
    resume_checkpoints(database)
    end_what_is_due(database)
    # SIGTERM, as systemd stops it: what is begun is ended, for no other machine knows of it before the next sweep
    task_engine(config).create_consumer(
        workers=3, initial_delay=0.05, max_delay=0.4, graceful_signal="TERM", shutdown_timeout=STOP_S
    ).run()


if __name__ == "__main__":
    from app.worker import (
        main as run_under_own_name,  # the engine finds tasks by module: __main__ is not where the web enqueues
    )

    run_under_own_name()
