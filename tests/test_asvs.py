"""The answers to OWASP ASVS 5.0 in asvs.csv: all of levels 1 and 2, level 3 where it guards promises of ours.

The chapters on OAuth and WebRTC (V10, V17) are left out: the house has neither.
"""

import ast
import csv
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ANSWERS = {"met", "partly", "no", "n/a"}
COUNTS = {
    1: (8, 19, 0), 2: (4, 7, 2), 3: (8, 11, 0), 4: (2, 8, 0), 5: (4, 5, 0), 6: (13, 22, 0), 7: (6, 12, 0), 8: (4, 3, 6),
    9: (4, 3, 0), 11: (3, 11, 10), 12: (3, 6, 0), 13: (1, 12, 0), 14: (2, 7, 0), 15: (3, 10, 4), 16: (0, 16, 0),
}  # fmt: skip
"""Chapter -> requirements of level 1, 2 and 3 that must be answered"""
LAST = {
    "1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2, "2.1": 3, "2.2": 3, "2.3": 5, "2.4": 2, "3.2": 2, "3.3": 4, "3.4": 6,
    "3.5": 5, "3.7": 2, "4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4, "5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3, "6.1": 3, "6.2": 12,
    "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4, "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2, "8.1": 4,
    "8.2": 4, "8.3": 3, "8.4": 2, "9.1": 3, "9.2": 4, "11.1": 4, "11.2": 5, "11.3": 5, "11.4": 4, "11.5": 2, "11.6": 2,
    "11.7": 2, "12.1": 3, "12.2": 2, "12.3": 4, "13.1": 1, "13.2": 5, "13.3": 2, "13.4": 5, "14.1": 2, "14.2": 4, "14.3": 3,
    "15.1": 3, "15.2": 3, "15.3": 7, "15.4": 4, "16.1": 1, "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 3,
}  # fmt: skip
"""Section -> its last requirement that must be answered; those before it must be too"""
Row = dict[str, str]


def read_rows() -> list[Row]:
    with (ROOT / "tests/asvs.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_requirement_has_one_honest_answer_and_something_that_shows_it() -> None:
    assert list(faults(read_rows())) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"id": "V1.1.2"}, "V1.1.1 is answered 0 times"),
        ({"level": "3"}, "chapter 1 has"),
        ({"answer": "probably"}, "V1.1.1: answer"),
        ({"how": " "}, "V1.1.1: no reason"),
        ({"shown_by": "tests/nowhere.py"}, "V1.1.1: tests/nowhere.py is not there"),
        ({"shown_by": "tests/test_asvs.py::test_all_is_well"}, "V1.1.1: test_all_is_well is not there"),
        ({"shown_by": "/etc/hostname"}, "V1.1.1: /etc/hostname is not there"),
    ],
)
def test_a_planted_fault_is_found(change: Row, fault: str) -> None:
    first, *others = read_rows()
    assert first["id"] == "V1.1.1"
    assert [found for found in faults([first | change, *others]) if found.startswith(fault)]


def faults(rows: list[Row]) -> Iterator[str]:
    """What is wrong with the answers, a line each."""
    answered = Counter(row["id"] for row in rows)
    wanted = {f"V{section}.{number}" for section, last in LAST.items() for number in range(1, last + 1)}
    yield from (f"{name} is answered {answered[name]} times" for name in sorted(wanted) if answered[name] != 1)
    yield from (f"{name} is not asked" for name in sorted(answered.keys() - wanted))
    levels = Counter((int(re.findall(r"\d+", row["id"])[0]), row["level"]) for row in rows)
    for chapter, counts in COUNTS.items():
        found = tuple(levels[chapter, level] for level in "123")
        if found != counts:
            yield f"chapter {chapter} has {found} answers of the levels, not {counts}"
    for row in rows:
        yield from (f"{row['id']}: {fault}" for fault in faults_of(row))


def faults_of(row: Row) -> Iterator[str]:
    if row["answer"] not in ANSWERS:
        yield f"answer {row['answer']!r}"
    if not re.fullmatch(r"\S.{9,198}\.", row["how"]):
        yield "no reason in one sentence"
    path, _, name = row["shown_by"].partition("::")
    if path.startswith("/") or not (ROOT / path).is_file():
        yield f"{path} is not there"
    elif name and name not in functions_in(path):
        yield f"{name} is not there"


@cache
def functions_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
