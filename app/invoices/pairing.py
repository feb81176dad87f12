"""Which payment is for which invoice: number and amount must both say so. Pure; what is not sure is never guessed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.core.words import N_

NO_INVOICE = N_("Der Verwendungszweck nennt keine offene Rechnung.")
OTHER_AMOUNT = N_("Der Betrag ist ein anderer als auf der Rechnung.")
SEVERAL = N_("Der Verwendungszweck nennt mehrere Rechnungen.")
PAID_TWICE = N_("Diese Rechnung ist schon bezahlt.")


@dataclass(frozen=True, slots=True)
class Due:
    """An invoice of ours as a payment may name it."""

    invoice_id: str
    number: str
    open_cents: int
    is_open: bool


@dataclass(frozen=True, slots=True)
class Match:
    """The invoice that a payment is for, or '' and the sentence why that is not sure."""

    invoice_id: str
    why_not: str = ""


def match_payment(reference: str, amount_cents: int, dues: Sequence[Due]) -> Match:
    """Compare one payment with all invoices of ours, paid ones too."""
    words = _words(reference)
    named = [due for due in dues if _is_named(due.number, words)]
    if not named:
        return Match("", NO_INVOICE)
    if len(named) > 1:
        return Match("", SEVERAL)
    if not named[0].is_open:
        return Match("", PAID_TWICE)
    if named[0].open_cents != amount_cents:
        return Match("", OTHER_AMOUNT)
    return Match(named[0].invoice_id)


def _words(reference: str) -> str:
    """Letters and digits with one gap between what was apart: banks change case and break lines."""
    return f" {' '.join(re.findall(r'[A-Z0-9]+', reference.upper()))} "


def _is_named(number: str, words: str) -> bool:
    """The whole number, with its parts apart or together: R-00001 stands in 'RE R 00001' and in 'R00001'."""
    parts = re.findall(r"[A-Z0-9]+", number.upper())
    return f" {' '.join(parts)} " in words or f" {''.join(parts)} " in words
