"""The bottom bar: which tabs a role sees, and how many things wait behind them."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import current_app, request, url_for
from flask_babel import gettext

from app.core import clock
from app.core.words import N_
from app.firms.access import Actor, Role
from app.firms.setup import Counts
from app.invoices.lists import waiting_count as invoices_waiting
from app.machines.queries import machine_count
from app.offers.queries import waiting_count as requests_waiting
from app.partners.queries import partner_count
from app.partners.queries import waiting_count as partners_waiting
from app.web.world import Tab, world

Count = Callable[..., int]


@dataclass(frozen=True)
class Entry:
    endpoint: str
    icon: str
    label: str
    count: str = ""


MORE = Entry("firms.more", "ellipsis", N_("Mehr"))
CONTRACTS = Entry("agreements.index", "file-text", N_("Verträge"), "agreements")
TABS: dict[Role, tuple[Entry, ...]] = {
    Role.WORKER: (
        Entry("bookings.today", "clipboard-list", N_("Heute")),
        Entry("hours.mine", "clock", N_("Stunden")),
        MORE,
    ),
    Role.FOREMAN: (
        Entry("offers.index", "megaphone", N_("Anfragen"), "offers"),
        Entry("capacity.plan", "calendar-days", N_("Plan")),
        Entry("capacity.offer", "plus", N_("Anbieten")),
        MORE,
    ),
    Role.MANAGER: (
        Entry("agreements.start", "house", N_("Start")),
        Entry("requests.new", "search", N_("Suchen")),
        CONTRACTS,
        MORE,
    ),
    Role.ACCOUNTANT: (Entry("invoices.index", "euro", N_("Belege"), "invoices"), CONTRACTS, MORE),
    Role.STEWARD: (
        Entry("firms.show", "factory", N_("Betrieb")),
        Entry("passkeys.devices", "smartphone", N_("Geräte")),
        MORE,
    ),
}


SETUP_COUNTS = Counts(machine_count, partner_count, partners_waiting)


def tab_counts() -> dict[str, Count]:
    """What the badges count: only things that wait for this person."""
    counts: dict[str, Count] = {"offers": lambda session, actor: requests_waiting(session, actor.firm_id, clock.now())}
    counts["invoices"] = invoices_waiting
    import app.agreements.queries as q

    if hasattr(q, "waiting_count"):
        counts["agreements"] = q.waiting_count
    return counts


def home_of(role: Role) -> str:
    """The endpoint that a role starts with."""
    return TABS[role][0].endpoint


def tabs_for(actor: Actor) -> list[Tab]:
    """The tabs of the role in use, the current one marked, with badges for what waits for this person."""
    counts: dict[str, Count] = current_app.extensions.get("tab_counts", {})
    tabs = []
    for entry in TABS[actor.role]:
        if entry.endpoint not in current_app.view_functions:
            continue
        url = url_for(entry.endpoint)
        badge = _count(counts[entry.count], actor) if entry.count in counts else 0
        tabs.append(Tab(url, entry.icon, gettext(entry.label), badge, request.script_root + request.path == url))
    return tabs


def _count(count: Count, actor: Actor) -> int:
    with world().database().read() as session:
        return count(session, actor)
