"""Bad forms, JSON, passkey answers, files and addresses: never a 5xx, never a hang, never active content that comes back."""

import json
import os
import random
import re
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import structlog
from flask import Response, request
from flask.testing import FlaskClient
from markupsafe import Markup
from werkzeug.test import TestResponse

import tests.tables  # noqa: F401
from app.core import clock
from app.core.db import Base, Database
from app.passkeys.sessions import cookie_name
from app.web.transaction import PUBLIC, page
from tests.long.fuzz_inputs import ACTIVE, MARK, Luck, bad_file, bad_form, bad_json, bad_part, value
from tests.long.matrix import ORIGIN, PEOPLE, Matrix, _own, ask, open_matrix, routes_of
from tests.long.processes import forked
from tests.long.race_world import MONDAY
from tests.safety.canary_columns import WRITTEN
from tests.safety.table import TABLE

INPUTS, SHORT_INPUTS = 250_000, 1_000
MOST_CPU_S = 2.0
HANG_S = 30
SAME_ORIGIN = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
FILE_FIELDS = ("table", "drawing", "photo", "file", "other", "policy")
URLS = ("href", "src", "action", "formaction", "data", "poster", "hx-get", "hx-post", "data-url")
HEADERS = (
    "Accept-Language",
    "Accept",
    "Range",
    "If-None-Match",
    "HX-Request",
    "Cookie",
    "X-CSRF-Token",
    "Content-Type",
)
BODY_TYPES = (
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded",
    "text/xml",
    "application/json; charset=x",
)
FIXED = frozenset({"audit_event.detail", "sign_in.device", "passkey.name", "push_device.name"})
"""Not what people typed: structured, or one of our own words for a device, which pages translate."""
Found = dict[str, Any]


@dataclass(frozen=True)
class PageForm:
    """A form as it stands on a page: where it goes and what it would send."""

    action: str
    fields: tuple[tuple[str, str], ...]


