"""Every route × every role × own and foreign ids in address, query and body: a foreign id answers as one that never was."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask, Response
from sqlalchemy.orm import Session
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

import tests.tables  # noqa: F401
from app.config import load_config
from app.core import clock
from app.core.db import Database, void
from app.core.ids import new_id
from app.factory import create_app
from app.firms.access import PERMISSIONS, WITHOUT_PASSKEY, Actor, Role
from app.machines.models import Machine
from app.passkeys.sessions import cookie_name
from app.web.security import STRANGER_COOKIE
from app.web.transaction import page
from tests.long.race_world import MONDAY
from tests.safety.scene import ROLES, FirmIds, Scene, make_scene
from tests.safety.table import PUBLIC, TABLE, Case, Row

ORIGIN = "http://localhost:8000"
PEOPLE = (*ROLES, "device", "nobody")
ACTING = {"yilmaz": ("brandt", "nowak"), "keller": ("nowak", "brandt")}
"""Who acts, and whose things it names: first the firm of the other job in the same place, then the other one."""
USUAL = {"GET": {200, 204, 302, 303}, "POST": {200, 204, 303, 400, 409, 422}, "PUT": set[int]()}
PROGRAM_THINGS = {
    "machines": "machine", "requests": "request", "offers": "offer", "bookings": "booking", "hours": "hour_report",
    "invoices": "invoice",
}  # fmt: skip
PROGRAM_PATHS = {f"{name}/{{id}}": kind for name, kind in PROGRAM_THINGS.items()} | {
    "invoices/{id}/xml": "invoice", "invoices/{id}/pdf": "invoice",
}  # fmt: skip
Found = dict[str, Any]


class NeverKeeping(Database):
    """Every writing transaction runs to its end and is thrown away: thousands of requests, one untouched scene."""

    @contextmanager
    def write(self) -> Iterator[Session]:
        with super().write() as session:
            yield session
            session.flush()
            session.expunge_all()  # a rollback would empty what a view reads after its transaction
            void(session)


@dataclass
class Matrix:
    """The application over the scene, and what was found."""

    app: Flask
    scene: Scene
    checks: int = 0
    pairs: int = 0
    leaks: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def run(is_short: bool, seed: int) -> Found:
    """The whole matrix; the short form and the long one are the same."""
    with tempfile.TemporaryDirectory() as folder, clock.frozen(MONDAY):
        database = Database(f"sqlite:///{folder}/scene.sqlite")
        database.create_tables()
        found = check_all(open_matrix(database, Path(folder)))
        database.close()
        caught = is_planted_caught(Path(folder))
    return {
        "ok": caught and not (found.leaks or found.wrong),
        "planted_caught": caught,
        "routes": len(TABLE),
        "checks": found.checks,
        "foreign_pairs": found.pairs,
        "leaks": len(found.leaks),
        "wrong": len(found.wrong),
        "first_leaks": found.leaks[:5],
        "first_wrong": found.wrong[:5],
    }


def is_planted_caught(folder: Path) -> bool:
    """A route that says 403 for what others have and 404 for what nobody has: first missing in the table, then a leak."""
    database = Database(f"sqlite:///{folder}/planted.sqlite")
    database.create_tables()
    matrix = open_matrix(database, folder, leaks=True)
    check_table(matrix)
    is_missed = matrix.wrong == ["planted GET is missing from the table"]
    table = {"planted GET": Row("machines.see", (Case({"machine_id": "machine"}),))}
    check_all(matrix, table)
    database.close()
    return is_missed and len(matrix.leaks) >= 2


def open_matrix(database: Database, folder: Path, leaks: bool = False) -> Matrix:
    """The scene, and the real world over it, that forgets what it writes; with the planted route when it is to leak."""
    scene = make_scene(database)
    _name_pairs(scene)
    config = replace(load_config({"DATA_DIR": str(folder), "DATABASE_URL": database.url}), counts_people=False)
    app = create_app(config, NeverKeeping(database.url))
    if leaks:
        app.add_url_rule("/planted/<machine_id>", "planted", _planted)
    return Matrix(app, scene)


@page("machines.see")
def _planted(session: Session, actor: Actor, machine_id: str) -> Response:
    owners = session.scalars(sa.select(Machine.firm_id).where(Machine.id == machine_id)).all()
    return Response("", 404 if not owners else 200 if actor.firm_id in owners else 403)


def check_all(matrix: Matrix, table: dict[str, Row] = TABLE) -> Matrix:
    if table is TABLE:
        check_table(matrix)
    for rule, method in routes_of(matrix.app):
        row = table.get(f"{rule.endpoint} {method}")
        for case in row.cases if row else ():
            for key in ACTING:
                check_roles(matrix, rule, method, row, case, key)
                check_foreign(matrix, rule, method, row, case, key)
    if table is TABLE:
        check_programs(matrix)
    return matrix


def check_programs(matrix: Matrix) -> None:
    """With a program's key that may all: own things open, a foreign id answers as one that never was."""
    for key in ACTING:
        house = matrix.scene.houses[key]
        for path, kind in PROGRAM_PATHS.items():
            own, other = house.ids.get(kind), _foreign(matrix.scene, key, kind)
            if own is not None:
                matrix.checks += 1
                status = ask_as_program(matrix, house, path.format(id=own)).status_code
                if status != 200:
                    matrix.wrong.append(f"{key} program: {path} answered {status}")
            if other is not None:
                pair = [
                    fingerprint(ask_as_program(matrix, house, path.format(id=one)), one) for one in (other, new_id())
                ]
                matrix.pairs += 1
                if pair[0] != pair[1]:
                    matrix.leaks.append(f"{key} program: {path} tells foreign from missing")


