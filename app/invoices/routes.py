"""Belege: drafts, invoices of both sides, payments, the balance with partners."""

from flask import Blueprint, Response, request, url_for
from flask_babel import lazy_gettext
from sqlalchemy.orm import Session
from stdnum import iban as iban_number
from stdnum.exceptions import ValidationError

from app.core import clock
from app.core.db import Database
from app.core.errors import NotFound, RuleBroken
from app.core.units import hours_text, week_short
from app.federation.queries import file_for
from app.firms.access import Actor, may
from app.firms.actions import note_views
from app.firms.protocol import add_sentences
from app.firms.queries import firm_of, firm_version
from app.invoices.actions import (
    Imported,
    answer_invoice,
    answer_netting,
    ask_netting,
    assign_payment,
    change_setup,
    correct_invoice,
    credit_invoice,
    dismiss_payment,
    import_statement,
    mark_paid,
    order_invoice,
    remind_invoice,
    set_surcharges,
)
from app.invoices.camt import MOST_BYTES, read_statement
from app.invoices.lists import balances, invoice_lists, waiting_payments
from app.invoices.models import Invoice
from app.invoices.netting import netting_views
from app.invoices.queries import invoice_for, setup_of
from app.invoices.rules import check_prefix
from app.invoices.views import KINDS, InvoiceView, invoice_view, surcharge_fields
from app.partners.queries import partnership_with
from app.web.forms import Form
from app.web.limits import PROOFS, paced
from app.web.render import go_to, render
from app.web.security import FILE_POLICY
from app.web.transaction import ceremony, deed, page
from app.web.world import world

room = Blueprint("invoices", __name__)
add_sentences(
    {
        "invoice_setup": ("pencil", lazy_gettext("Steuer und Konto sind geändert.")),
        "invoice_ordered": ("send", lazy_gettext("Eine Rechnung soll hinaus.")),
        "invoice_issued": ("file-check-2", lazy_gettext("Eine Rechnung ist geprüft und gesendet.")),
        "invoice_arrived": ("file-text", lazy_gettext("Eine Rechnung ist angekommen.")),
        "invoice_accepted": ("check", lazy_gettext("Eine Rechnung ist angenommen.")),
        "invoice_disputed": ("triangle-alert", lazy_gettext("Eine Rechnung ist beanstandet.")),
        "invoice_paid": ("circle-check", lazy_gettext("Eine Rechnung ist bezahlt.")),
        "netting_asked": ("scale", lazy_gettext("Eine Verrechnung ist angefragt.")),
        "netting_agreed": ("scale", lazy_gettext("Einer Verrechnung ist zugestimmt.")),
        "netting_done": ("scale", lazy_gettext("Rechnungen sind verrechnet.")),
        "netting_declined": ("x", lazy_gettext("Eine Verrechnung kommt nicht zustande.")),
        "invoice_reminded": ("bell", lazy_gettext("An eine Rechnung ist erinnert.")),
        "statement_imported": ("upload", lazy_gettext("Ein Kontoauszug ist eingelesen.")),
    }
)


@room.get("/belege")
@page("invoices.see")
def index(session: Session, actor: Actor) -> Response:
    """What is to be sent, checked, got and paid."""
    waiting, _open = waiting_payments(session, actor)
    return render("invoices/index.html", lists=invoice_lists(session, actor), waiting=len(waiting))


@room.get("/belege/daten")
@page("invoices.send")
def setup(session: Session, actor: Actor) -> Response:
    """What stands on every invoice: tax number, account, number."""
    found = setup_of(session, actor.firm_id)
    fields = {"prefix": "R-"}
    if found is not None:
        small = "on" if found.is_small_business else ""
        fields = {"tax_no": found.tax_no, "iban": found.iban, "prefix": found.prefix, "is_small_business": small}
    return render("invoices/setup.html", form=Form(fields), firm=firm_of(session, actor.firm_id))


@room.post("/belege/daten")
@deed("invoices.send")
def save_setup(session: Session, actor: Actor) -> Response:
    form = Form(request.form)
    tax_no, prefix = form.text("tax_no", most=20), form.text("prefix", most=10)
    account = form.text("iban", "Gib eure IBAN ein.", 42)
    if form.is_good:
        try:
            change_setup(session, actor, tax_no, _iban(account), form.yes("is_small_business"), check_prefix(prefix))
            return go_to(url_for("invoices.index"), receipt="Gemerkt.")
        except RuleBroken as error:
            form.add_error(error)
    return render("invoices/setup.html", 422, form=form, firm=firm_of(session, actor.firm_id))


