"""Every text of every firm holds a string of its own: none turns up in another firm's pages, and none crossed that should not."""

import gzip
import json
import re
import tempfile
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

import tests.tables  # noqa: F401
from app.core import clock
from app.core.db import Base, Database
from app.directory.models import DirectoryEntry
from app.firms.models import Firm
from app.machines.models import Machine
from tests.long.matrix import (
    ORIGIN,
    PEOPLE,
    PROGRAM_THINGS,
    USUAL,
    Matrix,
    _own,
    ask,
    ask_as_program,
    open_matrix,
    routes_of,
)
from tests.long.race_world import MONDAY
from tests.safety.canary_columns import CODES, WRITTEN
from tests.safety.table import TABLE

CODE = {"keller": "KE", "yilmaz": "YI", "brandt": "BR", "nowak": "NO", "lindner": "LI"}
CANARY = re.compile(
    r"(?<![0-9A-Za-z_])q(KE|YI|BR|NO|LI)\d{5}(?!\w)"
)  # by itself: a random token holds anything sooner or later
LINK = re.compile(r'(?:href|src|data-url|hx-get)="(/[^"#]*)"')
STRANGERS = {
    "yilmaz": ("Brandt", "Nowak", "Lindner"),
    "brandt": ("Yilmaz", "Lindner"),
    "lindner": ("Yilmaz", "Brandt", "Nowak"),
}
"""Firms whose names have no business in a house that never dealt with them."""
OPEN_PAGES = ("/verzeichnis", "/betrieb/<handle>", "/betrieb/lindner")
"""Where strangers see a firm that switched its entry on, by name and town and nothing else."""
MOST_LINKS, SHORT_LINKS = 400, 30
"""Links that are followed for each person beyond the table."""
Found = dict[str, Any]


@dataclass
class Canaries:
    """What was planted and what was found."""

    planted: int = 0
    pages: int = 0
    shown: frozenset[str] = frozenset()
    """Names and towns that their owners show to strangers"""
    foreign: list[str] = field(default_factory=list)
    open_seen: int = 0
    crossed: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def run(is_short: bool, seed: int) -> Found:
    """Plant, crawl as everybody, then plant one foreign string on purpose and crawl again."""
    with tempfile.TemporaryDirectory() as folder, clock.frozen(MONDAY):
        database = Database(f"sqlite:///{folder}/scene.sqlite")
        database.create_tables()
        matrix = open_matrix(database, Path(folder))
        found = check_houses(database, matrix, SHORT_LINKS if is_short else MOST_LINKS)
        caught = is_planted_caught(database, matrix)
        database.close()
    sorted_out = unsorted_columns()
    return {
        "ok": caught and not (found.foreign or found.crossed or found.faults or sorted_out),
        "planted": found.planted,
        "pages": found.pages,
        "foreign": len(found.foreign),
        "crossed": len(found.crossed),
        "faults": len(found.faults),
        "first": (found.foreign + found.crossed + found.faults)[:5],
        "unsorted_columns": sorted_out,
        "planted_caught": caught,
    }


def unsorted_columns() -> list[str]:
    """Columns of text that nobody has sorted into written words or codes, or that are gone."""
    real = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, (sa.String, sa.JSON)) and column.name not in ("id", "firm_id")
    }
    return sorted(real ^ (WRITTEN | CODES))


def check_houses(database: Database, matrix: Matrix, most_links: int) -> Canaries:
    found = Canaries()
    found.crossed = [*_crossed(database, matrix)]
    found.planted = _plant(database, matrix)
    found.shown = _shown_to_strangers(database)
    for key in CODE:
        _crawl(matrix, key, PEOPLE, most_links, found)
        _ask_as_program(matrix, key, found)
    return found


def is_planted_caught(database: Database, matrix: Matrix) -> bool:
    """One of Brandt's strings as the name of Yilmaz' machine: the crawl must stumble over it."""
    with database.write() as session:
        session.execute(
            sa.update(Machine).where(Machine.firm_id == matrix.scene.houses["yilmaz"].firm.id).values(name="qBR99999")
        )
    found = Canaries()
    _crawl(matrix, "yilmaz", ("foreman",), 0, found)
    return any("qBR99999" in line for line in found.foreign)


def _crossed(database: Database, matrix: Matrix) -> list[str]:
    """Read every row of every house: what never leaves a house stands in no other one, nor does a stranger's name."""
    found = []
    for key, house in matrix.scene.houses.items():
        text = _rows_of(database, house.firm.id)
        secrets = [f"@{other}.example" for other in CODE if other != key]
        secrets += [f"Kunde {other}" for other in CODE if other != key]
        for word in (*secrets, *STRANGERS.get(key, ())):
            if word in text:
                place = text.index(word)
                found.append(f"{key} holds {word!r}: {text[max(0, place - 150) : place + 50]!r}")
    return found


