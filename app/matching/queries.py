"""Our own machines, free hours, rates and certificates as matching wants them. Nothing of this leaves the house."""

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.capacity.queries import free_for_matching
from app.core import clock
from app.core.units import distance_km, week_of
from app.firms.models import Site
from app.machines.models import Capability, Machine, RateCard
from app.machines.queries import certificate_facts
from app.machines.rules import restore_values
from app.matching.models import MatchProposal, MatchVerdict
from app.matching.rules import CapabilityFacts, FirmVerdict, MachineFacts, ProposedLine, Requirement, judge_firm
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
        return proposal_key(self.lines)


def proposal_key(lines: Iterable[RatedLine]) -> str:
    """Changes with what a plain yes would offer, so that nobody says yes to something else than was shown."""
    parts = sorted(f"{line.machine_id},{line.week},{line.minutes},{line.rate_cents_per_hour}" for line in lines)
    return hashlib.sha256(";".join(parts).encode()).hexdigest()[:16]


def judge_request(session: Session, firm_id: str, request: WorkRequest) -> Judgement:
    """Match a partner's request with our machines and free hours of this moment; writes nothing."""
    need = _requirement(request)
    machines = _machines(session, firm_id, request, need)
    verdict = judge_firm(need, machines.values(), certificate_facts(session, firm_id) if need.certificates else ())
    lines = _rated(verdict.lines, machines, need.allow_part)
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
        allow_part=request.allow_part,
    )


def _machines(session: Session, firm_id: str, request: WorkRequest, need: Requirement) -> dict[str, MachineFacts]:
    """Every ready machine that has the process, by id; all ready machines where the process is not known."""
    asked: dict[str, Any] = {
        "firm_id": firm_id,
        "process_key": need.process_key,
        "today": clock.today(),
    }
    has_process = need.process_key is not None
    able = session.execute(_able_statement(has_process), asked).all()
    if not able:
        return {}
    free = _free_windows(session, firm_id, need)
    cards = {row.machine_id: row for row in session.execute(_rate_statement(has_process), asked)}
    abilities: dict[str, tuple[CapabilityFacts, ...]] = {}
    for row in able:
        ability = CapabilityFacts(row.process_key, tuple(row.material_groups), row.best_it, row.best_ra_nm)
        abilities[row.id] = (*abilities.get(row.id, ()), ability)
    return {
        row.id: MachineFacts(
            id=row.id,
            name=row.name,
            type_key=row.type_key,
            parameters=restore_values(row.parameters),
            capabilities=abilities[row.id],
            distance_km=_distance(request, (row.lat, row.lon)),
            min_block_min=row.min_block_min,
            allowance_xy_mm=row.allowance_xy_mm,
            allowance_z_mm=row.allowance_z_mm,
            ready_week=week_of(clock.today() + dt.timedelta(days=row.lead_time_days)),
            windows=tuple(free.get(row.id, ())),
            rate_cents_per_hour=cards[row.id].rate_cents_per_hour if row.id in cards else None,
            min_order_min=cards[row.id].min_order_min if row.id in cards else 0,
        )
        for row in able
    }


def _free_windows(session: Session, firm_id: str, need: Requirement) -> dict[str, list[tuple[str, int]]]:
    """Free minutes by machine, week by week."""
    free: dict[str, list[tuple[str, int]]] = {}
    for window in free_for_matching(session, firm_id, need.process_key, need.first_week, need.last_week):
        free.setdefault(window.machine_id, []).append((window.week, window.free_min))
    return free


# Built once: SQLAlchemy takes longer to put such a statement together than the database to answer it.


@cache
def _able_statement(has_process: bool) -> sa.Select[Any]:
    query = (
        sa.select(
            Machine.id, Machine.name, Machine.type_key, Machine.parameters, Machine.min_block_min, Machine.lead_time_days,
            Machine.allowance_xy_mm, Machine.allowance_z_mm, Site.lat, Site.lon,
            Capability.process_key, Capability.material_groups, Capability.best_it, Capability.best_ra_nm,
        )
        .join(Machine, (Machine.firm_id == Capability.firm_id) & (Machine.id == Capability.machine_id))
        .join(Site, (Site.firm_id == Machine.firm_id) & (Site.id == Machine.site_id))
        .where(Capability.firm_id == sa.bindparam("firm_id"), Machine.state == "ready")
        .order_by(Machine.id, Capability.process_key)
    )  # fmt: skip
    return query.where(Capability.process_key == sa.bindparam("process_key")) if has_process else query


@cache
def _rate_statement(has_process: bool) -> sa.Select[str, int, int]:
    """The newest card that has begun comes last and wins."""
    return (
        sa.select(RateCard.machine_id, RateCard.rate_cents_per_hour, RateCard.min_order_min)
        .where(RateCard.firm_id == sa.bindparam("firm_id"), RateCard.valid_from <= sa.bindparam("today"))
        .where(RateCard.machine_id.in_(_able_ids(has_process)))
        .order_by(RateCard.valid_from)
    )


def _able_ids(has_process: bool) -> sa.Select[Any]:
    query = sa.select(Capability.machine_id).where(Capability.firm_id == sa.bindparam("firm_id"))
    return query.where(Capability.process_key == sa.bindparam("process_key")) if has_process else query


def _distance(request: WorkRequest, place: tuple[float, float]) -> float | None:
    if request.lat is None or request.lon is None:
        return None
    return distance_km((request.lat, request.lon), place)


def _rated(lines: Sequence[ProposedLine], machines: dict[str, MachineFacts], allow_part: bool) -> tuple[RatedLine, ...]:
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
    with_rate = tuple(line for line in rated if line.rate_cents_per_hour is not None)
    return with_rate if with_rate and allow_part else rated
