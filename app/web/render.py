"""From values to a page: look, language, tabs, receipts, and the filters that turn units into words."""

import datetime as dt
import json
import re
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, g, render_template, request
from flask_babel import format_date, format_datetime, get_locale, gettext
from itsdangerous import BadData, URLSafeTimedSerializer

from app.core.errors import WerkringError
from app.core.ids import new_secret
from app.core.signing import HMAC_SHA256
from app.core.units import BERLIN, euro_text, hours_text, week_days, week_label, week_short, weeks_from
from app.web.at_once import at_once_url
from app.web.cookies import forget, keep, kept, kept_look
from app.web.late import CompiledTemplates
from app.web.security import csrf_token, person_mark
from app.web.static import static_url
from app.web.world import config, world

COMPILED = CompiledTemplates()
LOOKS = ("", "sonne")
HANDS = ("", "handschuh")
RECEIPT, RECEIPT_S = "quittung", 120
GERMAN_NUMBER = re.compile(r"\d+(\.\d{3})*(,\d+)?")
OTHER_MARKS = str.maketrans(".,", ",.")
UNIT = r"(?:[€%]|(?:h|kg|km|mm|hours?|days?|percent)(?!\w)|(?![a-z])[^\W\d_]{2,9}(?!\w))"
LOOSE_SPACE = re.compile(
    rf" (?:(?<=(?:KW|Ra) )(?=\d)|(?<=≈ )(?=\d)|(?<=\d )(?={UNIT})|(?<=\d\. )(?=[A-Z]\w))(?=[^<>]*<(?!/textarea))"
)
"""A space that must not end a line. Only in what people read: not inside a tag, nor in what they write"""
DATES_DASH = re.compile(r"(?<=\d\.–)(?=\d{1,2}\.)(?=[^<>]*<(?!/textarea))")
"""Between two days, where no line may end"""


def render(template: str, status: int = 200, **values: Any) -> Response:
    """Render one template with the context that every page has."""
    return Response(tie_numbers(render_template(template, **values)), status, mimetype="text/html")


def tie_numbers(html: str) -> str:
    """'KW 4', '40 h', '≈ 34 km', '9,50 €', '3. Dezember', '28.12.–1.1.': what belongs together stays on one line of a small
    screen.
    """
    return DATES_DASH.sub("\N{WORD JOINER}", LOOSE_SPACE.sub("\N{NO-BREAK SPACE}", html))


def go_to(url: str, receipt: str = "", undo_url: str = "", **values: Any) -> Response:
    """End a deed: 303 to a page, with a receipt that the page shows once. `receipt` is a translation key."""
    response = Response(status=303, headers={"Location": url})
    if receipt:
        body = {"text": gettext(receipt, **values), "undo_url": undo_url}
        keep(response, RECEIPT, str(_serializer().dumps(body)), RECEIPT_S)
    return response


def said(error: WerkringError) -> str:
    """The sentence of an error in the reader's language."""
    return str(gettext(error.text, **numbers_said(error.values)))


def prepare_rendering(app: Flask) -> None:
    """Register context and filters; undefined names in templates are errors."""
    app.jinja_env.filters.update(
        hours=hours_said,
        euro=euro_said,
        numbers=numbers_said,
        week=week_short,
        week_year=week_label,
        week_days=week_days,
        day=day_text,
        clock=clock_text,
        when=when_text,
        said=said,
        percent=percent_of,
    )
    app.jinja_env.globals.update(
        weeks_from=weeks_from,
        static_url=static_url,
        csrf_token=csrf_token,
        person_mark=person_mark,
        once_key=new_secret,
        at_once_url=at_once_url,
    )
    app.jinja_env.bytecode_cache = COMPILED
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.context_processor(_context)
    app.after_request(_drop_shown_receipt)


def hours_said(minutes: int) -> str:
    """90 -> '1,5' or '1.5', as the reader writes numbers."""
    return _number_said(hours_text(minutes))


def euro_said(cents: int) -> str:
    """4250050 -> '42.500,50' or '42,500.50', as the reader writes numbers."""
    return _number_said(euro_text(cents))


def pieces_said(count: int) -> str:
    """1250 -> '1.250' or '1,250', as the reader writes numbers."""
    return _number_said(f"{count:,}".replace(",", "."))


def numbers_said(values: Mapping[str, object]) -> dict[str, object]:
    """Values of a text: those that rules wrote as German numbers become numbers of the reader."""
    return {
        name: _number_said(value) if isinstance(value, str) and GERMAN_NUMBER.fullmatch(value) else value
        for name, value in values.items()
    }


def _number_said(german: str) -> str:
    return german if _is_german() else german.translate(OTHER_MARKS)


def percent_of(permille: int) -> int:
    """445 -> 44: whole percent, for people."""
    return round(permille / 10)


def day_text(value: dt.date | dt.datetime) -> str:
    """'Montag, 16. November' in the reader's language and German time."""
    day = value.astimezone(BERLIN).date() if isinstance(value, dt.datetime) else value
    return str(format_date(day, "EEEE, d. MMMM" if _is_german() else "EEEE, d MMMM"))


def clock_text(value: dt.datetime) -> str:
    """'7' or '12:05' for German, where "Uhr" follows; '07:00' for others; in German time."""
    local = value.astimezone(BERLIN)
    return (f"{local.hour}:{local:%M}" if local.minute else str(local.hour)) if _is_german() else f"{local:%H:%M}"


def when_text(value: dt.datetime) -> str:
    """'16. Nov., 7 Uhr', '16. Nov., 12:05 Uhr' or '16 Nov, 07:00', in German time."""
    if not _is_german():
        return str(format_datetime(value, "d MMM, HH:mm", rebase=True))
    return f"{format_datetime(value, 'd. MMM', rebase=True)}, {clock_text(value)} Uhr"


def _is_german() -> bool:
    locale = get_locale()
    return locale is None or locale.language == "de"


def _context() -> dict[str, Any]:
    actor = world().actor()
    return {
        "actor": actor,
        "look": {"light": actor.light, "hand": actor.hand} if actor else look_of_browser(),
        "lang": str(get_locale() or "de"),
        "world": _world_context(),
        "tabs": world().tabs(actor) if actor else [],
        "receipt": _receipt(),
        "path": request.path,
    }


def _world_context() -> dict[str, Any]:
    game = world().game() if config().is_practice else None
    return {
        "is_practice": config().is_practice,
        "root": request.script_root,
        "name": game.band if game else "",
        "links": game.links if game else [],
        "offline": False,
    }


def _receipt() -> dict[str, str] | None:
    raw = kept(RECEIPT)
    if not raw:
        return None
    g.receipt_shown = True
    try:
        body: dict[str, str] = _serializer().loads(raw, max_age=RECEIPT_S)
    except BadData:
        return None
    return body


def _drop_shown_receipt(response: Response) -> Response:
    if g.get("receipt_shown") and response.status_code == 200 and "HX-Request" not in request.headers:
        forget(response, RECEIPT)
    return response


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(config().secret_key, salt="quittung", serializer=json, signer_kwargs=HMAC_SHA256)


def look_of_browser() -> dict[str, str]:
    """Light and hand as this device keeps them."""
    known = {"light": (LOOKS, kept_look("light")), "hand": (HANDS, kept_look("hand"))}
    return {name: value if value in allowed else "" for name, (allowed, value) in known.items()}


def set_look(response: Response, name: str, value: str) -> None:
    """Keep light, hand or language on this device, for visitors who are nobody yet or play invented people."""
    keep(response, name, value, 365 * 86400)
