"""Reasons, steps, guards and deadlines of a request."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import Conflict, RuleBroken
from app.core.holidays import holidays_between
from app.core.units import BERLIN
from app.requests import rules
from app.requests.rules import RequestState, ShortageReason

HOLIDAYS = holidays_between("2026-W01", "2027-W52")
MONDAY_7 = dt.datetime(2026, 11, 16, 7, 0, tzinfo=BERLIN)

ARROWS = """draft open, open quoted, quoted planned, planned contracting, contracting contracted, contracted running,
running completed, open expired, quoted expired, draft cancelled, open cancelled, quoted cancelled, planned cancelled,
contracting cancelled, contracting quoted, quoted contracted, contracted replanning, running replanning, replanning quoted"""
ALLOWED = {tuple(arrow.split()) for arrow in ARROWS.split(",")}


@pytest.mark.parametrize("state", RequestState)
@pytest.mark.parametrize("to", RequestState)
def test_a_request_walks_only_the_written_steps(state: RequestState, to: RequestState) -> None:
    if (state.value, to.value) in ALLOWED:
        rules.check_step(state, to)
    else:
        with pytest.raises(Conflict, match="gerade nicht mehr"):
            rules.check_step(state, to)


def test_completed_expired_and_cancelled_are_the_end() -> None:
    assert {state.value for state in RequestState if state.is_final} == {"completed", "expired", "cancelled"}
    assert len({state.label for state in RequestState}) == len(RequestState)


@pytest.mark.parametrize("reason", ShortageReason)
def test_every_reason_fits_on_a_chip_and_into_a_sentence(reason: ShortageReason) -> None:
    assert len(reason.chip) <= 18
    assert reason.sentence.startswith("Allein geht es nicht, weil ")
    assert len(reason.sentence.split()) <= 12
    assert len(reason.value) <= 20


@pytest.mark.parametrize(
    ("now", "answer"),
    [
        (dt.datetime(2026, 11, 16, 7, 0), dt.datetime(2026, 11, 18, 12, 0)),  # Monday -> Wednesday
        (dt.datetime(2026, 11, 20, 7, 0), dt.datetime(2026, 11, 24, 12, 0)),  # Friday -> Tuesday
        (dt.datetime(2026, 11, 21, 7, 0), dt.datetime(2026, 11, 24, 12, 0)),  # Saturday -> Tuesday
        (dt.datetime(2026, 12, 23, 7, 0), dt.datetime(2026, 12, 28, 12, 0)),  # over Christmas
        (dt.datetime(2026, 3, 27, 23, 30), dt.datetime(2026, 3, 31, 12, 0)),  # the clocks change in between
    ],
)
def test_partners_get_two_working_days_until_noon_in_berlin(now: dt.datetime, answer: dt.datetime) -> None:
    reply_by = rules.default_reply_by(now.replace(tzinfo=BERLIN), HOLIDAYS)
    assert reply_by.tzinfo is dt.UTC
    assert reply_by.astimezone(BERLIN).replace(tzinfo=None) == answer


def test_just_after_midnight_in_berlin_counts_as_the_new_day() -> None:
    late = dt.datetime(2026, 11, 16, 23, 30, tzinfo=dt.UTC)  # 00:30 on Tuesday in Berlin
    assert rules.default_reply_by(late, HOLIDAYS).astimezone(BERLIN).date() == dt.date(2026, 11, 19)


def test_an_offer_binds_three_working_days_beyond_the_deadline() -> None:
    reply_by = rules.default_reply_by(MONDAY_7, HOLIDAYS)
    valid = rules.default_valid_until(reply_by, HOLIDAYS).astimezone(BERLIN)
    assert (valid.date(), valid.hour) == (dt.date(2026, 11, 23), 12)


@given(st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2027, 11, 30), timezones=st.just(dt.UTC)))
def test_a_deadline_is_a_future_working_noon(now: dt.datetime) -> None:
    choices = rules.reply_by_choices(now, HOLIDAYS)
    assert choices[1] == rules.default_reply_by(now, HOLIDAYS)
    assert choices == sorted(set(choices))
    for choice in choices:
        local = choice.astimezone(BERLIN)
        assert choice > now
        assert local.hour == 12
        assert local.weekday() < 5
        assert local.date() not in HOLIDAYS


def test_weeks_to_choose_run_over_week_53() -> None:
    assert rules.first_week_choices(dt.date(2026, 11, 16))[0] == "2026-W47"
    assert rules.first_week_choices(dt.date(2026, 11, 19))[0] == "2026-W47"
    assert rules.first_week_choices(dt.date(2026, 11, 20))[0] == "2026-W48"  # Friday: nothing of this week is left
    assert len(rules.first_week_choices(dt.date(2026, 11, 16))) == 8
    ends = rules.last_week_choices("2026-W49")
    assert len(ends) == 12
    assert ends[4:6] == ["2026-W53", "2027-W01"]
    assert rules.last_week_choices("2026-W49", with_later=True)[:12] == ends
    assert len(rules.last_week_choices("2026-W49", with_later=True)) == 20


def test_offers_come_with_minutes() -> None:
    rules.check_quoted(15)
    with pytest.raises(RuleBroken, match="fehlen die Stunden"):
        rules.check_quoted(0)


def test_a_part_is_planned_only_with_a_clear_yes() -> None:
    rules.check_planned(30_000, 30_000, accepts_part=False)
    rules.check_planned(30_000, 19_200, accepts_part=True)
    with pytest.raises(RuleBroken, match="Es fehlen noch 180 Stunden"):
        rules.check_planned(30_000, 19_200, accepts_part=False)
    with pytest.raises(RuleBroken, match="noch keine Stunden"):
        rules.check_planned(30_000, 0, accepts_part=True)


def test_contracted_means_every_agreement_or_an_explicit_part() -> None:
    rules.check_contracted(["in_force", "in_force"], accepts_part=False)
    rules.check_contracted(["in_force", "declined"], accepts_part=True)
    for states, part in [(["in_force", "signed_one"], False), (["declined"], True), ([], True)]:
        with pytest.raises(RuleBroken, match="Unterschriften"):
            rules.check_contracted(states, part)


def test_completed_means_nothing_runs_and_the_last_invoice_is_out() -> None:
    rules.check_completed(["done", "settled", "cancelled"], last_invoice_issued=True)
    with pytest.raises(RuleBroken, match="Buchungen"):
        rules.check_completed(["done", "running"], last_invoice_issued=True)
    with pytest.raises(RuleBroken, match="Rechnung"):
        rules.check_completed(["done"], last_invoice_issued=False)
