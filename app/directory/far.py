"""The directory across linked nodes: what we show there, what they show us, and asking one of their firms.

Both operators agreed by one code, and each firm by a switch of its own. Entries and questions travel between the nodes
themselves: a node answers for what it tells, and only an invitation, whose keys prove themselves, makes partners.
"""

import datetime as dt
import hmac
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import NotFound, RuleBroken
from app.core.events import ApproachArrived
from app.core.ids import new_id
from app.core.outbox import emit
from app.core.units import distance_km
from app.directory.approaching import check_pace, note_approach
from app.directory.models import Approach, DirectoryEntry, DirectoryProcess, FarEntry, LinkedNode
from app.directory.queries import Search
from app.directory.rules import APPROACH_LIFE, is_settled
from app.directory.wire import Asked, Listed
from app.firms.access import Actor
from app.firms.models import Firm
from app.firms.queries import firm_of, sites
from app.notary.transfer import firms_elsewhere
from app.partners.actions import invite_partner
from app.partners.models import BlockedFirm
from app.partners.queries import invitation_token, is_blocked, partner_by_address
from app.partners.rules import LINKED, OPEN

EVERY = dt.timedelta(hours=1)
STALE = dt.timedelta(days=7)
"""So long the entries of a silent node stay"""
MOST_ENTRIES = 2000
MOST_SHOWN = 50
MOST_FAR_APPROACHES_A_DAY = 20
"""So many firms of other nodes may ask one firm in a day: a node that lets anybody ask floods nobody"""
CODE = re.compile(r"[A-Za-z0-9_-]{22}")


@dataclass(frozen=True)
class FarShop:
    """One firm of a linked node as our people see it; `is_known`: partner, or asked already."""

    id: str
    name: str
    town: str
    node: str
    processes: tuple[str, ...]
    certificates: tuple[str, ...]
    is_known: bool


def link_node(session: Session, node: str, code: str = "") -> str:
    """Agree with the operator of that node; returns the code that both enter. Raises RuleBroken for one that is none."""
    if code and not CODE.fullmatch(code):
        raise RuleBroken("Das ist kein Code.")
    row = session.get(LinkedNode, node) or LinkedNode(node=node)
    row.code, row.linked_at = code or secrets.token_urlsafe(16), clock.now()
    row.asked_at = row.heard_at = None
    session.add(row)
    return row.code


def unlink_node(session: Session, node: str) -> bool:
    """Show each other nothing any more; what that node told goes at once. False for one that was not linked."""
    session.execute(sa.delete(FarEntry).where(FarEntry.node == node))
    return bool(session.execute(sa.delete(LinkedNode).where(LinkedNode.node == node)).rowcount)  # type: ignore[attr-defined]


def linked_by(session: Session, code: str) -> LinkedNode:
    """The node that shows this code; raises NotFound."""
    for row in session.scalars(sa.select(LinkedNode).order_by(LinkedNode.node)):
        if hmac.compare_digest(row.code.encode(), code.encode()):
            return row
    raise NotFound


def linked_nodes(session: Session) -> Sequence[str]:
    return session.scalars(sa.select(LinkedNode.node).order_by(LinkedNode.node)).all()


def has_due_links(session: Session, now: dt.datetime) -> bool:
    """Whether a node is to be asked now: looked up first, for it takes no lock."""
    due = sa.or_(LinkedNode.asked_at.is_(None), LinkedNode.asked_at <= now - EVERY)
    return session.scalar(sa.select(LinkedNode.node).where(due).limit(1)) is not None


def due_links(session: Session, now: dt.datetime) -> list[tuple[str, str]]:
    """(node, code) of those that are asked now, once an hour; entries of one that is silent for a week go."""
    due = []
    for row in session.scalars(sa.select(LinkedNode).order_by(LinkedNode.node)):
        if (row.heard_at or row.linked_at) < now - STALE:
            session.execute(sa.delete(FarEntry).where(FarEntry.node == row.node))
        if row.asked_at is None or row.asked_at <= now - EVERY:
            row.asked_at = now
            due.append((row.node, row.code))
    return due


