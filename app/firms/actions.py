"""What firms do with themselves and their people."""

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import Base, Database, after_end, insert_into
from app.core.errors import RuleBroken
from app.core.ids import new_id
from app.core.places import centroid
from app.core.prepared import Prepared
from app.firms.access import Actor, Role
from app.firms.models import AuditEvent, Closure, Firm, Membership, Person, Site
from app.firms.queries import firm_of, people, person_for, roles_of
from app.firms.rules import MOST_SHORT, check_reachable, check_register_no, check_vat_id, handle_for, roles_to_invite

_FIRM = Base.metadata.tables[Firm.__tablename__]
_BUMP = Prepared(
    sa.update(_FIRM).where(_FIRM.c.id == sa.bindparam("firm_id")).values({_FIRM.c.version: _FIRM.c.version + 1})
)


def bump_version(session: Session, firm_id: str) -> None:
    """Tell polled fragments of this firm that something changed."""
    session.flush()
    _BUMP.change(session.connection(), firm_id=firm_id)


def note_event(
    session: Session,
    firm_id: str,
    person_id: str | None,
    verb: str,
    object_kind: str = "",
    object_id: str = "",
    about_firm_id: str | None = None,
    detail: dict[str, Any] | None = None,
    once_key: str | None = None,
) -> None:
    """Write one line of the firm's Protokoll; with `once_key` the same line is written only once."""
    # two first views at the same moment: the unique key decides, not a read before the write
    session.execute(
        insert_into(session, AuditEvent)
        .values(
            firm_id=firm_id,
            id=new_id(),
            created_at=clock.now(),
            person_id=person_id,
            verb=verb,
            object_kind=object_kind,
            object_id=object_id,
            about_firm_id=about_firm_id,
            detail=detail or {},
            once_key=once_key,
        )
        .on_conflict_do_nothing(index_elements=["firm_id", "once_key"])
    )


def note_views(
    database: Database, session: Session, actor: Actor, object_kind: str, views: Iterable[tuple[str, str, int]]
) -> None:
    """Note that the actor's firm saw prices or hours of others: (firm, object id, version), once per person and day.

    The owner's Protokoll names the firm, never the person; the viewer's own names the person. What was noted today costs
    one read; anything new is one short transaction of its own, so a page stays a page.
    """
    day = clock.today().isoformat()
    keys = {
        f"saw:{object_id}:{version}:{day}:{actor.person_id}": (firm_id, object_id)
        for firm_id, object_id, version in views
    }
    known = session.scalars(
        sa.select(AuditEvent.once_key).where(AuditEvent.firm_id == actor.firm_id, AuditEvent.once_key.in_(keys))
    )
    new = {key: keys[key] for key in sorted(keys.keys() - set(known))}
    if not new:
        return
    note = partial(_note_new_views, actor=actor, object_kind=object_kind, views=new)
    if "database" in session.info:
        # a form that was refused shows the same page again: the writing transaction is still open
        after_end(session, note)
    else:
        note(database)


def _note_new_views(database: Database, *, actor: Actor, object_kind: str, views: dict[str, tuple[str, str]]) -> None:
    with database.write() as writing:
        for key, (firm_id, object_id) in views.items():
            note_event(writing, actor.firm_id, actor.person_id, "saw", object_kind, object_id, firm_id, {}, key)
            if writing.get(Firm, firm_id) is not None:
                seen = key.replace("saw:", "seen:").replace(actor.person_id, actor.firm_id)
                note_event(writing, firm_id, None, "seen_by", object_kind, object_id, actor.firm_id, {}, seen)


@dataclass(frozen=True)
class FirmFacts:
    """What a firm says about itself when it begins or corrects itself."""

    name: str
    short_name: str
    legal_form: str
    register_court: str
    register_no: str
    vat_id: str
    street: str
    postcode: str
    town: str


ONE_SHIFT_SHORT_FRIDAY = [480, 480, 480, 480, 300, 0, 0]


