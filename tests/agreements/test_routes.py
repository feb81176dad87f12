"""S20, S24 and S25 as managers meet them, and what other people get instead."""

import datetime as dt
import json
import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.agreements.printing import print_agreements
from app.config import load_config
from app.core import clock
from app.core.db import Database
from app.firms.access import Role
from app.firms.models import AuditEvent, Firm
from app.notary.models import ShownCheckpoint
from app.plans.models import Plan
from app.plans.queries import offers_key, plan_input_of
from app.requests.models import WorkRequest
from app.worker import run_until_quiet
from tests.agreements.test_amending import propose, sign_amendment
from tests.agreements.world import Deal, at, drafted, make_deal, provider_of, sign, signed_by_both, states, verified
from tests.conftest import MONDAY
from tests.machines.house import House, open_house


@pytest.fixture
def deal(sqlite_database: Database) -> Deal:
    return make_deal(sqlite_database)


@pytest.fixture
def house(sqlite_database: Database, deal: Deal, tmp_path: Path) -> House:
    return open_house(sqlite_database, tmp_path).enter(deal.actor("keller"))


def words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.split("<main")[1]))


def test_start_counts_what_waits_runs_and_is_in_danger(sqlite_database: Database, deal: Deal, house: House) -> None:
    (agreement_id,) = drafted(sqlite_database, deal)
    page = house.get("/start").text
    assert "1 Vereinbarung ohne eure Unterschrift" in words(page)
    assert f'href="/vertraege/{agreement_id}"' in page
    signed_by_both(sqlite_database, deal, [agreement_id])
    assert "40 Stunden arbeiten Partner für euch." in words(house.get("/start").text)
    assert "40 Stunden arbeitet ihr für Partner." in words(house.enter(deal.actor("yilmaz")).get("/start").text)


def test_start_names_the_partner_whose_log_is_unclear(sqlite_database: Database, deal: Deal, house: House) -> None:
    keller, yilmaz = deal.firms["keller"].id, deal.firms["yilmaz"].id
    assert "ist unklar" not in house.get("/start").text
    with sqlite_database.write() as session:
        session.add(ShownCheckpoint(firm_id=keller, partner_id=yilmaz, size=3, note="", at=MONDAY, asked_at=MONDAY))
    assert "ist unklar" not in house.get("/start").text
    with sqlite_database.write() as session:
        session.execute(sa.update(ShownCheckpoint).values(told_at=MONDAY))
    page = house.get("/start").text
    assert "Das Logbuch von Dreherei Yilmaz" in words(page)
    assert f'href="/partner/{yilmaz}"' in page


def test_the_signing_page_shows_five_points_and_the_exact_text(
    sqlite_database: Database, deal: Deal, house: House
) -> None:
    (agreement_id,) = drafted(sqlite_database, deal)
    page = house.get(f"/vertraege/{agreement_id}").text
    labels = re.findall(r"<li><h2>([^<]*)</h2>", page)
    assert labels == ["Wer", "Was", "Wann", "Preis", "Wenn etwas schiefgeht"]
    assert page.count("<passkey-button") == 1
    shown = words(page.split('class="vertragstext" lang="de">')[1].join(["<main", ""]))
    for line in at(sqlite_database, deal, "keller", agreement_id).text.split("\n"):
        assert " ".join(line.split()).replace("&", "&amp;") in shown.replace("&#34;", '"').replace("&#39;", "'"), line
    assert "Reading aid. Only the German text is signed." in page
    assert at(sqlite_database, deal, "keller", agreement_id).digest in page


def test_without_the_printed_recovery_key_the_page_says_what_to_do(
    sqlite_database: Database, deal: Deal, house: House
) -> None:
    (agreement_id,) = drafted(sqlite_database, deal)
    with sqlite_database.write() as session:
        session.execute(sa.update(Firm).values(recovery_printed_at=None))
    page = house.get(f"/vertraege/{agreement_id}").text
    assert "Drucke zuerst euren Notfallschlüssel." in page
    assert "<passkey-button" not in page


def test_a_plan_becomes_agreements_once_even_when_tapped_twice(
    sqlite_database: Database, deal: Deal, house: House
) -> None:
    first = house.post(f"/plaene/{deal.plan_id}/vereinbarungen")
    second = house.post(f"/plaene/{deal.plan_id}/vereinbarungen")
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.location == second.location


