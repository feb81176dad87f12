"""Verrechnung: two firms set open invoices of one month off against each other, and only the difference is paid.

Who asks has the last word: asked there, agreed here, done there, done here. What changed meanwhile ends it; between agreed and
done the invoices of the side that agreed stand still.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import Conflict, NotFound, RuleBroken
from app.core.events import InvoiceNetted, NettingSaid
from app.core.ids import new_id
from app.core.outbox import emit
from app.federation.actions import send_message
from app.federation.rules import Incoming
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.invoices.models import Invoice, Netting
from app.invoices.queries import successor_of
from app.invoices.rules import CREDIT_NOTE, NETTABLE, check_step, netted_parts
from app.invoices.settling import settle_bookings
from app.invoices.telling import tell_office_of
from app.invoices.wire import NettedInvoice, netting_body, netting_word_body, read_netting, read_netting_word
from app.partners.queries import may_send

KINDS = {word: f"invoice.netting_{word}" for word in ("asked", "agreed", "done", "declined")}
CHANGED = "Eine dieser Rechnungen hat sich geändert. Beginnt neu."


@dataclass(frozen=True, slots=True)
class NettingOffer:
    """What of one month could be set off: open cents asked for by us and by the partner."""

    month: str
    our_cents: int
    their_cents: int

    @property
    def month_text(self) -> str:
        return month_text(self.month)


@dataclass(frozen=True, slots=True)
class NettingView:
    """What the balance with one partner shows: the netting that is open, else what could be set off."""

    open: Netting | None
    month_text: str
    offers: tuple[NettingOffer, ...]


def netting_views(session: Session, firm_id: str, partner_ids: Sequence[str]) -> dict[str, NettingView]:
    """By partner."""
    found = {}
    for partner_id in partner_ids:
        netting = open_netting(session, firm_id, partner_id)
        offers = () if netting else tuple(nettable_months(session, firm_id, partner_id))
        found[partner_id] = NettingView(netting, month_text(netting.month) if netting else "", offers)
    return found


def month_text(month: str) -> str:
    """'2026-11' -> '11/2026'."""
    return f"{month[5:]}/{month[:4]}"


def nettable_months(session: Session, firm_id: str, partner_id: str) -> list[NettingOffer]:
    """Months in which both sides have open, undisputed invoices, the newest first."""
    found: dict[str, dict[str, int]] = {}
    for one in _nettable(session, firm_id, partner_id):
        sums = found.setdefault(_month(one.issued_on), {"ours": 0, "theirs": 0})
        sums[one.side] += one.open_cents
    return [
        NettingOffer(month, sums["ours"], sums["theirs"])
        for month, sums in sorted(found.items(), reverse=True)
        if sums["ours"] and sums["theirs"]
    ]


def open_netting(session: Session, firm_id: str, partner_id: str) -> Netting | None:
    """The one that is asked or agreed with a partner."""
    return session.scalar(
        sa.select(Netting)
        .where(Netting.firm_id == firm_id, Netting.partner_id == partner_id, Netting.state.in_(("asked", "agreed")))
        .order_by(Netting.id)
        .limit(1)
    )


def ask_netting(session: Session, actor: Actor, partner_id: str, month: str) -> Netting:
    """Ask a partner to set off one month; raises Conflict while another one is open, RuleBroken without two sides."""
    if open_netting(session, actor.firm_id, partner_id) is not None:
        raise Conflict("Eine Verrechnung mit diesem Betrieb ist noch offen.")
    invoices = [one for one in _nettable(session, actor.firm_id, partner_id) if _month(one.issued_on) == month]
    if {one.side for one in invoices} != {"ours", "theirs"}:
        raise RuleBroken("In diesem Monat gibt es nichts zu verrechnen.")
    netting = _new_netting(actor.firm_id, new_id(), partner_id, month, invoices, by_us=True)
    session.add(netting)
    _say(session, netting, "asked", actor.person_id)
    return netting


def answer_netting(session: Session, actor: Actor, netting_id: str, is_yes: bool) -> None:
    """Our yes or no to what a partner asks, or no to what we asked ourselves; raises RuleBroken when an invoice changed."""
    netting = _locked(session, actor.firm_id, netting_id)
    if netting.state != "asked" or (netting.by_us and is_yes):
        raise Conflict("Diese Verrechnung ist schon beantwortet.")
    if is_yes and not _still_fits(session, netting):
        raise RuleBroken(CHANGED)
    _say(session, netting, "agreed" if is_yes else "declined", actor.person_id)


def check_not_bound(session: Session, invoice: Invoice) -> None:
    """Raise Conflict while an invoice is part of a netting that we agreed to and the partner has yet to close."""
    bound = session.scalars(
        sa.select(Netting.invoices).where(
            Netting.firm_id == invoice.firm_id, Netting.partner_id == invoice.partner_id, Netting.state == "agreed"
        )
    )
    if any(one["id"] == invoice.id for invoices in bound for one in invoices):
        raise Conflict("Diese Rechnung wird gerade verrechnet. Warte kurz.")


def send_netting(session: Session, event: NettingSaid) -> None:
    """The partner gets to know our word."""
    netting = _netting(session, event.firm_id, event.netting_id)
    if event.word == "asked":
        sent = [NettedInvoice(one["id"], one["cents"]) for one in netting.invoices]
        body = netting_body(netting.id, netting.month, sent)
    else:
        body = netting_word_body(netting.id, str(netting.netted_on or clock.today()))
    if may_send(session, netting.firm_id, netting.partner_id, KINDS[event.word], body):
        send_message(session, netting.firm_id, netting.partner_id, KINDS[event.word], body, netting.id)


def receive_netting_asked(session: Session, incoming: Incoming) -> None:
    """The partner wants to set off: people decide, where the invoices are as we know them; else the answer is no."""
    netting_id, month, sent = read_netting(incoming.body)
    if session.get(Netting, (incoming.firm_id, netting_id)) is not None:
        return
    known = [session.get(Invoice, (incoming.firm_id, one.invoice_id)) for one in sent]
    invoices = [one for one in known if one is not None and one.partner_id == incoming.from_id]
    netting = _new_netting(incoming.firm_id, netting_id, incoming.from_id, month, invoices, by_us=False)
    told = {one.invoice_id: one.cents for one in sent}
    is_known = told == {one["id"]: one["cents"] for one in netting.invoices} and _still_fits(session, netting)
    session.add(netting)
    if not is_known or open_netting(session, incoming.firm_id, incoming.from_id) not in (None, netting):
        _say(session, netting, "declined", None)
        return
    session.flush()
    bump_version(session, incoming.firm_id)
    tell_office_of(session, incoming.firm_id, incoming.from_id, "netting", netting.id, "/belege/ausgleich")


def receive_netting_agreed(session: Session, incoming: Incoming) -> None:
    """The partner agrees: it is done here, unless something changed while it was asked."""
    netting, _day = _told(session, incoming, by_us=True)
    if netting.state != "asked":
        return
    if not _still_fits(session, netting):
        _say(session, netting, "declined", None)
        return
    _carry_out(session, netting, clock.today())
    _say(session, netting, "done", None)


def receive_netting_done(session: Session, incoming: Incoming) -> None:
    """What we agreed to is done at who asked: now here too."""
    netting, day = _told(session, incoming, by_us=False)
    if netting.state == "agreed":
        _carry_out(session, netting, day)
        netting.state = "done"
        note_event(session, netting.firm_id, None, "netting_done", "netting", netting.id, netting.partner_id)


def receive_netting_declined(session: Session, incoming: Incoming) -> None:
    """It does not come about; all invoices stay as they are."""
    netting = _locked(session, incoming.firm_id, read_netting_word(incoming.body)[0])
    if netting.partner_id != incoming.from_id:
        raise NotFound
    if netting.state in ("asked", "agreed"):
        netting.state = "declined"
        bump_version(session, netting.firm_id)


def _carry_out(session: Session, netting: Netting, day: dt.date) -> None:
    """Both sides take the smaller sum off their oldest invoices; whatever is paid by that in full is paid."""
    invoices = _invoices(session, netting)
    sums = {side: sum(one.open_cents for one in invoices if one.side == side) for side in ("ours", "theirs")}
    for side in ("ours", "theirs"):
        own = [one for one in invoices if one.side == side]
        parts = netted_parts([one.open_cents for one in own], min(sums.values()))
        for invoice, part in zip(own, parts, strict=True):
            if part:
                emit(session, InvoiceNetted(invoice.firm_id, invoice.id))
            invoice.netted_cents += part
            if not invoice.open_cents:
                check_step(invoice.state, "paid")
                invoice.state, invoice.paid_on = "paid", day
    netting.netted_on = day
    for agreement_id in sorted({one.agreement_id for one in invoices}):
        settle_bookings(session, netting.firm_id, agreement_id)
    bump_version(session, netting.firm_id)


def _still_fits(session: Session, netting: Netting) -> bool:
    """Every invoice is open, undisputed, about to be replaced by none, and asks for what was said."""
    cents = {one["id"]: one["cents"] for one in netting.invoices}
    invoices = _invoices(session, netting)
    return {one.side for one in invoices} == {"ours", "theirs"} and all(
        one.state in NETTABLE
        and one.type_code != CREDIT_NOTE
        and one.open_cents == cents[one.id]
        and _month(one.issued_on) == netting.month
        and successor_of(session, one.firm_id, one.id) is None
        for one in invoices
    )


def _invoices(session: Session, netting: Netting) -> Sequence[Invoice]:
    """Its invoices for writing, the oldest first: the same order in both houses."""
    return session.scalars(
        sa.select(Invoice)
        .where(Invoice.firm_id == netting.firm_id, Invoice.partner_id == netting.partner_id)
        .where(Invoice.id.in_([one["id"] for one in netting.invoices]))
        .order_by(Invoice.issued_on, Invoice.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def _nettable(session: Session, firm_id: str, partner_id: str) -> list[Invoice]:
    found = session.scalars(
        sa.select(Invoice)
        .where(Invoice.firm_id == firm_id, Invoice.partner_id == partner_id, Invoice.state.in_(NETTABLE))
        .where(Invoice.type_code != CREDIT_NOTE)
        .order_by(Invoice.issued_on, Invoice.id)
    )
    return [one for one in found if successor_of(session, firm_id, one.id) is None]


def _new_netting(
    firm_id: str, netting_id: str, partner_id: str, month: str, invoices: Sequence[Invoice], by_us: bool
) -> Netting:
    sums = {side: sum(one.open_cents for one in invoices if one.side == side) for side in ("ours", "theirs")}
    return Netting(
        firm_id=firm_id, id=netting_id, created_at=clock.now(), partner_id=partner_id, month=month, by_us=by_us,
        state="asked", our_cents=sums["ours"], their_cents=sums["theirs"],
        invoices=[{"id": one.id, "cents": one.open_cents} for one in invoices],
    )  # fmt: skip


def _say(session: Session, netting: Netting, word: str, person_id: str | None) -> None:
    netting.state = word
    session.flush()
    note_event(session, netting.firm_id, person_id, f"netting_{word}", "netting", netting.id, netting.partner_id)
    emit(session, NettingSaid(netting.firm_id, netting.id, word))
    bump_version(session, netting.firm_id)


def _told(session: Session, incoming: Incoming, by_us: bool) -> tuple[Netting, dt.date]:
    netting_id, day = read_netting_word(incoming.body)
    netting = _locked(session, incoming.firm_id, netting_id)
    if netting.partner_id != incoming.from_id or netting.by_us is not by_us:
        raise NotFound
    return netting, day


def _netting(session: Session, firm_id: str, netting_id: str) -> Netting:
    found = session.get(Netting, (firm_id, netting_id))
    if found is None:
        raise NotFound
    return found


def _locked(session: Session, firm_id: str, netting_id: str) -> Netting:
    found = session.get(Netting, (firm_id, netting_id), with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound
    return found


def _month(day: dt.date | None) -> str:
    return f"{day:%Y-%m}" if day else ""
