"""S13, S14, S15 as a foreman meets them, and the answer from the lock screen."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.capacity.actions import offer_hours
from app.core import clock
from app.core.db import Database
from app.core.ids import new_id
from app.firms.access import Role
from app.machines.models import RateCard
from app.passkeys.models import SignIn
from app.push.models import Alert, AnswerToken, PushDevice
from app.push.tokens import make_answer_token
from app.requests.actions import answer_question
from app.requests.rules import RequestKind
from app.worker import run_until_quiet
from tests.machines.house import House, open_house
from tests.offers.test_story import held_min
from tests.requests.story import KNOW_HOW, ask, foreman, later, messages_out, offers_of, people_of_the_story
from tests.world import FIRST_WEEK, TestFirm

World = dict[str, TestFirm]

SCRIPT = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def world(sqlite_database: Database) -> World:
    return people_of_the_story(sqlite_database)


@pytest.fixture
def house(sqlite_database: Database, world: World, tmp_path: Path) -> House:
    return open_house(sqlite_database, tmp_path).enter(world["yilmaz"].actor(Role.FOREMAN))


def hidden(page: str, name: str) -> str:
    return re.findall(rf'name="{name}" value="([^"]*)"', page)[0]


def say_yes(house: House, request_id: str) -> int:
    page = house.get(f"/anfragen/{request_id}").text
    shown, version = hidden(page, "shown"), hidden(page, "version")
    return house.post(f"/anfragen/{request_id}", answer="yes", shown=shown, version=version).status_code


def token_for(database: Database, firm: TestFirm, request_id: str) -> str:
    """The token of a message that was sent to the foreman's phone."""
    with database.write() as session:
        now, person_id, sign_in_id = clock.now(), foreman(firm), new_id()
        session.add(
            SignIn(
                id_hash=new_id(), public_id=sign_in_id, firm_id=firm.id, person_id=person_id, role="foreman",
                has_passkey=True, device="Handy", created_at=now, last_seen_at=now, expires_at=later(days=9),
            )
        )  # fmt: skip
        device = PushDevice(
            firm_id=firm.id, id=new_id(), created_at=now, person_id=person_id, sign_in_id=sign_in_id,
            endpoint=f"https://push.example/{sign_in_id}", p256dh="x", auth="y",
        )  # fmt: skip
        session.add(device)
        session.flush()
        alert = session.scalars(sa.select(Alert).where(Alert.firm_id == firm.id, Alert.subject_id == request_id)).one()
        return make_answer_token(session, alert, device.id, later(days=2), ("yes", "no"))


def from_lock_screen(house: House, token: str, answer: str, url: str = "/antwort") -> tuple[int, dict[str, str]]:
    house.acting[0] = None
    answered = house.client.post(url, json={"token": token, "answer": answer}, headers=SCRIPT)
    return answered.status_code, answered.get_json()


def test_the_list_is_empty_with_one_button_and_then_shows_the_request(
    sqlite_database: Database, house: House, world: World
) -> None:
    empty = house.get("/anfragen").text
    assert "Gerade keine Anfragen. Willst du freie Zeit anbieten?" in empty
    ask(sqlite_database, world)
    page = house.get("/anfragen").text
    assert "5-Achs-Fräsen für Keller" in page
    assert "bis Mittwoch, 12 Uhr" in page
    assert ">120 " in page


def test_the_page_asks_for_what_our_own_machines_have_free(
    sqlite_database: Database, house: House, world: World
) -> None:
    request_id = ask(sqlite_database, world)
    page = house.get(f"/anfragen/{request_id}").text
    assert "Anfrage von Keller" in page
    assert ">120 " in page
    assert "500 Stunden" in page
    assert "5-Achs-Fräsen in KW 49 bis KW 4 (30. November bis 29. Januar)" in page
    assert page.index("Ja, das geht") < page.index("Ein Teil geht") < page.index("Diesmal nicht")
    assert "Dein Ja ist noch kein Vertrag." in page
    assert "Geheimkunde" not in page
    assert "95" not in re.sub(r"<[^>]*>", "", page.split("<main")[1]).replace("2795", "")


def test_yes_on_the_page_holds_the_hours_and_can_be_undone(
    sqlite_database: Database, house: House, world: World
) -> None:
    request_id = ask(sqlite_database, world)
    assert say_yes(house, request_id) == 303
    page = house.get(f"/anfragen/{request_id}").text
    assert "Danke. Keller weiß Bescheid." in page
    assert "zugesagt, ohne Vertrag" in page
    assert "unterschrieben" not in page.replace("unterschreibt", "")
    assert held_min(sqlite_database, world["yilmaz"]) == 120 * 60
    assert house.post(f"/anfragen/{request_id}/zuruecknehmen").status_code == 303
    assert held_min(sqlite_database, world["yilmaz"]) == 0