def told_entries(session: Session) -> list[dict[str, Any]]:
    """What our directory shows linked nodes: firms that switched on both, by name."""
    rows = session.execute(
        sa.select(Firm, DirectoryEntry)
        .join(DirectoryEntry, DirectoryEntry.firm_id == Firm.id)
        .where(DirectoryEntry.is_listed, DirectoryEntry.is_far, Firm.id.not_in(firms_elsewhere()))
        .order_by(Firm.name, Firm.id)
        .limit(MOST_ENTRIES)
    ).all()
    processes: dict[str, list[dict[str, str]]] = {}
    for one in session.scalars(sa.select(DirectoryProcess).order_by(DirectoryProcess.process_key)):
        processes.setdefault(one.firm_id, []).append({"key": one.process_key, "de": one.de, "en": one.en})
    return [
        {
            "address": firm.address, "name": firm.name, "town": firm.town, "lat": entry.lat, "lon": entry.lon,
            "processes": processes.get(firm.id, []), "certificates": entry.certificates,
        }
        for firm, entry in rows
    ]  # fmt: skip


def keep_entries(session: Session, node: str, listed: Sequence[Listed]) -> None:
    """What a linked node shows now, in the place of what it showed before; an entry keeps its id."""
    row = session.get(LinkedNode, node)
    if row is None:
        return
    row.heard_at = clock.now()
    known = {one.address: one for one in session.scalars(sa.select(FarEntry).where(FarEntry.node == node))}
    for told in {one.address: one for one in listed[:MOST_ENTRIES]}.values():
        entry = known.pop(told.address, None) or FarEntry(id=new_id(), node=node, address=told.address)
        entry.name, entry.town, entry.lat, entry.lon = told.name, told.town, told.lat, told.lon
        entry.processes, entry.certificates = told.processes, told.certificates
        session.add(entry)
    for gone in known.values():
        session.delete(gone)


def far_shops(session: Session, firm_id: str, search: Search, language: str) -> list[FarShop]:
    """Firms of linked nodes that fit, by name; neither blocked ones nor our own address."""
    blocked = sa.select(BlockedFirm.address).where(BlockedFirm.firm_id == firm_id)
    query = sa.select(FarEntry).where(
        FarEntry.address.not_in(blocked), FarEntry.address != firm_of(session, firm_id).address
    )
    if search.town:
        query = query.where(FarEntry.town.istartswith(search.town, autoescape=True))
    fits = _fitting(session, firm_id, search)
    found = [one for one in session.scalars(query.order_by(FarEntry.name, FarEntry.id)) if fits(one)]
    return [_shop(session, firm_id, one, language) for one in found[:MOST_SHOWN]]


def approach_far_firm(session: Session, actor: Actor, entry_id: str, link_of: Callable[[str], str]) -> str:
    """Ask a firm of a linked node: our invitation goes there, from node to node. `link_of`: our page behind a token.

    Raises NotFound for one that we do not see, RuleBroken when it is known or was asked already.
    """
    entry = session.get(FarEntry, entry_id)
    if entry is None or is_blocked(session, actor.firm_id, entry.address):
        raise NotFound
    session.execute(sa.select(Firm.id).where(Firm.id == actor.firm_id).with_for_update())
    if _is_known(session, actor.firm_id, entry.address):
        raise RuleBroken("Ihr kennt euch schon, oder habt schon gefragt.")
    check_pace(session, actor.firm_id)
    invitation_id = invite_partner(session, actor, life=APPROACH_LIFE)
    row = Approach(
        firm_id=actor.firm_id, id=new_id(), created_at=clock.now(), direction="out", peer_id="", address=entry.address,
        name=entry.name, town=entry.town, state="waiting", person_id=actor.person_id, node=entry.node,
        link=link_of(invitation_token(session, actor.firm_id, invitation_id)),
    )  # fmt: skip
    session.add(row)
    session.flush()
    note_approach(session, row, actor.person_id, "approach_made")
    session.info["has_messages"] = True
    return row.id


