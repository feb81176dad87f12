"""Entering machines, what they can do, what they cost, and certificates."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import NotFound, RuleBroken
from app.core.events import AbilitiesChanged, CapacityFreed
from app.core.ids import new_id
from app.core.outbox import emit, emit_once
from app.federation.actions import store_file
from app.firms.access import Actor, require
from app.firms.actions import bump_version, note_event
from app.firms.models import Site
from app.machines.models import Capability, Certificate, Machine, RateCard
from app.machines.queries import certificate_for, machine_for
from app.machines.rules import (
    CapabilityFacts,
    MachineDraft,
    RateDraft,
    check_certificate,
    check_machine,
    check_machine_step,
    check_rate,
    store_values,
)
from app.packs.queries import load_pack
from app.packs.rules import Value

MOST_PHOTO_BYTES = 15 * 1024 * 1024
PHOTO_SIGNS: Mapping[bytes, str] = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}
PAPER_SIGNS: Mapping[bytes, str] = {**PHOTO_SIGNS, b"%PDF-": "application/pdf"}


@dataclass(frozen=True, slots=True)
class MachineExtras:
    """What a machine has beside its draft: place, serial number, told parameters."""

    site_id: str
    values: Mapping[str, Value]
    serial_no: str = ""
    needs_check: bool = False


@dataclass(frozen=True, slots=True)
class CertificateDraft:
    """What a person says about a certificate."""

    type_key: str
    number: str
    valid_from: dt.date
    valid_to: dt.date
    issuer: str = ""
    process_keys: tuple[str, ...] = ()


def save_machine(
    session: Session, actor: Actor, draft: MachineDraft, extras: MachineExtras, machine_id: str | None = None
) -> str:
    """Add a machine, or change the given one; returns its id. A new one can do what its type usually does.

    Raises RuleBroken for impossible numbers, an unknown place or a number that another machine has.
    """
    machine = write_machine(session, actor.firm_id, draft, extras, machine_id)
    if machine_id is None:
        _add_usual_abilities(session, actor.firm_id, machine)
    verb = "machine_changed" if machine_id else "machine_added"
    note_event(session, actor.firm_id, actor.person_id, verb, "machine", machine.id, detail={"name": machine.name})
    _tell_house(session, actor.firm_id, machine.id)
    return machine.id


def write_machine(
    session: Session, firm_id: str, draft: MachineDraft, extras: MachineExtras, machine_id: str | None = None
) -> Machine:
    """Write the row of one machine after all checks; the caller tells the rest of the house."""
    check_machine(draft, load_pack(), clock.today().year)
    if session.get(Site, (firm_id, extras.site_id)) is None:
        raise RuleBroken("Wähle den Standort der Maschine.", "site_id")
    _check_number(session, firm_id, draft.number.strip(), machine_id)
    machine = machine_for(session, firm_id, machine_id) if machine_id else _new_machine(session, firm_id)
    machine.site_id = extras.site_id
    machine.number = draft.number.strip()
    machine.type_key = draft.type_key
    machine.name = draft.name.strip()
    machine.serial_no = extras.serial_no
    machine.year_built = draft.year_built
    machine.min_block_min = draft.min_block_min
    machine.set_up_min = draft.set_up_min
    machine.lead_time_days = draft.lead_time_days
    machine.allowance_xy_mm, machine.allowance_z_mm = draft.allowance_xy_mm, draft.allowance_z_mm
    machine.parameters = dict(store_values(extras.values))
    machine.needs_check = extras.needs_check
    session.add(machine)
    session.flush()
    return machine


def set_machine_state(session: Session, actor: Actor, machine_id: str, to: str) -> str:
    """Set a machine ready, down or retired; returns the state before. Raises RuleBroken for a forbidden step."""
    bump_version(session, actor.firm_id)
    machine = session.get(Machine, (actor.firm_id, machine_id), with_for_update=True)
    if machine is None:
        raise NotFound
    before = machine.state
    if before == to:
        return before
    check_machine_step(before, to)
    machine.state = to
    detail = {"name": machine.name, "before": before, "after": to}
    note_event(session, actor.firm_id, actor.person_id, "machine_state", "machine", machine_id, detail=detail)
    if to == "ready":
        emit(session, CapacityFreed(actor.firm_id, machine_id))
    if "retired" in (before, to):
        emit_once(session, AbilitiesChanged(actor.firm_id))
    return before


def save_ability(session: Session, actor: Actor, machine_id: str, facts: CapabilityFacts) -> None:
    """Say that a machine does a process, with its materials and best values; replaces what was said before."""
    machine = machine_for(session, actor.firm_id, machine_id)
    write_ability(session, actor.firm_id, machine_id, facts)
    detail = {"name": machine.name, "process": facts.process_key}
    note_event(session, actor.firm_id, actor.person_id, "ability_changed", "machine", machine_id, detail=detail)
    _tell_house(session, actor.firm_id, machine_id)


def write_ability(session: Session, firm_id: str, machine_id: str, facts: CapabilityFacts) -> None:
    """Write one ability that was checked before (rules.check_capability); partners hear of a new process."""
    found = session.scalars(_ability(firm_id, machine_id, facts.process_key)).one_or_none()
    if found is None:
        emit_once(session, AbilitiesChanged(firm_id))
    ability = found or Capability(
        firm_id=firm_id, id=new_id(), created_at=clock.now(), machine_id=machine_id, process_key=facts.process_key
    )
    ability.material_groups = list(facts.material_groups)
    ability.best_it = facts.best_it
    ability.best_ra_nm = facts.best_ra_nm
    session.add(ability)
    session.flush()


def remove_ability(session: Session, actor: Actor, machine_id: str, process_key: str) -> None:
    """Say that a machine does not do a process; raises NotFound when it never did."""
    machine = machine_for(session, actor.firm_id, machine_id)
    ability = session.scalars(_ability(actor.firm_id, machine_id, process_key)).one_or_none()
    if ability is None:
        raise NotFound
    session.delete(ability)
    emit_once(session, AbilitiesChanged(actor.firm_id))
    detail = {"name": machine.name, "process": process_key}
    note_event(session, actor.firm_id, actor.person_id, "ability_removed", "machine", machine_id, detail=detail)
    bump_version(session, actor.firm_id)


def set_rate(
    session: Session,
    actor: Actor,
    machine_id: str,
    draft: RateDraft,
    valid_from: dt.date | None = None,
) -> None:
    """Write the private rate card of a machine from a day on (today); raises NotAllowed for anybody but managers."""
    require(actor, "rates.edit")
    machine = machine_for(session, actor.firm_id, machine_id)
    write_rate(session, actor.firm_id, machine_id, draft, valid_from or clock.today())
    # The Protokoll says that the rate changed, never to what: foremen may read along over a shoulder.
    note_event(
        session, actor.firm_id, actor.person_id, "rate_changed", "machine", machine_id, detail={"name": machine.name}
    )
    _tell_house(session, actor.firm_id, machine_id)


def write_rate(
    session: Session,
    firm_id: str,
    machine_id: str,
    draft: RateDraft,
    day: dt.date,
) -> None:
    """Write the rate card that begins on the day; older days keep theirs."""
    check_rate(draft)
    found = session.scalars(
        sa.select(RateCard).where(
            RateCard.firm_id == firm_id, RateCard.machine_id == machine_id, RateCard.valid_from == day
        )
    ).one_or_none()
    card = found or RateCard(
        firm_id=firm_id, id=new_id(), created_at=clock.now(), machine_id=machine_id, valid_from=day
    )
    for name, value in asdict(draft).items():
        setattr(card, name, value)
    session.add(card)
    session.flush()


def set_photo(session: Session, actor: Actor, machine_id: str, name: str, body: bytes) -> str:
    """Keep a photo of a machine; it shows once the worker has cleaned it. Raises RuleBroken for other files."""
    machine = machine_for(session, actor.firm_id, machine_id)
    media_type = _media_type(body, PHOTO_SIGNS)
    if media_type is None:
        raise RuleBroken("Das ist kein Foto. Wähle ein JPG oder PNG.", "photo")
    if len(body) > MOST_PHOTO_BYTES:
        raise RuleBroken("Das Foto ist zu groß. Höchstens 15 MB sind möglich.", "photo")
    machine.photo_id = store_file(session, actor.firm_id, name, media_type, body)
    bump_version(session, actor.firm_id)
    return machine.photo_id


def save_certificate(session: Session, actor: Actor, draft: CertificateDraft, certificate_id: str | None = None) -> str:
    """Add or change a certificate; it counts only after a manager has verified it. Returns its id."""
    check_certificate(load_pack(), draft.type_key, draft.number, draft.process_keys, draft.valid_from, draft.valid_to)
    _check_certificate_number(session, actor.firm_id, draft, certificate_id)
    found = certificate_for(session, actor.firm_id, certificate_id) if certificate_id else None
    if found is not None and found.verified_at is not None:
        # partners knew it; until a manager has looked again it counts no more
        emit_once(session, AbilitiesChanged(actor.firm_id))
    one = found or Certificate(firm_id=actor.firm_id, id=new_id(), created_at=clock.now())
    one.type_key, one.number, one.issuer = draft.type_key, draft.number.strip(), draft.issuer
    one.process_keys = list(draft.process_keys)
    one.valid_from, one.valid_to = draft.valid_from, draft.valid_to
    one.verified_at = one.verified_by = one.rejected_at = one.rejected_by = one.warned_at = None
    session.add(one)
    session.flush()
    detail = {"type": draft.type_key, "number": one.number}
    note_event(session, actor.firm_id, actor.person_id, "certificate_saved", "certificate", one.id, detail=detail)
    bump_version(session, actor.firm_id)
    return one.id


def attach_certificate_file(session: Session, actor: Actor, certificate_id: str, name: str, body: bytes) -> None:
    """Keep the paper of a certificate (PDF, JPG or PNG); a photo shows once it is cleaned."""
    one = certificate_for(session, actor.firm_id, certificate_id)
    media_type = _media_type(body, PAPER_SIGNS)
    if media_type is None:
        raise RuleBroken("Diese Datei geht nicht. Wähle ein PDF, JPG oder PNG.", "file")
    one.file_id = store_file(session, actor.firm_id, name, media_type, body)
    bump_version(session, actor.firm_id)


def verify_certificate(session: Session, actor: Actor, certificate_id: str) -> None:
    """Note that a manager has compared the entry with the paper: from now on it counts in matching."""
    one = certificate_for(session, actor.firm_id, certificate_id)
    if one.verified_at is not None:
        return
    if one.valid_to < clock.today():
        raise RuleBroken("Dieses Zertifikat ist abgelaufen. Trage das neue ein.")
    one.verified_at, one.verified_by = clock.now(), actor.person_id
    one.rejected_at = one.rejected_by = None
    emit_once(session, AbilitiesChanged(actor.firm_id))
    detail = {"type": one.type_key, "number": one.number}
    note_event(session, actor.firm_id, actor.person_id, "certificate_verified", "certificate", one.id, detail=detail)
    bump_version(session, actor.firm_id)


def reject_certificate(session: Session, actor: Actor, certificate_id: str) -> None:
    """Note that the entry and the paper do not agree: it counts nowhere until somebody has changed it."""
    one = certificate_for(session, actor.firm_id, certificate_id)
    if one.verified_at is not None:
        raise RuleBroken("Dieses Zertifikat ist schon geprüft.")
    if one.rejected_at is not None:
        return
    one.rejected_at, one.rejected_by = clock.now(), actor.person_id
    detail = {"type": one.type_key, "number": one.number}
    note_event(session, actor.firm_id, actor.person_id, "certificate_rejected", "certificate", one.id, detail=detail)
    bump_version(session, actor.firm_id)


def _new_machine(session: Session, firm_id: str) -> Machine:
    return Machine(firm_id=firm_id, id=new_id(), created_at=clock.now(), photo_id=None, state="ready")


def _check_number(session: Session, firm_id: str, number: str, machine_id: str | None) -> None:
    other = session.scalar(sa.select(Machine.id).where(Machine.firm_id == firm_id, Machine.number == number))
    if other is not None and other != machine_id:
        raise RuleBroken("Die Nummer %(number)s hat schon eine andere Maschine.", "number", number=number)


def _check_certificate_number(
    session: Session, firm_id: str, draft: CertificateDraft, certificate_id: str | None
) -> None:
    other = session.scalar(
        sa.select(Certificate.id).where(
            Certificate.firm_id == firm_id,
            Certificate.type_key == draft.type_key,
            Certificate.number == draft.number.strip(),
        )
    )
    if other is not None and other != certificate_id:
        raise RuleBroken("Dieses Zertifikat ist schon eingetragen. Prüfe die Nummer.", "number")


def _add_usual_abilities(session: Session, firm_id: str, machine: Machine) -> None:
    """A new machine does what its type does; materials and tolerances stay open until a person tells them."""
    if session.scalar(
        sa.select(Capability.id).where(Capability.firm_id == firm_id, Capability.machine_id == machine.id)
    ):
        return
    for key in load_pack().machine_type(machine.type_key).processes[:1]:
        write_ability(session, firm_id, machine.id, CapabilityFacts(key))


def _ability(firm_id: str, machine_id: str, process_key: str) -> sa.Select[Capability]:
    return sa.select(Capability).where(
        Capability.firm_id == firm_id, Capability.machine_id == machine_id, Capability.process_key == process_key
    )


def _media_type(body: bytes, signs: Mapping[bytes, str]) -> str | None:
    return next((kind for sign, kind in signs.items() if body.startswith(sign)), None)


def _tell_house(session: Session, firm_id: str, *machine_ids: str) -> None:
    """What a machine can do changed: requests that wait may fit now."""
    bump_version(session, firm_id)
    for machine_id in machine_ids:
        emit(session, CapacityFreed(firm_id, machine_id))


def free_numbers(taken: Iterable[str], count: int) -> list[str]:
    """Return the next free short numbers M1, M2 …"""
    used, numbers, n = set(taken), list[str](), 0
    while len(numbers) < count:
        n += 1
        if f"M{n}" not in used:
            numbers.append(f"M{n}")
    return numbers
