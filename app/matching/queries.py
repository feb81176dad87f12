"""Our own machines, free hours, rates and certificates as matching wants them. Nothing of this leaves the house."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.capacity.queries import free_for_matching
from app.core import clock
from app.core.units import distance_km, week_of
from app.machines.models import Machine
from app.machines.queries import certificate_facts, machines_for_matching, rates_on
from app.matching.models import MatchProposal, MatchVerdict
from app.matching.rules import FirmVerdict, MachineFacts, ProposedLine, Requirement, judge_firm
from app.packs.queries import load_pack
from app.requests.models import WorkRequest
from app.requests.queries import requirement_of


@dataclass(frozen=True, slots=True)
class RatedLine:
    """A part of what a plain yes offers, with the rate of our own card; None where there is none."""

    machine_id: str
    machine_name: str
    week: str
    minutes: int
    rate_cents_per_hour: int | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What our house says to a request right now. `free_min`: free minutes by (machine, week) of machines that may fit."""

    verdict: FirmVerdict
    lines: tuple[RatedLine, ...]
    machines: dict[str, MachineFacts]
    free_min: dict[tuple[str, str], int]

    @property
    def offered_min(self) -> int:
        return sum(line.minutes for line in self.lines)

    @property
    def total_free_min(self) -> int:
        return sum(self.free_min.values())

    @property
    def has_rates(self) -> bool:
        """Say whether a plain yes can be given: every line has a rate."""
        return bool(self.lines) and all(line.rate_cents_per_hour is not None for line in self.lines)

    @property
    def key(self) -> str:
        """Changes with what a plain yes would offer, so that nobody says yes to something else than was shown."""
        text = ";".join(
            f"{line.machine_id},{line.week},{line.minutes},{line.rate_cents_per_hour}" for line in self.lines
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def judge_request(session: Session, firm_id: str, request: WorkRequest) -> Judgement:
    """Match a partner's request with our machines and free hours of this moment; writes nothing."""
    need = _requirement(request)
    machines = _machines(session, firm_id, request, need)
    verdict = judge_firm(need, machines.values(), certificate_facts(session, firm_id) if need.certificates else ())
    lines = _rated(verdict.lines, machines)
    usable = {one.machine_id for one in verdict.machines if one.answer != "no"}
    free = {
        (machine.id, week): free
        for machine in machines.values()
        if machine.id in usable
        for week, free in machine.windows
    }
    return Judgement(verdict, lines, machines, free)


def stored_lines(session: Session, firm_id: str, request_id: str) -> list[RatedLine]:
    """What the message to our foremen promised that a plain yes would offer."""
    found = session.execute(
        sa.select(
            MatchProposal.machine_id,
            Machine.name,
            MatchProposal.week,
            MatchProposal.minutes,
            MatchProposal.rate_cents_per_hour,
        )
        .join(Machine, (Machine.firm_id == MatchProposal.firm_id) & (Machine.id == MatchProposal.machine_id))
        .where(MatchProposal.firm_id == firm_id, MatchProposal.request_id == request_id)
        .order_by(MatchProposal.machine_id, MatchProposal.week)
    )
    return [RatedLine(*row) for row in found]


def stored_verdicts(
    session: Session, firm_id: str, request_id: str
) -> Sequence[sa.Row[tuple[str, str, int, list[Any]]]]:
    """(machine_id, answer, request_version, reasons) as they were when the request arrived."""
    return session.execute(
        sa.select(MatchVerdict.machine_id, MatchVerdict.answer, MatchVerdict.request_version, MatchVerdict.reasons)
        .where(MatchVerdict.firm_id == firm_id, MatchVerdict.request_id == request_id)
        .order_by(MatchVerdict.machine_id)
    ).all()


def _requirement(request: WorkRequest) -> Requirement:
    """A stored request as matching wants it; a week that is over counts no more."""
    need = requirement_of(request)
    return Requirement(
        pack=load_pack(request.pack),
        kind="know_how" if request.kind == "know_how" else "hours",
        first_week=max(need.first_week, week_of(clock.today())),
        last_week=need.last_week,
        process_key=need.process_key,
        machine_type_key=need.machine_type_key,
        part_mm=need.part_mm,
        part_g=need.part_g,
        may_turn=need.may_turn,
        material=need.material,
        material_group=need.material_group,
        needed_it=need.needed_it,
        needed_ra_nm=need.needed_ra_nm,
        certificates=need.certificates,
        needs=need.needs,
        need_min=need.need_min,
        radius_km=request.radius_km,
    )


def _machines(session: Session, firm_id: str, request: WorkRequest, need: Requirement) -> dict[str, MachineFacts]:
    """Every ready machine that has the process, by id; all ready machines where the process is not known."""
    able = machines_for_matching(session, firm_id, need.process_key)
    if not able:
        return {}
    free: dict[str, list[tuple[str, int]]] = {}
    for row in free_for_matching(session, firm_id, need.process_key, need.first_week, need.last_week):
        free.setdefault(row.machine_id, []).append((row.week, row.free_min))
    rates = rates_on(session, firm_id, [machine.id for machine in able], clock.today())
    return {
        machine.id: MachineFacts(
            id=machine.id,
            name=machine.name,
            type_key=machine.type_key,
            parameters=machine.values,
            capabilities=machine.abilities,
            distance_km=_distance(request, machine.place),
            min_block_min=machine.min_block_min,
            windows=tuple(free.get(machine.id, ())),
            rate_cents_per_hour=rates.get(machine.id),
        )
        for machine in able
    }


def _distance(request: WorkRequest, place: tuple[float, float]) -> float | None:
    if request.lat is None or request.lon is None:
        return None
    return distance_km((request.lat, request.lon), place)


def _rated(lines: Sequence[ProposedLine], machines: dict[str, MachineFacts]) -> tuple[RatedLine, ...]:
    """Where some machines have a rate card, a plain yes offers those alone: a price is never guessed."""
    rated = tuple(
        RatedLine(
            line.machine_id,
            machines[line.machine_id].name,
            line.week,
            line.minutes,
            machines[line.machine_id].rate_cents_per_hour,
        )
        for line in lines
    )
    return tuple(line for line in rated if line.rate_cents_per_hour is not None) or rated
