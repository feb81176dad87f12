"""What a machine, its abilities and a certificate may say."""

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import RuleBroken
from app.machines import rules
from app.machines.rules import CapabilityFacts, CertificateState, MachineDraft
from app.packs.queries import load_pack

METAL = load_pack()
MILL = METAL.machine_type("mill_5axis")
F5 = MachineDraft("M-07", "mill_5axis", "5-Achs-Zentrum F5-650", year_built=2019)
TODAY = dt.date(2026, 11, 16)


def test_a_well_described_machine_is_accepted() -> None:
    rules.check_machine(F5, METAL, this_year=2026)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (replace(F5, type_key="teapot"), "type_key"),
        (replace(F5, name="  "), "name"),
        (replace(F5, name="x" * 61), "name"),
        (replace(F5, number=""), "number"),
        (replace(F5, year_built=2027), "year_built"),
        (replace(F5, year_built=1899), "year_built"),
        (replace(F5, min_block_min=0), "min_block_min"),
        (replace(F5, min_block_min=100), "min_block_min"),
        (replace(F5, min_block_min=10_095), "min_block_min"),
        (replace(F5, set_up_min=-1), "set_up_min"),
        (replace(F5, allowance_xy_mm=-1), "allowance_xy_mm"),
        (replace(F5, allowance_z_mm=2001), "allowance_z_mm"),
        (replace(F5, lead_time_days=366), "lead_time_days"),
    ],
)
def test_a_wrong_machine_is_refused_at_its_field(wrong: MachineDraft, field: str) -> None:
    with pytest.raises(RuleBroken) as caught:
        rules.check_machine(wrong, METAL, this_year=2026)
    assert caught.value.field == field


def test_values_are_read_as_people_write_them() -> None:
    raw = {
        "x_travel_mm": "1.050",
        "y_travel_mm": "650 mm",
        "z_travel_mm": 500,
        "swivel_deg": "110,5",
        "simultaneous": "3+2; 5",
        "spindle_interface": ["HSK-A63"],
        "probing": "Ja",
        "pallet_changer": False,
        "table_load_kg": "",
        "pallets": None,
    }
    assert rules.check_parameters(MILL, raw) == {
        "x_travel_mm": 1050,
        "y_travel_mm": 650,
        "z_travel_mm": 500,
        "swivel_deg": 110.5,
        "simultaneous": frozenset({"3+2", "5"}),
        "spindle_interface": frozenset({"HSK-A63"}),
        "probing": True,
        "pallet_changer": False,
    }


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("x_travel_mm", "groß", "bei Verfahrweg X eine Zahl"),
        ("x_travel_mm", "-5", "eine Zahl"),
        ("x_travel_mm", "1e9", "eine Zahl"),
        ("x_travel_mm", float("nan"), "eine Zahl"),
        ("x_travel_mm", True, "eine Zahl"),
        ("x_travel_mm", "10000001", "eine Zahl"),
        ("probing", "vielleicht", "Messtaster Ja oder Nein"),
        ("simultaneous", "7", "aus dieser Liste: 3"),
        ("simultaneous", " , ", "Prüfe die Angabe"),
        ("bar_capacity_mm", "65", "gibt es bei diesem Maschinentyp nicht"),
    ],
)
def test_a_wrong_value_is_refused_in_plain_words(key: str, value: object, sentence: str) -> None:
    with pytest.raises(RuleBroken, match=sentence) as caught:
        rules.check_parameters(MILL, {key: value})
    assert caught.value.field == key


@given(st.dictionaries(st.sampled_from(sorted(MILL.parameters)), st.text(max_size=8) | st.integers() | st.floats()))
def test_whatever_is_typed_is_read_or_refused(raw: dict[str, object]) -> None:
    try:
        values = rules.check_parameters(MILL, raw)
    except RuleBroken:
        values = {}
    assert rules.restore_values(rules.store_values(values)) == values
    assert values.keys() <= raw.keys()


