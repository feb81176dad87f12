"""S21, S41, S42, S43 as a manager meets them: three steps, checked, sent."""

import io
import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.core.db import Database
from app.federation.models import Message
from app.firms.access import Role
from app.requests.models import WorkRequest
from app.worker import run_until_quiet
from tests.machines.house import House, open_house
from tests.requests.story import ask, messages_out, people_of_the_story, request_row
from tests.world import TestFirm

FIRST = {"process_key": "milling_5x", "need": "500", "first_week": "2026-W49", "last_week": "2027-W04"}
World = dict[str, TestFirm]


@pytest.fixture
def world(sqlite_database: Database) -> World:
    return people_of_the_story(sqlite_database)


@pytest.fixture
def house(sqlite_database: Database, world: World, tmp_path: Path) -> House:
    return open_house(sqlite_database, tmp_path).enter(world["keller"].actor())


def value_of(page: str, name: str) -> list[str]:
    """Values of the checked choices of a field, or of the input itself."""
    checked = re.findall(rf'name="{name}" value="([^"]*)" checked', page)
    return checked or re.findall(rf'name="{name}"[^>]* value="([^"]*)"', page)


def begin(house: House) -> str:
    """Send step 1; returns the draft's id."""
    answer = house.post("/suchen", **FIRST)
    assert answer.status_code == 303, answer.text
    return str(re.findall(r"/suchen/([0-9a-f-]{36})/schritt/2", answer.location)[0])


def second(house: House, request_id: str, **more: object) -> dict[str, object]:
    """The fields of step 2 as the page fills them in, with a reason."""
    page = house.get(f"/suchen/{request_id}/schritt/2").text
    return {
        "shortage_reason": "capacity",
        "partners": value_of(page, "partners"),
        "reply_by": value_of(page, "reply_by")[0],
        "may_turn": "on",
        "part_x": "",
    } | more


def test_a_500_hour_request_goes_out_in_three_steps(sqlite_database: Database, house: House, world: World) -> None:
    page = house.get("/suchen").text
    assert "Was suchst du?" in page
    assert page.index("5-Achs-Fräsen") < page.index("Alle Verfahren")
    request_id = begin(house)
    assert len(second(house, request_id)["partners"]) == 5  # type: ignore[arg-type]
    answer = house.post(f"/suchen/{request_id}/schritt/2", **second(house, request_id))
    assert answer.location.endswith(f"/suchen/{request_id}/schritt/3")
    check = house.get(f"/suchen/{request_id}/schritt/3").text
    assert "KW 49 bis KW 4 (30. November bis 29. Januar)" in check
    assert check.count("Ändern") >= 6
    assert messages_out(sqlite_database, world["keller"]) == []
    sent = house.post(f"/suchen/{request_id}/senden")
    assert sent.status_code == 303
    run_until_quiet(sqlite_database)
    assert len(messages_out(sqlite_database, world["keller"], "request.published")) == 5
    waiting = house.get(sent.location).text
    assert "Gesendet an 5 Partner. Antworten bis Mittwoch, 12 Uhr." in waiting
    assert "ohne-angebot" in waiting


def test_the_asker_sees_since_when_a_message_waits_for_a_partner_whose_server_is_away(
    sqlite_database: Database, house: House
) -> None:
    request_id = begin(house)
    house.post(f"/suchen/{request_id}/schritt/2", **second(house, request_id))
    sent = house.post(f"/suchen/{request_id}/senden").location
    run_until_quiet(sqlite_database)
    away = is_away(sqlite_database, attempts=0)
    page = house.get(sent).text
    assert page.count("unterwegs</span>") == 1
    assert "unterwegs seit" not in page
    is_away(sqlite_database, attempts=1, message_id=away)
    page = house.get(sent).text
    assert page.count("unterwegs seit 16. Nov., 7 Uhr") == 1
    assert "Wir versuchen es weiter" in page
    with sqlite_database.write() as session:
        session.execute(sa.update(Message).where(Message.id == away).values(state="delivered"))
    assert "unterwegs" not in house.get(sent).text