@room.get("/belege/konto")
@page("invoices.see")
def account(session: Session, actor: Actor) -> Response:
    """The bank's statement: read it in, and say what is not sure."""
    return _account(session, actor, Form())


@room.post("/belege/konto")
@ceremony("invoices.send", most_bytes=MOST_BYTES + 64 * 1024)
def save_statement(database: Database, actor: Actor) -> Response:
    """The statement is read before anybody has to wait for this transaction."""
    form = Form()
    sent = request.files.get("statement")
    try:
        if sent is None or not sent.filename:
            raise RuleBroken("Wähle zuerst einen Kontoauszug aus.", "statement")
        credits = read_statement(sent.read(MOST_BYTES + 1))
    except RuleBroken as error:
        error.field = "statement"
        form.add_error(error)
        with database.read() as session:
            return _account(session, actor, form, 422)
    with database.write() as session:
        found = import_statement(session, actor, credits)
    return _imported(found)


@room.post("/belege/konto/<payment_id>")
@deed("invoices.send")
def assign(session: Session, actor: Actor, payment_id: str) -> Response:
    """A person says which invoice a payment is for, or that it is for none."""
    form = Form(request.form)
    invoice_id = form.value("invoice")
    if invoice_id == "none":
        dismiss_payment(session, actor, payment_id)
    elif invoice_id:
        assign_payment(session, actor, payment_id, invoice_id)
    else:
        form.add_error(RuleBroken("Wähle eine Rechnung aus.", f"invoice-{payment_id}"))
        return _account(session, actor, form, 422)
    return go_to(url_for("invoices.account"), receipt="Gemerkt.")


@room.get("/belege/ausgleich")
@page("invoices.see")
def balance(session: Session, actor: Actor) -> Response:
    """S26: hours and money to and fro, partner by partner."""
    return _balance(session, actor, Form())


@room.post("/belege/ausgleich/<partner_id>")
@deed("invoices.send")
def net(session: Session, actor: Actor, partner_id: str) -> Response:
    """Ask a partner to set off one month."""
    partnership_with(session, actor.firm_id, partner_id)
    form = Form(request.form)
    try:
        ask_netting(session, actor, partner_id, form.value("month"))
    except RuleBroken as error:
        form.add_error(error)
        return _balance(session, actor, form, 422)
    return go_to(url_for("invoices.balance"), receipt="Gesendet. Der Partner muss zustimmen.")


@room.post("/belege/verrechnung/<netting_id>")
@deed("invoices.send")
def answer_net(session: Session, actor: Actor, netting_id: str) -> Response:
    """Yes or no to setting off."""
    form = Form(request.form)
    try:
        answer_netting(session, actor, netting_id, form.value("answer") == "yes")
    except RuleBroken as error:
        form.add_error(error)
        return _balance(session, actor, form, 422)
    return go_to(url_for("invoices.balance"), receipt="Gut. Der Partner weiß Bescheid.")


@room.get("/belege/<invoice_id>")
@page("invoices.see")
def show(session: Session, actor: Actor, invoice_id: str) -> Response:
    """S50: the draft, or how an invoice stands."""
    return _show(session, actor, invoice_for(session, actor.firm_id, invoice_id))


@room.get("/belege/<invoice_id>/stand")
@page("invoices.see")
def state(session: Session, actor: Actor, invoice_id: str) -> Response:
    """Polled while the worker checks: 204 until anything of this firm changed, then the page loads anew."""
    invoice_for(session, actor.firm_id, invoice_id)
    if request.args.get("v") == str(firm_version(session, actor.firm_id)):
        return Response(status=204)
    return Response(status=200, headers={"HX-Refresh": "true"})


@room.post("/belege/<invoice_id>/senden")
@deed("invoices.send")
def send(session: Session, actor: Actor, invoice_id: str) -> Response:
    """ "Rechnung senden": the worker checks it and lets it leave."""
    try:
        order_invoice(session, actor, invoice_id)
    except RuleBroken as error:
        form = Form()
        form.add_error(error)
        return _show(session, actor, invoice_for(session, actor.firm_id, invoice_id), form, 422)
    return go_to(url_for("invoices.show", invoice_id=invoice_id))


@room.get("/belege/<invoice_id>/zuschlaege")
@page("invoices.send")
def surcharges(session: Session, actor: Actor, invoice_id: str) -> Response:
    """For how many hours of a draft the agreed surcharges apply."""
    return _surcharges(session, actor, invoice_id, None)


