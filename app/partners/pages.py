"""A partner as the pages show it: what both agreed to show, and nothing else."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import current_app
from sqlalchemy.orm import Session

from app.core import clock
from app.core.units import BERLIN, distance_km
from app.firms.queries import sites
from app.partners.documents import LOOKS_LIKE_HEADING
from app.partners.framework import facts_of
from app.partners.models import Partnership
from app.partners.queries import framework_for, own_words, partners_in, shown_partnership, signed_partnership
from app.partners.rules import LINKED, OPEN, OVER

FEW_CHIPS = 4
STUCK_FOR = dt.timedelta(days=30)


@dataclass(frozen=True)
class PartnerCard:
    """One partner in the list or on its page. Before both have signed: name, town and words only."""

    id: str
    name: str
    town: str
    distance: str
    """'≈ 55 km', or '' where it is not known"""
    state: str
    """waits_us, waits_them, active, paused_us, paused_them, paused_both, ended, declined, lapsed"""
    processes: tuple[str, ...]
    certificates: tuple[tuple[str, dt.date], ...]
    words: tuple[str, ...]
    own_words: tuple[str, ...]
    framework_id: str
    scope: tuple[str, ...]
    signed_scopes: tuple[str, ...]
    since: dt.date | None
    until: dt.datetime | None
    """Until when both must have signed"""
    sealed_seq: int | None

    @property
    def is_linked(self) -> bool:
        return self.state == "active" or self.state.startswith("paused")

    @property
    def is_open(self) -> bool:
        return self.state.startswith("waits")

    @property
    def few_processes(self) -> tuple[str, ...]:
        return self.processes[:FEW_CHIPS]

    @property
    def more_processes(self) -> int:
        return max(0, len(self.processes) - FEW_CHIPS)


@dataclass(frozen=True)
class Block:
    """Some lines of a contract text; a heading stands alone."""

    lines: tuple[str, ...]
    is_heading: bool


@dataclass(frozen=True)
class Circle:
    """The partner circle of a firm, in the order in which it needs attention."""

    waiting: tuple[PartnerCard, ...]
    partners: tuple[PartnerCard, ...]
    former: tuple[PartnerCard, ...]


def circle(session: Session, firm_id: str, language: str) -> Circle:
    """Everybody but blocked firms, by name."""

    def cards(states: frozenset[str]) -> tuple[PartnerCard, ...]:
        rows = partners_in(session, firm_id, sorted(states))
        return tuple(_card(session, row, language, here) for row in rows)

    here = _own_place(session, firm_id)
    return Circle(cards(OPEN), cards(LINKED), cards(OVER))


def partner_page(session: Session, firm_id: str, partner_id: str, language: str) -> PartnerCard:
    """One partner; raises NotFound for a stranger or a blocked firm."""
    row = shown_partnership(session, firm_id, partner_id)
    return _card(session, row, language, _own_place(session, firm_id))


def contract_page(session: Session, firm_id: str, partner_id: str, language: str) -> PartnerCard:
    """The same for its contract, which stays readable once both have signed."""
    row = signed_partnership(session, firm_id, partner_id)
    return _card(session, row, language, _own_place(session, firm_id))


def facts_text(session: Session, firm_id: str, partner_id: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """What this partner does for us and what we do for it, in words; both empty where too little happened."""
    ask = current_app.extensions.get("partner_facts")
    return ask(session, firm_id, partner_id, clock.now()) if ask else ([], [])


def stuck_count(session: Session, firm_id: str, partner_id: str) -> int:
    """How many messages did not reach the partner in the last 30 days."""
    ask = current_app.extensions.get("partner_stuck")
    return len(ask(session, firm_id, partner_id, clock.now() - STUCK_FOR)) if ask else 0


def silent_since(session: Session, firm_id: str, partner_id: str) -> dt.date | None:
    """Since when nothing reaches the partner; None while messages arrive."""
    ask = current_app.extensions.get("partner_silent")
    found = ask(session, firm_id, partner_id) if ask else None
    return found.astimezone(BERLIN).date() if found else None


def text_blocks(text: str) -> list[Block]:
    """The text in blocks for the page: not a letter more or less than what is signed, but for its empty lines."""
    blocks = [tuple(part.strip("\n").split("\n")) for part in text.split("\n\n") if part.strip()]
    return [
        Block(lines, number == 0 or LOOKS_LIKE_HEADING.match(lines[0]) is not None)
        for number, lines in enumerate(blocks)
    ]


def _card(session: Session, row: Partnership, language: str, here: tuple[float, float] | None) -> PartnerCard:
    is_linked = row.state in LINKED
    profile: dict[str, Any] = row.profile if is_linked else {}
    framework = framework_for(session, row.firm_id, row.framework_id) if row.framework_id else None
    signed = facts_of(session, framework).scopes if is_linked and framework and framework.record.get("facts") else ()
    return PartnerCard(
        id=row.partner_id,
        name=row.name,
        town=row.town,
        distance=_distance(here, row) if is_linked else "",
        state=_state(row),
        processes=tuple(one.get(language) or one["de"] for one in profile.get("processes", ())),
        certificates=_certificates(profile.get("certificates", ())),
        words=tuple(row.profile.get("words", "").split()),
        own_words=tuple(own_words(session, row.firm_id).split()) if row.state in OPEN else (),
        framework_id=row.framework_id or "",
        scope=tuple(row.scope),
        signed_scopes=tuple(signed) or tuple(row.scope),
        since=row.since.astimezone(BERLIN).date() if row.since else None,
        until=row.expires_at,
        sealed_seq=framework.sealed_seq if framework else None,
    )


def _state(row: Partnership) -> str:
    if row.state == "paused":
        return f"paused_{row.paused_by}"
    if row.state == "invited":
        return "waits_us" if row.we_invited else "waits_them"
    if row.state == "half":
        return "waits_them" if row.we_invited else "waits_us"
    return row.state


def _certificates(told: Sequence[dict[str, str]]) -> tuple[tuple[str, dt.date], ...]:
    """What was valid when it was told may have ended since: then it is not shown."""
    found = []
    for one in told:
        try:
            found.append((one["name"], dt.date.fromisoformat(one["valid_to"])))
        except ValueError:
            continue
    return tuple((name, day) for name, day in found if day >= clock.today())


def _own_place(session: Session, firm_id: str) -> tuple[float, float] | None:
    site = next(iter(sites(session, firm_id)), None)
    return (site.lat, site.lon) if site else None


def _distance(here: tuple[float, float] | None, row: Partnership) -> str:
    if here is None or row.lat is None or row.lon is None:
        return ""
    return f"≈ {round(distance_km(here, (row.lat, row.lon)))} km"
