"""A firm shows itself to strangers or stops to: the switches, and what its entry holds."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.events import EntryOpened
from app.core.outbox import emit
from app.directory.models import DirectoryEntry, DirectoryProcess
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event

COARSE = 2
"""Decimals of a place that strangers may reckon with: about a kilometre"""
DEGREE = 1_000_000
VERBS = {
    "is_listed": ("entry_listed", "entry_unlisted"),
    "is_far": ("entry_far", "entry_near"),
    "is_public": ("profile_published", "profile_hidden"),
}


def set_listed(session: Session, actor: Actor, is_on: bool) -> None:
    """Let the firms of this node find us, or not any more; it counts from now on."""
    _switch(session, actor, "is_listed", is_on)


def set_far(session: Session, actor: Actor, is_on: bool) -> None:
    """Let the firms of linked nodes find us too, or not any more; it counts as long as we are listed."""
    _switch(session, actor, "is_far", is_on)


def set_public(session: Session, actor: Actor, is_on: bool) -> None:
    """Show our profile page to everybody, or not any more."""
    _switch(session, actor, "is_public", is_on)


def write_entry(session: Session, firm_id: str, profile: Callable[[], dict[str, Any]]) -> None:
    """Write down what the firm can do, if it shows itself; the place is made coarse."""
    entry = session.get(DirectoryEntry, firm_id, with_for_update=True)
    if entry is None:
        return
    told = profile()
    entry.lat, entry.lon = _coarse(told["lat_e6"]), _coarse(told["lon_e6"])
    entry.certificates, entry.updated_at = told["certificates"], clock.now()
    _drop_processes(session, firm_id)
    session.add_all(
        DirectoryProcess(firm_id=firm_id, process_key=one["key"], de=one["de"], en=one["en"])
        for one in told["processes"]
    )
    bump_version(session, firm_id)


def _switch(session: Session, actor: Actor, name: str, is_on: bool) -> None:
    entry = session.get(DirectoryEntry, actor.firm_id, with_for_update=True)
    if bool(entry is not None and getattr(entry, name)) == is_on:
        return
    if entry is None:
        entry = DirectoryEntry(firm_id=actor.firm_id, is_listed=False, is_far=False, is_public=False, certificates=[])
        entry.updated_at = clock.now()
        session.add(entry)
        emit(session, EntryOpened(actor.firm_id))
    setattr(entry, name, is_on)
    session.flush()
    if not (entry.is_listed or entry.is_public):
        _drop_processes(session, actor.firm_id)
        session.delete(entry)
    note_event(session, actor.firm_id, actor.person_id, VERBS[name][0 if is_on else 1])
    bump_version(session, actor.firm_id)


def _drop_processes(session: Session, firm_id: str) -> None:
    session.execute(sa.delete(DirectoryProcess).where(DirectoryProcess.firm_id == firm_id))
    session.flush()


def _coarse(degree_e6: int | None) -> float | None:
    return None if degree_e6 is None else round(degree_e6 / DEGREE, COARSE)