def test_a_yes_to_hours_that_changed_meanwhile_shows_the_page_again(
    sqlite_database: Database, house: House, world: World
) -> None:
    request_id = ask(sqlite_database, world)
    firm = world["yilmaz"]
    page = house.get(f"/anfragen/{request_id}").text
    with sqlite_database.write() as session:
        offer_hours(session, firm.actor(Role.FOREMAN), firm.machine_id, FIRST_WEEK, 480)
    answer = house.post(f"/anfragen/{request_id}", answer="yes", shown=hidden(page, "shown"), version="1")
    assert answer.status_code == 409
    assert "Deine freie Zeit hat sich geändert." in answer.text
    assert hidden(answer.text, "shown") != hidden(page, "shown")
    assert held_min(sqlite_database, firm) == 0


def test_what_is_neither_yes_nor_no_holds_nothing(sqlite_database: Database, house: House, world: World) -> None:
    request_id = ask(sqlite_database, world)
    answer = house.post(f"/anfragen/{request_id}", answer="part")
    assert answer.status_code == 422
    assert "Wähle eine Möglichkeit aus." in answer.text
    assert held_min(sqlite_database, world["yilmaz"]) == 0


def test_yes_and_undo_are_each_answered_in_one_round_trip(
    sqlite_database: Database, house: House, world: World
) -> None:
    """The page that comes back says what was done and holds the way back; no second request is needed."""
    request_id = ask(sqlite_database, world)
    url = f"/anfragen/{request_id}"
    page = house.get(url).text
    assert f'hx-post="/sofort{url}"' in page
    said = house.post("/sofort" + url, answer="yes", shown=hidden(page, "shown"), version=hidden(page, "version"))
    assert said.status_code == 200
    assert "Danke. Keller weiß Bescheid." in said.text
    assert said.headers["HX-Replace-Url"] == url
    assert f'hx-post="/sofort{url}/zuruecknehmen"' in said.text
    assert held_min(sqlite_database, world["yilmaz"]) == 120 * 60
    assert "Danke. Keller weiß Bescheid." not in house.get(url).text
    undone = house.post(f"/sofort{url}/zuruecknehmen")
    assert "Zurückgenommen. Die Anfrage wartet wieder." in undone.text
    assert held_min(sqlite_database, world["yilmaz"]) == 0


def test_a_part_is_laid_into_the_chosen_weeks(sqlite_database: Database, house: House, world: World) -> None:
    request_id = ask(sqlite_database, world)
    firm = world["yilmaz"]
    assert f'href="/anfragen/{request_id}/teil"' in house.get(f"/anfragen/{request_id}").text
    page = house.get(f"/anfragen/{request_id}/teil").text
    assert 'value="120"' in page
    url = f"/anfragen/{request_id}/teil"
    sent = house.post(url, hours="20", weeks=["2026-W49", "2026-W50"], machines=[firm.machine_id])
    assert sent.status_code == 303, sent.text
    run_until_quiet(sqlite_database)
    offer = offers_of(sqlite_database, world["keller"], request_id)[0]
    assert offer.answer == "part"
    assert held_min(sqlite_database, firm) == 1200
    too_much = house.post(url, hours="60", weeks=["2026-W49"], machines=[firm.machine_id])
    assert too_much.status_code == 422
    assert "nur noch" in too_much.text
    assert 'value="60"' in too_much.text
    assert held_min(sqlite_database, firm) == 1200


def test_only_who_sees_rates_adds_what_the_transport_costs_and_it_stays_when_others_change_the_hours(
    sqlite_database: Database, house: House, world: World
) -> None:
    request_id, yilmaz, keller = ask(sqlite_database, world), world["yilmaz"], world["keller"]
    told = {"hours": "20", "weeks": ["2026-W49", "2026-W50"], "machines": [yilmaz.machine_id]}
    assert 'name="transport"' not in house.get(f"/anfragen/{request_id}/teil").text
    house.enter(yilmaz.actor())
    wrong = house.post(f"/anfragen/{request_id}/teil", **told, transport="99.000,00")
    assert wrong.status_code == 422
    assert "Prüfe die Transportkosten." in wrong.text
    assert house.post(f"/anfragen/{request_id}/teil", **told, transport="120,50").status_code == 303
    assert "120,50 €" in house.get(f"/anfragen/{request_id}").text
    assert 'value="120,50"' in house.get(f"/anfragen/{request_id}/teil").text
    house.enter(yilmaz.actor(Role.FOREMAN))
    assert "120,50 €" not in house.get(f"/anfragen/{request_id}").text
    assert house.post(f"/anfragen/{request_id}/teil", **(told | {"hours": "16"}), transport="1").status_code == 303
    run_until_quiet(sqlite_database)
    (offer,) = [one for one in offers_of(sqlite_database, keller, request_id) if one.state == "submitted"]
    assert offer.transport_cents == 12_050