@dataclass
class Fuzzer:
    """One process's share: the application, its forms, and what was found."""

    matrix: Matrix
    luck: Luck
    forms: list[PageForm] = field(default_factory=list)
    paths: list[tuple[str, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def run(is_short: bool, seed: int) -> Found:
    """All inputs over as many processes as there are cores; then the planted faults."""
    total = SHORT_INPUTS if is_short else INPUTS
    processes = 1 if is_short else os.cpu_count() or 1
    with ProcessPoolExecutor(processes, forked()) as pool:
        shares = [pool.submit(fuzz, total // processes, seed * 100 + n) for n in range(processes)]
        results = [share.result() for share in shares]
    counts: Counter[str] = sum((Counter(result["counts"]) for result in results), Counter())
    faults = [fault for result in results for fault in result["faults"]]
    caught = is_planted_caught()
    return {
        "ok": caught and not faults,
        "inputs": sum(counts[kind] for kind in MAKERS_BY_NAME),
        "faults": len(faults),
        "first_faults": faults[:5],
        "counts": dict(sorted(counts.items())),
        "planted_caught": caught,
    }


def fuzz(inputs: int, seed: int) -> Found:
    """So many inputs from one seed, after every stored text was made active once and looked at on every page."""
    with _no_log(), tempfile.TemporaryDirectory() as folder, clock.frozen(MONDAY):
        database = Database(f"sqlite:///{folder}/scene.sqlite")
        database.create_tables()
        fuzzer = Fuzzer(open_matrix(database, Path(folder)), random.Random(seed))
        _collect(fuzzer)
        kinds, weights = list(MAKERS), [6, 3, 3, 2, 1]
        for make in fuzzer.luck.choices(kinds, weights, k=inputs):
            _try(fuzzer, make)
        _store_active_text(database)
        _look_at_stored(fuzzer)
        database.close()
    return {"counts": dict(fuzzer.counts), "faults": fuzzer.faults}


def is_planted_caught() -> bool:
    """A page that shows the query as markup, one that fails on a zero byte, one that thinks for long."""
    with _no_log(), tempfile.TemporaryDirectory() as folder, clock.frozen(MONDAY):
        database = Database(f"sqlite:///{folder}/scene.sqlite")
        database.create_tables()
        matrix = open_matrix(database, Path(folder))
        matrix.app.add_url_rule("/planted", "planted", _planted)
        fuzzer = Fuzzer(matrix, random.Random(1))
        client = _client(fuzzer, "keller", "manager")
        texts = (ACTIVE[0], ACTIVE[1], ACTIVE[3], ACTIVE[8], "\x00", "slow")
        for text in texts:
            _checked(fuzzer, lambda text=text: client.get("/planted", query_string={"q": text}, base_url=ORIGIN), text)
        database.close()
    return all(any(fault.startswith(f"{text} GET") for fault in fuzzer.faults) for text in texts)


@contextmanager
def _no_log() -> Iterator[None]:
    before = structlog.get_config()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.configure(**before)


@page(PUBLIC)
def _planted(_session: object, _actor: object) -> Response:
    asked = request.args.get("q", "")
    if asked == "\x00":
        raise ValueError(asked)
    until = time.thread_time() + (MOST_CPU_S + 0.1 if asked == "slow" else 0)
    while time.thread_time() < until:
        pass
    headers = {"Location": asked} if asked.startswith("/\\") else {}
    return Response(Markup(f'<p>{asked}</p><a href="{asked}">x</a>'), 303 if headers else 200, headers)


def _collect(fuzzer: Fuzzer) -> None:
    """Read every page of the table once as the manager: its forms are where the bad ones begin."""
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for rule, method in routes_of(fuzzer.matrix.app):
        row = TABLE.get(f"{rule.endpoint} {method}")
        for key in ("keller", "yilmaz"):
            house = fuzzer.matrix.scene.houses[key]
            ids = _own(house, row.cases[0].ids) if row else None
            if row is None or ids is None or rule.endpoint == "web.healthz":
                continue
            with fuzzer.matrix.app.test_request_context(base_url=ORIGIN):
                path = fuzzer.matrix.app.url_map.bind("localhost:8000").build(rule.endpoint, ids, method=method)
            fuzzer.paths.append((method, path))
            if method == "POST":
                continue
            answer = ask(fuzzer.matrix, house, "manager", rule, method, ids, {})
            for form in forms_in(answer.get_data(as_text=True)) if answer.mimetype == "text/html" else ():
                if (form.action, names := tuple(name for name, _ in form.fields)) not in seen:
                    seen.add((form.action, names))
                    fuzzer.forms.append(form)


def _by_form(fuzzer: Fuzzer, client: FlaskClient) -> TestResponse:
    form = fuzzer.luck.choice(fuzzer.forms)
    data = bad_form(fuzzer.luck, list(form.fields))
    fields: dict[str, list[str]] = {}
    for name, text in data:
        fields.setdefault(name, []).append(text)
    return client.post(form.action or "/", base_url=ORIGIN, headers=SAME_ORIGIN, data=fields)


def _by_json(fuzzer: Fuzzer, client: FlaskClient) -> TestResponse:
    path = fuzzer.luck.choice([path for method, path in fuzzer.paths if method == "POST"])
    headers = SAME_ORIGIN | {"Content-Type": "application/json"}
    return client.post(path, base_url=ORIGIN, headers=headers, data=bad_json(fuzzer.luck))


def _by_address(fuzzer: Fuzzer, client: FlaskClient) -> TestResponse:
    luck = fuzzer.luck
    method, path = luck.choice(fuzzer.paths)
    parts = path.split("/")
    if len(parts) > 2 and luck.random() < 0.7:
        parts[luck.randrange(1, len(parts))] = bad_part(luck)
    names = (
        "v",
        "machine",
        "week",
        "weiter",
        "ab",
        "hours",
        "typ",
        "standort",
        "back",
        "zettel",
        "first_week",
        value(luck)[:20],
    )
    asked = {luck.choice(names): value(luck) for _ in range(luck.randrange(3))}
    headers = SAME_ORIGIN if method == "POST" else {}
    if luck.random() < 0.3:
        name = luck.choice(
            (
                "Accept-Language",
                "Accept",
                "Range",
                "If-None-Match",
                "HX-Request",
                "Cookie",
                "X-CSRF-Token",
                "Content-Type",
            )
        )
        headers = headers | {name: re.sub(r"[^\x20-\x7e]", "?", value(luck))[:200]}
    return client.open("/".join(parts), method=method, query_string=asked, base_url=ORIGIN, headers=headers)


def _by_file(fuzzer: Fuzzer, client: FlaskClient) -> TestResponse:
    luck = fuzzer.luck
    with_files = [form for form in fuzzer.forms if any(name in FILE_FIELDS for name, _ in form.fields)]
    form = luck.choice(with_files)
    data: dict[str, Any] = dict(form.fields) | {luck.choice(FILE_FIELDS): bad_file(luck) for _ in range(2)}
    return client.post(form.action, base_url=ORIGIN, headers=SAME_ORIGIN, data=data, content_type="multipart/form-data")


def _by_body(fuzzer: Fuzzer, client: FlaskClient) -> TestResponse:
    """A body that is not what its type says."""
    luck = fuzzer.luck
    path = luck.choice([path for method, path in fuzzer.paths if method == "POST"])
    body = luck.choice((luck.randbytes(300), b"--x\r\n\r\n", b"a=%ff&b=%00&" + b"c&" * 900, b"{}", b"&" * 3000))
    return client.post(
        path, base_url=ORIGIN, headers=SAME_ORIGIN | {"Content-Type": luck.choice(BODY_TYPES)}, data=body
    )


MAKERS: tuple[Callable[[Fuzzer, FlaskClient], TestResponse], ...] = (
    _by_form,
    _by_json,
    _by_address,
    _by_file,
    _by_body,
)
MAKERS_BY_NAME = {make.__name__: make for make in MAKERS}


def _try(fuzzer: Fuzzer, make: Callable[[Fuzzer, FlaskClient], TestResponse]) -> None:
    key = fuzzer.luck.choice(("keller", "yilmaz"))
    person = fuzzer.luck.choice((*PEOPLE, "foreman", "foreman", *["manager"] * 12))
    client = _client(fuzzer, key, person)
    fuzzer.counts[make.__name__] += 1
    state = fuzzer.luck.getstate()
    _checked(fuzzer, lambda: make(fuzzer, client), f"{key} {person} {make.__name__} {hash(state)}")


def _client(fuzzer: Fuzzer, key: str, person: str) -> FlaskClient:
    client = fuzzer.matrix.app.test_client()
    cookies = fuzzer.matrix.scene.houses[key].cookies
    if person in cookies:
        client.set_cookie(
            cookie_name(fuzzer.matrix.app.extensions["world"].config), cookies[person], domain="localhost"
        )
    return client


def _checked(fuzzer: Fuzzer, send: Callable[[], TestResponse], what: str) -> None:
    started = time.thread_time()
    try:
        with _alarm():
            answer = send()
    except Hang:
        fuzzer.faults.append(f"{what}: no answer within {HANG_S} s")
        return
    except (UnicodeError, ValueError) as error:
        if "_by_" not in what:
            raise
        fuzzer.counts[f"not sendable: {type(error).__name__}"] += 1
        return
    spent = time.thread_time() - started
    fuzzer.counts[str(answer.status_code)] += 1
    where = f"{what} {answer.request.method} {answer.request.path}?{answer.request.query_string!r:.300}"
    if answer.status_code >= 500:
        body = (
            answer.request.environ["werkzeug.request"].get_data()
            if "werkzeug.request" in answer.request.environ
            else b""
        )
        fuzzer.faults.append(f"{where} answered {answer.status_code} {body!r:.300}")
    if spent > MOST_CPU_S:
        fuzzer.faults.append(f"{where} took {spent:.1f} s")
    for active in active_in(answer):
        fuzzer.faults.append(f"{where} shows {active!r:.300}")
    answer.close()


def active_in(answer: TestResponse) -> list[str]:
    """Marked words in a place where a browser would run or follow them."""
    found = []
    target = answer.headers.get("Location", "")
    if MARK in target and not _is_local(target):
        found.append(f"Location: {target}")
    text = (
        answer.get_data(as_text=True)
        if answer.mimetype in ("text/html", "image/svg+xml", "application/xhtml+xml")
        else ""
    )
    if MARK in text:
        reader = ActiveReader()
        reader.feed(text)
        found += reader.found
    return found


def _is_local(target: str) -> bool:
    """What a browser makes of it: backslashes are slashes to it. A telephone number leads nowhere."""
    parts = urlsplit(target.replace("\\", "/").strip())
    is_path = not parts.netloc and parts.scheme in ("", "tel", "mailto")
    return is_path or f"{parts.scheme}://{parts.netloc}" == ORIGIN


class ActiveReader(HTMLParser):
    """Reads a page as a browser does and keeps what would act."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.in_script = self.in_data = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.in_script = tag == "script"
        # linked data is never run; what could end it early, or begin a tag in it, is active all the same
        self.in_data = self.in_script and attrs == [("type", "application/ld+json")]
        for name, text in attrs:
            told = text or ""
            is_handler = name.startswith(("on", "hx-on")) and MARK in told
            is_bad_url = name in URLS and MARK in told and not _is_local(re.sub(r"[\x00-\x20]", "", told))
            if is_handler or is_bad_url or MARK in name or MARK in tag:
                self.found.append(f"<{tag} {name}={told!r}>")

    def handle_data(self, data: str) -> None:
        if self.in_script and MARK in data and not (self.in_data and not set(data) & set("<>&")):
            self.found.append(f"<script>{data}")

    def handle_endtag(self, tag: str) -> None:
        self.in_script = False


class _FormReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[tuple[str, list[tuple[str, str]]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: text or "" for name, text in attrs}
        if tag == "form" and told.get("method", "").lower() == "post":
            self.forms.append((told.get("action", ""), []))
        elif tag in ("input", "select", "textarea", "button") and told.get("name") and self.forms:
            self.forms[-1][1].append((told["name"], told.get("value", "")))


def forms_in(text: str) -> list[PageForm]:
    """The POST forms of a page."""
    reader = _FormReader()
    reader.feed(text)
    return [PageForm(action, tuple(fields)) for action, fields in reader.forms if action.startswith("/")]


def _store_active_text(database: Database) -> None:
    """As if every check on the way in had failed: all written columns hold markup."""
    with database.write() as session:
        for name in sorted(WRITTEN - FIXED):
            table, _, column = name.partition(".")
            session.execute(Base.metadata.tables[table].update().values({column: ACTIVE[1]}))


def _look_at_stored(fuzzer: Fuzzer) -> None:
    for method, path in fuzzer.paths:
        if method == "GET":
            for key in ("keller", "yilmaz"):
                client = _client(fuzzer, key, "manager")
                _checked(
                    fuzzer, lambda path=path, client=client: client.get(path, base_url=ORIGIN), f"stored {key} {path}"
                )


class Hang(Exception):
    """No answer in time."""


@contextmanager
def _alarm() -> Iterator[None]:
    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, HANG_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


if __name__ == "__main__":
    print(json.dumps(fuzz(SHORT_INPUTS, 1), ensure_ascii=False))
