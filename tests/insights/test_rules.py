"""Nothing is said about too few cases, and what counts is the same from both sides."""

import datetime as dt

from app.insights.rules import (
    Asked,
    Share,
    Usual,
    Worked,
    answer_time,
    days_to_payment,
    hours_on_time,
    share_of_awards,
    share_of_defects,
    share_of_offers,
)

NINE = dt.datetime(2026, 11, 16, 9, 0, tzinfo=dt.UTC)


def _asked(answers: dict[str, int | None], due: str = "") -> Asked:
    offered = {one: NINE + dt.timedelta(minutes=after) for one, after in answers.items() if after is not None}
    return Asked(dict.fromkeys(answers, NINE), set(due), offered)


def test_two_requests_are_too_few_and_one_still_running_counts_for_nothing() -> None:
    assert share_of_offers(_asked({"a": 10, "b": None}, due="ab")) is None
    assert share_of_offers(_asked({"a": 10, "b": None, "c": None}, due="ab")) is None
    assert share_of_offers(_asked({"a": 10, "b": None, "c": None}, due="abc")) == Share(1, 3)


def test_half_of_the_answers_came_faster() -> None:
    assert answer_time(_asked({"a": 10, "b": 30, "c": 600, "d": None})) == Usual(30, 3)
    assert answer_time(_asked({"a": 10, "b": 30})) is None
    assert days_to_payment([3, 12, 40]) == Usual(12, 3)


def test_an_offer_that_may_still_be_taken_is_no_refusal() -> None:
    assert share_of_awards("abcd", decided="bc", agreed="a") == Share(1, 3)
    assert share_of_awards("abcd", decided="b", agreed="a") is None


def test_more_hours_in_one_week_make_up_for_no_other() -> None:
    assert hours_on_time([Worked(600, 900), Worked(600, 300), Worked(600, 600)]) == Share(1500, 1800)
    assert hours_on_time([Worked(600, 600), Worked(600, 600)]) is None


def test_a_defect_counts_for_bookings_that_somebody_worked_on() -> None:
    done, faulty = Worked(600, 600), Worked(600, 300, is_faulty=True)
    assert share_of_defects([done, faulty, Worked(600, 0)]) is None
    assert share_of_defects([done, faulty, done, Worked(600, 0)]) == Share(1, 3)
