"""Reading a pack's file strictly: whatever is wrong is refused with its line.

A file of its own beside queries.py, because plain YAML loading forgets the line numbers.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import NoReturn, TypeVar

import yaml

from app.core.errors import RuleBroken
from app.packs.rules import (
    OPERATORS,
    UNITS,
    CertificateType,
    GeneralTolerance,
    Label,
    MachineType,
    Material,
    MaterialGroup,
    Pack,
    ParameterDefinition,
    Process,
    Tolerances,
)

T = TypeVar("T")
# The C loader reads the metal pack about ten times faster; both give the same nodes.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_pack(text: str) -> Pack:
    """Return the pack a YAML text describes; raises RuleBroken that names the line of the first fault."""
    root = Entry(_compose(text))
    processes = _table(root.child("processes"), _process)
    parameters = _table(root.child("parameters"), _parameter)
    return Pack(
        key=root.text("key"),
        version=root.number("version"),
        label=_label(root),
        processes=processes,
        parameters=parameters,
        machine_types=_machine_types(root.child("machine_types"), processes, parameters),
        material_groups=(groups := _table(root.child("material_groups"), _group)),
        materials=_table(root.child("materials"), lambda key, entry: _material(key, entry, groups)),
        tolerances=_tolerances(root.child("tolerances")),
        certificates=_certificates(root.child("certificates")),
    )


def _compose(text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        # A forbidden character has no mark, only its place in the text.
        line = mark.line if mark else text.count("\n", 0, getattr(error, "position", 0))
        raise RuleBroken(
            "Zeile %(line)s im Branchenpaket: %(fault)s", line=line + 1, fault="Das ist kein YAML."
        ) from None


class Entry:
    """One place in the file: a value together with its line, asked for by kind."""

    def __init__(self, node: yaml.Node | None) -> None:
        if node is None:
            raise RuleBroken("Zeile %(line)s im Branchenpaket: %(fault)s", line=1, fault="Die Datei ist leer.")
        self._node = node
        self.line: int = node.start_mark.line + 1

    def items(self) -> Iterator[tuple[str, "Entry"]]:
        if not isinstance(self._node, yaml.MappingNode):
            self.refuse("Hier fehlt eine Liste mit Namen.")
        seen = set()
        for key, value in self._node.value:
            if key.value in seen:
                Entry(key).refuse(f"„{key.value}“ steht hier doppelt.")
            seen.add(key.value)
            yield key.value, Entry(value)

    def find(self, name: str) -> "Entry | None":
        return next((entry for key, entry in self.items() if key == name), None)

    def child(self, name: str) -> "Entry":
        return self.find(name) or self.refuse(f"„{name}“ fehlt.")

    def value(self) -> str:
        if not isinstance(self._node, yaml.ScalarNode):
            self.refuse("Hier fehlt ein einzelner Wert.")
        return str(self._node.value)

    def text(self, name: str) -> str:
        return self.child(name).value()

    def whole(self) -> int:
        try:
            return int(self.value())
        except ValueError:
            self.refuse(f"„{self.value()}“ ist keine ganze Zahl.")

    def number(self, name: str) -> int:
        return self.child(name).whole()

    def flag(self, name: str) -> bool:
        entry = self.find(name)
        return entry is not None and entry.value() == "true"

    def list(self, name: str) -> "tuple[Entry, ...]":
        entry = self.find(name)
        if entry is None:
            return ()
        if not isinstance(entry._node, yaml.SequenceNode):
            entry.refuse("Hier fehlt eine Liste.")
        return tuple(Entry(node) for node in entry._node.value)

    def refuse(self, fault: str) -> NoReturn:
        """Raise RuleBroken with the line; the fault is for the pack's author and stays German."""
        raise RuleBroken("Zeile %(line)s im Branchenpaket: %(fault)s", line=self.line, fault=fault)


def _table(entry: Entry, read: Callable[[str, Entry], T]) -> Mapping[str, T]:
    return MappingProxyType({key: read(key, value) for key, value in entry.items()})


def _label(entry: Entry) -> Label:
    return Label(entry.text("de"), entry.text("en"))


