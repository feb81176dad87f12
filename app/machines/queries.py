"""Machines, abilities, rates and certificates of the acting firm."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.federation.models import StoredFile
from app.firms.models import Site
from app.machines.models import Capability, Certificate, ImportRun, Machine, RateCard
from app.machines.rules import CapabilityFacts, CertificateFacts, RateDraft, restore_values
from app.packs.queries import load_pack
from app.packs.rules import Value

MOST_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class MachineCard:
    """A machine as lists show it."""

    id: str
    number: str
    name: str
    type_key: str
    state: str
    photo_id: str | None
    needs_check: bool
    process_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MatchMachine:
    """Everything that matching asks of one ready machine."""

    id: str
    number: str
    name: str
    type_key: str
    site_id: str
    place: tuple[float, float]
    """(latitude, longitude) of its site"""
    values: dict[str, Value]
    """Parameters as the rules want them"""
    abilities: tuple[CapabilityFacts, ...]
    min_block_min: int
    set_up_min: int
    lead_time_days: int
    needs_check: bool


def machine_for(session: Session, firm_id: str, machine_id: str) -> Machine:
    """One machine of the firm; raises NotFound."""
    machine = session.get(Machine, (firm_id, machine_id))
    if machine is None:
        raise NotFound
    return machine


def machine_cards(session: Session, firm_id: str, only_ready: bool = False) -> list[MachineCard]:
    """The firm's machines by number, those out of service last."""
    query = sa.select(
        Machine.id, Machine.number, Machine.name, Machine.type_key, Machine.state, Machine.photo_id, Machine.needs_check
    ).where(Machine.firm_id == firm_id)
    if only_ready:
        query = query.where(Machine.state == "ready")
    rows = session.execute(query.order_by(Machine.state == "retired", Machine.number, Machine.id)).all()
    abilities = abilities_by_machine(session, firm_id)
    return [MachineCard(*row, tuple(one.process_key for one in abilities.get(row.id, ()))) for row in rows]


def all_machines(session: Session, firm_id: str) -> Sequence[Machine]:
    """Every machine of the firm, by number."""
    return session.scalars(
        sa.select(Machine).where(Machine.firm_id == firm_id).order_by(Machine.number, Machine.id)
    ).all()


def machine_count(session: Session, firm_id: str) -> int:
    """How many machines in service the firm has."""
    query = sa.select(sa.func.count()).select_from(Machine)
    return session.scalar(query.where(Machine.firm_id == firm_id, Machine.state != "retired")) or 0


def abilities_of(session: Session, firm_id: str, machine_id: str) -> Sequence[Capability]:
    """What one machine can do, in the order of the pack."""
    found = session.scalars(
        sa.select(Capability).where(Capability.firm_id == firm_id, Capability.machine_id == machine_id)
    )
    return sorted(found, key=lambda one: _place(one.process_key))


def machines_for_matching(session: Session, firm_id: str, process_key: str | None = None) -> list[MatchMachine]:
    """All ready machines with their abilities and places; only those that do the process when one is given."""
    query = (
        sa.select(Machine, Site.lat, Site.lon)
        .join(Site, (Site.firm_id == Machine.firm_id) & (Site.id == Machine.site_id))
        .where(Machine.firm_id == firm_id, Machine.state == "ready")
        .order_by(Machine.number, Machine.id)
    )
    if process_key is not None:
        query = query.where(Machine.id.in_(_able_machines(firm_id, process_key)))
    abilities = abilities_by_machine(session, firm_id, process_key)
    return [
        _match_machine(machine, (lat, lon), abilities.get(machine.id, ()))
        for machine, lat, lon in session.execute(query)
    ]


def abilities_by_machine(
    session: Session, firm_id: str, process_key: str | None = None
) -> dict[str, tuple[CapabilityFacts, ...]]:
    """What the firm's machines can do, by machine id; one process only when it is given."""
    query = sa.select(
        Capability.machine_id,
        Capability.process_key,
        Capability.material_groups,
        Capability.best_it,
        Capability.best_ra_nm,
    ).where(Capability.firm_id == firm_id)
    if process_key is not None:
        query = query.where(Capability.process_key == process_key)
    found: dict[str, tuple[CapabilityFacts, ...]] = {}
    for row in session.execute(query):
        facts = CapabilityFacts(row.process_key, tuple(row.material_groups), row.best_it, row.best_ra_nm)
        found[row.machine_id] = (*found.get(row.machine_id, ()), facts)
    return {key: tuple(sorted(facts, key=lambda one: _place(one.process_key))) for key, facts in found.items()}


def has_clean_photo(session: Session, firm_id: str, machine: Machine) -> bool:
    """Say whether the machine's photo may be shown: the worker has stripped it of what the camera added."""
    return _is_clean(session, firm_id, machine.photo_id)


