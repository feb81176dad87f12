"""The pages of Belege, as the offices of both sides walk them: from draft to money, with what may go wrong."""

import io
import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.agreements.forgetting import _drop_rows
from app.agreements.models import Agreement
from app.config import Config, load_config
from app.core.db import Database
from app.invoices.actions import issue_invoices
from app.invoices.models import Invoice, Payment
from app.worker import run_until_quiet
from tests.invoices.test_camt import entry, statement
from tests.invoices.test_pdf import text_of
from tests.invoices.world import IBAN, Job, at, confirm, make_job, the_invoice
from tests.machines.house import House, open_house


@pytest.fixture
def job(sqlite_database: Database) -> Job:
    job = make_job(sqlite_database, with_setup=False)
    confirm(sqlite_database, job, 1, 600)
    return job


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load_config({"DATA_DIR": str(tmp_path)})


@pytest.fixture
def yilmaz(sqlite_database: Database, job: Job, tmp_path: Path) -> House:
    return open_house(sqlite_database, tmp_path).enter(job.actor("yilmaz"))


def words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.split("<main")[1])).replace("\N{NO-BREAK SPACE}", " ")


def work(database: Database, config: Config) -> None:
    """What the worker does after a deed."""
    run_until_quiet(database)
    issue_invoices(database, config)
    run_until_quiet(database)


def test_the_office_enters_its_data_sends_and_the_partner_checks_pays_and_complains(
    sqlite_database: Database, job: Job, yilmaz: House, config: Config
) -> None:
    database = sqlite_database
    draft = the_invoice(database, job, "yilmaz", "draft")
    page = yilmaz.get(f"/belege/{draft.id}").text
    assert "Trag zuerst euer Bankkonto ein." in words(page)
    assert 'data-testid="senden"' not in page
    assert yilmaz.post("/belege/daten", iban="DE00", prefix="R-").status_code == 422
    assert yilmaz.post("/belege/daten", iban=IBAN, prefix="R-", tax_no="").status_code == 303
    assert 'data-testid="senden"' in yilmaz.get(f"/belege/{draft.id}").text
    assert yilmaz.post(f"/belege/{draft.id}/senden").status_code == 303
    page = yilmaz.get(f"/belege/{draft.id}").text
    assert "Wir prüfen die Rechnung gerade." in words(page)
    version = re.search(r"/stand\?v=(\d+)", page)
    assert version is not None
    assert yilmaz.get(f"/belege/{draft.id}/stand?v={version[1]}").status_code == 204
    work(database, config)
    assert yilmaz.get(f"/belege/{draft.id}/stand?v={version[1]}").headers["HX-Refresh"] == "true"
    assert "R-00001" in yilmaz.get("/belege").text
    assert b"CrossIndustryInvoice" in yilmaz.get(f"/belege/{draft.id}/rechnung.xml").data

    keller = yilmaz.enter(job.actor("keller"))
    assert "Ein Beleg wartet auf dich." in words(keller.get("/start").text)
    page = keller.get(f"/belege/{draft.id}").text
    assert "Alle Stunden sind bestätigt. Alle Sätze stehen im Vertrag." in words(page)
    assert "1.273,30 €" in text_of(keller.get(f"/belege/{draft.id}/rechnung.pdf").data)
    assert keller.post(f"/belege/{draft.id}/beanstanden", reason="").status_code == 422
    assert keller.post(f"/belege/{draft.id}/beanstanden", reason="Zu viel").status_code == 303
    work(database, config)

    back = keller.enter(job.actor("yilmaz"))
    assert "Zu viel" in words(back.get(f"/belege/{draft.id}").text)
    assert back.post(f"/belege/{draft.id}/korrigieren", hours_1="11", reason="x").status_code == 422
    assert back.post(f"/belege/{draft.id}/korrigieren", hours_1="9", reason="Eine Stunde").status_code == 303
    work(database, config)
    correction = the_invoice(database, job, "yilmaz", "issued")
    assert "1.160,25" in words(back.get(f"/belege/{correction.id}").text)
    assert back.post(f"/belege/{correction.id}/bezahlt", paid_on="16.11.2026").status_code == 303
    assert "bezahlt" in words(back.get("/belege").text)
    assert "Ihr seid quitt." in words(back.get("/belege/ausgleich").text)


def test_a_partner_that_asks_for_more_than_confirmed_is_shown_where(
    sqlite_database: Database, job: Job, yilmaz: House, config: Config
) -> None:
    yilmaz.post("/belege/daten", iban=IBAN, prefix="R-", tax_no="160/123/45678")
    draft = the_invoice(sqlite_database, job, "yilmaz", "draft")
    yilmaz.post(f"/belege/{draft.id}/senden")
    work(sqlite_database, config)
    with sqlite_database.write() as session:
        session.execute(
            sa.text("UPDATE hour_report SET state = 'disputed' WHERE firm_id = :firm"), {"firm": job.firm_id("keller")}
        )
    page = words(yilmaz.enter(job.actor("keller")).get(f"/belege/{draft.id}").text)
    assert "F5-650, KW 49: 10 Stunden berechnet, 0 bestätigt." in page