def test_after_the_deadline_a_no_a_misfit_and_silence_look_the_same(
    sqlite_database: Database, house: House, world: World
) -> None:
    request_id = ask(sqlite_database, world)
    say_yes(house, request_id)
    house.enter(world["brandt"].actor(Role.FOREMAN)).post(f"/anfragen/{request_id}", answer="no")
    run_until_quiet(sqlite_database)
    house.enter(world["keller"].actor())
    assert "kein Angebot" not in house.get(f"/suchen/{request_id}").text
    with clock.frozen(later(days=2, hours=7)):
        assert house.get(f"/suchen/{request_id}").text.count("kein Angebot") == 4


def test_hours_of_single_weeks_count_alone_when_they_are_filled_in(
    sqlite_database: Database, house: House, world: World
) -> None:
    request_id = ask(sqlite_database, world)
    firm = world["yilmaz"]
    exact = {f"line.{firm.machine_id}.2026-W51": "8", "hours": "120"}
    assert house.post(f"/anfragen/{request_id}/teil", **exact).status_code == 303
    assert held_min(sqlite_database, firm) == 480


def test_without_javascript_the_plus_button_moves_the_number(
    sqlite_database: Database, house: House, world: World
) -> None:
    request_id = ask(sqlite_database, world)
    page = house.post(f"/anfragen/{request_id}/teil", hours="7,5", hours_step="0.5").text
    assert 'value="8"' in page
    assert held_min(sqlite_database, world["yilmaz"]) == 0


def test_a_no_stays_in_the_house_and_is_never_punished(sqlite_database: Database, house: House, world: World) -> None:
    request_id = ask(sqlite_database, world)
    answer = house.post(f"/anfragen/{request_id}", answer="no")
    assert "Ein Nein hat keine Nachteile für euch." in house.get(answer.location).text
    run_until_quiet(sqlite_database)
    assert messages_out(sqlite_database, world["yilmaz"]) == []
    assert house.post(f"/anfragen/{request_id}/zuruecknehmen").status_code == 303
    assert say_yes(house, request_id) == 303


def test_without_a_rate_the_foreman_is_sent_to_the_manager_who_types_it(
    sqlite_database: Database, house: House, world: World
) -> None:
    firm = world["yilmaz"]
    with sqlite_database.write() as session:
        session.execute(sa.delete(RateCard).where(RateCard.firm_id == firm.id))
    request_id = ask(sqlite_database, world)
    page = house.get(f"/anfragen/{request_id}").text
    assert "Ja, das geht" not in page
    assert "Deine Leitung kann antworten." in page
    house.enter(firm.actor())
    page = house.get(f"/anfragen/{request_id}").text
    assert "Euer Stundensatz" in page
    fields = {"answer": "yes", "shown": hidden(page, "shown"), "version": "1"}
    assert house.post(f"/anfragen/{request_id}", **fields, rate="viel").status_code == 422
    assert house.post(f"/anfragen/{request_id}", **fields, rate="85,50").status_code == 303
    assert held_min(sqlite_database, firm) == 120 * 60


def test_a_know_how_request_asks_differently_and_the_yes_then_asks_for_hours(
    sqlite_database: Database, house: House, world: World
) -> None:
    request_id = ask(sqlite_database, world, KNOW_HOW, ("yilmaz",), RequestKind.KNOW_HOW)
    page = house.get(f"/anfragen/{request_id}").text
    assert "20 Stück" in page
    assert page.index("Ja, können wir") < page.index("Rückfrage") < page.index("Diesmal nicht")
    part = house.get(f"/anfragen/{request_id}/teil").text
    assert "Wie lange braucht ihr?" in part
    assert re.findall(r'name="weeks" value="(2026-W49)" checked', part)
    firm = world["yilmaz"]
    sent = house.post(f"/anfragen/{request_id}/teil", hours="5", weeks=["2026-W49"], machines=[firm.machine_id])
    assert sent.status_code == 303, sent.text


def test_why_shows_reasons_to_the_own_people_only(sqlite_database: Database, house: House, world: World) -> None:
    request_id = ask(sqlite_database, world, partners=("yilmaz",))
    page = house.get(f"/anfragen/{request_id}/warum").text
    assert "F5-650" in page
    assert "Der Werkstoff passt: 1.7225 42CrMo4." in page
    house.enter(world["keller"].actor())
    assert house.get(f"/anfragen/{request_id}/warum").status_code == 404
    assert house.get(f"/anfragen/{request_id}").status_code == 404
    house.enter(world["brandt"].actor())
    assert house.get(f"/anfragen/{request_id}").status_code == 404


