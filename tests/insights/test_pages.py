"""S27, S28 and the partner's page: own agreements only, the counting rule always beside the number."""

import datetime as dt
import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.core import clock
from app.core.db import Database
from app.firms.access import Role
from app.offers.models import Offer
from app.partners.models import Partnership
from app.requests.models import WorkRequest
from tests.agreements.world import Deal, drafted, make_deal, signed_by_both
from tests.conftest import MONDAY
from tests.machines.house import House, open_house

RULE = "So zählen wir: Aufträge mit Partner-Stunden, bei denen eure freie Zeit nicht gereicht hätte."


@pytest.fixture
def deal(sqlite_database: Database) -> Deal:
    """Keller's order of 500 hours, 40 of them agreed with each of two partners; Nowak offered too."""
    deal = make_deal(sqlite_database, ("yilmaz", "brandt"))
    signed_by_both(sqlite_database, deal, drafted(sqlite_database, deal))
    return deal


@pytest.fixture
def keller(sqlite_database: Database, deal: Deal, tmp_path: Path) -> House:
    return open_house(sqlite_database, tmp_path).enter(deal.actor("keller"))


def words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.split("<main")[1])).replace("\N{NO-BREAK SPACE}", " ")


def measure(database: Database, deal: Deal, own_free_min: int | None) -> None:
    with database.write() as session:
        session.execute(
            sa.update(WorkRequest).where(WorkRequest.id == deal.request_id).values(own_free_min=own_free_min)
        )


@pytest.mark.parametrize("own_free_min", [None, 30_000])
def test_an_order_that_own_time_was_enough_for_or_nobody_measured_is_not_claimed(
    sqlite_database: Database, deal: Deal, keller: House, own_free_min: int | None
) -> None:
    measure(sqlite_database, deal, own_free_min)
    page = words(keller.get("/nutzen").text)
    assert "In diesem Jahr gab es noch keinen Auftrag, der allein zu groß war." in page
    assert RULE in page


def test_an_order_too_big_for_own_time_counts_once_however_many_partners_help(
    sqlite_database: Database, deal: Deal, keller: House
) -> None:
    measure(sqlite_database, deal, 10_800)
    page = words(keller.get("/nutzen").text)
    assert "In diesem Jahr habt ihr 1 Auftrag angenommen, den ihr allein abgelehnt hättet." in page
    assert RULE in page
    assert "Eure freie Zeit 180 h Von Partnern 80 h" in page
    assert "Im vorigen Jahr gab es noch keinen" in words(keller.get("/nutzen?zeit=vorjahr").text)
    with clock.frozen(MONDAY + dt.timedelta(days=90)):
        assert "noch keinen" in words(keller.get("/nutzen?zeit=jahr").text)
        assert "habt ihr 1 Auftrag" in words(keller.get("/nutzen?zeit=vorjahr").text)
        assert "habt ihr 1 Auftrag" in words(keller.get("/nutzen?zeit=monate").text)


def test_more_than_forty_percent_at_one_partner_is_a_warning_with_a_plan_b(
    sqlite_database: Database, deal: Deal, keller: House
) -> None:
    page = keller.get("/nutzen/kosten").text
    assert "50 % der Stunden" in words(page)
    assert "Das sind mehr als 40 Prozent." in words(page)
    yilmaz = deal.firms["yilmaz"].id
    assert f"/nutzen/plan-b/{yilmaz}" in page
    plan = words(keller.get(f"/nutzen/plan-b/{yilmaz}").text)
    assert "Brandt Präzision Schmalkalden hat schon angeboten" in plan
    assert "Nowak Zerspanung" in plan
    assert "Dreherei Yilmaz Suhl" not in plan


def test_who_only_says_that_it_can_stands_in_plan_b_too_and_who_left_does_not(
    sqlite_database: Database, deal: Deal, keller: House
) -> None:
    with sqlite_database.write() as session:
        taken_back = Offer.partner_id == deal.firms["nowak"].id
        session.execute(sa.update(Offer).where(taken_back).values(partner_id=deal.firms["yilmaz"].id))
        for row in session.scalars(sa.select(Partnership).where(Partnership.firm_id == deal.firms["keller"].id)):
            row.profile = {"processes": [{"key": "milling_5x", "de": "Fräsen", "en": "milling"}]}
            row.state = "ended" if row.partner_id == deal.firms["brandt"].id else row.state
    plan = words(keller.get(f"/nutzen/plan-b/{deal.firms['yilmaz'].id}").text)
    assert "Nowak Zerspanung Jena kann es" in plan
    assert "Brandt" not in plan


def test_both_directions_are_kept_apart(sqlite_database: Database, deal: Deal, tmp_path: Path, keller: House) -> None:
    yilmaz = keller.enter(deal.actor("yilmaz"))
    page = words(yilmaz.get("/nutzen/kosten").text)
    assert "Ihr arbeitet für Keller Metallbau 100 % der Stunden" in page
    assert "Für euch arbeiten" not in page


def test_only_the_manager_sees_what_it_brings(deal: Deal, keller: House) -> None:
    foreman = keller.enter(deal.firms["keller"].actor(Role.FOREMAN))
    for path in ("/nutzen", "/nutzen/kosten", f"/nutzen/plan-b/{deal.firms['yilmaz'].id}"):
        assert foreman.get(path).status_code == 403
    assert "/nutzen" not in foreman.get("/mehr").text


def test_the_partners_page_says_nothing_about_too_few_cases(deal: Deal, keller: House) -> None:
    page = words(keller.get(f"/partner/{deal.firms['yilmaz'].id}").text)
    assert "Eure Zusammenarbeit Noch zu wenig gemeinsame Aufträge." in page