def has_paper(session: Session, firm_id: str, certificate: Certificate) -> bool:
    """Say whether the paper of a certificate can be opened."""
    return _is_clean(session, firm_id, certificate.file_id)


def _is_clean(session: Session, firm_id: str, file_id: str | None) -> bool:
    query = sa.select(StoredFile.is_clean).where(StoredFile.firm_id == firm_id, StoredFile.id == file_id)
    return bool(file_id and session.scalar(query))


def ending_certificates(session: Session, today: dt.date, until: dt.date) -> Sequence[Certificate]:
    """Verified certificates of all firms that end between the days and that nobody was warned of; for the worker only."""
    query = sa.select(Certificate).where(Certificate.verified_at.is_not(None), Certificate.warned_at.is_(None))
    soon = query.where(Certificate.valid_to.between(today, until))
    return session.scalars(soon.order_by(Certificate.id).limit(MOST_AT_ONCE)).all()


def rate_on(session: Session, firm_id: str, machine_id: str, day: dt.date) -> RateCard | None:
    """The rate card that counts on the day, or None: then the manager is asked."""
    return session.scalars(
        sa.select(RateCard)
        .where(RateCard.firm_id == firm_id, RateCard.machine_id == machine_id, RateCard.valid_from <= day)
        .order_by(RateCard.valid_from.desc())
        .limit(1)
    ).one_or_none()


def rates_on(session: Session, firm_id: str, machine_ids: Iterable[str], day: dt.date) -> dict[str, RateDraft]:
    """What the rate cards say on the day, by machine; machines without one are missing."""
    cards = session.scalars(
        sa.select(RateCard)
        .where(RateCard.firm_id == firm_id, RateCard.machine_id.in_(list(machine_ids)), RateCard.valid_from <= day)
        .order_by(RateCard.valid_from)
    )
    return {card.machine_id: rate_of(card) for card in cards}


def rate_of(card: RateCard) -> RateDraft:
    """What one rate card says."""
    return RateDraft(**{field.name: getattr(card, field.name) for field in fields(RateDraft)})


def rate_history(session: Session, firm_id: str, machine_id: str) -> Sequence[RateCard]:
    """All rate cards of a machine, newest first."""
    return session.scalars(
        sa.select(RateCard)
        .where(RateCard.firm_id == firm_id, RateCard.machine_id == machine_id)
        .order_by(RateCard.valid_from.desc())
    ).all()


def certificates(session: Session, firm_id: str) -> Sequence[Certificate]:
    """The firm's certificates, those that end first on top."""
    query = sa.select(Certificate).where(Certificate.firm_id == firm_id)
    return session.scalars(query.order_by(Certificate.valid_to, Certificate.type_key, Certificate.id)).all()


def certificate_for(session: Session, firm_id: str, certificate_id: str) -> Certificate:
    """One certificate of the firm; raises NotFound."""
    found = session.get(Certificate, (firm_id, certificate_id))
    if found is None:
        raise NotFound
    return found


def certificate_facts(session: Session, firm_id: str) -> tuple[CertificateFacts, ...]:
    """The firm's certificates as matching asks about them."""
    return tuple(
        CertificateFacts(one.type_key, tuple(one.process_keys), one.verified_at is not None, one.valid_to)
        for one in certificates(session, firm_id)
    )


def import_run_for(session: Session, firm_id: str, run_id: str, kind: str) -> ImportRun:
    """An uploaded table of the firm that waits for a yes; raises NotFound."""
    run = session.get(ImportRun, (firm_id, run_id))
    if run is None or run.kind != kind or run.applied_at is not None:
        raise NotFound
    return run


def _place(process_key: str) -> int:
    """Where the pack has the process: the common ones stand first."""
    return _places().get(process_key, len(_places()))


@lru_cache(maxsize=1)
def _places() -> dict[str, int]:
    return {key: place for place, key in enumerate(load_pack().processes)}


def _match_machine(
    machine: Machine, place: tuple[float, float], abilities: tuple[CapabilityFacts, ...]
) -> MatchMachine:
    return MatchMachine(
        id=machine.id,
        number=machine.number,
        name=machine.name,
        type_key=machine.type_key,
        site_id=machine.site_id,
        place=place,
        values=restore_values(machine.parameters),
        abilities=abilities,
        min_block_min=machine.min_block_min,
        set_up_min=machine.set_up_min,
        lead_time_days=machine.lead_time_days,
        needs_check=machine.needs_check,
    )


def _able_machines(firm_id: str, process_key: str) -> sa.Select[str]:
    return sa.select(Capability.machine_id).where(Capability.firm_id == firm_id, Capability.process_key == process_key)
