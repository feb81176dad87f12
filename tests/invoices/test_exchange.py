"""A partner's invoice is taken in only if it is about our agreement and its XML says what its message says."""

import copy
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.core import clock
from app.core.db import Database
from app.core.errors import RuleBroken
from app.core.ids import new_id
from app.federation.models import Message
from app.federation.rules import Incoming
from app.invoices.actions import answer_invoice, receive_accepted, receive_disputed, receive_invoice, receive_paid
from app.invoices.models import Invoice
from app.invoices.reading import read_sums
from tests.invoices.world import Job, at, config_of, confirm, issue, make_job


@pytest.fixture
def issued(sqlite_database: Database, tmp_path: Path) -> tuple[Database, Job, Invoice, dict[str, Any]]:
    job = make_job(sqlite_database)
    confirm(sqlite_database, job, 1, 60)
    invoice = issue(sqlite_database, job, config_of(tmp_path))
    with sqlite_database.read() as session:
        body = session.scalars(sa.select(Message.body).where(Message.kind == "invoice.issued")).first()
    assert body is not None
    return sqlite_database, job, invoice, body


def from_yilmaz(job: Job, body: dict[str, Any], sender: str = "yilmaz") -> Incoming:
    return Incoming(job.firm_id("keller"), job.firm_id(sender), new_id(), "invoice.issued", body, clock.now())


LIES = {
    "another sum": lambda body: body.update(net_cents=body["net_cents"] - 1),
    "another number": lambda body: body.update(number="R-00009"),
    "lines that add up to something else": lambda body: body["lines"][0].update(net_cents=1),
    "a booking that does not exist": lambda body: body["lines"][0].update(booking_no=77),
    "an agreement of nobody": lambda body: body.update(agreement_id=new_id()),
    "a correction of nothing": lambda body: body.update(type_code=384),
    "an unknown type": lambda body: body.update(type_code=326),
    "no line": lambda body: body.update(lines=[]),
    "one field more": lambda body: body.update(more=1),
    "a day that does not exist": lambda body: body.update(due_on="2026-02-30"),
    "another file": lambda body: body["xml"].update(sha256="0" * 64),
    "a week on the transport": lambda body: body["lines"][-1].update(week="2026-W49"),
}


def test_an_invoice_that_says_something_else_is_refused(
    issued: tuple[Database, Job, Invoice, dict[str, Any]],
) -> None:
    database, job, _invoice, body = issued
    taken = []
    for name, lie in LIES.items():
        changed = copy.deepcopy(body) | {"invoice_id": new_id()}
        lie(changed)
        with suppress(RuleBroken), database.write() as session:
            receive_invoice(session, from_yilmaz(job, changed))
            taken.append(name)
    assert taken == []


def test_the_same_message_again_changes_nothing_and_another_partner_may_not_send_it(
    issued: tuple[Database, Job, Invoice, dict[str, Any]],
) -> None:
    database, job, _invoice, body = issued
    with database.write() as session:
        receive_invoice(session, from_yilmaz(job, body))
        count = sa.select(sa.func.count()).where(Invoice.firm_id == job.firm_id("keller"))
        assert session.scalar(count) == 1
    with pytest.raises(RuleBroken), database.write() as session:
        receive_invoice(session, from_yilmaz(job, body | {"invoice_id": new_id()}, "nowak"))


def test_words_about_somebody_elses_invoice_are_refused_and_late_ones_change_nothing(
    issued: tuple[Database, Job, Invoice, dict[str, Any]],
) -> None:
    database, job, invoice, _body = issued
    keller, yilmaz = job.firm_id("keller"), job.firm_id("yilmaz")
    word = {"invoice_id": invoice.id, "text": ""}
    for receive, sender in ((receive_accepted, "nowak"), (receive_disputed, "keller")):
        with pytest.raises(RuleBroken), database.write() as session:
            receive(session, Incoming(yilmaz, job.firm_id(sender), new_id(), "", word, clock.now()))
    with pytest.raises(RuleBroken), database.write() as session:
        receive_paid(session, Incoming(keller, yilmaz, new_id(), "", word | {"text": "gestern"}, clock.now()))
    with database.write() as session:
        receive_paid(session, Incoming(keller, yilmaz, new_id(), "", word | {"text": "2026-12-20"}, clock.now()))
        receive_disputed(session, Incoming(yilmaz, keller, new_id(), "", word | {"text": "Zu viel"}, clock.now()))
    assert at(database, job, "keller", invoice.id).state == "paid"
    with pytest.raises(RuleBroken), database.write() as session:
        answer_invoice(session, job.actor("keller"), invoice.id)
    with pytest.raises(RuleBroken, match="bekommen"), database.write() as session:
        answer_invoice(session, job.actor("yilmaz"), invoice.id)


@pytest.mark.parametrize(
    "xml",
    [
        b"",
        b"<a/>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<rsm:CrossIndustryInvoice xmlns:rsm="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"/>',
        b"x" * 100,
    ],
)
def test_xml_of_a_stranger_is_plain_or_refused(xml: bytes) -> None:
    with pytest.raises(RuleBroken):
        read_sums(xml, 90)
