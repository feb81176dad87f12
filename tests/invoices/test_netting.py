"""Verrechnung: both firms agree, both set off the same, and only the difference is paid."""

import datetime as dt
import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from app.api.hooks import set_hook
from app.api.models import WebhookCall
from app.core import clock
from app.core.db import Database
from app.core.errors import Conflict, RuleBroken
from app.core.ids import new_id
from app.invoices.actions import answer_invoice, answer_netting, ask_netting, mark_paid
from app.invoices.lists import balances
from app.invoices.models import Invoice, Netting, Payment
from app.invoices.rules import netted_parts
from app.worker import run_until_quiet
from tests.invoices.world import Job, make_job
from tests.machines.house import open_house

DAY = dt.date(2026, 11, 16)


def invoice(database: Database, job: Job, seller: str, gross_cents: int, number: str, day: dt.date = DAY) -> str:
    """An invoice that the other side has, as issuing and delivery leave it."""
    buyer, invoice_id = {"keller": "yilmaz", "yilmaz": "keller"}[seller], new_id()
    with database.write() as session:
        for key, other, side in ((seller, buyer, "ours"), (buyer, seller, "theirs")):
            session.add(
                Invoice(
                    firm_id=job.firm_id(key), id=invoice_id, created_at=clock.now(), side=side, type_code=380,
                    partner_id=job.firm_id(other), agreement_id=job.agreement_id, number=number, state="issued",
                    net_cents=gross_cents, gross_cents=gross_cents, issued_on=day, issued_at=clock.now(),
                    due_on=day + dt.timedelta(days=30), number_no=int(number[-1]) if side == "ours" else None,
                )
            )  # fmt: skip
    return invoice_id


def ask(database: Database, job: Job, key: str = "keller", month: str = "2026-11") -> str:
    with database.write() as session:
        netting_id = ask_netting(
            session, job.actor(key), job.firm_id("yilmaz" if key == "keller" else "keller"), month
        ).id
    run_until_quiet(database)
    return netting_id


def say(database: Database, job: Job, netting_id: str, is_yes: bool, key: str = "yilmaz") -> None:
    with database.write() as session:
        answer_netting(session, job.actor(key), netting_id, is_yes)
    run_until_quiet(database)


def stand(database: Database, job: Job, key: str) -> dict[str, tuple[str, int]]:
    """State and cents still to pay of each invoice in one house."""
    with database.read() as session:
        rows = session.scalars(sa.select(Invoice).where(Invoice.firm_id == job.firm_id(key)))
        return {row.id: (row.state, row.open_cents) for row in rows}


def word(database: Database, job: Job, netting_id: str) -> set[str]:
    with database.read() as session:
        return set(session.scalars(sa.select(Netting.state).where(Netting.id == netting_id)))


def test_both_agree_the_smaller_side_is_paid_and_the_rest_of_the_other_is_what_money_comes_for(
    database: Database,
) -> None:
    job = make_job(database)
    small = invoice(database, job, "keller", 30_000, "K-1")
    first = invoice(database, job, "yilmaz", 20_000, "R-1", DAY - dt.timedelta(days=3))
    second = invoice(database, job, "yilmaz", 50_000, "R-2")
    earlier = invoice(database, job, "yilmaz", 9_000, "R-3", dt.date(2026, 10, 30))
    netting_id = ask(database, job)
    assert stand(database, job, "keller")[small] == ("issued", 30_000)
    say(database, job, netting_id, is_yes=True)
    expected = {small: ("paid", 0), first: ("paid", 0), second: ("issued", 40_000), earlier: ("issued", 9_000)}
    assert stand(database, job, "keller") == stand(database, job, "yilmaz") == expected
    assert word(database, job, netting_id) == {"done"}
    with database.read() as session:
        for key, sign in (("keller", -1), ("yilmaz", 1)):
            (row,) = balances(session, job.actor(key))
            assert row.open_cents == sign * 49_000
    with database.write() as session:
        mark_paid(session, job.actor("yilmaz"), second, DAY)
        assert session.scalars(sa.select(Payment.amount_cents)).all() == [40_000]