def test_the_lock_screen_answers_once_and_says_so_in_plain_words(
    sqlite_database: Database, house: House, world: World
) -> None:
    request_id = ask(sqlite_database, world)
    token = token_for(sqlite_database, world["yilmaz"], request_id)
    status, said = from_lock_screen(house, token, "yes")
    assert status == 200
    assert said["title"] == "Danke. Keller weiß Bescheid."
    assert said["body"] == "Dein Ja ist noch kein Vertrag."
    assert held_min(sqlite_database, world["yilmaz"]) == 120 * 60
    offer = offers_of(sqlite_database, world["yilmaz"], request_id)[0]
    assert offer.by_token
    assert offer.answered_by == foreman(world["yilmaz"])
    status, said = from_lock_screen(house, token, "yes")
    assert status == 409
    assert said["error"] == "Du hast schon geantwortet."
    status, said = from_lock_screen(house, token, "", "/antwort/zurueck")
    assert status == 200
    assert held_min(sqlite_database, world["yilmaz"]) == 0


@pytest.mark.parametrize("body", [None, [], {}, {"token": 5, "answer": "yes"}, {"token": "x", "answer": "maybe"}, "x"])
def test_a_lock_screen_answer_that_is_none_is_refused(house: House, body: object) -> None:
    house.acting[0] = None
    answered = house.client.post("/antwort", json=body, headers=SCRIPT)
    assert answered.status_code == 422
    unknown = house.client.post("/antwort", json={"token": "unknown", "answer": "yes"}, headers=SCRIPT)
    assert unknown.status_code == 404


def test_a_lock_screen_answer_to_hours_that_are_gone_uses_nothing_up(
    sqlite_database: Database, house: House, world: World
) -> None:
    request_id = ask(sqlite_database, world)
    firm = world["yilmaz"]
    token = token_for(sqlite_database, firm, request_id)
    with sqlite_database.write() as session:
        offer_hours(session, firm.actor(Role.FOREMAN), firm.machine_id, FIRST_WEEK, 480)
    status, said = from_lock_screen(house, token, "yes")
    assert status == 422
    assert said["error"] == "In KW 49 sind nur noch 8 Stunden frei."
    with sqlite_database.read() as session:
        assert session.scalars(sa.select(AnswerToken.used_at)).one() is None
    assert held_min(sqlite_database, firm) == 0


def test_a_yes_from_the_lock_screen_offers_what_the_message_said_or_nothing(
    sqlite_database: Database, house: House, world: World
) -> None:
    request_id = ask(sqlite_database, world)
    firm = world["yilmaz"]
    token = token_for(sqlite_database, firm, request_id)
    with sqlite_database.write() as session:
        offer_hours(session, firm.actor(Role.MANAGER), firm.machine_id, FIRST_WEEK, 60 * 60)
    run_until_quiet(sqlite_database)
    status, said = from_lock_screen(house, token, "yes")
    assert status == 409
    assert said["error"] == "Deine freie Zeit hat sich geändert. Prüfe die Stunden noch einmal."
    assert held_min(sqlite_database, firm) == 0


def test_a_no_on_an_old_page_shows_the_colleagues_yes_and_the_way_to_take_it_back(
    sqlite_database: Database, house: House, world: World
) -> None:
    request_id = ask(sqlite_database, world)
    assert say_yes(house, request_id) == 303
    house.enter(world["yilmaz"].actor(Role.MANAGER))
    refused = house.post(f"/anfragen/{request_id}", answer="no")
    assert refused.status_code == 409
    assert "Bei euch hat schon jemand Ja gesagt." in refused.text
    assert "zusage-zurueck" in refused.text
    assert "rueckgaengig-seite" not in refused.text
    assert held_min(sqlite_database, world["yilmaz"]) == 120 * 60


def test_the_list_says_that_the_partner_answered_our_question(
    sqlite_database: Database, house: House, world: World
) -> None:
    request_id = ask(sqlite_database, world)
    with sqlite_database.write() as session:
        answer_question(session, world["keller"].actor(), request_id, world["yilmaz"].id, "Schraubstock.")
    run_until_quiet(sqlite_database)
    assert "1 neue Antwort" in house.get("/anfragen").text
    house.get(f"/fragen/{request_id}/{world['keller'].id}")
    assert "neue Antwort" not in house.get("/anfragen").text
