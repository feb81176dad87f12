"""Weeks, minutes, money and distance: whole numbers inside, people's words at the edge."""

import datetime as dt
import re
from collections.abc import Iterator
from itertools import permutations
from math import asin, cos, radians, sin, sqrt
from zoneinfo import ZoneInfo

from app.core.errors import RuleBroken

BERLIN = ZoneInfo("Europe/Berlin")
WEEK_PATTERN = re.compile(r"[0-9]{4}-W[0-9]{2}")


def week_of(day: dt.date) -> str:
    """Return the ISO week `YYYY-Www` that holds the day (ISO 8601)."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


def monday(week: str) -> dt.date:
    """Return the Monday of an ISO week; raises RuleBroken for a week that does not exist, such as 2025-W53."""
    if not WEEK_PATTERN.fullmatch(week):
        raise RuleBroken("Wähle eine Kalenderwoche, zum Beispiel KW 48.")
    try:
        return dt.date.fromisocalendar(int(week[:4]), int(week[6:]), 1)
    except ValueError:
        raise RuleBroken("Die KW %(week)s gibt es im Jahr %(year)s nicht.", week=int(week[6:]), year=week[:4]) from None


def weeks(first: str, last: str) -> Iterator[str]:
    """Yield every ISO week from first to last, by Mondays, so that week 53 is neither lost nor doubled."""
    day, end = monday(first), monday(last)
    while day <= end:
        yield week_of(day)
        day += dt.timedelta(weeks=1)


def weeks_from(first: str, count: int) -> list[str]:
    """Return `count` ISO weeks in a row."""
    start = monday(first)
    return [week_of(start + dt.timedelta(weeks=n)) for n in range(count)]


def week_label(week: str) -> str:
    """'2026-W53' -> 'KW 53/2026'."""
    return f"KW {int(week[6:])}/{week[:4]}"


def week_short(week: str) -> str:
    """'2026-W48' -> 'KW 48'."""
    return f"KW {int(week[6:])}"


def week_days(week: str) -> str:
    """'2026-W48' -> '23.–27.11.': the working days, as chips and messages show them."""
    first = monday(week)
    last = first + dt.timedelta(days=4)
    if first.month == last.month:
        return f"{first.day}.–{last.day}.{last.month}."
    return f"{first.day}.{first.month}.–{last.day}.{last.month}."


def hours_text(minutes: int) -> str:
    """90 -> '1,5'; whole hours without a comma, two decimals at most."""
    return f"{minutes / 60:.2f}".rstrip("0").rstrip(".").replace(".", ",")


def parse_hours(text: str, field: str = "hours", most_min: int = 10_000 * 60) -> int:
    """Return minutes for '7,5', '7.5', '1.000' or '1,000.5'; steps of 15 minutes; raises RuleBroken with a plain sentence."""
    cleaned = _with_point(text.strip().replace(" ", "").replace("\u202f", ""))
    if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,2})?", cleaned):
        raise RuleBroken("Gib die Stunden als Zahl ein, zum Beispiel 7,5.", field)
    minutes = round(float(cleaned) * 60)
    if minutes % 15:
        raise RuleBroken("Gib die Stunden in Viertelstunden ein, zum Beispiel 7,25 oder 7,5.", field)
    if minutes > most_min:
        raise RuleBroken(
            "Das sind zu viele Stunden. Höchstens %(most)s sind möglich.", field, most=hours_text(most_min)
        )
    return minutes


def euro_text(cents: int) -> str:
    """4250050 -> '42.500,50'; without the sign of the currency."""
    whole, rest = divmod(abs(cents), 100)
    text = f"{whole:,}".replace(",", ".") + f",{rest:02d}"
    return "-" + text if cents < 0 else text


def parse_euro(text: str, field: str = "rate") -> int:
    """Return cents for '85', '85,50', '1.250,00' or '1,250.00'; raises RuleBroken with a plain sentence."""
    cleaned = _with_point(text.strip().removesuffix("€").strip().replace(" ", ""))
    if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,2})?", cleaned):
        raise RuleBroken("Gib den Betrag in Euro ein, zum Beispiel 85,50.", field)
    return round(float(cleaned) * 100)


def _with_point(number: str) -> str:
    """A number in German or English writing with '.' before its decimals and no other mark; '1.250' is German."""
    if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{3})+(,[0-9]+)?", number):
        number = number.replace(".", "")
    elif re.fullmatch(r"[0-9]{1,3}(,[0-9]{3})+\.[0-9]+", number):
        number = number.replace(",", "")
    return number.replace(",", ".")


def amount_cents(minutes: int, rate_cents_per_hour: int) -> int:
    """Return minutes × rate ÷ 60 in cents, rounded half up once."""
    return (2 * minutes * rate_cents_per_hour + 60) // 120


def distance_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Return the great-circle distance of two (latitude, longitude) points in degrees (haversine, mean earth radius)."""
    la1, lo1, la2, lo2 = map(radians, (*a, *b))
    return 12742.0176 * asin(sqrt(sin((la2 - la1) / 2) ** 2 + cos(la1) * cos(la2) * sin((lo2 - lo1) / 2) ** 2))


def fits(part_mm: tuple[int, ...], travel_mm: tuple[int, ...], allowance_mm: tuple[int, ...], may_turn: bool) -> bool:
    """Say whether a part with its allowance lies inside the working space, in any of its six positions if it may turn."""
    ways = permutations(part_mm) if may_turn else iter((part_mm,))
    return any(all(p + a <= t for p, a, t in zip(way, allowance_mm, travel_mm, strict=True)) for way in ways)
