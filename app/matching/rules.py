"""Does a machine fit a request, and what would a plain yes offer? Same facts, same answer."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from app.core.units import hours_text, week_of
from app.machines.rules import CapabilityFacts, CertificateFacts
from app.matching.facts import Answer, FirmVerdict, MachineFacts, ProposedLine, Reason, Requirement, Verdict
from app.matching.filling import Supply, fill_need, supply_of
from app.matching.filters import (
    ability_reasons,
    certificate_reasons,
    distance_reason,
    hours_reason,
    load_reason,
    parameter_reasons,
    process_reason,
    size_reason,
    sunday,
    type_reason,
)

__all__ = [
    "Answer",
    "CapabilityFacts",
    "CertificateFacts",
    "FirmVerdict",
    "MachineFacts",
    "ProposedLine",
    "Reason",
    "Requirement",
    "Verdict",
    "judge_firm",
    "judge_machine",
]

Proof: TypeAlias = tuple[tuple[Reason, ...], dt.date]
"""What the firm's certificates say to a request: the reasons, and the last day on which all are valid."""


def judge_firm(
    requirement: Requirement, machines: Iterable[MachineFacts], certificates: Sequence[CertificateFacts]
) -> FirmVerdict:
    """Return the firm's answer and the combined proposal of its machines.

    Best fit first, then cheapest, then id. The sum is never above the need, a week never below its machine's block
    or above its free minutes. Machines that need a check propose apart, so that no yes is silent.
    """
    proof = certificate_reasons(requirement, certificates)
    facts = {machine.id: machine for machine in machines}
    verdicts = [_judge(requirement, machine, proof) for machine in facts.values()]
    ranked = tuple(sorted(verdicts, key=lambda verdict: _rank(verdict, facts[verdict.machine_id])))
    need_min = _need_min(requirement)
    supplies = {v.machine_id: _supply(requirement, facts[v.machine_id], proof) for v in ranked if v.answer != "no"}
    sure = _combine(need_min, [v for v in ranked if v.answer in ("yes", "partly")], supplies)
    taken_min = sum(line.minutes for line in sure)
    check = _combine(need_min - taken_min, [v for v in ranked if v.answer == "check"], supplies)
    if taken_min < need_min and not requirement.allow_part:
        return _judge_whole(requirement, ranked, (*sure, *check))
    return FirmVerdict(_firm_answer(need_min, ranked, taken_min), ranked, sure, check)


def judge_machine(requirement: Requirement, machine: MachineFacts, certificates: Sequence[CertificateFacts]) -> Verdict:
    """Return one machine's answer: the filters in their order up to the first no, and its own proposal.

    yes: covers the whole need (know-how: fits). partly: fewer hours. check: something is unknown, a person must look.
    """
    return _judge(requirement, machine, certificate_reasons(requirement, certificates))


def _judge(requirement: Requirement, machine: MachineFacts, proof: Proof) -> Verdict:
    reasons: list[Reason] = []
    for found in _fixed_reasons(requirement, machine, proof):
        reasons.append(found)
        if found.ok is False and found.code != "wish":
            return Verdict(machine.id, "no", tuple(reasons))
    supply, need_min = _supply(requirement, machine, proof), _need_min(requirement)
    (lines,) = fill_need(need_min, [supply])
    total_min = sum(minutes for _, minutes in lines)
    reasons += _told(hours_reason(requirement, machine, bool(supply.windows), total_min))
    if requirement.needs_hours and (not total_min or need_min < machine.min_order_min):
        return Verdict(machine.id, "no", tuple(reasons))
    misses = sum(reason.ok is False for reason in reasons) + _is_too_good(requirement, machine)
    return Verdict(machine.id, _answer(reasons, need_min, total_min), tuple(reasons), lines, misses)


def _fixed_reasons(requirement: Requirement, machine: MachineFacts, proof: Proof) -> Iterator[Reason]:
    """All filters but the hours, in their order: process, distance, properties, material, precision, certificates."""
    yield from _told(process_reason(requirement, machine), distance_reason(requirement, machine))
    if requirement.process_key is not None:
        for check in (type_reason, size_reason, load_reason):
            yield from _told(check(requirement, machine))
        yield from parameter_reasons(requirement, machine)
    yield from ability_reasons(requirement, machine)
    yield from proof[0]


def _told(*reasons: Reason | None) -> Iterator[Reason]:
    return (reason for reason in reasons if reason is not None)


def _supply(requirement: Requirement, machine: MachineFacts, proof: Proof) -> Supply:
    """The machine's free weeks inside the request's weeks, from its lead time on, while every needed certificate is valid."""
    until, first, last = proof[1], max(requirement.first_week, machine.ready_week), requirement.last_week
    if until < sunday(last):
        # The last week whose Sunday is still covered holds the day six days before.
        last = week_of(until - dt.timedelta(days=6))
    weeks = ((week, free) for week, free in machine.windows if first <= week <= last)
    return supply_of(weeks, machine.min_block_min)


def _judge_whole(requirement: Requirement, ranked: Sequence[Verdict], all_lines: Sequence[ProposedLine]) -> FirmVerdict:
    """The machines that surely fit do not suffice for one firm that does it all: with the others a person must look."""
    if sum(line.minutes for line in all_lines) < requirement.need_min:
        return FirmVerdict("no", tuple(_refuse_part(requirement, verdict) for verdict in ranked))
    return FirmVerdict("check", tuple(ranked), (), tuple(all_lines))


def _refuse_part(requirement: Requirement, verdict: Verdict) -> Verdict:
    """Less than all is a no."""
    if verdict.answer == "no":
        return verdict
    need = {"need": hours_text(requirement.need_min)}
    reason = Reason("whole", False, "Ein Betrieb soll alle %(need)s Stunden machen. So viel ist nicht frei.", need)
    return Verdict(verdict.machine_id, "no", (*verdict.reasons, reason))


def _need_min(requirement: Requirement) -> int:
    return requirement.need_min if requirement.needs_hours else 0


def _is_too_good(requirement: Requirement, machine: MachineFacts) -> bool:
    """A better type than needed is the second choice, so that a 5-axis centre stays free for 5-axis work."""
    return requirement.machine_type_key not in (None, machine.type_key)


def _answer(reasons: Iterable[Reason], need_min: int, total_min: int) -> Answer:
    if any(reason.ok is None for reason in reasons):
        return "check"
    return "yes" if total_min >= need_min else "partly"


def _rank(verdict: Verdict, machine: MachineFacts) -> tuple[int, int, bool, int, str]:
    certainty = {"yes": 0, "partly": 0, "check": 1, "no": 2}[verdict.answer]
    rate = machine.rate_cents_per_hour
    return certainty, verdict.misses, rate is None, rate or 0, machine.id


def _combine(need_min: int, verdicts: Sequence[Verdict], supplies: Mapping[str, Supply]) -> tuple[ProposedLine, ...]:
    filled = fill_need(need_min, [supplies[verdict.machine_id] for verdict in verdicts])
    return tuple(
        ProposedLine(verdict.machine_id, week, minutes)
        for verdict, lines in zip(verdicts, filled, strict=True)
        for week, minutes in lines
    )


def _firm_answer(need_min: int, verdicts: Sequence[Verdict], taken_min: int) -> Answer:
    answers = {verdict.answer for verdict in verdicts}
    if answers & {"yes", "partly"}:
        return "yes" if taken_min >= need_min else "partly"
    return "check" if "check" in answers else "no"