@room.post("/belege/<invoice_id>/zuschlaege")
@deed("invoices.send")
def save_surcharges(session: Session, actor: Actor, invoice_id: str) -> Response:
    form = Form(request.form)
    fields = surcharge_fields(session, invoice_for(session, actor.firm_id, invoice_id))
    minutes = {(one.booking_id, one.kind): form.hours(one.name) or 0 for one in fields}
    if form.is_good:
        try:
            set_surcharges(session, actor, invoice_id, minutes)
            return go_to(url_for("invoices.show", invoice_id=invoice_id), receipt="Gemerkt.")
        except RuleBroken as error:
            form.add_error(error)
    return _surcharges(session, actor, invoice_id, form)


@room.get("/belege/<invoice_id>/rechnung.pdf")
@paced(PROOFS)
@page("invoices.see")
def pdf(session: Session, actor: Actor, invoice_id: str) -> Response:
    """The PDF/A-3 with the XML inside."""
    invoice = invoice_for(session, actor.firm_id, invoice_id)
    return _file(session, invoice, invoice.pdf_file_id)


@room.get("/belege/<invoice_id>/rechnung.xml")
@paced(PROOFS)
@page("invoices.see")
def xml(session: Session, actor: Actor, invoice_id: str) -> Response:
    """The XML that counts, as an accounting program reads it."""
    invoice = invoice_for(session, actor.firm_id, invoice_id)
    return _file(session, invoice, invoice.xml_file_id)


@room.post("/belege/<invoice_id>/annehmen")
@deed("invoices.send")
def accept(session: Session, actor: Actor, invoice_id: str) -> Response:
    answer_invoice(session, actor, invoice_id)
    return go_to(url_for("invoices.show", invoice_id=invoice_id), receipt="Gut. Der Partner weiß Bescheid.")


@room.get("/belege/<invoice_id>/beanstanden")
@page("invoices.send")
def dispute(session: Session, actor: Actor, invoice_id: str) -> Response:
    """Say no to a partner's invoice, with a reason."""
    return _with_reason(session, actor, invoice_id, "invoices/dispute.html", Form())


@room.post("/belege/<invoice_id>/beanstanden")
@deed("invoices.send")
def save_dispute(session: Session, actor: Actor, invoice_id: str) -> Response:
    form = Form(request.form)
    reason = form.text("reason", "Schreib kurz, was nicht stimmt.", 200)
    if not form.is_good:
        return _with_reason(session, actor, invoice_id, "invoices/dispute.html", form, 422)
    answer_invoice(session, actor, invoice_id, reason)
    return go_to(url_for("invoices.show", invoice_id=invoice_id), receipt="Gesendet. Der Partner liest deinen Grund.")


@room.get("/belege/<invoice_id>/bezahlt")
@page("invoices.send")
def payment(session: Session, actor: Actor, invoice_id: str) -> Response:
    """The money is there: when?"""
    form = Form({"paid_on": f"{clock.today():%d.%m.%Y}"})
    return _with_reason(session, actor, invoice_id, "invoices/payment.html", form)


@room.post("/belege/<invoice_id>/bezahlt")
@deed("invoices.send")
def save_payment(session: Session, actor: Actor, invoice_id: str) -> Response:
    form = Form(request.form)
    paid_on = form.day("paid_on", "Gib ein Datum ein, zum Beispiel 24.12.2026.")
    if paid_on is not None:
        try:
            mark_paid(session, actor, invoice_id, paid_on)
            return go_to(url_for("invoices.show", invoice_id=invoice_id), receipt="Gemerkt. Der Partner weiß Bescheid.")
        except RuleBroken as error:
            form.add_error(error)
    return _with_reason(session, actor, invoice_id, "invoices/payment.html", form, 422)


@room.post("/belege/<invoice_id>/erinnern")
@deed("invoices.send")
def remind(session: Session, actor: Actor, invoice_id: str) -> Response:
    remind_invoice(session, actor, invoice_id)
    return go_to(url_for("invoices.show", invoice_id=invoice_id), receipt="Gesendet. Der Partner ist erinnert.")


@room.get("/belege/<invoice_id>/korrigieren")
@page("invoices.send")
def correct(session: Session, actor: Actor, invoice_id: str) -> Response:
    """Fewer hours than on an issued invoice: a new one replaces it."""
    return _correct(session, actor, invoice_id, None)


@room.post("/belege/<invoice_id>/korrigieren")
@deed("invoices.send")
def save_correction(session: Session, actor: Actor, invoice_id: str) -> Response:
    form = Form(request.form)
    view = _view(session, actor, invoice_id)
    minutes = {number: form.hours(f"hours_{number}") for number, line in enumerate(view.lines, 1) if line.minutes}
    reason = form.text("reason", "Schreib kurz, warum.", 200)
    if form.is_good:
        try:
            wanted = {number: value for number, value in minutes.items() if value is not None}
            made = correct_invoice(session, actor, invoice_id, wanted, reason)
            return go_to(url_for("invoices.show", invoice_id=made.id))
        except RuleBroken as error:
            form.add_error(error)
    return _correct(session, actor, invoice_id, form)