@pytest.mark.parametrize(
    ("fields", "is_bundled", "is_provided"),
    [
        ({}, True, True),
        ({"if_one_declines": "others_stand", "material": "partner"}, False, False),
    ],
)
def test_the_manager_says_what_one_no_means_and_who_buys_the_material(
    sqlite_database: Database, tmp_path: Path, fields: dict[str, str], is_bundled: bool, is_provided: bool
) -> None:
    deal = make_deal(sqlite_database, ("yilmaz", "brandt"))
    choose_again(sqlite_database, deal)
    house = open_house(sqlite_database, tmp_path).enter(deal.actor("keller"))
    answer = house.post(f"/plaene/{deal.plan_id}/vereinbarungen", accepts_part="on", **fields)
    run_until_quiet(sqlite_database)
    agreement_id = answer.location.split("/")[-1]
    agreement = at(sqlite_database, deal, "keller", agreement_id)
    assert (agreement.is_bundled, agreement.facts["material_provided"]) == (is_bundled, is_provided)
    assert ("§ 650 BGB" in agreement.text) is not is_provided
    signed_by_both(sqlite_database, deal, [agreement_id])
    expected = "waiting_bundle" if is_bundled else "in_force"
    assert (
        states(sqlite_database, deal, agreement_id, provider_of(sqlite_database, deal, agreement_id)) == (expected,) * 2
    )


def choose_again(database: Database, deal: Deal) -> None:
    """The plan stands, but nobody has chosen it yet."""
    with database.write() as session:
        request = session.get_one(WorkRequest, (deal.firms["keller"].id, deal.request_id))
        request.state = "quoted"
        plan = session.get_one(Plan, (deal.firms["keller"].id, deal.plan_id))
        plan.chosen_at, plan.offers_key = None, offers_key(plan_input_of(session, plan.firm_id, request))


def test_a_no_keeps_the_reason_and_frees_the_hours(sqlite_database: Database, deal: Deal, house: House) -> None:
    (agreement_id,) = drafted(sqlite_database, deal)
    sign(sqlite_database, deal, "keller", agreement_id)
    house.enter(deal.actor("yilmaz"))
    assert house.post(f"/vertraege/{agreement_id}/ablehnen", note="x" * 300).status_code == 422
    assert house.post(f"/vertraege/{agreement_id}/ablehnen", note="Maschine steht").status_code == 303
    run_until_quiet(sqlite_database)
    page = house.enter(deal.actor("keller")).get(f"/vertraege/{agreement_id}").text
    assert "Diese Vereinbarung gilt nicht mehr." in page
    assert "Maschine steht" in page


def test_the_waiting_page_learns_of_the_partners_signature(sqlite_database: Database, deal: Deal, house: House) -> None:
    (agreement_id,) = drafted(sqlite_database, deal)
    sign(sqlite_database, deal, "keller", agreement_id)
    page = house.get(f"/vertraege/{agreement_id}").text
    assert "Ihr habt unterschrieben." in page
    url = re.findall(r'hx-get="([^"]*)"', page)[0].replace("&amp;", "&")
    assert house.get(url).status_code == 204
    sign(sqlite_database, deal, "yilmaz", agreement_id)
    assert house.get(url).headers["HX-Refresh"] == "true"


def test_the_page_of_a_signed_agreement_offers_pdf_and_proof(
    sqlite_database: Database, deal: Deal, house: House, tmp_path: Path
) -> None:
    (agreement_id,) = drafted(sqlite_database, deal)
    signed_by_both(sqlite_database, deal, [agreement_id])
    print_agreements(sqlite_database, load_config({"DATA_DIR": str(tmp_path)}))
    for key in ("keller", "yilmaz"):
        house.enter(deal.actor(key))
        page = house.get(f"/vertraege/{agreement_id}").text
        assert "Unterschrieben. Beide Betriebe haben denselben Text." in page
        assert at(sqlite_database, deal, key, agreement_id).pdf_file_id is not None
        pdf = house.get(f"/vertraege/{agreement_id}/text.pdf")
        assert pdf.data.startswith(b"%PDF-1.7")
        assert b"/SubFilter /ETSI.CAdES.detached" in pdf.data
        proof = house.get(f"/vertraege/{agreement_id}/beweis.json")
        assert json.loads(proof.data)["leaf"]["type"] == "agreement"
        assert verified(proof.data, tmp_path) == 0
        assert proof.headers["Content-Disposition"].startswith("attachment")


def test_the_list_knows_open_running_and_done(sqlite_database: Database, deal: Deal, house: House) -> None:
    (agreement_id,) = drafted(sqlite_database, deal)
    page = words(house.get("/vertraege").text)
    assert "Unterschreibe bis" in page
    assert "Gerade läuft keine Vereinbarung." in page
    signed_by_both(sqlite_database, deal, [agreement_id])
    page = words(house.get("/vertraege").text)
    assert "Keine Vereinbarung wartet." in page
    assert "Dieser Partner arbeitet für euch." in page
    with clock.frozen(MONDAY + dt.timedelta(weeks=9)):
        page = words(house.get("/vertraege").text)
    assert "Fertig" in page
    assert "Gerade läuft keine Vereinbarung." in page


def test_a_firm_without_agreements_sees_how_one_begins(deal: Deal, house: House) -> None:
    assert "Sie entsteht aus einem Plan." in words(house.get("/vertraege").text)


