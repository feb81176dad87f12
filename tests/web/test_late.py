"""Addresses and templates are made once, late, and are the same as ever."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from jinja2 import Environment, FileSystemLoader
from werkzeug.routing import Rule
from werkzeug.routing.exceptions import BuildError

from app.web.late import CompiledTemplates, LateRule


def routes(kind: type[Rule]) -> Flask:
    app = Flask("late", static_folder=None)
    app.url_rule_class = kind
    app.add_url_rule("/auftrag/<int:number>/stunden", "hours", lambda number: str(number))
    app.add_url_rule("/", "start", lambda: "", defaults={"week": 1})
    return app


@pytest.mark.parametrize(
    "values", [{"number": 7}, {"number": 7, "tag": "ä b"}, {"number": 7, "_method": "GET", "_anchor": "x"}]
)
def test_an_address_is_what_werkzeug_makes_of_it(values: dict[str, Any]) -> None:
    late, usual = routes(LateRule), routes(Rule)
    addresses = []
    for app in (late, usual):
        with app.test_request_context():
            addresses.append([app.url_for("hours", **values) for _ in range(2)])
            with pytest.raises(BuildError):
                app.url_for("hours")
    assert addresses[0] == addresses[1]
    assert addresses[0][0].startswith("/auftrag/7/stunden")


def test_no_address_is_written_before_somebody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    usual = Rule._compile_builder
    monkeypatch.setattr(Rule, "_compile_builder", lambda *args: written.append(1) or usual(*args))
    app = routes(LateRule)
    assert written == []
    with app.test_request_context():
        assert app.url_for("hours", number=1) == app.url_for("hours", number=1)
    assert written == [1]


def test_a_second_world_compiles_no_template_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []
    usual = Environment.compile
    monkeypatch.setattr(Environment, "compile", lambda *args, **more: compiled.append(1) or usual(*args, **more))
    page, known = tmp_path / "page.html", CompiledTemplates()
    page.write_text("{{ 1 + 1 }}")
    worlds = [Environment(loader=FileSystemLoader(tmp_path), bytecode_cache=known, autoescape=True) for _ in range(2)]
    assert [world.get_template("page.html").render() for world in worlds] == ["2", "2"]
    assert compiled == [1]
    page.write_text("{{ 1 + 2 }}")
    assert (
        Environment(loader=FileSystemLoader(tmp_path), bytecode_cache=known).get_template("page.html").render() == "3"
    )