def create_firm(session: Session, facts: FirmFacts, node_name: str, is_demo: bool = False) -> Firm:
    """Create a firm with its first site and a usual one-shift week; ids and numbers are checked by format.

    Demo firms carry invalid numbers on purpose, so that no real firm is hit; their check is skipped.
    """
    checked = facts if is_demo else check_facts(facts)
    lat, lon = centroid(facts.postcode)
    now = clock.now()
    firm = Firm(
        id=new_id(),
        created_at=now,
        address=_free_address(session, checked.short_name, node_name),
        is_demo=is_demo,
        **vars(checked),
    )
    session.add(firm)
    session.flush()
    session.add(
        Site(
            firm_id=firm.id, id=new_id(), created_at=now, name=facts.town, street=facts.street, postcode=facts.postcode,
            town=facts.town, lat=lat, lon=lon, shift_minutes=list(ONE_SHIFT_SHORT_FRIDAY),
        )
    )  # fmt: skip
    note_event(session, firm.id, None, "firm_created", "firm", firm.id)
    return firm


def check_facts(facts: FirmFacts) -> FirmFacts:
    """Return the facts with their numbers in standard form; raises RuleBroken naming the field."""
    if len(facts.short_name) > MOST_SHORT:
        raise RuleBroken("Der kurze Name hat höchstens 14 Zeichen.", "short_name")
    centroid(facts.postcode)
    return FirmFacts(
        **vars(facts)
        | {
            "vat_id": check_vat_id(facts.vat_id),
            "register_no": check_register_no(facts.register_no, facts.register_court),
        }
    )


def change_firm(session: Session, actor: Actor, facts: FirmFacts, name_in_push: bool) -> None:
    """Correct what the firm says about itself; contracts that were signed keep the old facts."""
    firm = firm_of(session, actor.firm_id)
    for name, value in vars(facts if firm.is_demo else check_facts(facts)).items():
        setattr(firm, name, value)
    firm.name_in_push = name_in_push
    note_event(session, actor.firm_id, actor.person_id, "firm_changed", "firm", firm.id)
    bump_version(session, actor.firm_id)


def set_anchoring(session: Session, actor: Actor, is_anchored: bool) -> None:
    """Say whether the state of the firm's ledger goes to the node's public chain; what stands there stays."""
    firm_of(session, actor.firm_id).is_anchored = is_anchored
    note_event(session, actor.firm_id, actor.person_id, "anchoring_set", "firm", actor.firm_id)


def add_person(
    session: Session,
    firm_id: str,
    name: str,
    roles: Collection[Role],
    language: str = "de",
    email: str = "",
    phone: str = "",
    given_by: str | None = None,
) -> Person:
    """Add a person with roles, handed out by `given_by`; the invitation that allowed it was checked by the caller."""
    person = Person(
        firm_id=firm_id, id=new_id(), created_at=clock.now(), name=name, language=language, email=email, phone=phone
    )
    session.add(person)
    session.flush()
    for role in sorted(roles):
        _add_role(session, person, role, given_by)
    note_event(session, firm_id, person.id, "person_joined", "person", person.id)
    return person


def set_roles(session: Session, actor: Actor, person_id: str, roles: Collection[Role], email: str = "") -> None:
    """Give a person exactly these roles. A firm keeps the managers it needs; nobody hands out more than they may."""
    person = person_for(session, actor.firm_id, person_id)
    now_held = roles_of(session, actor.firm_id, person_id)
    wanted = frozenset(roles)
    if not wanted:
        raise RuleBroken("Wähle mindestens eine Rolle.", "roles")
    if (wanted ^ now_held) - roles_to_invite(actor.roles):
        raise RuleBroken("Diese Rolle darf nur eine Leitung vergeben.", "roles")
    if Role.MANAGER in now_held - wanted:
        _keep_managers(session, actor.firm_id, person_id)
    person.email = person.email or email
    check_reachable(wanted, person.email)
    for role in now_held - wanted:
        _end_role(session, actor.firm_id, person_id, role)
    for role in wanted - now_held:
        _add_role(session, person, role, actor.person_id)
    note_event(
        session, actor.firm_id, actor.person_id, "roles_set", "person", person_id, detail={"roles": sorted(wanted)}
    )


def end_membership(session: Session, actor: Actor, person_id: str) -> None:
    """A person leaves the firm: all roles end. Sessions and passkeys are ended by the caller in the same transaction."""
    person = person_for(session, actor.firm_id, person_id)
    held = roles_of(session, actor.firm_id, person_id)
    if held - roles_to_invite(actor.roles):
        raise RuleBroken("Das darf nur eine Leitung.")
    if Role.MANAGER in held:
        _keep_managers(session, actor.firm_id, person_id)
    for role in held:
        _end_role(session, actor.firm_id, person_id, role)
    person.left_at = clock.now()
    note_event(session, actor.firm_id, actor.person_id, "person_left", "person", person_id)


