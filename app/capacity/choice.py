"""What the page Anbieten preselects: the machine last used, its first gap, the hours that are likely right."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.capacity.queries import WeekCell, last_used_machine, plan_row, usual_min
from app.core import clock
from app.core.units import week_of, weeks_from
from app.machines.queries import MachineCard, machine_cards

SHOWN_WEEKS = 8


@dataclass(frozen=True, slots=True)
class OfferChoice:
    """Everything the page shows for one machine and week."""

    machines: list[MachineCard]
    machine_id: str
    weeks: list[str]
    cell: WeekCell
    proposed_min: int

    @property
    def week(self) -> str:
        return self.cell.week

    @property
    def names(self) -> dict[str, str]:
        """Machine id -> name; the number stands behind a name that two machines share."""
        shared = [card.name for card in self.machines]
        return {
            card.id: f"{card.name} ({card.number})" if shared.count(card.name) > 1 else card.name
            for card in self.machines
        }


def offer_choice(
    session: Session, firm_id: str, person_id: str, machine_id: str = "", week: str = ""
) -> OfferChoice | None:
    """The choice for a machine and week, or for the best guess where one is not given; None without a ready machine."""
    machines = machine_cards(session, firm_id, only_ready=True)
    known = {card.id for card in machines}
    if machine_id not in known:
        machine_id = last_used_machine(session, firm_id, person_id) or (machines[0].id if machines else "")
    if not machine_id:
        return None
    cells = _coming_cells(session, firm_id, machine_id)
    cell = next((cell for cell in cells if cell.week == week), None) or _first_gap(cells)
    proposed_min = _proposed_min(session, firm_id, machine_id, cell)
    return OfferChoice(machines, machine_id, [cell.week for cell in cells], cell, proposed_min)


def _coming_cells(session: Session, firm_id: str, machine_id: str) -> tuple[WeekCell, ...]:
    """Eight weeks from this one on, or from the next one where this week has no working day left."""
    shown = weeks_from(week_of(clock.today()), SHOWN_WEEKS + 1)
    cells = plan_row(session, firm_id, machine_id, shown).cells
    is_over = cells[0].maximum_min == 0 and not cells[0].bound_min
    return cells[1:] if is_over else cells[:-1]


def _first_gap(cells: tuple[WeekCell, ...]) -> WeekCell:
    gaps = [cell for cell in cells if cell.maximum_min and not cell.is_reported]
    possible = [cell for cell in cells if cell.maximum_min]
    return (gaps or possible or list(cells))[0]


def _proposed_min(session: Session, firm_id: str, machine_id: str, cell: WeekCell) -> int:
    """What was reported; for a gap what is usual for the machine, within what the calendar allows."""
    if cell.is_reported:
        return cell.actual_min
    usual = usual_min(session, firm_id, machine_id)
    return max(cell.bound_min, min(usual or cell.maximum_min, cell.maximum_min))