def ask_as_program(matrix: Matrix, house: FirmIds, path: str) -> TestResponse:
    """One question of the firm's own program."""
    headers = {"Authorization": f"Bearer {house.ids['api_secret']}"}
    return matrix.app.test_client().get(f"/api/v1/{path}", base_url=ORIGIN, headers=headers)


def routes_of(app: Flask) -> list[tuple[Rule, str]]:
    found = [(rule, method) for rule in app.url_map.iter_rules() for method in (rule.methods or ())]
    return sorted(
        ((rule, method) for rule, method in found if method not in ("HEAD", "OPTIONS")),
        key=lambda pair: (pair[0].rule, pair[1]),
    )


def check_table(matrix: Matrix) -> None:
    """The table and the application name the same routes with the same permissions."""
    real = {
        f"{rule.endpoint} {method}": matrix.app.view_functions[rule.endpoint].permission  # type: ignore[attr-defined]
        for rule, method in routes_of(matrix.app)
    }
    for name in sorted(real.keys() - TABLE.keys()):
        matrix.wrong.append(f"{name} is missing from the table")
    for name in sorted(TABLE.keys() - real.keys()):
        matrix.wrong.append(f"{name} is no route any more")
    for name, row in TABLE.items():
        if real.get(name, row.permission) != row.permission:
            matrix.wrong.append(f"{name} demands {real[name]}, the table says {row.permission}")


def check_roles(matrix: Matrix, rule: Rule, method: str, row: Row, case: Case, key: str) -> None:
    """Own things: who may gets a usual answer, everybody else a refusal."""
    house = matrix.scene.houses[key]
    ids = _own(house, case.ids)
    fields = _own(house, case.fields)
    if ids is None or fields is None:
        return
    for person in PEOPLE:
        answer = ask(matrix, house, person, rule, method, ids, fields)
        matrix.checks += 1
        if answer.status_code not in _right(row, case, method, person):
            matrix.wrong.append(f"{key} {person}: {method} {rule.rule} answered {answer.status_code}")


def check_foreign(matrix: Matrix, rule: Rule, method: str, row: Row, case: Case, key: str) -> None:
    """Each id once foreign and once invented: status, body and headers must be the same bytes."""
    if case.is_secret:
        return
    house = matrix.scene.houses[key]
    ids, fields = _own(house, case.ids) or {}, _own(house, case.fields) or {}
    named = [(ids, name, kind) for name, kind in case.ids.items()] + [
        (fields, name, kind) for name, kind in case.fields.items()
    ]
    for place, name, kind in named:
        other = _foreign(matrix.scene, key, kind)
        if (
            kind.startswith("=")
            or other is None
            or (place is ids and len(ids) < len(case.ids) and not _fill(ids, case))
        ):
            continue
        for person in PEOPLE:
            _compare(matrix, house, person, rule, method, ids, fields, place is ids, name, other)


