"""The template is built once, whole or not at all; the open databases of games are few."""

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.core.db import Database
from app.firms.models import NodeSetting
from app.practice.stores import MOST_OPEN, Stores, settle_inline
from app.practice.template import Template, template_version, world_version
from app.practice.worlds import practice_config
from tests.practice.visitors import Site


def test_of_many_first_visitors_one_builds_and_all_get_the_same_file(tmp_path: Path) -> None:
    built: list[Path] = []

    def fill(draft: Path) -> None:
        built.append(draft)
        draft.write_text("network")

    found: list[Path] = []
    waiting = [
        threading.Thread(target=lambda: found.append(Template(tmp_path, "v1", fill).path())) for _number in range(8)
    ]
    for thread in waiting:
        thread.start()
    for thread in waiting:
        thread.join()
    assert len(built) == 1
    assert len(set(found)) == 1
    assert found[0].read_text() == "network"


def test_a_build_that_fails_leaves_no_half_template(tmp_path: Path) -> None:
    def fail(draft: Path) -> None:
        draft.write_text("half")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        Template(tmp_path, "v1", fail).path()
    assert not Template(tmp_path, "v1", fail).is_ready
    assert Template(tmp_path, "v1", _fill).path().read_text() == "whole"


def test_a_new_version_replaces_the_old_template(tmp_path: Path) -> None:
    for version in ("v1", "v2"):
        Template(tmp_path, version, _fill).path()
    assert [path.name for path in tmp_path.glob("template-*.sqlite")] == ["template-v2.sqlite"]


def test_versions_follow_keys_and_address(site: Site) -> None:
    from dataclasses import replace

    own = practice_config(site.config)
    assert world_version(own) == world_version(own)
    assert world_version(replace(own, secret_key=b"x" * 32)) != world_version(own)
    assert world_version(replace(own, public_url="https://werkring.example")) != world_version(own)
    assert template_version(own) != world_version(own)


def test_only_the_last_used_databases_stay_open(site: Site, tmp_path: Path) -> None:
    stores = Stores(tmp_path / "games", lambda _database: None)
    names = [f"game{number}-1.sqlite" for number in range(MOST_OPEN + 3)]
    for name in names:
        stores.copy_in(site.practice.template.path(), name)
        with stores.database(name).read() as session:
            assert session.scalar(sa.text("SELECT 1")) == 1
    assert len(stores._open) == MOST_OPEN
    with stores.database(names[0]).read() as session:  # closed before, opened again
        assert session.scalar(sa.text("SELECT count(*) FROM firm")) >= 16
    stores.erase("game5")
    assert not stores.has("game5-1.sqlite")
    assert stores.has("game6-1.sqlite")
    for database in stores._open.values():
        database.close()


def test_what_follows_from_a_commit_is_settled_once_and_never_inside_itself(tmp_path: Path) -> None:
    rounds: list[str] = []

    def settle(database: Database) -> None:
        rounds.append("settle")
        with database.write() as session:
            session.add(NodeSetting(key=f"round{len(rounds)}", value="x"))
            session.info["events"] = ["one"]

    database = Database(f"sqlite:///{tmp_path / 'x.sqlite'}", lambda found, _ids: settle_inline(found, settle))
    database.create_tables()
    with database.write() as session:
        session.info["events"] = ["one"]
    assert rounds == ["settle"]
    database.close()


def test_a_failure_afterwards_does_not_undo_the_deed(tmp_path: Path) -> None:
    def fail(_database: Database) -> None:
        raise RuntimeError("reaction")

    database = Database(f"sqlite:///{tmp_path / 'x.sqlite'}", lambda found, _ids: settle_inline(found, fail))
    database.create_tables()
    with database.write() as session:
        session.add(NodeSetting(key="kept", value="yes"))
        session.info["events"] = ["one"]
    with database.read() as session:
        assert session.get_one(NodeSetting, "kept").value == "yes"
    database.close()


def _fill(draft: Path) -> None:
    draft.write_text("whole")
