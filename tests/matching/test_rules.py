"""Does a machine fit, and what would a plain yes offer? Ilmenau lacks 500 hours of 5-axis milling."""

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.places import centroid
from app.core.units import distance_km, weeks
from app.matching import rules
from app.matching.rules import CapabilityFacts, CertificateFacts, MachineFacts, Requirement, Verdict
from app.packs.queries import load_pack

METAL = load_pack()
SPAN = list(weeks("2026-W49", "2027-W04"))
ILMENAU = centroid("98693")
NEED = Requirement(
    pack=METAL,
    kind="hours",
    process_key="milling_5x",
    machine_type_key="mill_5axis",
    part_mm=(250, 180, 120),
    part_g=40_000,
    material="1.7225",
    material_group="P",
    needed_it=7,
    needed_ra_nm=1600,
    certificates=("iso_9001",),
    need_min=500 * 60,
    first_week="2026-W49",
    last_week="2027-W04",
    radius_km=80,
)
MILLING = CapabilityFacts("milling_5x", ("P", "M"), best_it=6, best_ra_nm=800)
F5 = MachineFacts(
    id="f5",
    name="5-Achs-Zentrum F5-650",
    type_key="mill_5axis",
    parameters={
        "x_travel_mm": 650,
        "y_travel_mm": 520,
        "z_travel_mm": 475,
        "table_load_kg": 500,
        "simultaneous": frozenset({"3+2", "5"}),
        "workpiece_diameter_mm": 630,
        "pallets": 8,
        "probing": False,
    },
    capabilities=(MILLING,),
    distance_km=18.7,
    min_block_min=480,
    rate_cents_per_hour=9500,
    windows=tuple((week, 15 * 60) for week in SPAN),
)
ISO_9001 = CertificateFacts("iso_9001", verified=True, valid_to=dt.date(2028, 6, 30))


def judge(need: Requirement = NEED, machine: MachineFacts = F5, *held: CertificateFacts) -> Verdict:
    return rules.judge_machine(need, machine, held or (ISO_9001,))


def last_sentence(verdict: Verdict) -> str:
    return verdict.reasons[-1].sentence