def _compare(
    matrix: Matrix,
    house: FirmIds,
    person: str,
    rule: Rule,
    method: str,
    ids: dict[str, str],
    fields: dict[str, str],
    in_address: bool,
    name: str,
    other: str,
) -> None:
    seen = []
    for value in (other, new_id()):
        there = ids | {name: value} if in_address else ids
        told = fields if in_address else fields | {name: value}
        seen.append(fingerprint(ask(matrix, house, person, rule, method, there, told), value))
    matrix.pairs += 1
    if seen[0] != seen[1]:
        what = _difference(seen[0], seen[1])
        matrix.leaks.append(
            f"{house.firm.key} {person}: {method} {rule.rule} {name} tells foreign from missing: {what}"
        )


def ask(
    matrix: Matrix, house: FirmIds, person: str, rule: Rule, method: str, ids: dict[str, str], fields: dict[str, str]
) -> TestResponse:
    """One request by one person of the house, as a browser of the same origin sends it."""
    client = matrix.app.test_client()
    client.set_cookie(STRANGER_COOKIE, "one and the same browser", domain="localhost")
    if person in house.cookies:
        client.set_cookie(cookie_name(matrix.app.extensions["world"].config), house.cookies[person], domain="localhost")
    path = matrix.app.url_map.bind("localhost:8000").build(rule.endpoint, ids, method=method)
    headers = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
    how = {"query_string": fields} if method == "GET" else {"data": fields}
    return client.open(path, method=method, base_url=ORIGIN, headers=headers, **how)  # type: ignore[arg-type]


def fingerprint(answer: TestResponse, value: str) -> tuple[int, dict[str, str], str]:
    """What an observer can compare: status, headers and body; the id asked for and one-time keys are blanked."""
    body = (
        answer.get_data(as_text=True)
        if answer.mimetype.startswith(("text/", "application/json"))
        else repr(answer.data)
    )
    headers = {name: _blank(text, value) for name, text in answer.headers.items() if name != "Set-Cookie"}
    headers["Set-Cookie"] = ",".join(text.split("=")[0] for text in answer.headers.getlist("Set-Cookie"))
    return answer.status_code, headers, _blank(body, value)


def _blank(text: str, value: str) -> str:
    return re.sub(r'name="once" value="[^"]*"', "once", text.replace(value, "?"))


def _difference(one: tuple[int, dict[str, str], str], other: tuple[int, dict[str, str], str]) -> str:
    if one[0] != other[0]:
        return f"status {one[0]} and {other[0]}"
    if one[1] != other[1]:
        return f"headers {sorted(set(one[1].items()) ^ set(other[1].items()))[:4]}"
    place = next((n for n, pair in enumerate(zip(one[2], other[2], strict=False)) if pair[0] != pair[1]), 0)
    return (
        f"{one[0]} body {one[2][max(0, place - 60) : place + 60]!r} and {other[2][max(0, place - 60) : place + 60]!r}"
    )


def _right(row: Row, case: Case, method: str, person: str) -> set[int]:
    if row.permission == PUBLIC or _may(row.permission, person):
        return USUAL[method] | set(case.also)
    return {303} if person == "nobody" and method == "GET" else {403}


def _may(permission: str, person: str) -> bool:
    if person == "nobody":
        return False
    if person == "device":
        return permission in WITHOUT_PASSKEY and Role.WORKER in PERMISSIONS[permission]
    return Role(person) in PERMISSIONS[permission]


def _own(house: FirmIds, kinds: dict[str, str]) -> dict[str, str] | None:
    """The house's own ids of these kinds; None when it has none of some kind."""
    found = {name: kind[1:] if kind.startswith("=") else house.ids.get(kind, "") for name, kind in kinds.items()}
    return found if all(found.values()) else None


def _fill(ids: dict[str, str], case: Case) -> bool:
    """A house without an own thing of some kind still may name foreign ones: the other ids are invented."""
    for name, kind in case.ids.items():
        ids.setdefault(name, kind[1:] if kind.startswith("=") else new_id())
    return True


def _foreign(scene: Scene, key: str, kind: str) -> str | None:
    for other in ACTING[key]:
        house = scene.houses[other]
        found = house.firm.id if kind == "partner" else house.ids.get(kind)
        if found and not (kind == "partner" and key == "keller"):  # Keller is a partner of everybody
            return found
    return None


def _name_pairs(scene: Scene) -> None:
    """Ids that mean something only for two firms."""
    for asker, provider in (("keller", "yilmaz"), ("nowak", "brandt")):
        one, other = scene.houses[asker], scene.houses[provider]
        one.ids |= {"partner": other.firm.id, "request_of_both": one.ids["request"]}
        other.ids |= {"partner": one.firm.id, "request_of_both": other.ids["received"], "own_offer": other.ids["offer"]}
