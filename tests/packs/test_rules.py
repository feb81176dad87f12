"""The words of an industry: what covers what, and what meets a need."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import RuleBroken
from app.packs.queries import load_pack
from app.packs.rules import Label, ParameterDefinition, Value, meets

METAL = load_pack()


def parameter(operator: str) -> ParameterDefinition:
    return ParameterDefinition("x_travel_mm", Label("X", "X"), operator, "mm", (), is_hard=True)


def test_a_name_is_german_unless_english_is_asked_for() -> None:
    milling = METAL.process("milling_5x")
    assert milling.label() == "5-Achs-Fräsen"
    assert milling.label("en-GB") == "5-axis milling"
    assert milling.label("tr") == "5-Achs-Fräsen"
    assert milling.chip("de") == "5-Achs-Fräsen"


def test_exc3_covers_exc2_and_never_the_other_way() -> None:
    assert METAL.covers_certificate("en_1090_exc3", "en_1090_exc2")
    assert METAL.covers_certificate("en_1090_exc2", "en_1090_exc2")
    assert not METAL.covers_certificate("en_1090_exc2", "en_1090_exc3")


def test_welding_quality_part_2_covers_parts_3_and_4() -> None:
    assert METAL.covers_certificate("iso_3834_part2", "iso_3834_part3")
    assert METAL.covers_certificate("iso_3834_part2", "iso_3834_part4")
    assert not METAL.covers_certificate("iso_3834_part4", "iso_3834_part2")


def test_one_certificate_never_covers_another_family() -> None:
    assert not METAL.covers_certificate("iso_9001", "en_9100")
    assert not METAL.covers_certificate("en_1090_exc4", "iso_3834_part4")
    assert METAL.covers_certificate("something_new", "something_new")
    assert not METAL.covers_certificate("something_new", "iso_9001")


def test_a_5_axis_centre_does_3_axis_work_and_never_the_other_way() -> None:
    assert METAL.covers_type("mill_5axis", "mill_3axis")
    assert METAL.covers_type("mill_3axis", "mill_3axis")
    assert not METAL.covers_type("mill_3axis", "mill_5axis")
    assert not METAL.covers_type("unknown", "mill_3axis")


def test_a_process_knows_its_machines_its_standard_and_its_material() -> None:
    assert [kind.key for kind in METAL.types_for("milling_5x")] == ["mill_5axis"]
    assert METAL.process("turning").iri == "http://www.w3id.org/hsu-aut/DIN8580#Drehen"
    assert METAL.process("measuring_cmm").iri is None
    assert METAL.group_of("1.7225") == "P"
    assert METAL.group_of("Unobtainium") is None
    assert METAL.materials["1.7225"].text == "1.7225 42CrMo4"
    assert METAL.materials["PEEK"].text == "PEEK"


@pytest.mark.parametrize(
    ("operator", "has", "need", "expected"),
    [
        ("ge", 600, 600, True),
        ("ge", 599.9, 600, False),
        ("le", 200, 400, True),
        ("le", 800, 400, False),
        ("in", frozenset({"3+2", "5"}), "5", True),
        ("in", frozenset({"3+2"}), "5", False),
        ("in", frozenset({"131", "135"}), frozenset({"135", "141"}), False),
        ("in", "SK40", "SK40", True),
        ("bool", True, True, True),
        ("bool", False, True, False),
        ("bool", False, False, True),
        ("ge", "viel", 600, False),
        ("ge", 600, "viel", False),
    ],
)
def test_a_machine_meets_a_need_by_the_operator(operator: str, has: Value, need: Value, expected: bool) -> None:
    assert meets(parameter(operator), has, need) is expected


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_bigger_machine_never_loses_what_a_smaller_one_could(small: int, more: int, need: int) -> None:
    if meets(parameter("ge"), small, need):
        assert meets(parameter("ge"), small + more, need)


@pytest.mark.parametrize("ask", [METAL.process, METAL.machine_type, METAL.certificate])
def test_an_unknown_word_is_refused_with_a_sentence(ask: object) -> None:
    assert callable(ask)
    with pytest.raises(RuleBroken, match="kennen wir nicht"):
        ask("witchcraft")
