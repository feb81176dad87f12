"""What strangers may see of a firm: its entry in the directory of this node, and nothing that it did not switch on."""

import datetime as dt
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import NotFound
from app.directory.models import Approach, DirectoryEntry, DirectoryProcess
from app.directory.rules import is_settled
from app.firms.models import Firm
from app.firms.queries import sites
from app.notary.transfer import firms_elsewhere
from app.partners.models import BlockedFirm, Partnership
from app.partners.rules import LINKED, OPEN

PAGE_SIZE = 20
KM_PER_DEGREE = 111.2
ID_LENGTH = 36
HANDLE = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


@dataclass(frozen=True)
class Search:
    """What somebody looks for: a process, the beginning of a town's name, kilometres around the own place."""

    process_key: str = ""
    town: str = ""
    within_km: int = 0
    after: str = ""
    """Cursor of the page before"""


@dataclass(frozen=True)
class Entry:
    """One firm as strangers see it."""

    firm_id: str
    handle: str
    name: str
    town: str
    processes: tuple[str, ...]
    certificates: tuple[tuple[str, dt.date], ...]
    is_public: bool
    state: str = ""
    """How we stand to it: partner, open (a partnership waits), asked, asks_us, declined, or '' for a stranger"""


@dataclass(frozen=True)
class DirectoryPage:
    """Some firms by name, and the cursor of the next page or ''."""

    entries: tuple[Entry, ...]
    next_after: str


def own_entry(session: Session, firm_id: str) -> DirectoryEntry | None:
    """What we switched on; None: nothing."""
    return session.get(DirectoryEntry, firm_id)


def own_preview(session: Session, firm_id: str, language: str) -> Entry | None:
    """Our entry as others see it, or would as soon as it is on."""
    entry = own_entry(session, firm_id)
    return _entries(session, [(session.get_one(Firm, firm_id), entry)], language)[0] if entry else None


def directory_page(session: Session, firm_id: str, search: Search, language: str) -> DirectoryPage:
    """Firms of this node that show themselves, by name; never the own one, nor who blocked us or whom we blocked."""
    query = _visible_to(session, firm_id)
    if search.process_key:
        query = query.where(DirectoryEntry.firm_id.in_(_able(search.process_key)))
    if search.town:
        query = query.where(Firm.town.istartswith(search.town, autoescape=True))
    if search.within_km:
        query = query.where(_is_near(session, firm_id, search.within_km))
    if len(search.after) > ID_LENGTH:
        name, known_id = search.after[ID_LENGTH:], search.after[:ID_LENGTH]
        query = query.where(sa.or_(Firm.name > name, sa.and_(Firm.name == name, Firm.id > known_id)))
    rows = session.execute(query.order_by(Firm.name, Firm.id).limit(PAGE_SIZE + 1)).all()
    shown = [(row.Firm, row.DirectoryEntry) for row in rows[:PAGE_SIZE]]
    states = _states(session, firm_id, [firm.id for firm, _ in shown])
    last = shown[-1][0] if len(rows) > PAGE_SIZE else None
    return DirectoryPage(
        tuple(_entries(session, shown, language, states)), f"{last.id}{last.name}" if last is not None else ""
    )


def listed_firm(session: Session, firm_id: str, other_id: str) -> Firm:
    """A firm of the directory that may be asked; raises NotFound for one that hides from us or from everybody."""
    found = session.execute(_visible_to(session, firm_id).where(Firm.id == other_id)).first()
    if found is None:
        raise NotFound
    listed: Firm = found.Firm
    return listed


def listed_processes(session: Session, firm_id: str, language: str) -> list[tuple[str, str]]:
    """The processes that firms of the directory do, as choices: (key, word), by word."""
    word = DirectoryProcess.en if language == "en" else DirectoryProcess.de
    visible = _visible_to(session, firm_id).with_only_columns(Firm.id)
    query = sa.select(DirectoryProcess.process_key, sa.func.min(word).label("word"))
    query = query.where(DirectoryProcess.firm_id.in_(visible)).group_by(DirectoryProcess.process_key)
    return sorted(((row.process_key, row.word) for row in session.execute(query)), key=lambda pair: pair[1].lower())


def public_entry(session: Session, handle: str, language: str, seen_by: str | None) -> Entry:
    """The firm behind a public page; hidden, unknown and blocked ones are the same NotFound. `seen_by`: the reader's firm."""
    if not HANDLE.fullmatch(handle):
        raise NotFound
    query = sa.select(Firm, DirectoryEntry).join(DirectoryEntry, DirectoryEntry.firm_id == Firm.id)
    query = query.where(Firm.address.startswith(f"{handle}@", autoescape=True), DirectoryEntry.is_public, _is_here())
    if seen_by is not None:
        query = query.where(~_is_hidden(session, seen_by))
    found = session.execute(query.order_by(Firm.created_at, Firm.id).limit(1)).first()
    if found is None:
        raise NotFound
    return _entries(session, [(found.Firm, found.DirectoryEntry)], language)[0]


