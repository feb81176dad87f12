"""Everything that is wrong with a request is said at once, at its field."""

import datetime as dt
from dataclasses import replace

import pytest

from app.core.errors import RuleBroken
from app.packs.queries import load_pack
from app.requests import drafts
from app.requests.drafts import RequestDraft, RequirementDraft
from app.requests.rules import RequestKind, ShortageReason

METAL = load_pack()
NOW = dt.datetime(2026, 11, 16, 7, 0, tzinfo=dt.UTC)
MILLING = RequirementDraft(
    process_key="milling_5x",
    machine_type_key="mill_5axis",
    need_min=30_000,
    first_week="2026-W49",
    last_week="2027-W04",
    part_mm=(250, 180, 120),
    part_g=8_500,
    material="1.7225",
    material_group="P",
    needed_it=7,
    needed_ra_nm=1600,
    general_tolerance="iso_22081",
    certificates=("iso_9001",),
    needs={"simultaneous": frozenset({"5"}), "pallets": 8},
)
FIVE_HUNDRED = RequestDraft(
    kind=RequestKind.HOURS,
    requirement=MILLING,
    shortage_reason=ShortageReason.CAPACITY,
    reply_by=NOW + dt.timedelta(days=2),
    delivery_week="2027-W05",
    radius_km=80,
    partner_count=7,
)
PART = RequestDraft(
    kind=RequestKind.KNOW_HOW,
    requirement=RequirementDraft(first_week="2026-W49", last_week="2026-W52", part_count=1),
    shortage_reason=ShortageReason.KNOW_HOW,
    reply_by=NOW + dt.timedelta(days=2),
    partner_count=3,
)


def fields(draft: RequestDraft) -> list[str]:
    return [fault.field for fault in drafts.faults_of_request(draft, METAL, NOW)]


def test_the_500_hours_may_go_out() -> None:
    assert fields(FIVE_HUNDRED) == []
    drafts.check_open(FIVE_HUNDRED, METAL, NOW)


def test_a_know_how_request_needs_pieces_but_no_process_and_no_hours() -> None:
    assert fields(PART) == []
    assert fields(replace(PART, requirement=replace(PART.requirement, part_count=None))) == ["part_count"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"process_key": None}, "process_key"),
        ({"process_key": "baking"}, "process_key"),
        ({"machine_type_key": "teapot"}, "machine_type_key"),
        ({"need_min": 0}, "need"),
        ({"need_min": 100}, "need"),
        ({"need_min": 600_015}, "need"),
        ({"part_count": 0}, "part_count"),
        ({"first_week": ""}, "first_week"),
        ({"first_week": "2025-W53"}, "first_week"),
        ({"last_week": "KW 4"}, "last_week"),
        ({"last_week": "2026-W48"}, "last_week"),
        ({"first_week": "2026-W40", "last_week": "2026-W46"}, "last_week"),
        ({"last_week": "2029-W04"}, "last_week"),
        ({"part_mm": (250, 0, 120)}, "part_mm"),
        ({"part_mm": (250, 100_001, 120)}, "part_mm"),
        ({"part_g": 0}, "part_g"),
        ({"material": "x" * 41}, "material"),
        ({"material_group": "Q"}, "material_group"),
        ({"needed_it": 19}, "needed_it"),
        ({"needed_ra_nm": 1500}, "needed_ra_nm"),
        ({"general_tolerance": "ISO 2768"}, "general_tolerance"),
        ({"certificates": ("diploma",)}, "certificates"),
        ({"needs": {"colour": "red"}}, "needs"),
        ({"needs": {"pallets": "viele"}}, "pallets"),
    ],
)
def test_a_wrong_requirement_is_refused_at_its_field(change: dict[str, object], field: str) -> None:
    assert fields(replace(FIVE_HUNDRED, requirement=replace(MILLING, **change))) == [field]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"shortage_reason": None}, "shortage_reason"),
        ({"reply_by": None}, "reply_by"),
        ({"reply_by": NOW}, "reply_by"),
        ({"reply_by": NOW + dt.timedelta(days=91)}, "reply_by"),
        ({"partner_count": 0}, "partners"),
        ({"radius_km": 0}, "radius_km"),
        ({"title": "x" * 81}, "note"),
        ({"note": "x" * 501}, "note"),
        ({"delivery_week": "2025-W53"}, "delivery_week"),
    ],
)
def test_a_request_that_may_not_go_out_says_why(change: dict[str, object], field: str) -> None:
    wrong = replace(FIVE_HUNDRED, **change)  # type: ignore[arg-type]
    assert fields(wrong) == [field]
    with pytest.raises(RuleBroken) as caught:
        drafts.check_open(wrong, METAL, NOW)
    assert caught.value.field == field


def test_all_faults_are_named_at_once_and_the_sentence_names_the_week() -> None:
    wrong = replace(MILLING, need_min=0, first_week="2025-W53")
    faults = drafts.faults_of_requirement(replace(FIVE_HUNDRED, requirement=wrong), METAL, NOW.date())
    assert [str(fault) for fault in faults] == [
        "Gib die Stunden als Zahl ein, zum Beispiel 500.",
        "Die KW 53 gibt es im Jahr 2025 nicht.",
    ]


def test_the_current_week_may_still_be_the_last_one() -> None:
    now_week = replace(MILLING, first_week="2026-W47", last_week="2026-W47")
    assert fields(replace(FIVE_HUNDRED, requirement=now_week)) == []


def test_needs_are_read_as_people_write_them() -> None:
    raw = {"pallets": "8", "simultaneous": "5", "probing": "Ja", "table_load_kg": ""}
    assert drafts.read_needs(METAL, raw) == {"pallets": 8, "simultaneous": frozenset({"5"}), "probing": True}


def test_a_machine_type_is_asked_only_where_there_is_a_choice() -> None:
    assert [kind.key for kind in drafts.asked_types("milling_3x", METAL)] == [
        "mill_5axis",
        "mill_3axis",
        "horizontal_boring",
    ]
    assert drafts.asked_types("milling_5x", METAL) == ()
    assert drafts.asked_types(None, METAL) == ()
