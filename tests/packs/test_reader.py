"""A faulty pack is refused, with the line of the fault."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import RuleBroken
from app.packs.reader import read_pack

GOOD = """\
key: toys
version: 3
de: Spielzeug
en: Toys
processes:
  carving: {de: Schnitzen, en: Carving, group: 3}
parameters:
  block_mm: {op: ge, unit: mm, de: Klotz, en: Block}
machine_types:
  bench: {de: Werkbank, en: Bench, processes: [carving], hard: [block_mm], envelope: [block_mm], load: [block_mm]}
material_groups:
  W: {de: Holz, en: Wood}
materials:
  Linde: {group: W}
tolerances:
  it_grades: [12]
certificates:
  toy: {classes: {low: Toy 1, high: Toy 2}}
"""


def test_a_good_pack_is_read_whole() -> None:
    pack = read_pack(GOOD)
    assert (pack.key, pack.version, pack.label("en")) == ("toys", 3, "Toys")
    assert pack.machine_types["bench"].parameters["block_mm"].is_hard
    assert pack.machine_types["bench"].allowance_mm == (20, 20, 60)
    assert pack.machine_types["bench"].load == "block_mm"
    assert not pack.parameters["block_mm"].is_hard
    assert pack.covers_certificate("toy_high", "toy_low")
    assert pack.tolerances.general == {}


@pytest.mark.parametrize(
    ("old", "new", "line", "fault"),
    [
        ("op: ge", "op: roughly", 8, "Vergleich „roughly“"),
        ("unit: mm", "unit: furlong", 8, "Einheit „furlong“"),
        ("block_mm: {op", "block: {op", 8, "auf seine Einheit enden"),
        ("version: 3", "version: three", 2, "keine ganze Zahl"),
        ("hard: [block_mm]", "hard: [blok_mm]", 10, "„blok_mm“ ist nirgends erklärt"),
        ("hard: [block_mm]", "hard: block_mm", 10, "fehlt eine Liste"),
        ("processes: [carving]", "processes: [flying]", 10, "„flying“"),
        ("load: [block_mm]", "allowance_mm: [1, 2]", 10, "drei Zahlen"),
        ("de: Schnitzen", "de: Schnitzen, chip: Schnitzen mit Messern", 6, "zu lang"),
        ("group: 3", "group: 9", 6, "1 bis 6"),
        ("de: Schnitzen, ", "", 6, "„de“ fehlt"),
        ("de: Schnitzen", "de: [Schnitzen]", 6, "einzelner Wert"),
        ("{group: W}", "{group: Z}", 14, "Werkstoffgruppe „Z“"),
        ("  carving: {", "  carving: {de: Doppelt, en: Twice}\n  carving: {", 7, "doppelt"),
        ("processes:\n  carving", "processes: none\nothers:\n  carving", 5, "Liste mit Namen"),
        ("key: toys", "key: [toys", 2, "kein YAML"),
        ("certificates:", "certs:", 1, "„certificates“ fehlt"),
    ],
)
def test_a_fault_is_refused_with_its_line(old: str, new: str, line: int, fault: str) -> None:
    with pytest.raises(RuleBroken) as caught:
        read_pack(GOOD.replace(old, new, 1))
    assert f"Zeile {line} " in str(caught.value)
    assert fault in str(caught.value)


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(RuleBroken, match="leer"):
        read_pack("")


@given(st.integers(0, len(GOOD) - 1), st.characters(codec="utf-8"))
def test_a_damaged_file_is_read_or_refused_but_never_breaks(place: int, letter: str) -> None:
    assert read_or_refuse(GOOD[:place] + letter + GOOD[place + 1 :])


def read_or_refuse(text: str) -> bool:
    try:
        return bool(read_pack(text).key is not None)
    except RuleBroken as refused:
        return str(refused).startswith("Zeile ")