def test_surcharges_are_typed_where_the_agreement_names_them_and_never_for_more_hours(
    sqlite_database: Database, job: Job, yilmaz: House
) -> None:
    draft = the_invoice(sqlite_database, job, "yilmaz", "draft")
    page = yilmaz.get(f"/belege/{draft.id}/zuschlaege").text
    (field,) = set(re.findall(r'name="(night_[^"]+)"', page))
    assert yilmaz.post(f"/belege/{draft.id}/zuschlaege", **{field: "10,25"}).status_code == 422
    assert yilmaz.post(f"/belege/{draft.id}/zuschlaege", **{field: "2"}).status_code == 303
    assert "Nachtzuschlag" in words(yilmaz.get(f"/belege/{draft.id}").text)


def test_a_statement_is_read_and_what_is_unclear_a_person_decides(
    sqlite_database: Database, job: Job, yilmaz: House, config: Config
) -> None:
    yilmaz.post("/belege/daten", iban=IBAN, prefix="R-", tax_no="160/123/45678")
    draft = the_invoice(sqlite_database, job, "yilmaz", "draft")
    yilmaz.post(f"/belege/{draft.id}/senden")
    work(sqlite_database, config)
    for body, status in ((b"<a/>", 422), (statement(entry("1.00", "R-00001"), entry("2.00", "Miete")), 303)):
        sent = yilmaz.post("/belege/konto", statement=(io.BytesIO(body), "auszug.xml"))
        assert sent.status_code == status
    page = words(yilmaz.get("/belege/konto").text)
    assert "Der Betrag ist ein anderer als auf der Rechnung." in page
    assert "Der Verwendungszweck nennt keine offene Rechnung." in page
    with sqlite_database.read() as session:
        ids = {row.reference: row.id for row in session.scalars(sa.select(Payment))}
    assert yilmaz.post(f"/belege/konto/{ids['Miete']}", invoice="").status_code == 422
    assert yilmaz.post(f"/belege/konto/{ids['Miete']}", invoice="none").status_code == 303
    assert yilmaz.post(f"/belege/konto/{ids['R-00001']}", invoice=draft.id).status_code == 303
    assert at(sqlite_database, job, "yilmaz", draft.id).state == "paid"


def test_an_invoice_that_is_taken_back_can_not_be_taken_back_twice(
    sqlite_database: Database, job: Job, yilmaz: House, config: Config
) -> None:
    yilmaz.post("/belege/daten", iban=IBAN, prefix="R-", tax_no="160/123/45678")
    draft = the_invoice(sqlite_database, job, "yilmaz", "draft")
    yilmaz.post(f"/belege/{draft.id}/senden")
    work(sqlite_database, config)
    assert yilmaz.post(f"/belege/{draft.id}/aufheben", reason="").status_code == 422
    assert yilmaz.post(f"/belege/{draft.id}/aufheben", reason="Anschrift").status_code == 303
    assert "lässt sich nicht mehr aufheben" in words(yilmaz.get(f"/belege/{draft.id}/aufheben").text)
    assert yilmaz.post(f"/belege/{draft.id}/aufheben", reason="Anschrift").status_code == 409
    work(sqlite_database, config)
    keller = yilmaz.enter(job.actor("keller"))
    with sqlite_database.read() as session:
        credit = session.scalars(sa.select(Invoice.id).where(Invoice.type_code == 381)).first()
    assert "Sie wird aufgehoben" in words(keller.get(f"/belege/{credit}").text)
    assert keller.post(f"/belege/{credit}/annehmen").status_code == 303
    assert keller.get(f"/belege/{draft.id}/rechnung.pdf").status_code == 200
    assert keller.post(f"/belege/{draft.id}/bezahlt", paid_on="16.11.2026").status_code == 422


def test_an_invoice_outlives_its_agreement(sqlite_database: Database, job: Job, yilmaz: House, config: Config) -> None:
    yilmaz.post("/belege/daten", iban=IBAN, prefix="R-", tax_no="160/123/45678")
    draft = the_invoice(sqlite_database, job, "yilmaz", "draft")
    yilmaz.post(f"/belege/{draft.id}/senden")
    work(sqlite_database, config)
    confirm(sqlite_database, job, 2, 60)
    unsent = the_invoice(sqlite_database, job, "yilmaz", "draft")
    with sqlite_database.write() as session:
        for agreement in session.scalars(sa.select(Agreement).where(Agreement.id == job.agreement_id)).all():
            _drop_rows(session, agreement)
    page = yilmaz.get(f"/belege/{draft.id}").text
    assert "1.273,30 €" in words(page).replace("1.273,30  €", "1.273,30 €")
    assert 'data-testid="korrigieren"' not in page
    assert "Der Vertrag ist gelöscht." in words(yilmaz.get(f"/belege/{unsent.id}").text)
    assert yilmaz.enter(job.actor("keller")).get(f"/belege/{draft.id}/rechnung.pdf").status_code == 200
    assert yilmaz.get(f"/belege/{draft.id}").status_code == 200