def _rows_of(database: Database, firm_id: str) -> str:
    lines = []
    with database.read() as session:
        for table in Base.metadata.sorted_tables:
            if "firm_id" in table.columns:
                for row in session.execute(sa.select(table).where(table.c.firm_id == firm_id)):
                    lines.append(f"{table.name} {json.dumps([str(value) for value in row], ensure_ascii=False)}")
    return "\n".join(lines)


def _shown_to_strangers(database: Database) -> frozenset[str]:
    with database.read() as session:
        rows = session.execute(
            sa.select(Firm.name, Firm.town)
            .join(DirectoryEntry, DirectoryEntry.firm_id == Firm.id)
            .where(sa.or_(DirectoryEntry.is_listed, DirectoryEntry.is_public))
        )
        return frozenset(word for row in rows for word in row)


def _plant(database: Database, matrix: Matrix) -> int:
    """Overwrite every written column of every row with q + the firm's letters + a number, as short as the column is."""
    owners = {house.firm.id: CODE[key] for key, house in matrix.scene.houses.items()}
    count = 0
    with database.write() as session:
        for name in sorted(WRITTEN):
            table = Base.metadata.tables[name.split(".")[0]]
            column = table.c[name.split(".")[1]]
            owner = table.c["firm_id" if "firm_id" in table.c else "id"]
            for row in session.execute(sa.select(*table.primary_key, owner.label("owner"), column.label("now"))).all():
                if row.owner not in owners:
                    continue
                count += 1
                text = f"q{owners[row.owner]}{count:05d}"
                value = _in_place(row.now, text) if isinstance(column.type, sa.JSON) else text
                same = [key == row[place] for place, key in enumerate(table.primary_key)]
                session.execute(sa.update(table).where(*same).values({column.name: value}))
    return count


def _in_place(detail: dict[str, Any], text: str) -> dict[str, Any]:
    return {name: text if isinstance(value, str) else value for name, value in detail.items()}


def _crawl(matrix: Matrix, key: str, people: Sequence[str], most_links: int, found: Canaries) -> None:
    """Each person of the house: all pages of the table with own ids, and every link that leads on from them."""
    house = matrix.scene.houses[key]
    for person in people:
        waiting: deque[str] = deque()
        for rule, method in routes_of(matrix.app):
            row = TABLE.get(f"{rule.endpoint} {method}")
            for case in row.cases if row and method == "GET" else ():
                ids, fields = _own(house, case.ids), _own(house, case.fields)
                if ids is None or fields is None or case.is_secret:
                    continue
                answer = ask(matrix, house, person, rule, method, ids, fields)
                _look(key, person, f"{rule.rule} {fields}", answer, found)
                waiting.extend(LINK.findall(answer.get_data(as_text=True)) if answer.mimetype == "text/html" else ())
        _follow(matrix, key, person, waiting, most_links, found)


def _ask_as_program(matrix: Matrix, key: str, found: Canaries) -> None:
    """What the firm's own program and its manager's calendar get."""
    house = matrix.scene.houses[key]
    for name in (*PROGRAM_THINGS, "free-hours"):
        answer = ask_as_program(matrix, house, name)
        _look(key, "program", f"/api/v1/{name}", answer, found)
        if answer.status_code != 200:
            found.faults.append(f"{key} program: {name} answered {answer.status_code}")
    calendar = matrix.app.test_client().get(f"/kalender/{house.ids['calendar_secret']}.ics", base_url=ORIGIN)
    _look(key, "program", "/kalender", calendar, found)


def _follow(matrix: Matrix, key: str, person: str, waiting: deque[str], most_links: int, found: Canaries) -> None:
    client = matrix.app.test_client()
    house = matrix.scene.houses[key]
    if person in house.cookies:
        client.set_cookie("werkring", house.cookies[person], domain="localhost")
    seen: set[str] = set()
    while waiting and len(seen) < most_links:
        path = waiting.popleft().replace("&amp;", "&")
        if path in seen or path.startswith("/static/"):
            continue
        seen.add(path)
        answer = client.get(path, base_url=ORIGIN)
        _look(key, person, path, answer, found)
        if answer.mimetype == "text/html":
            waiting.extend(LINK.findall(answer.get_data(as_text=True)))


def _look(key: str, person: str, path: str, answer: Any, found: Canaries) -> None:
    found.pages += 1
    if answer.status_code >= 500 and answer.status_code not in USUAL["GET"] | {503}:
        found.faults.append(f"{key} {person}: {path} answered {answer.status_code}")
    data: bytes = answer.get_data()
    # the archive of a firm is packed: what is inside is read too
    text = (gzip.decompress(data) if answer.mimetype == "application/gzip" else data).decode("utf-8", "replace")
    text += str(answer.headers)
    for match in CANARY.finditer(text):
        if path.startswith(OPEN_PAGES) and match.group(0) in found.shown:
            found.open_seen += 1
        elif match.group(1) != CODE[key]:
            found.foreign.append(f"{key} {person}: {path} shows {match.group(0)}")
