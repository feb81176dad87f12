"""The four tasks of a new firm (S06). Rooms above say how far each one is; the factory hands them in."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.firms.queries import firm_of, people

Count = Callable[[Session, str], int]


@dataclass(frozen=True)
class Task:
    """One line of the list: `stand` is offen, angefangen or fertig."""

    titel: str
    text: str
    url: str
    stand: str


@dataclass(frozen=True)
class Counts:
    """How much of each thing a firm has."""

    machines: Count
    partners: Count
    partners_waiting: Count


def stand_of(done: bool, begun: bool) -> str:
    return "fertig" if done else "angefangen" if begun else "offen"


def task_states(session: Session, firm_id: str, counts: Counts) -> dict[str, str]:
    """State of machines, recovery, partners, people; the order is the order of the list."""
    partners = counts.partners(session, firm_id)
    return {
        "machines": stand_of(counts.machines(session, firm_id) > 0, False),
        "recovery": stand_of(firm_of(session, firm_id).recovery_printed_at is not None, False),
        "partners": stand_of(partners > 0, counts.partners_waiting(session, firm_id) > 0),
        "people": stand_of(len(people(session, firm_id)) > 1, False),
    }
