"""The words of an industry as plain values: processes, machine types, materials, certificates."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from app.core.errors import RuleBroken

Value: TypeAlias = bool | float | str | frozenset[str]
"""A machine's or a need's value: a number (int or float), yes or no, one word, or a set of words."""

OPERATORS = ("ge", "le", "in", "bool")
"""ge: machine at least the need; le: at most; in: the machine's set contains it; bool: needed means present."""

UNITS: Mapping[str, str] = {
    "mm": "mm",
    "um": "µm",
    "nm": "nm",
    "kg": "kg",
    "kn": "kN",
    "w": "W",
    "rpm": "1/min",
    "per_h": "1/h",
    "deg": "°",
    "c": "°C",
    "bar": "bar",
    "cm3": "cm³",
    "none": "",
}
"""Unit as the pack writes it and as people read it; a parameter's key ends in its unit, so no number stands bare."""

DIN8580_IRI = "http://www.w3id.org/hsu-aut/DIN8580#"


@dataclass(frozen=True, slots=True)
class Label:
    """A name in both languages; called with a language it answers with the text, German unless asked for English."""

    de: str
    en: str

    def __call__(self, language: str = "de") -> str:
        return self.en if language.startswith("en") else self.de


@dataclass(frozen=True, slots=True)
class Process:
    """What is done to the material. `chip` is the short name for a button (at most 18 characters in German)."""

    key: str
    label: Label
    chip: Label
    din8580: str | None
    """Class name of the DIN 8580 ontology, or None"""
    is_own_code: bool
    """True where our key is finer than its class"""
    group: int | None
    """DIN 8580 main group 1-6"""
    is_common: bool
    """True for the handful that a page offers first"""

    @property
    def iri(self) -> str | None:
        return DIN8580_IRI + self.din8580 if self.din8580 else None


@dataclass(frozen=True, slots=True)
class ParameterDefinition:
    """One property of a machine type and how a need compares with it."""

    key: str
    label: Label
    operator: str
    unit: str
    choices: tuple[str, ...]
    """Allowed words of an `in` parameter; empty: any word"""
    is_hard: bool
    """True: a miss is a no. False: a miss only ranks lower."""

    @property
    def unit_text(self) -> str:
        return UNITS[self.unit]


@dataclass(frozen=True, slots=True)
class MachineType:
    """A class of machines. The part's size is compared with `envelope`, or with `diameter` and `length` if it turns."""

    key: str
    label: Label
    processes: tuple[str, ...]
    parameters: Mapping[str, ParameterDefinition]
    envelope: tuple[str, ...]
    """Parameter keys of the working space, x y z, or the two sides of a sheet; empty: a person must look at the size"""
    turned: tuple[str, ...]
    """Parameter keys of largest diameter and longest part of a lathe, else empty"""
    load: str | None
    allowance_mm: tuple[int, int, int]
    covers: tuple[str, ...]
    """Other machine types whose work this one can do as well"""


@dataclass(frozen=True, slots=True)
class MaterialGroup:
    key: str
    label: Label


@dataclass(frozen=True, slots=True)
class Material:
    key: str
    name: str
    group: str

    @property
    def text(self) -> str:
        return self.key if self.name == self.key else f"{self.key} {self.name}"


@dataclass(frozen=True, slots=True)
class GeneralTolerance:
    """A standard with its edition year and class: an undated reference is a risk in a contract."""

    key: str
    label: Label


@dataclass(frozen=True, slots=True)
class Tolerances:
    it_grades: tuple[int, ...]
    """ISO 286 grades, finest first; -1 stands for IT01"""
    ra_steps_nm: tuple[int, ...]
    general: Mapping[str, GeneralTolerance]


@dataclass(frozen=True, slots=True)
class CertificateType:
    """A certificate, or one class of an ordered family; the higher `rank` includes the lower ones."""

    key: str
    label: Label
    family: str
    rank: int


@dataclass(frozen=True, slots=True)
class Pack:
    """The vocabulary of one industry in one version; keys never change their meaning."""

    key: str
    version: int
    label: Label
    processes: Mapping[str, Process]
    parameters: Mapping[str, ParameterDefinition]
    machine_types: Mapping[str, MachineType]
    material_groups: Mapping[str, MaterialGroup]
    materials: Mapping[str, Material]
    tolerances: Tolerances
    certificates: Mapping[str, CertificateType]

    def process(self, key: str) -> Process:
        """Return the process; raises RuleBroken for an unknown key."""
        if key not in self.processes:
            raise RuleBroken("Dieses Verfahren kennen wir nicht. Wähle eins aus der Liste.", "process_key")
        return self.processes[key]

    def machine_type(self, key: str) -> MachineType:
        """Return the machine type; raises RuleBroken for an unknown key."""
        if key not in self.machine_types:
            raise RuleBroken("Diesen Maschinentyp kennen wir nicht. Wähle einen aus der Liste.", "type_key")
        return self.machine_types[key]

    def certificate(self, key: str) -> CertificateType:
        """Return the certificate type; raises RuleBroken for an unknown key."""
        if key not in self.certificates:
            raise RuleBroken("Dieses Zertifikat kennen wir nicht. Wähle eins aus der Liste.", "certificates")
        return self.certificates[key]

    def group_of(self, material: str) -> str | None:
        """Return the group of a known material, else None: a material may be typed freely."""
        return self.materials[material].group if material in self.materials else None

    def types_for(self, process_key: str) -> tuple[MachineType, ...]:
        """Return the machine types that usually do the process, in the pack's order."""
        return tuple(kind for kind in self.machine_types.values() if process_key in kind.processes)

    def covers_certificate(self, held: str, needed: str) -> bool:
        """Say whether a held certificate includes the needed one: EXC3 covers EXC2, never the other way."""
        have, want = self.certificates.get(held), self.certificates.get(needed)
        if have is None or want is None:
            return held == needed
        return have.family == want.family and have.rank >= want.rank

    def covers_type(self, machine_type: str, needed: str) -> bool:
        """Say whether a machine of one type can do the work of the needed type."""
        if machine_type == needed:
            return True
        kind = self.machine_types.get(machine_type)
        return kind is not None and needed in kind.covers


def meets(parameter: ParameterDefinition, has: Value, need: Value) -> bool:
    """Say whether a machine's value satisfies a need by the parameter's operator; values of the wrong kind never do."""
    if parameter.operator == "bool":
        return has is True or not need
    if parameter.operator == "in":
        return words_of(need) <= words_of(has)
    if isinstance(has, str | frozenset) or isinstance(need, str | frozenset):
        return False
    return has >= need if parameter.operator == "ge" else has <= need


def words_of(value: Value) -> frozenset[str]:
    """Return the words of a set, or of a single word or number as a set of one."""
    return value if isinstance(value, frozenset) else frozenset((str(value),))
