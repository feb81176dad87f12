"""One person may do much in a minute, a script in its name little more; what was typed is not lost."""

from io import BytesIO
from pathlib import Path

import pytest

from app.core.db import Database
from app.web.limits import DEEDS, LOOKS, PROOFS, UPLOADS, Pace, Tally
from tests.web.tiny import SAME_ORIGIN, Tiny, open_tiny
from tests.world import TestFirm, make_world

FILES = {
    "agreements.text", "agreements.proof", "agreements.amendment_proof", "partners.evidence", "machines.aas",
    "machines.okw", "machines.table", "invoices.pdf", "invoices.xml",
    "hours.proof", "trouble.evidence", "trouble.proof", "moving.download", "capacity.table", "federation.download",
    "api.table",
}  # fmt: skip


@pytest.fixture
def firms(sqlite_database: Database) -> dict[str, TestFirm]:
    with sqlite_database.write() as session:
        return make_world(session, ("keller", "yilmaz"))


@pytest.fixture
def tiny(sqlite_database: Database, tmp_path: Path, firms: dict[str, TestFirm]) -> Tiny:
    tiny = open_tiny(sqlite_database, tmp_path)
    tiny.acting[0] = firms["keller"].actor()
    return tiny


def test_a_window_counts_each_person_apart_and_begins_anew() -> None:
    tally, pace = Tally(), Pace("x", 2, 60)
    assert [tally.count("a", pace, 30.0) for _ in range(3)] == [0, 0, 31]
    assert tally.count("b", pace, 30.0) == 0
    assert tally.count("a", Pace("y", 2, 60), 30.0) == 0
    assert tally.count("a", pace, 60.0) == 0


def test_who_sends_too_fast_reads_when_it_goes_on_and_sends_again_with_one_tap(
    tiny: Tiny, firms: dict[str, TestFirm]
) -> None:
    for number in range(DEEDS.most):
        assert tiny.post(wert=f"{number}").status_code == 303
    refused = tiny.post(wert='7 Teile "rot"')
    page = refused.get_data(as_text=True)
    assert refused.status_code == 429
    assert "Das ging zu schnell. Ab " in page
    assert 'action="/t/tat"' in page
    assert 'name="wert" value="7 Teile &#34;rot&#34;"' in page
    assert len(tiny.done()) == DEEDS.most
    assert tiny.client.get("/t/seite").status_code == 200
    tiny.acting[0] = firms["yilmaz"].actor()
    assert tiny.post(wert="von einem anderen").status_code == 303


def test_pages_are_counted_apart_and_strangers_not_at_all(tiny: Tiny) -> None:
    answers = [tiny.client.get("/t/seite").status_code for _ in range(LOOKS.most + 1)]
    assert set(answers[:-1]) == {200}
    assert answers[-1] == 429
    assert (
        tiny.client.get("/t/seite", headers={"Accept": "application/json"}).get_json()["error"].startswith("Das ging")
    )
    tiny.acting[0] = None
    assert tiny.client.get("/t/offen").status_code == 200


def test_files_are_counted_by_the_hour(tiny: Tiny) -> None:

    def upload() -> int:
        data = {"wert": "x", "datei": (BytesIO(b"x"), "a.pdf")}
        return tiny.client.post("/t/tat", data=data, headers=SAME_ORIGIN).status_code

    answers = [upload() for _ in range(UPLOADS.most + 1)]
    assert set(answers[:-1]) == {303}
    assert answers[-1] == 429


def test_whatever_leaves_as_a_file_is_counted_by_the_hour(tiny: Tiny) -> None:
    views = tiny.app.view_functions
    assert {name for name, view in views.items() if getattr(view, "pace", None) == PROOFS} == FILES


def test_only_an_object_in_code_switches_the_counting_off(sqlite_database: Database, tmp_path: Path) -> None:
    assert open_tiny(sqlite_database, tmp_path, COUNTS_PEOPLE="off").app.extensions["world"].config.counts_people