@room.get("/belege/<invoice_id>/aufheben")
@page("invoices.send")
def credit(session: Session, actor: Actor, invoice_id: str) -> Response:
    """Take an issued invoice back as a whole."""
    return _with_reason(session, actor, invoice_id, "invoices/credit.html", Form())


@room.post("/belege/<invoice_id>/aufheben")
@deed("invoices.send")
def save_credit(session: Session, actor: Actor, invoice_id: str) -> Response:
    form = Form(request.form)
    reason = form.text("reason", "Schreib kurz, warum.", 200)
    if not form.is_good:
        return _with_reason(session, actor, invoice_id, "invoices/credit.html", form, 422)
    made = credit_invoice(session, actor, invoice_id, reason)
    return go_to(url_for("invoices.show", invoice_id=made.id))


def _balance(session: Session, actor: Actor, form: Form, status: int = 200) -> Response:
    rows = balances(session, actor)
    nettings = netting_views(session, actor.firm_id, [row.partner_id for row in rows])
    may_send = may(actor, "invoices.send")
    return render("invoices/balance.html", status, rows=rows, nettings=nettings, may_send=may_send, form=form)


def _show(session: Session, actor: Actor, invoice: Invoice, form: Form | None = None, status: int = 200) -> Response:
    _note_price_seen(session, actor, invoice)
    view = invoice_view(session, actor, invoice)
    version = firm_version(session, actor.firm_id)
    return render("invoices/show.html", status, view=view, kinds=KINDS, version=version, form=form or Form())


def _view(session: Session, actor: Actor, invoice_id: str) -> InvoiceView:
    return invoice_view(session, actor, invoice_for(session, actor.firm_id, invoice_id))


def _with_reason(
    session: Session, actor: Actor, invoice_id: str, template: str, form: Form, status: int = 200
) -> Response:
    return render(template, status, view=_view(session, actor, invoice_id), form=form)


def _surcharges(session: Session, actor: Actor, invoice_id: str, form: Form | None) -> Response:
    view = _view(session, actor, invoice_id)
    fields = surcharge_fields(session, view.invoice)
    names = {one.name: f"{week_short(one.week)} · {one.machine}" for one in fields}
    status = 200 if form is None else 422
    shown = form or Form({one.name: hours_text(one.minutes) for one in fields})
    return render("invoices/surcharges.html", status, view=view, fields=fields, form=shown, names=names)


def _correct(session: Session, actor: Actor, invoice_id: str, form: Form | None) -> Response:
    view = _view(session, actor, invoice_id)
    rows = [(number, line) for number, line in enumerate(view.lines, 1) if line.minutes]
    names = {f"hours_{number}": f"{week_short(line.week)} · {line.machine}" for number, line in rows}
    status = 200 if form is None else 422
    shown = form or Form({f"hours_{number}": hours_text(line.minutes) for number, line in rows})
    return render("invoices/correct.html", status, view=view, rows=rows, kinds=KINDS, form=shown, names=names)


def _account(session: Session, actor: Actor, form: Form, status: int = 200) -> Response:
    waiting, dues = waiting_payments(session, actor)
    return render("invoices/account.html", status, waiting=waiting, dues=dues, form=form)


def _imported(found: Imported) -> Response:
    receipt = "Eingelesen: %(paid)s bezahlt, %(unclear)s unklar."
    return go_to(url_for("invoices.account"), receipt, paid=found.paid, unclear=found.unclear)


def _file(session: Session, invoice: Invoice, file_id: str | None) -> Response:
    if file_id is None:
        raise NotFound
    stored = file_for(session, invoice.firm_id, file_id)
    response = Response(stored.body, mimetype=stored.media_type)
    ending = "pdf" if stored.media_type == "application/pdf" else "xml"
    response.headers["Content-Disposition"] = f'attachment; filename="rechnung-{invoice.id[-12:]}.{ending}"'
    response.headers["Content-Security-Policy"] = FILE_POLICY
    return response


def _note_price_seen(session: Session, actor: Actor, invoice: Invoice) -> None:
    """A partner's invoice shows its rates; it may know who looked."""
    if invoice.side == "theirs":
        note_views(world().database(), session, actor, "invoice", [(invoice.partner_id, invoice.id, 1)])


def _iban(text: str) -> str:
    try:
        return str(iban_number.validate(text))
    except ValidationError:
        raise RuleBroken("Die IBAN stimmt nicht. Prüfe sie bitte.", "iban") from None
