"""A bank's statement settles what it names beyond doubt; everything else waits for a person; hostile files are refused."""

import datetime as dt
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.core.db import Database
from app.core.errors import NotFound, RuleBroken
from app.invoices.actions import assign_payment, dismiss_payment, import_statement
from app.invoices.camt import read_statement
from app.invoices.models import Payment
from app.invoices.pairing import NO_INVOICE, OTHER_AMOUNT, PAID_TWICE, SEVERAL, Due, match_payment
from app.worker import run_until_quiet
from tests.invoices.world import at, config_of, confirm, issue, make_job


def entry(amount: str, words: str, *, sign: str = "CRDT", status: str = "<Cd>BOOK</Cd>", extra: str = "") -> str:
    return f"""<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>{sign}</CdtDbtInd>{extra}<Sts>{status}</Sts>
<BookgDt><Dt>2026-12-20</Dt></BookgDt><NtryDtls><TxDtls><RltdPties><Dbtr><Pty><Nm>Keller Metallbau</Nm></Pty></Dbtr>
</RltdPties><RmtInf><Ustrd>{words}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"""


def statement(*entries: str, version: str = "08") -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}"><BkToCstmrStmt><Stmt>
<Acct><Id><IBAN>DE89370400440532013000</IBAN></Id></Acct>{"".join(entries)}</Stmt></BkToCstmrStmt></Document>""".encode()


@pytest.mark.parametrize("version", ["02", "08"])
def test_only_booked_money_that_came_in_is_read(version: str) -> None:
    credits = read_statement(
        statement(
            entry("119.00", "Rechnung R-00001"),
            entry("5.00", "Gebühr", sign="DBIT"),
            entry("7.00", "vorgemerkt", status="PDNG"),
            entry("8.00", "zurück", extra="<RvslInd>true</RvslInd>"),
            entry("119.00", "Rechnung R-00001"),
            version=version,
        )
    )
    assert [(one.amount_cents, one.booked_on, one.reference, one.payer) for one in credits] == [
        (11_900, dt.date(2026, 12, 20), "Rechnung R-00001", "Keller Metallbau")
    ] * 2
    assert len({one.key for one in credits}) == 2


@pytest.mark.parametrize(
    "body",
    [
        b"no xml",
        b"<a/>",
        statement(entry("1.005", "x")),
        statement(entry("1.00", "x").replace('"EUR"', '"USD"')),
        statement(entry("1.00", "x").replace("2026-12-20", "2026-12-41")),
        statement().replace(b"<Document", b'<!DOCTYPE d [<!ENTITY a "b">]><Document'),
        b"<" * 6_000_000,
    ],
)
def test_any_other_file_is_refused(body: bytes) -> None:
    with pytest.raises(RuleBroken):
        read_statement(body)


def test_number_and_amount_must_both_say_so() -> None:
    dues = [Due("a", "R-00001", 100, True), Due("b", "R-00002", 200, True), Due("c", "R-00003", 300, False)]
    assert match_payment("RE r 00001 vom 14.12.", 100, dues).invoice_id == "a"
    assert match_payment("R00002", 200, dues).invoice_id == "b"
    assert match_payment("R-00001", 101, dues).why_not == OTHER_AMOUNT
    assert match_payment("R-00001 und R-00002", 300, dues).why_not == SEVERAL
    assert match_payment("R-00003", 300, dues).why_not == PAID_TWICE
    assert match_payment("R-000011", 100, dues).why_not == NO_INVOICE


def test_a_statement_pays_what_is_sure_once_and_a_person_decides_the_rest(database: Database, tmp_path: Path) -> None:
    job = make_job(database)
    confirm(database, job, 1, 60)
    first = issue(database, job, config_of(tmp_path))
    confirm(database, job, 2, 60)
    second = issue(database, job, config_of(tmp_path))
    yilmaz = job.actor("yilmaz")
    credits = read_statement(
        statement(
            entry(f"{first.gross_cents / 100:.2f}", f"Rechnung {first.number}"),
            entry(f"{(second.gross_cents - 1) / 100:.2f}", f"Rechnung {second.number}"),
            entry("12.34", "Miete"),
        )
    )
    with database.write() as session:
        found = import_statement(session, yilmaz, credits)
        assert (found.paid, found.unclear, found.known) == (1, 2, 0)
        again = import_statement(session, yilmaz, credits)
        assert (again.paid, again.unclear, again.known) == (0, 0, 3)
        waiting = {
            row.reference: row.id for row in session.scalars(sa.select(Payment).where(Payment.invoice_id.is_(None)))
        }
    run_until_quiet(database)
    assert at(database, job, "keller", first.id).state == "paid"
    assert at(database, job, "yilmaz", second.id).state == "issued"
    with pytest.raises(NotFound), database.write() as session:
        dismiss_payment(session, job.actor("keller"), waiting["Miete"])
    with database.write() as session:
        assign_payment(session, yilmaz, waiting[f"Rechnung {second.number}"], second.id)
        dismiss_payment(session, yilmaz, waiting["Miete"])
    assert at(database, job, "yilmaz", second.id).state == "paid"