def waiting_approaches(session: Session) -> list[tuple[str, str, dict[str, str]]]:
    """(node, code, body) of questions that their node has not taken yet, the oldest first."""
    rows = session.execute(
        sa.select(Approach, LinkedNode.code)
        .join(LinkedNode, LinkedNode.node == Approach.node)
        .where(Approach.direction == "out", Approach.sent_at.is_(None), Approach.state == "waiting")
        .where(Approach.created_at > clock.now() - APPROACH_LIFE, Approach.firm_id.not_in(firms_elsewhere()))
        .order_by(Approach.created_at, Approach.id)
        .limit(MOST_SHOWN)
    ).all()
    return [(row.Approach.node, row.code, _body(session, row.Approach)) for row in rows]


def note_sent(session: Session, approach_id: str) -> None:
    """The other node took it."""
    session.execute(sa.update(Approach).where(Approach.id == approach_id).values(sent_at=clock.now()))


def take_far_approach(session: Session, node: str, told: Asked) -> None:
    """A firm of a linked node asks one of ours. One that is hidden, blocks it, refused it lately or knows it hears nothing."""
    query = sa.select(Firm).join(DirectoryEntry, DirectoryEntry.firm_id == Firm.id)
    query = query.where(DirectoryEntry.is_listed, DirectoryEntry.is_far, Firm.id.not_in(firms_elsewhere()))
    firm = session.scalar(query.where(Firm.address == told.to).with_for_update(of=Firm))
    if firm is None or is_blocked(session, firm.id, told.address) or _is_known(session, firm.id, told.address):
        return
    recent = sa.select(sa.func.count()).select_from(Approach).where(Approach.firm_id == firm.id, Approach.node != "")
    recent = recent.where(Approach.direction == "in", Approach.created_at > clock.now() - dt.timedelta(days=1))
    if (session.scalar(recent) or 0) >= MOST_FAR_APPROACHES_A_DAY:
        return
    row = Approach(
        firm_id=firm.id, id=new_id(), created_at=clock.now(), direction="in", peer_id="", address=told.address,
        name=told.name, town=told.town, state="waiting", node=node, link=told.link,
    )  # fmt: skip
    session.add(row)
    session.flush()
    note_approach(session, row, None, "approach_arrived")
    emit(session, ApproachArrived(firm.id, row.id))


def _is_known(session: Session, firm_id: str, address: str) -> bool:
    """Partners, about to be, or something between the two that still counts."""
    partner = partner_by_address(session, firm_id, address)
    if partner is not None and partner.state in LINKED | OPEN:
        return True
    rows = session.scalars(sa.select(Approach).where(Approach.firm_id == firm_id, Approach.address == address))
    now = clock.now()
    return any(not is_settled(one.state, one.answered_at or one.created_at, now) for one in rows)


def _body(session: Session, row: Approach) -> dict[str, str]:
    asking = firm_of(session, row.firm_id)
    who = {"address": asking.address, "name": asking.name, "town": asking.town}
    return {"id": row.id, "to": row.address, "link": row.link} | who


def _fitting(session: Session, firm_id: str, search: Search) -> Callable[[FarEntry], bool]:
    site = next(iter(sites(session, firm_id)), None)

    def fits(one: FarEntry) -> bool:
        if search.process_key and search.process_key not in {process["key"] for process in one.processes}:
            return False
        if not search.within_km:
            return True
        if site is None or one.lat is None or one.lon is None:
            return False
        return distance_km((site.lat, site.lon), (one.lat, one.lon)) <= search.within_km

    return fits


def _shop(session: Session, firm_id: str, one: FarEntry, language: str) -> FarShop:
    today = clock.today().isoformat()
    return FarShop(
        one.id, one.name, one.town, one.node, _words(one.processes, language),
        tuple(each["name"] for each in one.certificates if each["valid_to"] >= today),
        _is_known(session, firm_id, one.address),
    )  # fmt: skip


def _words(processes: Sequence[Mapping[str, str]], language: str) -> tuple[str, ...]:
    return tuple(sorted((one["en" if language == "en" else "de"] for one in processes), key=str.lower))