def is_away(database: Database, attempts: int, message_id: str = "") -> str:
    """One of the sent requests waits for its partner, after so many tries; returns its id."""
    with database.write() as session:
        mine = sa.select(Message).where(Message.direction == "out", Message.kind == "request.published")
        row = session.scalars(mine.where(Message.id == message_id) if message_id else mine).first()
        assert row is not None
        row.state, row.attempts = "waiting", attempts
        return row.id


def test_wrong_fields_are_all_told_at_once_and_the_input_is_kept(house: House) -> None:
    answer = house.post("/suchen", process_key="milling_5x", need="viele", first_week="2026-W50", last_week="2026-W49")
    assert answer.status_code == 422
    assert "<title>Fehler:" in answer.text
    assert "Gib die Stunden als Zahl ein" in answer.text
    assert 'value="viele"' in answer.text
    assert value_of(answer.text, "process_key") == ["milling_5x"]


def test_going_back_shows_what_was_typed(house: House) -> None:
    request_id = begin(house)
    page = house.get("/suchen").text
    assert 'value="500"' in page
    assert value_of(page, "last_week") == ["2027-W04"]
    house.post(f"/suchen/{request_id}/schritt/2", **second(house, request_id, note="Eilig", customer="Geheim"))
    again = house.get(f"/suchen/{request_id}/schritt/2").text
    assert "Eilig" in again
    assert value_of(again, "shortage_reason") == ["capacity"]


def test_changing_an_answer_on_the_check_page_comes_back_there(house: House) -> None:
    request_id = begin(house)
    house.post(f"/suchen/{request_id}/schritt/2", **second(house, request_id))
    page = house.get(f"/suchen/{request_id}/schritt/1?then=check").text
    assert 'name="then" value="check"' in page
    answer = house.post(f"/suchen/{request_id}/schritt/1", **(FIRST | {"need": "400", "then": "check"}))
    assert answer.location.endswith("/schritt/3")


def test_a_reason_is_required_and_partners_too(house: House) -> None:
    request_id = begin(house)
    answer = house.post(f"/suchen/{request_id}/schritt/2", **second(house, request_id, shortage_reason="", partners=[]))
    assert answer.status_code == 422
    assert "Wähle den Grund" in answer.text
    assert "mindestens einen Partner" in answer.text


def test_a_drawing_can_be_added_and_taken_away_and_a_wrong_file_is_told(house: House) -> None:
    request_id = begin(house)
    bad = second(house, request_id, drawing=(io.BytesIO(b"MZ"), "teil.exe"), note="bleibt")
    answer = house.post(f"/suchen/{request_id}/schritt/2", **bad)
    assert answer.status_code == 422
    assert "Erlaubt sind PDF, STEP, DXF, PNG und JPG." in answer.text
    assert "bleibt" in answer.text
    good = second(house, request_id, drawing=(io.BytesIO(b"%PDF-1.7 x"), "teil.pdf"))
    assert house.post(f"/suchen/{request_id}/schritt/2", **good).status_code == 303
    page = house.get(f"/suchen/{request_id}/schritt/2").text
    assert "teil.pdf" in page
    remove = re.findall(r'action="(/suchen/[^"]*/weg)"', page)[0]
    assert house.post(remove).status_code == 303
    assert "teil.pdf" not in house.get(f"/suchen/{request_id}/schritt/2").text


def test_the_weeks_to_end_in_begin_with_the_first_week(house: House) -> None:
    page = house.get("/suchen/wochen?first_week=2026-W51").text
    assert re.findall(r'name="last_week" value="([^"]*)"', page)[:4] == ["2026-W51", "2026-W52", "2026-W53", "2027-W01"]
    assert len(re.findall(r'name="last_week"', page)) == 20
    assert house.get("/suchen/wochen?first_week=unsinn").status_code == 200


