"""Every operation of the interface for programs, asked in good and bad ways: no answer 5xx, none that is not as described."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup

import app.api.routes_v1 as served
import tests.tables  # noqa: F401
from app.core import clock
from app.core.db import Database
from tests.api.world import ORIGIN, Programs, open_programs
from tests.long.race_world import MONDAY

SHORT_EXAMPLES, LONG_EXAMPLES = 20, 500
Found = dict[str, Any]


@dataclass
class Asked:
    """How much was asked, and what was wrong with the answers."""

    asked: int = 0
    faults: list[str] = field(default_factory=list)


def run(is_short: bool, seed: int) -> Found:
    """All operations on a finished job; then once more with an answer that is not as described."""
    with tempfile.TemporaryDirectory() as folder, clock.frozen(MONDAY):
        database = Database(f"sqlite:///{folder}/interface.sqlite")
        database.create_tables()
        programs = open_programs(database, Path(folder), counts_people=False)
        found = ask_everything(programs, SHORT_EXAMPLES if is_short else LONG_EXAMPLES)
        caught = is_planted_caught(programs)
        database.close()
    return {
        "ok": caught and not found.faults,
        "asked": found.asked,
        "faults": len(found.faults),
        "first": found.faults[:5],
        "planted_caught": caught,
    }


def ask_everything(programs: Programs, examples: int, only: str = "") -> Asked:
    """Ask every operation with what fits its description and what does not."""
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", programs.app)
    found = Asked()
    for result in schema.get_all_operations():
        operation = result.ok()
        if only in operation.path:
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                _ask_one(programs, operation, mode, examples, found)
    return found


def is_planted_caught(programs: Programs) -> bool:
    """An answer without a cursor: it must be found."""
    straight = served.as_json
    served.as_json = lambda body: straight({"items": []} if isinstance(body, dict) and "next_cursor" in body else body)
    try:
        return bool(ask_everything(programs, 1, "/api/v1/machines").faults)
    finally:
        served.as_json = straight


def _ask_one(programs: Programs, operation: Any, mode: GenerationMode, examples: int, found: Asked) -> None:
    # packed answers are the web's, and this client in memory does not unpack
    headers = {"Authorization": f"Bearer {programs.secrets['yilmaz']}", "Accept-Encoding": "identity"}

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        found.asked += 1
        answer = case.call(headers=headers, base_url=ORIGIN)
        sent = parse_qs(urlsplit(answer.request.url).query, keep_blank_values=True)
        assume(set(case.query or ()) <= set(sent))  # an empty list is wrong, and never leaves
        case.validate_response(answer, headers=headers, transport_kwargs={"headers": headers, "base_url": ORIGIN})

    try:
        ask()
    except (Exception, FailureGroup) as error:
        found.faults.append(f"{operation.method} {operation.path} {mode}: {error}"[:2000])
