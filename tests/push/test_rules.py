"""Rest is rest, working minutes are counted, and only known push services are believed."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import RuleBroken
from app.core.holidays import holidays_near
from app.core.units import BERLIN
from app.push.rules import (
    Health,
    Probe,
    Quiet,
    add_working,
    check_endpoint,
    end_of_quiet,
    health_of,
    is_quiet,
    next_day,
    origin_of,
    probe_state,
    remind_moment,
    retry_after_s,
)

NOW = dt.datetime(2026, 11, 16, 9, 0, tzinfo=BERLIN)
USUAL = Quiet(holidays=holidays_near(NOW.date()))
moments = st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2027, 12, 1)).map(lambda at: at.replace(tzinfo=dt.UTC))
rests = st.builds(
    Quiet, st.integers(0, 23), st.integers(0, 23), st.booleans(), st.just(frozenset({dt.date(2026, 12, 25)}))
)


def berlin(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-11-16T07:00", "2026-11-16T07:00"),
        ("2026-11-16T05:59", "2026-11-16T06:00"),
        ("2026-11-16T18:00", "2026-11-17T06:00"),
        ("2026-11-20T18:30", "2026-11-23T06:00"),
        ("2026-12-24T19:00", "2026-12-28T06:00"),
        ("2027-03-25T20:00", "2027-03-30T06:00"),
        ("2026-09-19T10:00", "2026-09-21T06:00"),
    ],
)
def test_a_message_waits_for_the_end_of_night_weekend_and_holiday(at: str, until: str) -> None:
    assert end_of_quiet(berlin(at), USUAL) == berlin(until)


def test_a_late_shift_has_its_own_rest() -> None:
    late = Quiet(from_hour=2, to_hour=12)
    assert not is_quiet(berlin("2026-11-17T01:30"), late)
    assert end_of_quiet(berlin("2026-11-17T02:00"), late) == berlin("2026-11-17T12:00")
    assert not is_quiet(berlin("2026-11-17T23:00"), late)


def test_equal_hours_mean_no_rest_at_night() -> None:
    assert not is_quiet(berlin("2026-11-17T03:00"), Quiet(0, 0))


@pytest.mark.parametrize(
    ("start", "minutes", "end"),
    [
        ("2026-11-16T07:00", 30, "2026-11-16T07:30"),
        ("2026-11-16T17:45", 30, "2026-11-17T06:15"),
        ("2026-11-20T17:40", 60, "2026-11-23T06:40"),
        ("2026-11-21T12:00", 30, "2026-11-23T06:30"),
        ("2026-11-16T07:00", 11 * 60, "2026-11-16T18:00"),
    ],
)
def test_half_an_hour_counts_working_time_only(start: str, minutes: int, end: str) -> None:
    assert add_working(berlin(start), minutes, USUAL) == berlin(end)


def test_the_nights_of_summer_time_are_an_hour_shorter_or_longer() -> None:
    awake = Quiet(from_hour=6, to_hour=18, weekend=False)
    # spring: 18:00 to 6:00 has eleven hours, so twelve working hours end an hour into the next evening
    assert add_working(berlin("2026-03-28T18:00"), 12 * 60, awake) == berlin("2026-03-29T19:00")
    # autumn: thirteen hours
    assert add_working(berlin("2026-10-24T18:00"), 13 * 60, awake) == berlin("2026-10-25T06:00")
    assert end_of_quiet(berlin("2026-03-29T01:30"), Quiet(22, 2, weekend=False)) == dt.datetime(
        2026, 3, 29, 1, 0, tzinfo=dt.UTC
    )


@given(moments, rests)
def test_rest_always_ends_and_never_early(at: dt.datetime, quiet: Quiet) -> None:
    end = end_of_quiet(at, quiet)
    assert end >= at
    assert not is_quiet(end, quiet)
    assert end - at < dt.timedelta(days=6)
    if end > at:
        assert is_quiet(at, quiet)
        assert is_quiet(end - dt.timedelta(seconds=1), quiet)


@given(moments, rests, st.integers(1, 600))
def test_working_minutes_are_exactly_those_outside_rest(at: dt.datetime, quiet: Quiet, minutes: int) -> None:
    start = at.replace(second=0, microsecond=0)
    end = add_working(start, minutes, quiet)
    span = int((end - start).total_seconds()) // 60
    assert sum(not is_quiet(start + dt.timedelta(minutes=n), quiet) for n in range(span)) == minutes


@given(moments, rests, st.integers(0, 20_000))
def test_a_reminder_comes_between_the_message_and_the_deadline(at: dt.datetime, quiet: Quiet, minutes: int) -> None:
    deadline = at + dt.timedelta(minutes=minutes)
    found = remind_moment(deadline, at, quiet)
    assert found is None or at + dt.timedelta(minutes=30) < found <= deadline


def test_a_reminder_leaves_two_working_hours() -> None:
    assert remind_moment(berlin("2026-11-18T12:00"), NOW, USUAL) == berlin("2026-11-18T10:00")
    assert remind_moment(berlin("2026-11-18T07:00"), NOW, USUAL) == berlin("2026-11-17T17:00")
    assert remind_moment(NOW + dt.timedelta(hours=1), NOW, USUAL) is None


def test_the_next_day_begins_at_german_midnight() -> None:
    assert next_day(berlin("2026-03-28T23:30")) == berlin("2026-03-29T00:00")
    assert next_day(berlin("2026-03-29T12:00")) == dt.datetime(2026, 3, 29, 22, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://fcm.googleapis.com/fcm/send/abc:def",
        "https://updates.push.services.mozilla.com/wpush/v2/abc",
        "https://wns2-par02p.notify.windows.com/w/?token=abc",
        "https://web.push.apple.com/abc",
        "https://fcm.googleapis.com:443/fcm/send/abc",
    ],
)
def test_known_push_services_are_believed(endpoint: str) -> None:
    check_endpoint(endpoint)


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "nonsense",
        "http://fcm.googleapis.com/x",
        "https://fcm.googleapis.com:8443/x",
        "https://fcm.googleapis.com.evil.example/x",
        "https://evil.example/fcm.googleapis.com",
        "https://fcm.googleapis.com@evil.example/x",
        "https://evil.example\\@fcm.googleapis.com/x",
        "https://fcm.googleapis.com\\@evil.example/x",
        "https://evil.example#.push.apple.com/x",
        "https://push.services.mozilla.com/x",
        "https://evilpush.services.mozilla.com/x",
        "https://a%2f.push.apple.com/x",
        "https://localhost/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://169.254.169.254/latest",
        "https://fcm.googleapis.com:99999999/x",
        "https://fcm.googleapis.com/x y",
        "https://fcm.googleapis.com/ü",
        "https://fcm.googleapis.com/\r\nHost: evil",
        "https://fcm.googleapis.com/" + "x" * 1000,
        "file:///etc/passwd",
    ],
)
def test_nobody_can_make_us_call_another_address(endpoint: str) -> None:
    with pytest.raises(RuleBroken):
        check_endpoint(endpoint)


@given(st.text())
def test_any_text_is_either_a_known_service_or_refused(text: str) -> None:
    with pytest.raises(RuleBroken):
        check_endpoint("https://" + text)


def test_only_hosts_named_for_tests_may_be_loopback() -> None:
    check_endpoint("http://127.0.0.1:8123/push/1", ("127.0.0.1:8123",))
    check_endpoint("http://localhost:8123/push/1", ("localhost",))
    with pytest.raises(RuleBroken):
        check_endpoint("http://127.0.0.1:8124/push/1", ("127.0.0.1:8123",))


def test_the_audience_is_scheme_host_and_port() -> None:
    assert origin_of("http://127.0.0.1:81/push/1?x=1") == "http://127.0.0.1:81"


@pytest.mark.parametrize(
    ("header", "attempts", "seconds"),
    [
        (None, 1, 15),
        (None, 99, 3600),
        ("600", 1, 600),
        ("0", 1, 1),
        ("99999999", 1, 86_400),
        ("Mon, 16 Nov 2026 08:10:00 GMT", 1, 600),
        ("Mon, 16 Nov 2020 08:10:00 GMT", 1, 1),
        ("soon", 2, 60),
        ("²", 2, 60),
        ("16 Nov", 3, 300),
    ],
)
def test_a_service_may_ask_for_a_rest_of_at_most_a_day(header: str | None, attempts: int, seconds: int) -> None:
    assert retry_after_s(header, NOW, attempts) == seconds


def test_the_light_of_a_device_tells_the_truth() -> None:
    day = dt.timedelta(days=1)
    assert health_of(NOW - 6 * day, None, None, NOW) is Health.GREEN
    assert health_of(NOW - 8 * day, None, None, NOW) is Health.YELLOW
    assert health_of(None, None, None, NOW) is Health.YELLOW
    assert health_of(NOW, NOW - dt.timedelta(minutes=5), None, NOW) is Health.GREEN
    assert health_of(NOW - day, NOW - day, None, NOW) is Health.RED
    assert health_of(NOW, None, NOW, NOW) is Health.RED


def test_a_test_message_is_missed_after_a_minute() -> None:
    second = dt.timedelta(seconds=1)
    assert probe_state(None, None, None, NOW) is Probe.NONE
    assert probe_state(NOW - 59 * second, None, None, NOW) is Probe.WAITING
    assert probe_state(NOW - 60 * second, None, None, NOW) is Probe.MISSING
    assert probe_state(NOW - 99 * second, NOW, None, NOW) is Probe.ARRIVED
    assert probe_state(NOW - 99 * second, NOW, NOW, NOW) is Probe.SEEN