def test_stored_values_of_an_unknown_kind_are_left_out() -> None:
    assert rules.restore_values({"a": {"b": 1}, "c": ["x", "y"], "d": None}) == {"c": frozenset({"x", "y"})}


def test_an_ability_speaks_the_words_of_the_pack() -> None:
    ability = rules.check_capability(METAL, "milling_5x", ["M", "P"], best_it=7, best_ra_nm=800)
    assert ability == CapabilityFacts("milling_5x", ("P", "M"), 7, 800)
    assert rules.check_capability(METAL, "turning").best_it is None


@pytest.mark.parametrize(
    ("process", "groups", "best_it", "best_ra", "field"),
    [
        ("baking", ["P"], 7, 800, "process_key"),
        ("turning", ["Q"], 7, 800, "material_groups"),
        ("turning", ["P"], 19, 800, "best_it"),
        ("turning", ["P"], 7, 900, "best_ra_nm"),
    ],
)
def test_an_ability_in_other_words_is_refused(
    process: str, groups: list[str], best_it: int, best_ra: int, field: str
) -> None:
    with pytest.raises(RuleBroken) as caught:
        rules.check_capability(METAL, process, groups, best_it, best_ra)
    assert caught.value.field == field


def test_a_certificate_needs_a_kind_a_number_and_days_in_order() -> None:
    start, end = dt.date(2025, 1, 1), dt.date(2027, 12, 31)
    rules.check_certificate(METAL, "iso_9001", "4711", ["milling_5x"], start, end)
    with pytest.raises(RuleBroken, match="Zertifikat kennen wir nicht"):
        rules.check_certificate(METAL, "diploma", "4711", [], start, end)
    with pytest.raises(RuleBroken, match="Verfahren"):
        rules.check_certificate(METAL, "iso_9001", "4711", ["baking"], start, end)
    with pytest.raises(RuleBroken, match="Nummer"):
        rules.check_certificate(METAL, "iso_9001", " ", [], start, end)
    with pytest.raises(RuleBroken, match="bevor es beginnt"):
        rules.check_certificate(METAL, "iso_9001", "4711", [], end, start)


@pytest.mark.parametrize(
    ("is_verified", "days_left", "state"),
    [
        (False, 400, CertificateState.UPLOADED),
        (True, 400, CertificateState.VERIFIED),
        (True, 61, CertificateState.VERIFIED),
        (True, 60, CertificateState.EXPIRING),
        (True, 0, CertificateState.EXPIRING),
        (True, -1, CertificateState.EXPIRED),
        (False, -1, CertificateState.EXPIRED),
        (True, None, CertificateState.VERIFIED),
    ],
)
def test_a_certificate_warns_60_days_before_it_ends(
    is_verified: bool, days_left: int | None, state: CertificateState
) -> None:
    valid_to = None if days_left is None else TODAY + dt.timedelta(days=days_left)
    assert rules.certificate_state(is_verified, valid_to, TODAY) is state
    assert rules.certificate_state(is_verified, valid_to, TODAY, is_rejected=True) is CertificateState.REJECTED


def test_a_machine_goes_down_comes_back_and_retires() -> None:
    for state, to in [
        ("ready", "down"),
        ("down", "ready"),
        ("ready", "retired"),
        ("down", "retired"),
        ("retired", "ready"),
    ]:
        rules.check_machine_step(state, to)
    for state, to in [("retired", "down"), ("ready", "ready"), ("ready", "sold"), ("sold", "ready")]:
        with pytest.raises(RuleBroken, match="gerade nicht"):
            rules.check_machine_step(state, to)


def test_a_rate_that_is_a_slip_of_the_hand_is_refused() -> None:
    rules.check_rate(rules.RateDraft(8500))
    for cents in (0, 99, 200_001, -8500):
        with pytest.raises(RuleBroken, match="Stundensatz"):
            rules.check_rate(rules.RateDraft(cents))