def set_calendar(
    session: Session,
    actor: Actor,
    site_id: str,
    shift_minutes: list[int],
    unattended_min: int,
    corpus_christi: bool,
    first_hour: int = 6,
) -> Site:
    """Set the minutes per weekday of one site (Monday first) and the hour (0 to 23) at which its first shift begins."""
    site = session.get(Site, (actor.firm_id, site_id))
    if site is None or len(shift_minutes) != 7 or not all(0 <= minutes <= 1440 for minutes in shift_minutes):
        raise RuleBroken("Ein Tag hat höchstens 24 Stunden.", "shift_minutes")
    site.shift_minutes, site.unattended_min, site.corpus_christi = shift_minutes, unattended_min, corpus_christi
    site.first_hour = first_hour
    note_event(session, actor.firm_id, actor.person_id, "calendar_set", "site", site_id)
    return site


def add_closure(
    session: Session,
    actor: Actor,
    site_id: str,
    first_day: dt.date,
    last_day: dt.date,
    name: str,
    is_extra: bool = False,
) -> None:
    """Shut a site for some days, or let it work on days when it would not."""
    if last_day < first_day:
        raise RuleBroken("Der letzte Tag liegt vor dem ersten.", "last_day")
    if (last_day - first_day).days > 60:
        raise RuleBroken("Das ist zu lang. Höchstens 60 Tage sind möglich.", "last_day")
    session.add(
        Closure(
            firm_id=actor.firm_id, id=new_id(), created_at=clock.now(), site_id=site_id, first_day=first_day, last_day=last_day,
            name=name, is_extra=is_extra,
        )
    )  # fmt: skip
    note_event(session, actor.firm_id, actor.person_id, "closure_added", "site", site_id)


def remove_closure(session: Session, actor: Actor, closure_id: str) -> None:
    session.execute(sa.delete(Closure).where(Closure.firm_id == actor.firm_id, Closure.id == closure_id))
    note_event(session, actor.firm_id, actor.person_id, "closure_removed", "site", closure_id)


def _free_address(session: Session, short_name: str, node_name: str) -> str:
    handle, number = handle_for(short_name), 1
    address = f"{handle}@{node_name}"
    while session.scalar(sa.select(Firm.id).where(Firm.address == address)):
        number += 1
        address = f"{handle}-{number}@{node_name}"
    return address


def _add_role(session: Session, person: Person, role: Role, given_by: str | None) -> None:
    session.add(
        Membership(
            firm_id=person.firm_id, id=new_id(), created_at=clock.now(), person_id=person.id, role=role, given_by=given_by
        )
    )  # fmt: skip
    if role is Role.MANAGER and given_by is not None:
        # who makes somebody a manager gives away no more than the own limit
        person.spending_limit_cents = person_for(session, person.firm_id, given_by).spending_limit_cents


def _end_role(session: Session, firm_id: str, person_id: str, role: Role) -> None:
    session.execute(
        sa.update(Membership)
        .where(Membership.firm_id == firm_id, Membership.person_id == person_id, Membership.role == role)
        .where(Membership.ended_at.is_(None))
        .values(ended_at=clock.now())
    )


def _keep_managers(session: Session, firm_id: str, person_id: str) -> None:
    """Two managers who remove each other at once: the firm's row is locked, so the second one sees the first."""
    firm = session.get_one(Firm, firm_id, with_for_update=True)
    others = [manager for manager in people(session, firm_id, Role.MANAGER) if manager.id != person_id]
    if not others:
        raise RuleBroken("Ein Betrieb braucht eine Leitung. Lade zuerst eine andere ein.")
    if len(others) < 2 and firm.two_person_above_cents is not None:
        raise RuleBroken("Eure Regel braucht zwei Leitungen. Ändert zuerst die Regel.")
    keep_one_without_limit(others)


def keep_one_without_limit(managers: Iterable[Person]) -> None:
    """Raise RuleBroken when none of these managers could lift a limit any more."""
    if all(manager.spending_limit_cents is not None for manager in managers):
        raise RuleBroken("Eine Leitung muss ohne Grenze bleiben.", "limit")
