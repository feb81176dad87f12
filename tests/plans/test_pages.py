"""S22 and S23 as a manager meets them: the sums agree, and every partner may know who looked at its offer."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.core.db import Database
from app.firms.models import AuditEvent
from app.offers.models import Offer, OfferLine
from app.plans.actions import solve_due_plans
from tests.machines.house import House, open_house
from tests.plans.test_actions import NO_CONFIG, Case


@pytest.fixture
def case(sqlite_database: Database) -> Case:
    return Case(sqlite_database)


@pytest.fixture
def house(case: Case, tmp_path: Path) -> House:
    return open_house(case.database, tmp_path).enter(case.keller.actor())


def test_what_the_partners_cost_adds_up_to_what_the_plan_costs(case: Case, house: House) -> None:
    with case.database.write() as session:
        session.execute(sa.update(Offer).where(Offer.id == case.offers[0]).values(transport_cents=12_345))
        prices = {"set_up_min": 90, "set_up_rate_cents_per_hour": 7000, "night_surcharge_permille": 250}
        session.execute(sa.update(OfferLine).where(OfferLine.offer_id == case.offers[0]).values(prices))
    case.tell(case.offers[0])
    solve_due_plans(case.database, NO_CONFIG)
    (plan,) = case.plans()
    page = house.get(f"/plaene/{plan.id}").text
    shares = [cents(text) for text in re.findall(r"<dt>Kosten</dt><dd[^>]*>([\d.,]+) €</dd>", page)]
    assert "Davon Transport: 123,45 €" in page
    assert "Davon Rüsten: 105,00 €" in page
    assert len(shares) == 2
    assert sum(shares) == plan.cost_cents == 150 * 9200 + 150 * 9800 + 10_500 + 12_345
    said = re.findall(r"<dt>(Eine Stunde Rüsten|Zuschlag in der Nacht)</dt><dd>([^<]*)</dd>", page)
    assert sorted(said) == [
        ("Eine Stunde Rüsten", "70,00 €"), ("Eine Stunde Rüsten", "98,00 €"),
        ("Zuschlag in der Nacht", "0 %"), ("Zuschlag in der Nacht", "25 %"),
    ]  # fmt: skip


def test_a_plan_that_depends_on_nobody_says_so(case: Case, house: House) -> None:
    sentence = "mehr als 40 Prozent. So hängst du nicht von einem Betrieb ab."
    solve_due_plans(case.database, NO_CONFIG)
    before = house.get(f"/suchen/{case.request_id}/plaene").text
    assert sentence not in before
    assert "Für kleinere Anteile fehlen Partner." in before
    case.tell(case.offer("nowak", 150, 9900))
    solve_due_plans(case.database, NO_CONFIG)
    spread = next(number for number, plan in enumerate(case.plans()) if "spread" in plan.goals)
    page = house.get(f"/suchen/{case.request_id}/plaene").text
    assert f"Kein Partner macht in Plan {'ABCD'[spread]} {sentence}" in page


def test_a_plan_held_back_by_the_limit_says_so_and_one_tap_lifts_it(case: Case, house: House) -> None:
    sentence = "Du erlaubst höchstens 1 Partner. Mit mehr gehen mehr Stunden."
    url = f"/suchen/{case.request_id}/plaene"
    case.limit(1)
    solve_due_plans(case.database, NO_CONFIG)
    assert sentence in house.get(url).text
    assert sentence in house.get(f"/plaene/{case.plans()[0].id}").text
    assert house.post(f"{url}/ohne-grenze").status_code == 303
    solve_due_plans(case.database, NO_CONFIG)
    assert sentence not in house.get(url).text
    assert sentence not in house.get(f"/plaene/{case.plans()[0].id}").text


@pytest.mark.parametrize("page", ["", "/abdeckung"])
def test_plans_can_be_compared_as_soon_as_somebody_has_offered(case: Case, house: House, page: str) -> None:
    """Until then the part of the page that lives hides the button, by its class."""
    assert "ohne-angebot" not in house.get(f"/suchen/{case.request_id}{page}").text


@pytest.mark.parametrize("page", ["", "/abdeckung"])
def test_a_partner_learns_who_saw_its_hours(case: Case, house: House, page: str) -> None:
    assert house.get(f"/suchen/{case.request_id}{page}").status_code == 200
    with case.database.read() as session:
        told = session.scalars(
            sa.select(AuditEvent.firm_id).where(
                AuditEvent.verb == "seen_by", AuditEvent.about_firm_id == case.keller.id
            )
        ).all()
    assert set(told) == {case.world[key].id for key in ("yilmaz", "brandt")}


def test_only_a_plan_over_several_partners_asks_what_one_no_means(case: Case, house: House) -> None:
    solve_due_plans(case.database, NO_CONFIG)
    (together,) = case.plans()
    assert 'name="if_one_declines"' in house.get(f"/plaene/{together.id}").text
    case.tell(case.offer("nowak", 300, 100))
    solve_due_plans(case.database, NO_CONFIG)
    alone = next(plan for plan in case.plans() if plan.partner_count == 1)
    page = house.get(f"/plaene/{alone.id}").text
    assert 'name="if_one_declines"' not in page
    assert 'name="material"' in page


def cents(text: str) -> int:
    return int(re.sub(r"\D", "", text))
