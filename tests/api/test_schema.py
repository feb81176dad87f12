"""Every answer is as described: schemathesis asks in every way it knows, the short form of `python -m tests.long interface`."""

from pathlib import Path

from openapi_spec_validator import validate

from app.api.document import openapi
from app.api.hooks import EVENTS
from app.core.db import Database
from tests.api.world import open_programs
from tests.long.interface import SHORT_EXAMPLES, ask_everything, is_planted_caught


def test_the_description_is_valid_and_names_every_address_once(sqlite_database: Database, tmp_path: Path) -> None:
    programs = open_programs(sqlite_database, tmp_path)
    served = programs.app.test_client().get("/api/v1/openapi.json", base_url="http://localhost:8000").get_json()
    validate(served)
    assert served == openapi("http://localhost:8000", EVENTS)
    described = {(path, method.upper()) for path, ways in served["paths"].items() for method in ways}
    real = {
        (rule.rule.replace("<item_id>", "{id}"), method)
        for rule in programs.app.url_map.iter_rules()
        for method in (rule.methods or ())
        if rule.rule.startswith("/api/v1/") and method not in ("HEAD", "OPTIONS")
    }
    assert described == real - {("/api/v1/openapi.json", "GET")}


def test_no_question_of_a_machine_gets_an_answer_that_is_not_described(
    sqlite_database: Database, tmp_path: Path
) -> None:
    programs = open_programs(sqlite_database, tmp_path, counts_people=False)
    found = ask_everything(programs, SHORT_EXAMPLES)
    assert found.faults == []
    assert found.asked > 100
    assert is_planted_caught(programs)