def test_a_change_and_a_cancellation_begin_on_their_pages(sqlite_database: Database, deal: Deal, house: House) -> None:
    (agreement_id,) = drafted(sqlite_database, deal)
    signed_by_both(sqlite_database, deal, [agreement_id])
    page = house.get(f"/vertraege/{agreement_id}/aendern").text
    assert 'value="10"' in page
    wrong = house.post(f"/vertraege/{agreement_id}/aendern", hours_1="sieben", reason="")
    assert wrong.status_code == 422
    assert 'value="sieben"' in wrong.text
    said = [text.split(" · ")[0] for text in re.findall(r'<a href="#feld-hours[^>]*>([^<]*)</a>', wrong.text)]
    assert said == ["KW 49", "KW 50", "KW 51", "KW 53"]
    same = {f"hours_{number}": "10" for number in range(1, 5)}
    assert house.post(f"/vertraege/{agreement_id}/aendern", **same, reason="weniger").status_code == 422
    done = house.post(f"/vertraege/{agreement_id}/aendern", **(same | {"hours_1": "7,5"}), reason="weniger Teile")
    assert done.status_code == 303
    assert "<passkey-button" in house.get(done.location).text
    assert house.post(f"/vertraege/{agreement_id}/absagen", reason="x").status_code == 422
    cancelled = house.post(f"/vertraege/{agreement_id}/absagen", lines="2", reason="Kunde verschiebt")
    page = house.get(cancelled.location).text
    assert "0,00" in page
    assert "Doch nicht" in page
    dropped = house.post(cancelled.location + "/ablehnen")
    assert dropped.status_code == 303


def test_a_finished_change_stands_on_the_page_of_the_agreement(
    sqlite_database: Database, deal: Deal, house: House
) -> None:
    (agreement_id,) = drafted(sqlite_database, deal)
    signed_by_both(sqlite_database, deal, [agreement_id])
    amendment_id = propose(sqlite_database, deal, "keller", agreement_id, cancel=[1])
    sign_amendment(sqlite_database, deal, "keller", amendment_id)
    page = house.get(f"/vertraege/{agreement_id}").text
    assert "vorher 10 Stunden" in page
    assert "30 Stunden" in words(page)
    assert "2.970,00 €" in words(page)
    assert house.get(f"/vertraege/aenderung/{amendment_id}/beweis.json").status_code == 200


def test_changes_have_an_english_reading_aid_from_the_bookings_before_them(
    sqlite_database: Database, deal: Deal, house: House
) -> None:
    (agreement_id,) = drafted(sqlite_database, deal)
    signed_by_both(sqlite_database, deal, [agreement_id])
    changed = propose(sqlite_database, deal, "keller", agreement_id, change={2: 300})
    sign_amendment(sqlite_database, deal, "keller", changed)
    sign_amendment(sqlite_database, deal, "yilmaz", changed)
    cancelled = propose(sqlite_database, deal, "keller", agreement_id, cancel=[2])
    sign_amendment(sqlite_database, deal, "keller", cancelled)
    for amendment_id, title in ((changed, "Change to the call-off"), (cancelled, "Cancellation of booked hours")):
        german, english = house.get(f"/vertraege/aenderung/{amendment_id}").text.split("Reading aid. Only the German")
        assert title in english
        for hours in re.findall(r"([\d,]+) Stunden", german.split("<main")[1]):
            assert f"{hours} hours" in english


def test_strangers_and_other_roles_get_nothing(sqlite_database: Database, deal: Deal, house: House) -> None:
    (agreement_id,) = drafted(sqlite_database, deal)
    paths = ["", "/stand", "/text.pdf", "/beweis.json", "/aendern", "/absagen"]
    for key in ("nowak", "brandt", "yilmaz"):
        house.enter(deal.actor(key))
        assert {house.get(f"/vertraege/{agreement_id}{path}").status_code for path in paths} == {404}
        assert house.post(f"/vertraege/{agreement_id}/ablehnen").status_code == 404
        assert house.post(f"/plaene/{deal.plan_id}/vereinbarungen").status_code == 404
    house.enter(deal.firms["keller"].actor(Role.FOREMAN))
    assert house.get(f"/vertraege/{agreement_id}").status_code == 403
    house.enter(deal.firms["keller"].actor(Role.WORKER))
    assert house.get("/start").status_code == 403


def test_the_provider_learns_who_read_its_price(sqlite_database: Database, deal: Deal, house: House) -> None:
    (agreement_id,) = drafted(sqlite_database, deal)
    house.get(f"/vertraege/{agreement_id}")
    with sqlite_database.read() as session:
        seen = session.scalars(
            sa.select(AuditEvent.about_firm_id).where(
                AuditEvent.firm_id == deal.firms["yilmaz"].id, AuditEvent.verb == "seen_by"
            )
        ).all()
    assert seen == [deal.firms["keller"].id]
