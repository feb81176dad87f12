"""Account statements in CAMT.053 (ISO 20022, any version): the money that came in, and nothing else of them.

A reader of our own, because those on PyPI bring web servers, data frames or dozens of packages along for four fields. It
reads no entities, at most five megabytes, and refuses a statement in which anything it needs is not as the standard says.
"""

import datetime as dt
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from app.core.errors import RuleBroken
from app.core.words import N_
from app.invoices.reading import read_cents, read_tree

MOST_BYTES = 5 * 1024 * 1024
MOST_ENTRIES = 5000
NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053."
OTHER_FILE = N_("Das ist kein Kontoauszug im Format CAMT.053.")


@dataclass(frozen=True, slots=True)
class Credit:
    """One amount that came in and is booked. `key` is the same however often the statement is read."""

    key: str
    amount_cents: int
    booked_on: dt.date
    reference: str
    payer: str


def read_statement(body: bytes) -> tuple[Credit, ...]:
    """The booked credits of a statement in euros, in its order; raises RuleBroken for any other file."""
    root = read_tree(body, MOST_BYTES)
    if not etree.QName(root).namespace or not (etree.QName(root).namespace or "").startswith(NAMESPACE):
        raise RuleBroken(OTHER_FILE)
    found = [
        credit
        for statement in root.iterfind("{*}BkToCstmrStmt/{*}Stmt")
        for entry in statement.iterfind("{*}Ntry")
        for credit in _credits(_text(statement, "{*}Acct/{*}Id/{*}IBAN"), entry)
    ]
    if len(found) > MOST_ENTRIES:
        raise RuleBroken("Der Kontoauszug ist zu lang. Lade ihn Monat für Monat.")
    return tuple(_numbered(found))


def _credits(account: str, entry: etree._Element) -> Iterator[Credit]:
    """One credit for each transaction of an entry; one for the entry where the bank gives no transactions."""
    status = _text(entry, "{*}Sts/{*}Cd") or _text(entry, "{*}Sts")
    is_reversal = _text(entry, "{*}RvslInd") in ("true", "1")
    if _text(entry, "{*}CdtDbtInd") != "CRDT" or status != "BOOK" or is_reversal:
        return
    day = _day(entry)
    parts = entry.findall("{*}NtryDtls/{*}TxDtls")
    if len(parts) <= 1:
        yield _credit(account, entry, parts[0] if parts else entry, day, _amount(entry, "{*}Amt"))
        return
    for part in parts:
        path = "{*}Amt" if part.find("{*}Amt") is not None else "{*}AmtDtls/{*}TxAmt/{*}Amt"
        yield _credit(account, entry, part, day, _amount(part, path))


def _credit(account: str, entry: etree._Element, part: etree._Element, day: dt.date, amount_cents: int) -> Credit:
    words = [node.text or "" for node in part.iterfind("{*}RmtInf/{*}Ustrd")]
    words += [node.text or "" for node in part.iterfind("{*}RmtInf/{*}Strd/{*}CdtrRefInf/{*}Ref")]
    reference = " ".join(" ".join(words).split())[:200]
    payer = _text(part, "{*}RltdPties/{*}Dbtr/{*}Pty/{*}Nm") or _text(part, "{*}RltdPties/{*}Dbtr/{*}Nm")
    bank_ref = _text(part, "{*}Refs/{*}AcctSvcrRef") or _text(entry, "{*}AcctSvcrRef")
    said = "|".join((account, bank_ref, day.isoformat(), str(amount_cents), reference, payer))
    return Credit(
        hashlib.sha256(said.encode()).hexdigest(), amount_cents, day, reference, " ".join(payer.split())[:140]
    )


def _numbered(found: list[Credit]) -> Iterator[Credit]:
    """Two payments that the bank tells apart by nothing are two all the same: the second gets a key of its own."""
    seen: dict[str, int] = {}
    for credit in found:
        seen[credit.key] = seen.get(credit.key, 0) + 1
        if seen[credit.key] == 1:
            yield credit
        else:
            key = hashlib.sha256(f"{credit.key}|{seen[credit.key]}".encode()).hexdigest()
            yield Credit(key, credit.amount_cents, credit.booked_on, credit.reference, credit.payer)


def _day(entry: etree._Element) -> dt.date:
    text = _text(entry, "{*}BookgDt/{*}Dt") or _text(entry, "{*}BookgDt/{*}DtTm")[:10]
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise RuleBroken(OTHER_FILE) from None


def _amount(node: etree._Element, path: str) -> int:
    found = node.find(path)
    if found is None or found.get("Ccy") != "EUR":
        raise RuleBroken("Der Kontoauszug ist nicht in Euro.")
    amount_cents = read_cents((found.text or "").strip())
    if amount_cents == 0:
        raise RuleBroken(OTHER_FILE)
    return amount_cents


def _text(node: etree._Element, path: str) -> str:
    return (node.findtext(path) or "").strip()
