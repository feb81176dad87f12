"""The packs in this installation."""

import pytest

from app.core.errors import RuleBroken
from app.packs import queries
from app.packs.rules import OPERATORS, UNITS, MachineType, Value, meets

PROCESSES = set(
    """
    turning, milling_3x, milling_5x, gear_cutting, drilling, deep_hole_drilling, sawing, broaching,
    slotting, grinding_flat, grinding_cyl, grinding_centreless, honing, lapping, vibratory_finishing,
    blasting, laser_cutting, plasma_cutting, oxyfuel_cutting, waterjet_cutting, edm_wire, edm_sinker,
    etching, ecm, punching, shearing, fine_blanking, press_braking, roll_bending, tube_bending,
    deep_drawing, thermoforming, spinning, forging_die, forging_open, thread_rolling, die_casting,
    gravity_casting, injection_moulding, extrusion, blow_moulding, powder_pressing, sintering, am_lpbf,
    am_sls, am_binder, am_sla, am_fdm, welding_mig_mag, welding_tig, welding_laser, welding_robot,
    welding_spot, brazing, soldering, bonding, assembly, riveting, textile_joining, painting,
    powder_coating, galvanising, hot_dip, anodising, pvd, laser_marking, hardening, tempering,
    nitriding, annealing, measuring_cmm, inspection
    """.replace(",", " ").split()
)

EVERY_TYPE = [(pack, kind.key) for pack in queries.pack_keys() for kind in queries.machine_types(pack)]


def test_the_metal_pack_knows_every_process_of_the_trade() -> None:
    assert {process.key for process in queries.processes()} == PROCESSES
    assert len({process.chip("de") for process in queries.processes()}) == len(PROCESSES)


def test_common_processes_are_offered_first() -> None:
    common = [process.is_common for process in queries.processes()]
    assert common == sorted(common, reverse=True)
    assert queries.processes()[0].chip("de") == "5-Achs-Fräsen"


@pytest.mark.parametrize("pack", queries.pack_keys())
def test_every_pack_is_whole(pack: str) -> None:
    loaded = queries.load_pack(pack)
    assert loaded.key == pack
    assert loaded.version >= 1
    assert all(0 < len(process.chip("de")) <= 18 for process in loaded.processes.values())
    assert all(len(key) <= 40 for key in (*loaded.processes, *loaded.machine_types, *loaded.certificates))
    assert all(one.operator in OPERATORS and one.unit in UNITS for one in loaded.parameters.values())
    assert all(kind.parameters and kind.processes for kind in loaded.machine_types.values())
    assert all(material.group in loaded.material_groups for material in loaded.materials.values())


@pytest.mark.parametrize(("pack", "key"), EVERY_TYPE)
def test_every_machine_type_has_a_fit_and_a_misfit(pack: str, key: str) -> None:
    kind = queries.machine_type(key, pack)
    fitting, missing = sample_values(kind)
    assert any(one.is_hard for one in kind.parameters.values())
    for name, definition in kind.parameters.items():
        need: Value = {"ge": 100, "le": 100, "bool": True, "in": "wanted"}[definition.operator]
        assert meets(definition, fitting[name], need)
        assert not meets(definition, missing[name], need)


def sample_values(kind: MachineType) -> tuple[dict[str, Value], dict[str, Value]]:
    """One machine that has just what is asked for, and one that just has not."""
    good: dict[str, Value] = {"ge": 100, "le": 100, "bool": True, "in": frozenset({"wanted", "more"})}
    bad: dict[str, Value] = {"ge": 99, "le": 101, "bool": False, "in": frozenset({"other"})}
    definitions = kind.parameters.items()
    return {key: good[one.operator] for key, one in definitions}, {key: bad[one.operator] for key, one in definitions}


def test_another_industry_is_another_file_and_no_code() -> None:
    assert queries.process("panel_sawing", "wood").label("en") == "Panel sawing"
    assert queries.machine_type("panel_saw", "wood").parameters["panels_per_h"].unit_text == "1/h"
    with pytest.raises(RuleBroken, match="Verfahren"):
        queries.process("panel_sawing")


def test_lists_keep_the_order_of_the_pack() -> None:
    assert [group.key for group in queries.material_groups()][:3] == ["P", "M", "K"]
    assert queries.materials()[0].text == "1.0577 S355J2"
    assert [one.key for one in queries.certificate_types() if one.family == "en_1090"] == [
        "en_1090_exc1",
        "en_1090_exc2",
        "en_1090_exc3",
        "en_1090_exc4",
    ]


@pytest.mark.parametrize("key", ["paper", "../metal", ""])
def test_an_unknown_pack_is_refused(key: str) -> None:
    with pytest.raises(RuleBroken, match="gibt es hier nicht"):
        queries.load_pack(key)