def test_the_programs_of_both_firms_hear_which_invoices_became_smaller(sqlite_database: Database) -> None:
    database, job = sqlite_database, make_job(sqlite_database)
    all_of_it = invoice(database, job, "keller", 30_000, "K-1")
    oldest = invoice(database, job, "yilmaz", 20_000, "R-1", DAY - dt.timedelta(days=1))
    in_part = invoice(database, job, "yilmaz", 50_000, "R-2")
    untouched = invoice(database, job, "yilmaz", 5_000, "R-3", DAY + dt.timedelta(days=1))
    with database.write() as session:
        for key in ("keller", "yilmaz"):
            set_hook(session, job.actor(key), "https://erp.example/neu")
    say(database, job, ask(database, job), is_yes=True)
    assert stand(database, job, "keller")[untouched] == ("issued", 5_000)
    with database.read() as session:
        for key in ("keller", "yilmaz"):
            told = sa.select(WebhookCall.object_id).where(
                WebhookCall.firm_id == job.firm_id(key), WebhookCall.event == "invoice.netted"
            )
            assert sorted(session.scalars(told)) == sorted([all_of_it, oldest, in_part])


def test_a_no_and_a_change_meanwhile_leave_every_invoice_as_it_is(database: Database) -> None:
    job = make_job(database)
    one, other = invoice(database, job, "keller", 30_000, "K-1"), invoice(database, job, "yilmaz", 20_000, "R-1")
    before = stand(database, job, "keller")
    say(database, job, ask(database, job), is_yes=False)
    with database.write() as session:
        netting_id = ask_netting(session, job.actor("keller"), job.firm_id("yilmaz"), "2026-11").id
        with pytest.raises(Conflict):
            ask_netting(session, job.actor("keller"), job.firm_id("yilmaz"), "2026-11")
    run_until_quiet(database)
    with database.write() as session:  # who asked gets its money before the yes is there
        answer_netting(session, job.actor("yilmaz"), netting_id, is_yes=True)
        with pytest.raises(Conflict, match="gerade verrechnet"):
            mark_paid(session, job.actor("yilmaz"), other, DAY)
        mark_paid(session, job.actor("keller"), one, DAY)
    run_until_quiet(database)
    assert word(database, job, netting_id) == {"declined"}
    after = stand(database, job, "keller")
    assert after == stand(database, job, "yilmaz") == before | {one: ("paid", 30_000)}


def test_a_disputed_invoice_and_one_without_a_counterpart_are_not_set_off(sqlite_database: Database) -> None:
    job = make_job(sqlite_database)
    other = invoice(sqlite_database, job, "yilmaz", 20_000, "R-1")
    with pytest.raises(RuleBroken, match="nichts zu verrechnen"):
        ask(sqlite_database, job)
    invoice(sqlite_database, job, "keller", 30_000, "K-1")
    netting_id = ask(sqlite_database, job, "yilmaz")
    with sqlite_database.write() as session:
        answer_invoice(session, job.actor("keller"), other, "Zu viel")
    with pytest.raises(RuleBroken, match="hat sich geändert"):
        say(sqlite_database, job, netting_id, is_yes=True, key="keller")
    say(sqlite_database, job, netting_id, is_yes=False, key="yilmaz")
    assert word(sqlite_database, job, netting_id) == {"declined"}


def test_the_balance_offers_it_and_asks_the_other_side(sqlite_database: Database, tmp_path: Path) -> None:
    job = make_job(sqlite_database)
    invoice(sqlite_database, job, "keller", 30_000, "K-1")
    bill = invoice(sqlite_database, job, "yilmaz", 50_000, "R-1")
    house = open_house(sqlite_database, tmp_path)
    keller, partner = house.enter(job.actor("keller")), job.firm_id("yilmaz")
    assert "11/2026 verrechnen" in keller.get("/belege/ausgleich").text
    assert keller.post(f"/belege/ausgleich/{partner}", month="2026-10").status_code == 422
    assert keller.post(f"/belege/ausgleich/{partner}", month="2026-11").status_code == 303
    run_until_quiet(sqlite_database)
    yilmaz = house.enter(job.actor("yilmaz"))
    page = yilmaz.get("/belege/ausgleich").text
    assert "will 11/2026 verrechnen: eure 500,00 € gegen 300,00 €." in re.sub(
        r"\s+", " ", page.replace("\N{NO-BREAK SPACE}", " ")
    )
    with sqlite_database.read() as session:
        netting_id = session.scalars(sa.select(Netting.id)).first()
    assert yilmaz.post(f"/belege/verrechnung/{netting_id}", answer="yes").status_code == 303
    run_until_quiet(sqlite_database)
    assert "Noch zu zahlen" in yilmaz.get(f"/belege/{bill}").text


@given(st.lists(st.integers(1, 10**9), max_size=8), st.integers(0, 10**10))
def test_parts_never_exceed_their_invoice_and_add_up(open_cents: list[int], total_cents: int) -> None:
    parts = netted_parts(open_cents, total_cents)
    assert all(0 <= part <= cents for part, cents in zip(parts, open_cents, strict=True))
    assert sum(parts) == min(total_cents, sum(open_cents))
