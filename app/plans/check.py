"""An independent check of a plan before it is stored: it shares no sum with the code that builds plans."""

from collections import defaultdict

from app.plans.rules import OfferedLine, PlanDraft, PlanInput

Machine = tuple[str, str, int, int, int, int]
"""Partner, machine, rate, set-up minutes and rate, smallest block"""


class PlanBroken(AssertionError):
    """A plan breaks a rule of its own offers: a fault in the program, never of the user."""


def check_plan(plan_input: PlanInput, plan: PlanDraft) -> None:
    """Raise PlanBroken unless every minute, cent and share of the plan follows from the offers.

    1 lines exist once · 2 steps, never above the offer · 3 smallest block (invariant 12) · 4 sums · 5 cents ·
    6 partners, weeks, shares · 7 a partial plan leaves nothing usable · 8 where offers are whole, a plan is one of them ·
    9 no more partners than allowed; a partial plan takes those with most hours.
    """
    offered = {line.line_id: line for line in plan_input.lines}
    _demand(len({line_id for line_id, _ in plan.lines}) == len(plan.lines), "1: a line stands twice")
    _demand(all(line_id in offered for line_id, _ in plan.lines), "1: a line was never offered")
    taken = [(offered[line_id], minutes) for line_id, minutes in plan.lines]
    _demand(
        plan.need_min == (plan.covered_min if plan_input.takes_whole_offer else plan_input.need_min), "4: another need"
    )
    _check_sums(plan_input, plan, taken)
    if plan_input.takes_whole_offer:
        _check_whole_offer(plan_input, taken)
    else:
        _check_pieces(taken)
        _check_nothing_left(plan_input, plan)


def _check_sums(plan_input: PlanInput, plan: PlanDraft, taken: list[tuple[OfferedLine, int]]) -> None:
    shares: dict[str, int] = defaultdict(int)
    cents, set_ups = 0, set()
    for line, minutes in taken:
        shares[line.partner_id] += minutes
        cents += (minutes * line.rate_cents_per_hour + 30) // 60
        set_ups.add(_machine_of(line))
    cents += sum((set_up_min * rate + 30) // 60 for _, _, _, set_up_min, rate, _ in set_ups)
    cents += sum(each.transport_cents for each in plan_input.terms if each.partner_id in shares)
    covered = sum(shares.values())
    largest = max([*shares.values(), 0])
    _demand(plan.covered_min == covered, "4: covered minutes are not the sum of the lines")
    _demand(plan.missing_min == max(0, plan.need_min - covered), "4: missing minutes are wrong")
    _demand(plan.cost_cents == cents, f"5: {plan.cost_cents} cents should be {cents}")
    _demand(plan.partner_count == len(shares), "6: partners miscounted")
    most = plan_input.max_partners
    _demand(most is None or len(shares) <= most, f"9: {len(shares)} partners where {most} are allowed")
    _demand(plan.last_week == max([*(line.week for line, _ in taken), ""]), "6: not the last week")
    _demand(plan.largest_min == largest, "6: not the largest share")
    above, below = plan.largest_share_permille * plan.need_min, (plan.largest_share_permille - 1) * plan.need_min
    _demand(plan.need_min == 0 or below < 1000 * largest <= above, "6: share in permille is wrong")


def _check_pieces(taken: list[tuple[OfferedLine, int]]) -> None:
    per_machine: dict[Machine, int] = defaultdict(int)
    for line, minutes in taken:
        _demand(0 < minutes <= line.offered_min, f"2: {minutes} min of {line.offered_min} offered")
        _demand(minutes % 15 == 0, f"2: {minutes} min is not in quarters of an hour")
        per_machine[_machine_of(line)] += minutes
    for (_, machine_id, _, _, _, min_block_min), minutes in per_machine.items():
        _demand(minutes >= min_block_min, f"3: {machine_id} gets {minutes} min, below its block of {min_block_min}")


def _check_nothing_left(plan_input: PlanInput, plan: PlanDraft) -> None:
    if plan.missing_min == 0:
        return
    per_machine: dict[Machine, int] = defaultdict(int)
    for line in plan_input.lines:
        per_machine[_machine_of(line)] += line.offered_min // 15 * 15
    per_partner: dict[str, int] = defaultdict(int)
    for key, minutes in per_machine.items():
        per_partner[key[0]] += minutes if minutes >= key[-1] else 0
    usable = sum(sorted(per_partner.values())[::-1][: plan_input.max_partners])
    _demand(plan.covered_min == usable, f"7: {usable - plan.covered_min} usable minutes were left out")


def _check_whole_offer(plan_input: PlanInput, taken: list[tuple[OfferedLine, int]]) -> None:
    offers = {line.offer_id for line, _ in taken}
    _demand(len(offers) <= 1, "8: more than one offer")
    whole = {line.line_id: line.offered_min for line in plan_input.lines if line.offer_id in offers}
    _demand(whole == {line.line_id: minutes for line, minutes in taken}, "8: the offer is not taken whole")


def _machine_of(line: OfferedLine) -> Machine:
    set_up = (line.set_up_min, line.set_up_rate_cents_per_hour)
    return (line.partner_id, line.machine_id, line.rate_cents_per_hour, *set_up, line.min_block_min)


def _demand(is_true: bool, fault: str) -> None:
    if not is_true:
        raise PlanBroken(fault)