def test_is_our_time_enough_counts_the_own_plan_and_fills_the_request(house: House, world: World) -> None:
    house.enter(world["yilmaz"].actor())
    page = house.get("/zeit").text
    assert value_of(page, "process_key")
    query = "process_key=milling_5x&need=500&delivery_week=2027-W04"
    result = house.get(f"/zeit?{query}")
    assert "Euch fehlen 380 Stunden in KW 47 bis KW 4" in result.text.replace("KW 48 bis", "KW 47 bis")
    asked = house.post("/zeit", process_key="milling_5x", need="500", delivery_week="2027-W04")
    assert asked.status_code == 303
    assert "380 Stunden" in house.get(asked.location).text
    alone = house.get("/zeit?process_key=milling_5x&need=100&delivery_week=2027-W04")
    assert "Ja. Ihr schafft das allein." in alone.text
    assert house.get("/zeit?process_key=milling_5x&need=abc&delivery_week=2027-W04").status_code == 422


def test_a_know_how_request_needs_a_part_a_number_and_a_date(
    sqlite_database: Database, house: House, world: World
) -> None:
    page = house.get("/wissen").text
    assert "weiß ich nicht" in page
    fields = {
        "process_key": "unknown", "part_count": "20", "delivery_week": "2026-W51", "shortage_reason": "know_how",
        "partners": value_of(page, "partners"), "reply_by": value_of(page, "reply_by")[0], "note": "Dünne Wand.",
    }  # fmt: skip
    assert "Gib ein, wie viele Stück" in house.post("/wissen", **(fields | {"part_count": ""})).text
    answer = house.post("/wissen", **fields, drawing=(io.BytesIO(b"%PDF-1.7 x"), "teil.pdf"))
    assert answer.status_code == 303, answer.text
    check = house.get(answer.location).text
    assert "20 Stück" in check
    request_id = re.findall(r"/suchen/([0-9a-f-]{36})/senden", check)[0]
    assert house.post(f"/suchen/{request_id}/senden").status_code == 303
    run_until_quiet(sqlite_database)
    row = request_row(sqlite_database, world["brandt"], request_id)
    assert row is not None
    assert (row.kind, row.part_count, row.process_key) == ("know_how", 20, None)


def test_changing_and_withdrawing_a_sent_request(sqlite_database: Database, house: House, world: World) -> None:
    request_id = ask(sqlite_database, world, partners=("yilmaz",))
    page = house.get(f"/suchen/{request_id}/aendern").text
    fields = {
        "need": "400",
        "first_week": "2026-W49",
        "last_week": "2027-W02",
        "reply_by": value_of(page, "reply_by")[0],
    }
    assert house.post(f"/suchen/{request_id}/aendern", **(fields | {"need": "0"})).status_code == 422
    assert house.post(f"/suchen/{request_id}/aendern", **fields).status_code == 303
    run_until_quiet(sqlite_database)
    row = request_row(sqlite_database, world["yilmaz"], request_id)
    assert row is not None
    assert (row.need_min, row.last_week) == (24000, "2027-W02")
    assert house.post(f"/suchen/{request_id}/zurueckziehen").status_code == 303


def test_the_thread_is_written_from_both_sides_and_hidden_from_others(
    sqlite_database: Database, house: House, world: World
) -> None:
    request_id = ask(sqlite_database, world, partners=("yilmaz", "brandt"))
    keller, yilmaz, brandt = world["keller"], world["yilmaz"], world["brandt"]
    house.enter(yilmaz.actor(Role.FOREMAN))
    url = f"/fragen/{request_id}/{keller.id}"
    assert "Was willst du wissen?" in house.get(url).text
    assert house.post(url, text="").status_code == 422
    assert house.post(url, text="Welches Spannmittel?").status_code == 303
    run_until_quiet(sqlite_database)
    house.enter(keller.actor())
    mine = f"/fragen/{request_id}/{yilmaz.id}"
    assert "Welches Spannmittel?" in house.get(mine).text
    assert "Spannmittel" not in house.get(f"/fragen/{request_id}/{brandt.id}").text
    house.enter(brandt.actor(Role.FOREMAN))
    assert house.get(mine).status_code == 404
    assert house.get(f"/fragen/{request_id}/{yilmaz.id}").status_code == 404
    house.enter(world["nowak"].actor())
    assert house.get(url).status_code == 404


