"""The fault that the race must catch: hours are read, compared and written, in the transaction that SQLAlchemy opens by default.

Nothing of the product imports this.
"""

import datetime as dt
import time
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.capacity.models import CapacityWindow, Hold
from app.core import clock
from app.core.db import Database
from app.core.errors import RuleBroken
from app.core.ids import new_id


class DefaultDatabase(Database):
    """Sessions as a beginner opens them: no BEGIN IMMEDIATE, no queue."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        if self.is_sqlite:
            import pysqlite3.dbapi2 as driver

            self.engine.dispose()
            self.engine = sa.create_engine(url, module=driver, connect_args={"timeout": 30, "check_same_thread": False})

    @contextmanager
    def write(self) -> Iterator[Session]:
        with Session(self.engine, expire_on_commit=False) as session:
            yield session
            session.commit()


def hold_read_then_write(
    session: Session,
    firm_id: str,
    offer_id: str,
    offer_line_id: str,
    machine_id: str,
    week: str,
    minutes: int,
    valid_until: dt.datetime,
) -> None:
    """What hold_hours must never become."""
    window = session.scalars(
        sa.select(CapacityWindow).where(
            CapacityWindow.firm_id == firm_id, CapacityWindow.machine_id == machine_id, CapacityWindow.week == week
        )
    ).one()
    if window.held_min + window.agreed_min + minutes > window.actual_min:
        raise RuleBroken("In dieser Woche ist nichts mehr frei.", "hours")
    time.sleep(0.001)  # what a slower rule between reading and writing would take
    window.held_min += minutes
    session.add(
        Hold(
            firm_id=firm_id, id=new_id(), created_at=clock.now(), offer_id=offer_id, offer_line_id=offer_line_id,
            machine_id=machine_id, week=week, minutes=minutes, state="held", valid_until=valid_until,
        )
    )  # fmt: skip