def _process(key: str, entry: Entry) -> Process:
    label = _label(entry)
    short = entry.find("chip")
    chip = Label(short.value() if short else label.de, label.en)
    if len(chip.de) > 18:
        entry.refuse(f"„{chip.de}“ ist zu lang für eine Taste. Höchstens 18 Zeichen.")
    din, group = entry.find("din8580"), entry.find("group")
    if group and not 1 <= group.whole() <= 6:
        group.refuse("Die Hauptgruppe geht von 1 bis 6.")
    return Process(
        key=key,
        label=label,
        chip=chip,
        din8580=din.value() if din else None,
        is_own_code=entry.flag("own"),
        group=group.whole() if group else None,
        is_common=entry.flag("common"),
    )


def _parameter(key: str, entry: Entry) -> ParameterDefinition:
    operator, unit = entry.text("op"), entry.text("unit")
    if operator not in OPERATORS:
        entry.child("op").refuse(f"Den Vergleich „{operator}“ gibt es nicht.")
    if unit not in UNITS:
        entry.child("unit").refuse(f"Die Einheit „{unit}“ gibt es nicht.")
    if unit != "none" and not key.endswith(f"_{unit}"):
        entry.refuse(f"„{key}“ muss auf seine Einheit enden.")
    choices = tuple(choice.value() for choice in entry.list("choices"))
    return ParameterDefinition(key, _label(entry), operator, unit, choices, is_hard=False)


def _machine_types(
    entry: Entry, processes: Mapping[str, Process], parameters: Mapping[str, ParameterDefinition]
) -> Mapping[str, MachineType]:
    known = {key for key, _ in entry.items()}

    def read(key: str, item: Entry) -> MachineType:
        hard = _known(item, "hard", parameters)
        own = {name: _harden(parameters[name]) for name in hard}
        own |= {name: parameters[name] for name in _known(item, "ranks", parameters) if name not in own}
        loads = _known(item, "load", own)
        return MachineType(
            key=key,
            label=_label(item),
            processes=_known(item, "processes", processes),
            parameters=MappingProxyType(own),
            envelope=_known(item, "envelope", own),
            turned=_known(item, "turned", own),
            load=loads[0] if loads else None,
            allowance_mm=_allowance(item),
            covers=_known(item, "covers", known),
        )

    return _table(entry, read)


def _known(entry: Entry, name: str, known: Mapping[str, object] | set[str]) -> tuple[str, ...]:
    for item in entry.list(name):
        if item.value() not in known:
            item.refuse(f"„{item.value()}“ ist nirgends erklärt.")
    return tuple(item.value() for item in entry.list(name))


def _harden(parameter: ParameterDefinition) -> ParameterDefinition:
    return ParameterDefinition(
        parameter.key, parameter.label, parameter.operator, parameter.unit, parameter.choices, is_hard=True
    )


def _allowance(entry: Entry) -> tuple[int, int, int]:
    numbers = tuple(item.whole() for item in entry.list("allowance_mm")) or (20, 20, 60)
    if len(numbers) != 3:
        entry.refuse("Die Zugabe braucht drei Zahlen.")
    return numbers[0], numbers[1], numbers[2]


def _group(key: str, entry: Entry) -> MaterialGroup:
    return MaterialGroup(key, _label(entry))


def _material(key: str, entry: Entry, groups: Mapping[str, MaterialGroup]) -> Material:
    group = entry.child("group")
    if group.value() not in groups:
        group.refuse(f"Die Werkstoffgruppe „{group.value()}“ gibt es nicht.")
    name = entry.find("name")
    return Material(key, name.value() if name else key, group.value())


def _tolerances(entry: Entry) -> Tolerances:
    general = entry.find("general")
    return Tolerances(
        it_grades=tuple(item.whole() for item in entry.list("it_grades")),
        ra_steps_nm=tuple(item.whole() for item in entry.list("ra_steps_nm")),
        general=_table(general, lambda key, item: GeneralTolerance(key, _label(item))) if general else {},
    )


def _certificates(entry: Entry) -> Mapping[str, CertificateType]:
    types: dict[str, CertificateType] = {}
    for family, item in entry.items():
        classes = item.find("classes")
        if classes is None:
            types[family] = CertificateType(family, _label(item), family, rank=0)
            continue
        for rank, (name, label) in enumerate(classes.items()):
            key = f"{family}_{name}"
            types[key] = CertificateType(key, Label(label.value(), label.value()), family, rank)
    return MappingProxyType(types)