def test_a_foreman_cannot_publish_and_a_worker_cannot_see_threads(house: House, world: World) -> None:
    house.enter(world["keller"].actor(Role.FOREMAN))
    assert house.get("/suchen").status_code == 403
    assert house.get("/zeit").status_code == 403
    house.enter(world["keller"].actor(Role.WORKER))
    assert house.get("/anfragen").status_code == 403


def test_a_draft_of_another_firm_is_not_there(house: House, world: World) -> None:
    request_id = begin(house)
    house.enter(world["yilmaz"].actor())
    for url in (
        f"/suchen/{request_id}/schritt/1",
        f"/suchen/{request_id}/schritt/2",
        f"/suchen/{request_id}/schritt/3",
    ):
        assert house.get(url).status_code == 404
    assert house.post(f"/suchen/{request_id}/senden").status_code == 404
    assert 'value="500"' not in house.get("/suchen").text


def test_two_taps_on_send_send_once(sqlite_database: Database, house: House, world: World) -> None:
    request_id = begin(house)
    house.post(f"/suchen/{request_id}/schritt/2", **second(house, request_id))
    answers = [house.post(f"/suchen/{request_id}/senden", once="k1") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    run_until_quiet(sqlite_database)
    assert len(messages_out(sqlite_database, world["keller"], "request.published")) == 5
    with sqlite_database.read() as session:
        assert session.query(WorkRequest).filter_by(side="ours").count() == 1


def test_the_delivery_week_of_our_plan_stays_with_the_request(
    sqlite_database: Database, house: House, world: World
) -> None:
    answer = house.post("/zeit", process_key="milling_5x", need="500", delivery_week="2027-W03")
    request_id = str(re.findall(r"/suchen/([0-9a-f-]{36})/schritt/2", answer.location)[0])
    page = house.get(f"/suchen/{request_id}/schritt/2").text
    assert value_of(page, "delivery_week") == ["2027-W03"]
    house.post(f"/suchen/{request_id}/schritt/2", **second(house, request_id, delivery_week="2027-W03"))
    assert "Liefertermin" in house.get(f"/suchen/{request_id}/schritt/3").text
    house.post(f"/suchen/{request_id}/schritt/1", **(FIRST | {"last_week": "2027-W05"}))
    kept = request_row(sqlite_database, world["keller"], request_id)
    assert kept is not None
    assert kept.delivery_week == "2027-W05"


def test_without_a_word_the_delivery_week_is_the_last_week_of_the_work(house: House) -> None:
    request_id = begin(house)
    assert value_of(house.get(f"/suchen/{request_id}/schritt/2").text, "delivery_week") == ["2027-W04"]


def test_a_property_that_the_machine_must_have_travels_with_the_request(
    sqlite_database: Database, house: House, world: World
) -> None:
    answer = house.post("/suchen", **(FIRST | {"process_key": "press_braking"}))
    request_id = str(re.findall(r"/suchen/([0-9a-f-]{36})/schritt/2", answer.location)[0])
    url = f"/suchen/{request_id}/schritt/2"
    wrong = house.post(url, **second(house, request_id, **{"need.bending_length_mm": "lang"}))
    assert wrong.status_code == 422
    assert "eine Zahl ein" in wrong.text
    assert house.post(url, **second(house, request_id, **{"need.bending_length_mm": "2.500"})).status_code == 303
    assert "2500 mm" in house.get(f"/suchen/{request_id}/schritt/3").text
    assert value_of(house.get(url).text, "need.bending_length_mm") == ["2500"]
    kept = request_row(sqlite_database, world["keller"], request_id)
    assert kept is not None
    assert kept.needs == {"bending_length_mm": 2500}
    house.post(f"/suchen/{request_id}/schritt/1", **FIRST)
    changed = request_row(sqlite_database, world["keller"], request_id)
    assert changed is not None
    assert changed.needs == {}


def test_a_machine_type_may_be_named_and_the_partner_reads_it(
    sqlite_database: Database, house: House, world: World
) -> None:
    answer = house.post("/suchen", **(FIRST | {"process_key": "turning"}))
    request_id = str(re.findall(r"/suchen/([0-9a-f-]{36})/schritt/2", answer.location)[0])
    url = f"/suchen/{request_id}/schritt/2"
    assert '<option value="swiss_lathe">Langdrehautomat' in house.get(url).text
    assert house.post(url, **second(house, request_id, machine_type_key="mill_5axis")).status_code == 422
    assert house.post(url, **second(house, request_id, machine_type_key="swiss_lathe")).status_code == 303
    assert '<option value="swiss_lathe" selected>' in house.get(url).text
    assert "Langdrehautomat" in house.get(f"/suchen/{request_id}/schritt/3").text
    house.post(f"/suchen/{request_id}/senden")
    run_until_quiet(sqlite_database)
    house.enter(world["yilmaz"].actor(Role.FOREMAN))
    assert "Langdrehautomat" in house.get(f"/anfragen/{request_id}").text


def test_how_many_partners_may_share_the_work_stays_in_the_own_house(
    sqlite_database: Database, house: House, world: World
) -> None:
    request_id = begin(house)
    url = f"/suchen/{request_id}/schritt/2"
    assert value_of(house.get(url).text, "max_partners") == [""]
    assert house.post(url, **second(house, request_id, max_partners="9")).status_code == 422
    house.post(url, **second(house, request_id, max_partners="3"))
    assert value_of(house.get(url).text, "max_partners") == ["3"]
    assert "höchstens 3 Partner" in house.get(f"/suchen/{request_id}/schritt/3").text
    house.post(f"/suchen/{request_id}/senden")
    run_until_quiet(sqlite_database)
    with sqlite_database.read() as session:
        kept = session.execute(sa.select(WorkRequest.side, WorkRequest.max_partners)).all()
        assert {tuple(row) for row in kept} == {("ours", 3), ("theirs", None)}
        bodies = session.scalars(sa.select(Message.body).where(Message.kind == "request.published")).all()
        assert bodies
        assert "max_partners" not in str(bodies)


def test_a_request_may_ask_for_one_partner_who_does_it_all(
    sqlite_database: Database, house: House, world: World
) -> None:
    request_id = begin(house)
    url = f"/suchen/{request_id}/schritt/2"
    assert value_of(house.get(url).text, "sharing") == ["part"]
    house.post(url, **second(house, request_id, sharing="whole"))
    assert value_of(house.get(url).text, "sharing") == ["whole"]
    assert "Ein Partner macht alles" in house.get(f"/suchen/{request_id}/schritt/3").text
    house.post(f"/suchen/{request_id}/senden")
    run_until_quiet(sqlite_database)
    house.enter(world["yilmaz"].actor(Role.FOREMAN))
    assert "Ein Partner macht alles" in house.get(f"/anfragen/{request_id}").text


def test_another_process_forgets_the_machine_type(sqlite_database: Database, house: House, world: World) -> None:
    answer = house.post("/suchen", **(FIRST | {"process_key": "turning"}))
    request_id = str(re.findall(r"/suchen/([0-9a-f-]{36})/schritt/2", answer.location)[0])
    house.post(f"/suchen/{request_id}/schritt/2", **second(house, request_id, machine_type_key="swiss_lathe"))
    house.post(f"/suchen/{request_id}/schritt/1", **FIRST)
    kept = request_row(sqlite_database, world["keller"], request_id)
    assert kept is not None
    assert kept.machine_type_key is None


def test_a_drawing_is_kept_back_until_the_signature_where_the_form_says_so(
    sqlite_database: Database, house: House, world: World
) -> None:
    request_id = begin(house)
    drawing = (io.BytesIO(b"%PDF-1.7 x"), "teil.pdf")
    told = second(house, request_id, drawing=drawing, confidentiality="after_agreement", index="B")
    assert house.post(f"/suchen/{request_id}/schritt/2", **told).status_code == 303
    assert "teil.pdf · B · nach der Unterschrift" in house.get(f"/suchen/{request_id}/schritt/2").text
    house.post(f"/suchen/{request_id}/senden")
    run_until_quiet(sqlite_database)
    house.enter(world["yilmaz"].actor(Role.FOREMAN))
    page = house.get(f"/anfragen/{request_id}").text
    assert "Zeichnung teil.pdf: nach der Unterschrift." in page
    assert "/dateien/" not in page
