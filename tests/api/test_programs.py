"""Programs at the door of /api/v1: who may ask, what they see, how lists go on, and free hours that are sent twice."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from app.api.models import ApiAnswer, ApiToken
from app.api.rules import ANSWERS_KEPT
from app.api.tokens import forget_answers, make_token, revoke_token, secret_of
from app.capacity.models import CapacityWindow, HoursChange
from app.core import clock
from app.core.db import Database
from app.core.units import weeks_from
from app.firms.models import AuditEvent
from app.notary.transfer import leave_log
from app.web.limits import DEEDS, KNOCKS
from tests.api.world import ORIGIN, Programs, open_programs
from tests.invoices.world import confirm
from tests.world import add_machine

RESOURCES = ("machines", "free-hours", "requests", "offers", "bookings", "hours", "invoices")


@pytest.fixture
def programs(sqlite_database: Database, tmp_path: Path) -> Programs:
    return open_programs(sqlite_database, tmp_path)


@pytest.fixture
def both(database: Database, tmp_path: Path) -> Programs:
    return open_programs(database, tmp_path)


def test_a_program_reads_its_own_side_of_a_job_and_nothing_of_the_other_house(programs: Programs) -> None:
    seen = {
        (key, name): programs.get(key, name).get_json()["items"] for key in ("keller", "yilmaz") for name in RESOURCES
    }
    assert [one["number"] for one in seen["yilmaz", "machines"]] == ["M1"]
    assert {one["side"] for one in seen["keller", "bookings"]} == {"theirs"}
    assert {one["side"] for one in seen["yilmaz", "bookings"]} == {"ours"}
    assert [one["machine_id"] for one in seen["keller", "bookings"]] == [None] * 4
    assert seen["yilmaz", "hours"][0]["entries"][0]["minutes"] == 600
    assert seen["yilmaz", "invoices"][0]["number"] == "R-00001"
    billed = {key: [line["net_cents"] for line in seen[key, "invoices"][0]["lines"]] for key in ("keller", "yilmaz")}
    assert billed["keller"] == billed["yilmaz"] != []
    for name in RESOURCES:
        for key, other in (("keller", "yilmaz"), ("yilmaz", "keller")):
            own, foreign = ({one["id"] for one in seen[whose, name]} for whose in (key, other))
            for item_id in own:
                assert programs.get(key, f"{name}/{item_id}").status_code == 200
            answers = {
                programs.get(key, f"{name}/{item_id}").get_data()
                for item_id in (*(foreign - own), "0" * 36, "%00", "%ED%A0%80")
            }
            assert len(answers) == 1
    text = programs.get("yilmaz", "requests").text + programs.get("yilmaz", "offers").text
    assert '"customer":""' in text
    assert programs.job.firm_id("keller") in text


def test_an_invoice_comes_as_the_file_that_was_issued(programs: Programs) -> None:
    (issued,) = programs.get("keller", "invoices").get_json()["items"]
    for key in ("keller", "yilmaz"):
        xml = programs.get(key, f"invoices/{issued['id']}/xml")
        assert (xml.status_code, xml.mimetype, b"CrossIndustryInvoice" in xml.data) == (200, "application/xml", True)
    assert programs.get("keller", f"invoices/{issued['id']}/pdf").data.startswith(b"%PDF")
    confirm(programs.database, programs.job, 2, 60)
    (draft,) = (one for one in programs.get("yilmaz", "invoices").get_json()["items"] if one["state"] == "draft")
    assert programs.get("yilmaz", f"invoices/{draft['id']}/xml").status_code == 404


def test_a_partner_learns_that_a_program_looked_at_its_open_invoice(programs: Programs) -> None:
    for _ in range(2):
        programs.get("keller", "invoices")
    with programs.database.read() as session:
        seen = sa.select(AuditEvent.object_kind).where(
            AuditEvent.firm_id == programs.job.firm_id("yilmaz"), AuditEvent.verb == "seen_by"
        )
        assert session.scalars(seen).all().count("invoice") == 1


def test_without_a_living_key_of_the_right_scope_nothing_opens(programs: Programs) -> None:
    job = programs.job
    client = programs.app.test_client()
    for headers in ({}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer falsch"}):
        refused = client.get("/api/v1/bookings", base_url=ORIGIN, headers=headers)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"].startswith("Bearer")
        assert refused.mimetype == "application/problem+json"
    with programs.database.write() as session:
        narrow = make_token(session, job.actor("yilmaz"), "Waage", ["machines:read"])
        secret = secret_of(session, narrow)
    assert programs.ask("GET", "machines", secret).status_code == 200
    refused = programs.ask("GET", "free-hours", secret)
    assert (refused.status_code, refused.get_json()["detail"]) == (
        403,
        "Dieser Zugang darf das nicht: free-hours:read.",
    )
    with programs.database.write() as session:
        row = session.get_one(ApiToken, (job.firm_id("yilmaz"), narrow.id))
        assert row.last_used_on == clock.today()
        assert secret not in str(vars(row))
        revoke_token(session, job.actor("yilmaz"), narrow.id)
    assert programs.ask("GET", "machines", secret).status_code == 401


def test_what_is_wrong_is_told_as_a_problem(programs: Programs) -> None:
    wrong = {
        "bookings?limit=0": 422, "bookings?limit=x": 422, "bookings?cursor=x": 422, "bookings?from_week=x": 422,
        "bookings?page=2": 422, "machines?from_week=2026-W48": 422, "nothing": 404, "webhook-key": 404,
    }  # fmt: skip
    for path, status in wrong.items():
        answer = programs.get("yilmaz", path)
        assert (answer.status_code, answer.get_json()["status"], answer.mimetype) == (
            status, status, "application/problem+json",
        )  # fmt: skip
    refused = programs.ask("POST", "bookings", programs.secrets["yilmaz"])
    assert (refused.status_code, "GET" in refused.headers["Allow"]) == (405, True)
    for body, kind, status in (
        (b"{", "application/json", 400), (b"\xff", "application/json", 400), (b"[" * 5000, "application/json", 400),
        (b"{}", "text/plain", 415), (b"{}", "application/json", 422), (b"x" * 2**20 + b"x", "application/json", 413),
    ):  # fmt: skip
        answer = programs.ask("PUT", "free-hours", programs.secrets["yilmaz"], data=body, content_type=kind)
        assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), body[:9]


def test_a_list_goes_on_where_the_cursor_says_and_nothing_is_missed(programs: Programs) -> None:
    whole = programs.get("yilmaz", "free-hours").get_json()
    found, cursor = [], ""
    while True:
        page = programs.get("yilmaz", f"free-hours?limit=2{cursor}").get_json()
        found += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == whole["items"]
    assert len(found) == 9
    some = programs.get("yilmaz", "free-hours?from_week=2026-W50&to_week=2026-W51").get_json()["items"]
    assert [one["week"] for one in some] == ["2026-W50", "2026-W51"]


def _lines(minutes: int, *weeks: str) -> dict[str, list[dict[str, object]]]:
    return {"lines": [{"machine_number": "M1", "week": week, "reported_min": minutes} for week in weeks]}


def test_free_hours_sent_twice_are_the_same_with_and_without_a_key(both: Programs) -> None:
    assert {both.get("yilmaz", name).status_code for name in RESOURCES} == {200}
    body = _lines(1800, "2026-W48", "2026-W49")
    first = both.put("yilmaz", "free-hours", body)
    assert first.status_code == 200
    assert [(one["week"], one["reported_min"]) for one in first.get_json()["items"]] == [
        ("2026-W48", 1800), ("2026-W49", 1800),
    ]  # fmt: skip
    assert both.put("yilmaz", "free-hours", body).get_data() == first.get_data()
    kept = both.put("yilmaz", "free-hours", _lines(2400, "2026-W48"), once="a")
    assert both.put("yilmaz", "free-hours", _lines(600, "2026-W48")).status_code == 200
    again = both.put("yilmaz", "free-hours", _lines(2400, "2026-W48"), once="a")
    assert again.get_data() == kept.get_data()
    assert both.get("yilmaz", "free-hours?to_week=2026-W48").get_json()["items"][0]["reported_min"] == 600
    assert both.put("yilmaz", "free-hours", _lines(15, "2026-W48"), once="a").status_code == 422
    assert both.put("keller", "free-hours", _lines(15, "2026-W48"), once="a").status_code == 200
    assert both.put("yilmaz", "free-hours", body, once="x" * 65).status_code == 422
    with both.database.write() as session:
        changes = sa.select(sa.func.count()).select_from(HoursChange)
        assert session.scalar(changes.where(HoursChange.firm_id == both.job.firm_id("yilmaz"))) == 4
        forget_answers(session, clock.now() + ANSWERS_KEPT * 2)
        assert session.scalar(sa.select(sa.func.count()).select_from(ApiAnswer)) == 0


def test_one_key_sent_by_four_at_once_is_done_once(both: Programs) -> None:
    now, lines = clock.now(), _lines(1800, "2026-W48", "2026-W49")

    def send(_no: int) -> TestResponse:
        with clock.frozen(now):  # a thread has a clock of its own
            return both.put("yilmaz", "free-hours", lines, once="at-once")

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(send, range(4)))
    assert [one.status_code for one in answers] == [200] * 4
    assert len({one.get_data() for one in answers}) == 1
    with both.database.read() as session:
        changes = sa.select(sa.func.count()).select_from(HoursChange)
        assert session.scalar(changes.where(HoursChange.firm_id == both.job.firm_id("yilmaz"))) == 2
        assert session.scalar(sa.select(sa.func.count()).select_from(ApiAnswer)) == 1


def test_one_line_that_does_not_fit_stops_all_and_is_named(programs: Programs) -> None:
    (booked, *_) = programs.get("yilmaz", "bookings").get_json()["items"]
    wrong = {
        "lines": [
            *_lines(600, "2026-W48")["lines"],
            {"machine_number": "gibt es nicht", "week": "2026-W48", "reported_min": 0},
            {"machine_number": "M1", "week": "2026-W01", "reported_min": 0},
            {"machine_number": "M1", "week": booked["week"], "reported_min": 0},
            {"machine_number": "M1", "week": "2025-W53", "reported_min": 0},
            *_lines(0, "2026-W48")["lines"],
        ]
    }
    answer = programs.put("yilmaz", "free-hours", wrong, once="k")
    assert answer.status_code == 409
    assert [fault["line"] for fault in answer.get_json()["faults"]] == [1, 2, 3, 4, 5]
    assert programs.get("yilmaz", "free-hours?to_week=2026-W48").get_json()["items"] == []
    # a key counts from the first answer that stored something
    assert programs.put("yilmaz", "free-hours", _lines(600, "2026-W48"), once="k").status_code == 200


def test_five_hundred_lines_arrive_in_one_request_and_once(programs: Programs) -> None:
    firm = programs.job.deal.firms["yilmaz"]
    with programs.database.write() as session:
        for number in range(2, 12):
            add_machine(session, firm, f"M{number}")
    lines = [
        {"machine_number": f"M{number}", "week": week, "reported_min": 15 * number}
        for number in range(2, 12)
        for week in weeks_from("2026-W48", 50)
    ]
    first = programs.put("yilmaz", "free-hours", {"lines": lines})
    assert (first.status_code, len(first.get_json()["items"])) == (200, 500)
    assert programs.put("yilmaz", "free-hours", {"lines": lines}).get_data() == first.get_data()
    with programs.database.read() as session:
        count = sa.select(sa.func.count()).select_from(CapacityWindow)
        assert session.scalar(count.where(CapacityWindow.firm_id == firm.id)) == 509


def test_a_program_is_never_sent_to_another_name(programs: Programs) -> None:
    client, headers = programs.app.test_client(), {"Authorization": f"Bearer {programs.secrets['yilmaz']}"}
    for base_url in ("http://127.0.0.1:8000", ORIGIN):
        assert client.get("/api/v1/machines", base_url=base_url, headers=headers).status_code == 200
    assert client.get("/mehr", base_url="http://127.0.0.1:8000").status_code == 302


def test_a_program_of_a_firm_that_moved_hears_so(programs: Programs) -> None:
    with programs.database.write() as session:
        leave_log(session, programs.job.firm_id("yilmaz"))
    assert programs.get("yilmaz", "bookings").status_code == 409
    assert programs.get("keller", "bookings").status_code == 200


def test_who_asks_too_often_waits_and_strangers_are_counted_by_network(programs: Programs) -> None:
    # a minute may end on the way: twice as many are too many in any case
    assert any(programs.put("keller", "free-hours", {}).status_code == 429 for _ in range(2 * DEEDS.most + 1))
    assert programs.get("keller", "machines").status_code == 200
    refused = next(
        answer
        for _ in range(2 * KNOCKS.most + 1)
        if (answer := programs.ask("GET", "machines", "falsch")).status_code == 429
    )
    assert refused.headers["Retry-After"] == "60"
    assert programs.get("keller", "machines").status_code == 200