def firm_at(postcode: str, hours: int, rate: int = 9500) -> MachineFacts:
    """A firm whose one machine has so many hours free, most of them early, some in KW 53."""
    per_week = [hours * 60 // 8] * 8
    span = [week for week in SPAN if week != "2026-W52"]
    km = distance_km(ILMENAU, centroid(postcode))
    windows = tuple(zip(span, per_week, strict=True))
    return replace(F5, id=postcode, distance_km=km, windows=windows, rate_cents_per_hour=rate)


@pytest.mark.parametrize(
    ("town", "postcode", "hours"),
    [
        ("Suhl", "98527", 120),
        ("Schmalkalden", "98574", 160),
        ("Jena", "07743", 140),
        ("Sömmerda", "99610", 100),
    ],
)
def test_each_partner_of_ilmenau_can_offer_just_what_is_free(town: str, postcode: str, hours: int) -> None:
    verdict = rules.judge_firm(NEED, [firm_at(postcode, hours)], [ISO_9001])
    assert verdict.answer == "partly", town
    assert verdict.total_min == hours * 60
    assert any(line.week == "2026-W53" for line in verdict.lines)


def test_arnstadt_offers_60_hours_with_a_block_of_7() -> None:
    arnstadt = replace(firm_at("99310", 60), min_block_min=7 * 60)
    assert rules.judge_firm(NEED, [arnstadt], [ISO_9001]).total_min == 60 * 60


def test_gera_is_84_km_away_and_too_far() -> None:
    verdict = rules.judge_firm(NEED, [firm_at("07545", 200)], [ISO_9001])
    assert verdict.answer == "no"
    assert verdict.lines == ()
    assert verdict.machines[0].reasons[-1].sentence == "Zu weit weg: ≈ 84 km. Gesucht sind höchstens 80 km."


def test_saalfeld_without_free_hours_is_a_misfit() -> None:
    verdict = judge(machine=firm_at("07318", 0))
    assert verdict.answer == "no"
    assert last_sentence(verdict) == "In diesen Wochen ist zu wenig frei."


def test_a_machine_that_covers_the_whole_need_is_a_yes() -> None:
    verdict = judge(replace(NEED, need_min=40 * 60))
    assert verdict.answer == "yes"
    assert verdict.lines == (("2026-W49", 900), ("2026-W50", 900), ("2026-W51", 600))
    assert last_sentence(verdict) == "Frei sind alle 40 Stunden."
    assert all(reason.ok for reason in verdict.reasons)


def test_a_part_of_the_hours_says_how_many() -> None:
    verdict = judge()
    assert verdict.answer == "partly"
    assert last_sentence(verdict) == "Frei sind 135 von 500 Stunden."


def test_the_reasons_keep_the_order_of_the_filters() -> None:
    need = replace(NEED, needs={"pallets": 4, "simultaneous": "5"})
    codes = [reason.code for reason in judge(need).reasons]
    assert codes == [
        "process", "distance", "machine_type", "size", "load", "parameter", "wish",
        "material", "tolerance", "surface", "certificate", "hours",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("need", "machine", "sentence"),
    [
        ({"process_key": "turning"}, {}, "Diese Maschine kann Drehen nicht."),
        ({"machine_type_key": "cnc_lathe"}, {}, "Gesucht ist eine andere Maschine: CNC-Drehmaschine."),
        ({"part_mm": (640, 100, 100)}, {}, "Das Teil ist zu groß für die Maschine: 640 × 100 × 100 mm."),
        ({"part_g": 400_000}, {}, "Das Teil ist mit Spannmittel zu schwer für den Tisch."),
        ({"needs": {"workpiece_diameter_mm": 700}}, {}, "Störkreisdurchmesser reicht nicht."),
        ({"needs": {"simultaneous": "5"}}, {"parameters": {**F5.parameters, "simultaneous": frozenset({"3+2"})}},
         "Achsen gleichzeitig reicht nicht."),
        ({"material": "3.7165", "material_group": ""}, {}, "Der Werkstoff passt nicht: 3.7165 Ti-6Al-4V."),
        ({"needed_it": 5}, {}, "Gesucht ist IT5. Die Maschine schafft IT6."),
        ({"needed_it": -1}, {}, "Gesucht ist IT01. Die Maschine schafft IT6."),
        ({"needed_ra_nm": 400}, {}, "Gesucht ist Ra 0,4 µm. Die Maschine schafft 0,8 µm."),
        ({"certificates": ("en_9100",)}, {}, "Das Zertifikat fehlt: EN 9100 (Luftfahrt)."),
        ({}, {"windows": (("2026-W49", 465),)}, "In diesen Wochen ist zu wenig frei."),
        ({"need_min": 465}, {}, "Gesucht ist weniger als dein Mindestblock von 8 Stunden."),
        ({}, {"windows": (("2026-W48", 2220), ("2027-W05", 2220))}, "In diesen Wochen ist zu wenig frei."),
    ],
)  # fmt: skip
def test_a_no_comes_with_one_sentence(need: dict[str, object], machine: dict[str, object], sentence: str) -> None:
    verdict = judge(replace(NEED, **need), replace(F5, **machine))  # type: ignore[arg-type]
    assert verdict.answer == "no"
    assert last_sentence(verdict) == sentence
    assert verdict.lines == ()


@pytest.mark.parametrize(
    ("need", "machine", "sentence"),
    [
        ({}, {"distance_km": None}, "Die Entfernung kennen wir nicht. Prüfe sie bitte."),
        ({}, {"parameters": {"table_load_kg": 500}}, "Der Arbeitsraum ist unbekannt. Prüfe, ob das Teil passt."),
        (
            {"machine_type_key": None},
            {"type_key": "prototype"},
            "Der Arbeitsraum ist unbekannt. Prüfe, ob das Teil passt.",
        ),
        ({"part_mm": None}, {"parameters": {}}, "Die Tischbelastung ist unbekannt. Prüfe das Gewicht."),
        ({"needs": {"swivel_deg": 90}}, {}, "Schwenkbereich ist unbekannt. Prüfe es bitte."),
        ({"needs": {"sparkle": 9}}, {}, "sparkle ist unbekannt. Prüfe es bitte."),
        ({"material": "Stellit", "material_group": ""}, {}, "Prüfe bitte den Werkstoff: Stellit."),
        (
            {},
            {"capabilities": (CapabilityFacts("milling_5x", (), 6, 800),)},
            "Prüfe bitte den Werkstoff: 1.7225 42CrMo4.",
        ),
        ({}, {"capabilities": (CapabilityFacts("milling_5x", ("P",), None, 800),)}, "Prüfe bitte die Toleranz: IT7."),
        ({}, {"capabilities": (CapabilityFacts("milling_5x", ("P",), 6),)}, "Prüfe bitte die Rauheit: Ra 1,6 µm."),
    ],
)
def test_what_is_unknown_is_checked_and_never_a_silent_yes(
    need: dict[str, object], machine: dict[str, object], sentence: str
) -> None:
    verdict = judge(replace(NEED, **need), replace(F5, **machine))  # type: ignore[arg-type]
    assert verdict.answer == "check"
    assert next(reason.sentence for reason in verdict.reasons if reason.ok is None) == sentence
    assert verdict.total_min == 135 * 60


@pytest.mark.parametrize(
    "exact",
    [
        {"needed_it": 6},
        {"needed_ra_nm": 800},
        {"part_mm": (630, 500, 415)},
        {"part_g": 384_615},  # with 30 percent for clamping 499.9995 kg on a table for 500
        {"needs": {"pallets": 8, "workpiece_diameter_mm": 630}},
        {"last_week": "2026-W49", "first_week": "2026-W49"},
    ],
)
def test_just_enough_is_enough(exact: dict[str, object]) -> None:
    need = replace(NEED, need_min=900, may_turn=False, **exact)  # type: ignore[arg-type]
    assert judge(need, replace(F5, distance_km=80.0, min_block_min=900)).answer == "yes"
    assert judge(replace(need, part_g=384_616)).answer == "no"


def test_a_missed_wish_ranks_lower_but_is_no_reason_to_refuse() -> None:
    need = replace(NEED, needs={"probing": True, "pallets": 12})
    verdict = judge(need)
    assert (verdict.answer, verdict.misses) == ("partly", 2)
    better = replace(F5, id="zz", rate_cents_per_hour=12_000, parameters={**F5.parameters, "probing": True})
    firm = rules.judge_firm(need, [F5, better], [ISO_9001])
    assert [one.machine_id for one in firm.machines] == ["zz", "f5"]


def test_a_part_that_may_turn_is_tried_in_all_positions() -> None:
    long_part = replace(NEED, part_mm=(100, 620, 100), need_min=600)
    assert judge(long_part).answer == "yes"
    assert judge(replace(long_part, may_turn=False)).answer == "no"


def test_nothing_is_proposed_before_the_machines_lead_time_is_over() -> None:
    assert judge(NEED, replace(F5, ready_week="2026-W51")).lines[0][0] == "2026-W51"
    assert judge(NEED, replace(F5, ready_week="2027-W20")).answer == "no"


@pytest.mark.parametrize(
    ("part", "answer"),
    [
        ((300, 500), "yes"),
        ((300, 300, 500), "yes"),
        ((351, 500), "no"),
        ((300, 541), "no"),
        ((500, 300), "no"),  # a turned part never turns round
    ],
)
def test_a_turned_part_is_judged_by_diameter_and_length(part: tuple[int, ...], answer: str) -> None:
    lathe = replace(
        F5,
        type_key="cnc_lathe",
        parameters={"swing_diameter_mm": 350, "distance_between_centres_mm": 600},
        capabilities=(CapabilityFacts("turning", ("P",), 6, 800),),
    )
    need = replace(NEED, process_key="turning", machine_type_key="cnc_lathe", part_mm=part, need_min=600)
    assert judge(need, lathe).answer == answer


def test_a_round_part_on_a_mill_takes_its_diameter_twice() -> None:
    assert judge(replace(NEED, part_mm=(400, 300), need_min=600)).answer == "yes"
    assert judge(replace(NEED, part_mm=(550, 300), need_min=600)).answer == "no"


def test_a_sheet_lies_flat_on_a_laser() -> None:
    laser = replace(
        F5,
        type_key="laser_cutter",
        parameters={"sheet_length_mm": 3000, "sheet_width_mm": 1500, "thickness_steel_mm": 20},
        capabilities=(CapabilityFacts("laser_cutting", ("P",), 12, 12_500),),
    )
    sheet = Requirement(METAL, "hours", "2026-W49", "2026-W52", "laser_cutting", "laser_cutter", need_min=600)
    assert judge(replace(sheet, part_mm=(1400, 2900, 10)), laser).answer == "yes"
    assert judge(replace(sheet, part_mm=(10, 2900, 1600)), laser).answer == "no"
    assert judge(replace(sheet, part_mm=(1400, 2900, 10), may_turn=False), laser).answer == "no"
    assert judge(replace(sheet, needs={"thickness_steel_mm": 25}), laser).answer == "no"
    assert judge(replace(sheet, needs={"thickness_copper_mm": 2}), laser).answer == "check"


def test_a_machine_may_need_more_or_less_room_around_the_part_than_its_type_usually_does() -> None:
    need = replace(NEED, part_mm=(640, 100, 100), need_min=600)
    assert judge(need).answer == "no"
    assert judge(need, replace(F5, allowance_xy_mm=10)).answer == "yes"
    assert judge(need, replace(F5, allowance_z_mm=0)).answer == "no"
    high = replace(NEED, part_mm=(100, 100, 410), may_turn=False, need_min=600)
    assert judge(high).answer == "yes"
    assert judge(high, replace(F5, allowance_z_mm=80)).answer == "no"
    assert judge(high, replace(F5, allowance_xy_mm=560)).answer == "no"


def test_a_request_below_the_smallest_order_makes_no_noise() -> None:
    need, careful = replace(NEED, need_min=600), replace(F5, min_order_min=720)
    verdict = judge(need, careful)
    assert (verdict.answer, verdict.reasons[-1].text) == (
        "no", "Gesucht ist weniger als dein kleinster Auftrag von %(order)s Stunden."
    )  # fmt: skip
    assert verdict.reasons[-1].values == {"order": "12"}
    assert judge(replace(need, need_min=720), careful).answer == "yes"


def test_where_a_machine_has_no_space_to_compare_a_person_looks_at_the_size() -> None:
    brake = replace(F5, type_key="press_brake", capabilities=(CapabilityFacts("press_braking"),))
    need = Requirement(
        METAL, "hours", "2026-W49", "2026-W52", "press_braking", part_mm=(9000, 9, 9), part_g=9, need_min=600
    )
    verdict = judge(need, brake)
    assert verdict.answer == "check"
    assert [reason.code for reason in verdict.reasons] == ["process", "size", "hours"]
    assert judge(replace(need, part_mm=None), brake).answer == "yes"


def test_a_5_axis_centre_does_3_axis_work_as_the_second_choice() -> None:
    need = replace(NEED, process_key="milling_3x", machine_type_key="mill_3axis", need_min=600)
    ability = (CapabilityFacts("milling_3x", ("P",), 6, 800),)
    five = replace(F5, id="a", capabilities=ability, rate_cents_per_hour=6000)
    three = replace(F5, id="b", capabilities=ability, type_key="mill_3axis")
    firm = rules.judge_firm(need, [five, three], [ISO_9001])
    assert [line.machine_id for line in firm.lines] == ["b"]
    assert judge(replace(NEED, need_min=600), replace(five, type_key="mill_3axis")).answer == "no"


def test_the_material_may_be_known_by_its_group_only() -> None:
    assert judge(replace(NEED, material="", material_group="M")).answer == "partly"
    assert last_sentence(judge(replace(NEED, material="", material_group="S"))) == (
        "Der Werkstoff passt nicht: Titan, hitzebeständig."
    )


def test_a_certificate_must_be_verified_and_cover_the_process() -> None:
    unverified = replace(ISO_9001, verified=False)
    other = replace(ISO_9001, process_keys=("turning",))
    assert last_sentence(judge(NEED, F5, unverified)) == "Noch nicht geprüft ist das Zertifikat ISO 9001."
    assert last_sentence(judge(NEED, F5, other)) == "ISO 9001 gilt nicht für 5-Achs-Fräsen."
    assert judge(NEED, F5, unverified, other, ISO_9001).answer == "partly"


def test_a_higher_class_of_a_certificate_is_enough() -> None:
    need = replace(NEED, certificates=("en_1090_exc2",))
    assert judge(need, F5, replace(ISO_9001, type_key="en_1090_exc3")).answer == "partly"
    assert judge(need, F5, replace(ISO_9001, type_key="en_1090_exc1")).answer == "no"


def test_a_certificate_counts_on_the_last_day_of_the_last_booked_week() -> None:
    sunday_of_51 = replace(ISO_9001, valid_to=dt.date(2026, 12, 20))
    verdict = judge(NEED, F5, sunday_of_51)
    assert [week for week, _ in verdict.lines] == ["2026-W49", "2026-W50", "2026-W51"]
    assert verdict.reasons[-2].sentence == "ISO 9001 gilt bis 20.12.2026. Spätere Wochen fehlen."
    a_day_less = judge(NEED, F5, replace(sunday_of_51, valid_to=dt.date(2026, 12, 19)))
    assert [week for week, _ in a_day_less.lines] == ["2026-W49", "2026-W50"]
    too_early = judge(NEED, F5, replace(sunday_of_51, valid_to=dt.date(2026, 12, 5)))
    assert last_sentence(too_early) == "ISO 9001 läuft vorher ab, am 5.12.2026."
    endless = judge(NEED, F5, replace(sunday_of_51, valid_to=None))
    assert endless.total_min == 135 * 60


def know_how(**change: object) -> Requirement:
    plain = Requirement(METAL, "know_how", "2026-W49", "2026-W52", process_key="milling_5x", radius_km=80)
    return replace(plain, **change)  # type: ignore[arg-type]


def test_know_how_needs_no_free_hours_and_no_block() -> None:
    busy = replace(F5, windows=(), min_block_min=4800)
    verdict = rules.judge_firm(know_how(), [busy], [])
    assert (verdict.answer, verdict.lines) == ("yes", ())
    assert [reason.code for reason in verdict.machines[0].reasons] == ["process", "distance"]
    assert rules.judge_firm(know_how(process_key="turning"), [busy], []).answer == "no"


def test_an_unknown_process_skips_process_size_and_properties() -> None:
    unknown = know_how(process_key=None, part_mm=(9000, 9000, 9000), needs={"pallets": 99}, machine_type_key="saw")
    assert judge(unknown).answer == "yes"
    assert judge(replace(unknown, radius_km=10)).answer == "no"
    assert judge(replace(unknown, material="PEEK")).answer == "no"
    assert judge(replace(unknown, material="1.7225"), replace(F5, capabilities=())).answer == "check"


def test_know_how_needs_certificates_to_the_end_and_asks_about_their_scope() -> None:
    wanted = know_how(certificates=("iso_9001",))
    assert judge(wanted, F5, replace(ISO_9001, valid_to=dt.date(2026, 12, 27))).answer == "yes"
    assert judge(wanted, F5, replace(ISO_9001, valid_to=dt.date(2026, 12, 26))).answer == "no"
    scoped = replace(ISO_9001, process_keys=("turning",))
    verdict = judge(replace(wanted, process_key=None), F5, scoped)
    assert (verdict.answer, last_sentence(verdict)) == ("check", "Prüfe, ob ISO 9001 dafür gilt.")


def test_best_fit_then_cheapest_then_id() -> None:
    machines = [
        replace(F5, id="d", rate_cents_per_hour=None),
        replace(F5, id="c", rate_cents_per_hour=9000),
        replace(F5, id="b", rate_cents_per_hour=9000),
        replace(F5, id="a", distance_km=None),
        replace(F5, id="0", distance_km=500.0),
    ]
    firm = rules.judge_firm(NEED, machines, [ISO_9001])
    assert [verdict.machine_id for verdict in firm.machines] == ["b", "c", "d", "a", "0"]
    assert {line.machine_id for line in firm.lines} == {"b", "c", "d"}
    assert {line.machine_id for line in firm.check_lines} == {"a"}
    assert firm.total_min + sum(line.minutes for line in firm.check_lines) == 500 * 60


def test_a_firm_with_only_doubtful_machines_is_asked_to_check() -> None:
    firm = rules.judge_firm(NEED, [replace(F5, distance_km=None)], [ISO_9001])
    assert (firm.answer, firm.lines, len(firm.check_lines)) == ("check", (), 9)
    assert rules.judge_firm(NEED, [], [ISO_9001]).answer == "no"


def test_several_machines_together_make_a_yes() -> None:
    firm = rules.judge_firm(replace(NEED, need_min=200 * 60), [F5, replace(F5, id="f6")], [ISO_9001])
    assert [verdict.answer for verdict in firm.machines] == ["partly", "partly"]
    assert (firm.answer, firm.total_min) == ("yes", 200 * 60)


def test_english_readers_find_the_words_by_their_keys() -> None:
    reasons = judge(replace(NEED, needs={"pallets": 4})).reasons
    keys = {key: value for reason in reasons for key, value in reason.values.items() if key.endswith("_key")}
    assert METAL.process(str(keys["process_key"])).label("en") == "5-axis milling"
    assert METAL.parameters[str(keys["parameter_key"])].label("en") == "Pallets"
    assert METAL.certificate(str(keys["certificate_key"])).label("en") == "ISO 9001"


WINDOWS = st.lists(st.integers(0, 150).map(lambda n: n * 15), min_size=9, max_size=9).map(
    lambda free: tuple(zip(SPAN, free, strict=True))
)
MACHINES = st.lists(
    st.builds(
        replace,
        st.just(F5),
        id=st.text("abcdef", min_size=4, max_size=4),
        windows=WINDOWS,
        min_block_min=st.sampled_from([0, 60, 480, 1200, 2400]),
        distance_km=st.sampled_from([5.0, 79.9, 80.1, None]),
        rate_cents_per_hour=st.sampled_from([None, 8000, 9500]),
        type_key=st.sampled_from(["mill_5axis", "mill_3axis"]),
        capabilities=st.sampled_from([(), (MILLING,), (replace(MILLING, best_it=None),)]),
    ),
    max_size=5,
    unique_by=lambda machine: machine.id,
)
NEEDS = st.builds(replace, st.just(NEED), need_min=st.integers(0, 3000).map(lambda n: n * 15))


@given(NEEDS, MACHINES)
def test_a_proposal_never_exceeds_free_hours_or_the_need(need: Requirement, machines: list[MachineFacts]) -> None:
    firm = rules.judge_firm(need, machines, [ISO_9001])
    free = {(machine.id, week): minutes for machine in machines for week, minutes in machine.windows}
    block = {machine.id: machine.min_block_min for machine in machines}
    proposed = [*firm.lines, *firm.check_lines]
    assert sum(line.minutes for line in proposed) <= need.need_min
    assert len({(line.machine_id, line.week) for line in proposed}) == len(proposed)
    for line in proposed:
        assert max(15, block[line.machine_id]) <= line.minutes <= free[line.machine_id, line.week]
    for verdict in firm.machines:
        assert verdict.total_min <= need.need_min
        assert bool(verdict.lines) == (verdict.answer != "no")


@given(NEEDS, MACHINES, st.randoms(use_true_random=False))
def test_the_order_of_the_machines_changes_nothing(
    need: Requirement, machines: list[MachineFacts], dice: object
) -> None:
    shuffled = list(machines)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    certificates = [ISO_9001, replace(ISO_9001, valid_to=dt.date(2026, 12, 20))]
    first = rules.judge_firm(need, machines, certificates)
    assert rules.judge_firm(need, shuffled, certificates[::-1]) == first


@given(NEEDS, MACHINES)
def test_a_machine_more_never_offers_less(need: Requirement, machines: list[MachineFacts]) -> None:
    fewer = rules.judge_firm(need, machines[:-1], [ISO_9001])
    assert rules.judge_firm(need, machines, [ISO_9001]).total_min >= fewer.total_min


@given(NEEDS, MACHINES)
def test_the_firm_says_yes_only_with_all_hours_in_hand(need: Requirement, machines: list[MachineFacts]) -> None:
    firm = rules.judge_firm(need, machines, [ISO_9001])
    assert (firm.answer == "yes") == (0 < need.need_min == firm.total_min)
    assert (firm.answer in ("yes", "partly")) == (firm.total_min > 0)


def test_where_one_firm_must_do_it_all_less_is_a_no_and_a_doubt_is_a_question() -> None:
    whole, second = replace(NEED, allow_part=False), replace(F5, id="second", windows=F5.windows)
    few = rules.judge_firm(whole, [F5, second], [ISO_9001])
    assert (few.answer, few.lines, {one.answer for one in few.machines}) == ("no", (), {"no"})
    assert last_sentence(few.machines[0]) == ("Ein Betrieb soll alle 500 Stunden machen. So viel ist nicht frei.")
    many = [replace(F5, id=f"f{number}") for number in range(4)]
    assert rules.judge_firm(whole, many, [ISO_9001]).total_min == NEED.need_min
    doubtful = [many[0], *(replace(one, distance_km=None) for one in many[1:])]
    verdict = rules.judge_firm(whole, doubtful, [ISO_9001])
    assert (verdict.answer, verdict.lines) == ("check", ())
    assert sum(line.minutes for line in verdict.check_lines) == NEED.need_min
