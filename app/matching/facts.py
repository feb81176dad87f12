"""What matching is told and what it answers: plain values, no database."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from app.machines.rules import CapabilityFacts
from app.packs.rules import Pack, Value

Answer = Literal["yes", "partly", "check", "no"]


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a partner needs, in the words of its pack. None and empty mean: not told, does not matter.

    A turned part is (diameter, length) or (diameter, diameter, length). Weeks are ISO weeks.
    """

    pack: Pack
    kind: Literal["hours", "know_how"]
    first_week: str
    last_week: str
    process_key: str | None = None
    machine_type_key: str | None = None
    part_mm: tuple[int, ...] | None = None
    part_g: int | None = None
    may_turn: bool = True
    material: str = ""
    material_group: str = ""
    needed_it: int | None = None
    needed_ra_nm: int | None = None
    certificates: tuple[str, ...] = ()
    needs: Mapping[str, Value] = field(default_factory=dict)
    need_min: int = 0
    radius_km: int | None = None
    allow_part: bool = True
    """False: one firm does it all"""

    @property
    def group(self) -> str | None:
        """The material's group as told, else as the pack knows it."""
        return self.material_group or self.pack.group_of(self.material)

    @property
    def needs_hours(self) -> bool:
        return self.kind == "hours"


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """One own machine. `windows`: its free minutes by ISO week. `ready_week`: with its lead time it begins no earlier.

    No allowance: the usual one of its type. `min_order_min`: for less in all it is not set up.
    """

    id: str
    name: str
    type_key: str
    parameters: Mapping[str, Value] = field(default_factory=dict)
    capabilities: tuple[CapabilityFacts, ...] = ()
    distance_km: float | None = None
    min_block_min: int = 0
    allowance_xy_mm: int | None = None
    allowance_z_mm: int | None = None
    ready_week: str = ""
    windows: tuple[tuple[str, int], ...] = ()
    rate_cents_per_hour: int | None = None
    min_order_min: int = 0


@dataclass(frozen=True, slots=True)
class Reason:
    """One sentence on why a machine fits. `ok` None: unknown, a person must check. A missed `wish` only ranks lower.

    `text` is German and a translation key; `values` fill its %(name)s and are text or whole numbers.
    """

    code: str
    ok: bool | None
    text: str
    values: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """The German sentence, filled."""
        return self.text % self.values if self.values else self.text


@dataclass(frozen=True, slots=True)
class Verdict:
    """One machine's answer; `lines` are (week, minutes) within its own free hours, never above the need."""

    machine_id: str
    answer: Answer
    reasons: tuple[Reason, ...]
    lines: tuple[tuple[str, int], ...] = ()
    misses: int = 0
    """Wishes not met; fewer fit better"""

    @property
    def total_min(self) -> int:
        return sum(minutes for _, minutes in self.lines)


@dataclass(frozen=True, slots=True)
class ProposedLine:
    """A part of what a plain yes would offer."""

    machine_id: str
    week: str
    minutes: int


@dataclass(frozen=True, slots=True)
class FirmVerdict:
    """A firm's answer over all its machines, best machine first.

    `lines` are what a plain yes offers, from machines that surely fit; `check_lines` would fill the rest from machines
    that a person must check first.
    """

    answer: Answer
    machines: tuple[Verdict, ...]
    lines: tuple[ProposedLine, ...] = ()
    check_lines: tuple[ProposedLine, ...] = ()

    @property
    def total_min(self) -> int:
        return sum(line.minutes for line in self.lines)