def _visible_to(session: Session, firm_id: str) -> sa.Select[Firm, DirectoryEntry]:
    return (
        sa.select(Firm, DirectoryEntry)
        .join(DirectoryEntry, DirectoryEntry.firm_id == Firm.id)
        .where(DirectoryEntry.is_listed, Firm.id != firm_id, ~_is_hidden(session, firm_id), _is_here())
    )


def _is_here() -> sa.ColumnElement[bool]:
    """A firm that works on another node shows itself there."""
    return Firm.id.not_in(firms_elsewhere())


def _is_hidden(session: Session, firm_id: str) -> sa.ColumnElement[bool]:
    """One of the two has blocked the other."""
    own_address = session.scalar(sa.select(Firm.address).where(Firm.id == firm_id)) or ""
    by_us = sa.select(sa.literal(1)).where(BlockedFirm.firm_id == firm_id, BlockedFirm.address == Firm.address)
    by_them = sa.select(sa.literal(1)).where(BlockedFirm.firm_id == Firm.id, BlockedFirm.address == own_address)
    return sa.or_(by_us.exists(), by_them.exists())


def _able(process_key: str) -> sa.Select[str]:
    return sa.select(DirectoryProcess.firm_id).where(DirectoryProcess.process_key == process_key)


def _is_near(session: Session, firm_id: str, within_km: int) -> sa.ColumnElement[bool]:
    """On a flat map around our place: over 100 km it errs by less than one."""
    site = next(iter(sites(session, firm_id)), None)
    if site is None:
        return sa.false()
    north = (DirectoryEntry.lat - site.lat) * KM_PER_DEGREE
    east = (DirectoryEntry.lon - site.lon) * (KM_PER_DEGREE * math.cos(math.radians(site.lat)))
    return north * north + east * east <= within_km * within_km


def _entries(
    session: Session,
    rows: Sequence[tuple[Firm, DirectoryEntry]],
    language: str,
    states: dict[str, str] | None = None,
) -> list[Entry]:
    words = _processes_of(session, [firm.id for firm, _ in rows], language)
    return [
        Entry(
            firm_id=firm.id,
            handle=firm.address.split("@")[0],
            name=firm.name,
            town=firm.town,
            processes=tuple(words.get(firm.id, ())),
            certificates=_valid(entry),
            is_public=entry.is_public,
            state=(states or {}).get(firm.id, ""),
        )
        for firm, entry in rows
    ]


def _processes_of(session: Session, firm_ids: Sequence[str], language: str) -> dict[str, list[str]]:
    word = DirectoryProcess.en if language == "en" else DirectoryProcess.de
    query = sa.select(DirectoryProcess.firm_id, word.label("word")).where(DirectoryProcess.firm_id.in_(firm_ids))
    found: dict[str, list[str]] = {}
    for row in session.execute(query):
        found.setdefault(row.firm_id, []).append(row.word)
    return {firm_id: sorted(words, key=str.lower) for firm_id, words in found.items()}


def _valid(entry: DirectoryEntry) -> tuple[tuple[str, dt.date], ...]:
    """What was valid when it was written down may have ended since."""
    dated = [(one["name"], dt.date.fromisoformat(one["valid_to"])) for one in entry.certificates]
    return tuple((name, until) for name, until in dated if until >= clock.today())


def _states(session: Session, firm_id: str, others: Sequence[str]) -> dict[str, str]:
    """How we stand to these firms; the newest approach counts, a partnership counts more."""
    found: dict[str, str] = {}
    approaches = session.scalars(
        sa.select(Approach)
        .where(Approach.firm_id == firm_id, Approach.peer_id.in_(others))
        .order_by(Approach.created_at, Approach.id)
    )
    for one in approaches:
        found[one.peer_id] = _approach_state(one)
    rows = sa.select(Partnership.partner_id, Partnership.state)
    for row in session.execute(rows.where(Partnership.firm_id == firm_id, Partnership.partner_id.in_(others))):
        if row.state in LINKED | OPEN:
            found[row.partner_id] = "partner" if row.state in LINKED else "open"
    return found


def _approach_state(one: Approach) -> str:
    if one.state == "accepted" or is_settled(one.state, one.answered_at or one.created_at, clock.now()):
        return ""
    if one.direction == "in":
        return "asks_us" if one.state == "waiting" else ""
    return "asked" if one.state == "waiting" else "declined"
