"""What a record says, in a few facts for people: who signed what with whom and when. Told, not proved: steps prove."""

import datetime as dt
from typing import Any, NamedTuple

from ledger.evidence import Evidence
from ledger.evidence_file import EvidenceFile
from ledger.leaf import Leaf
from ledger.report import Report, Sentence

MOST_LETTERS = 120
_CONTENT, _SCHEMA = 4, 5

RECORDS = {
    "genesis": Sentence("Beginn eines Buchs", "Beginning of a ledger"),
    "key.register": Sentence("Neuer Schlüssel", "New key"),
    "key.rotate": Sentence("Tausch eines Schlüssels", "Exchange of a key"),
    "key.revoke": Sentence("Ende eines Schlüssels", "End of a key"),
    "link.partner": Sentence("Rahmenvertrag zweier Partner", "Framework agreement of two partners"),
    "link.end": Sentence("Ende einer Partnerschaft", "End of a partnership"),
    "agreement": Sentence("Vereinbarung", "Agreement"),
    "bundle.effective": Sentence("Ein ganzer Plan gilt", "A whole plan is in force"),
    "agreement.lapsed": Sentence("Verfallene Vereinbarung", "Lapsed agreement"),
    "change": Sentence("Änderung", "Change"),
    "cancellation": Sentence("Absage", "Cancellation"),
    "hours.report": Sentence("Gemeldete Stunden", "Reported hours"),
    "hours.confirm": Sentence("Bestätigte Stunden", "Confirmed hours"),
    "completion": Sentence("Abnahme", "Acceptance"),
    "dispute": Sentence("Widerspruch", "Dispute"),
    "share.grant": Sentence("Freigabe von Daten", "Permission to use data"),
    "share.revoke": Sentence("Ende einer Freigabe", "End of a permission"),
    "erasure": Sentence("Löschung", "Erasure"),
    "witness.conflict": Sentence("Widersprüchliche Bücher", "Contradictory ledgers"),
    "anchor": Sentence("Verankerung", "Anchor"),
}
SIGNERS = {
    ("passkey", "manager"): Sentence("Leitung", "manager"),
    ("passkey", "second"): Sentence("zweite Leitung", "second manager"),
    ("passkey", "foreman"): Sentence("Meister", "foreman"),
    ("passkey", "worker"): Sentence("Mitarbeiter", "worker"),
    ("seal", "firm"): Sentence("Siegel", "seal"),
    ("log", "log"): Sentence("Schlüssel des Buchs", "key of the ledger"),
    ("recovery", "recovery"): Sentence("Notfallschlüssel", "recovery key"),
}


class Fact(NamedTuple):
    """One line: what it is about, and what the record says."""

    name: Sentence
    value: Sentence
    line: int = 0
    """Which line of an agreement, from 1: its booking; 0 for anything else."""

    def text(self, language: str) -> str:
        """`Zwischen: keller@node und yilmaz@node`."""
        if language == "de":
            return f"{self.name.german}: {self.value.german}"
        return f"{self.name.english}: {self.value.english}"


def facts_of(file: EvidenceFile, report: Report) -> tuple[Fact, ...]:
    """The facts of the record in a file; of a content that does not fit its entry or its type only the entry."""
    leaf, evidence = file.record.leaf, file.record.evidence
    what = Fact(Sentence("Eintrag", "Entry"), RECORDS[leaf.type])
    if evidence is None or any(report.step(number).verdict != "ok" for number in (_CONTENT, _SCHEMA)):
        return (what, _entered(leaf))
    return (what, *_parties(evidence), _entered(leaf), *_lines(evidence))


def _parties(evidence: Evidence) -> tuple[Fact, ...]:
    one, other = _shown(evidence.message["from"]), _shown(evidence.message["to"])
    signed = [_signer(evidence, party) for party in dict.fromkeys((evidence.message["from"], evidence.message["to"]))]
    with_whom = (
        Fact(Sentence("Von", "By"), Sentence(one, one))
        if one == other
        else Fact(Sentence("Zwischen", "Between"), Sentence(f"{one} und {other}", f"{one} and {other}"))
    )
    return (with_whom, *(fact for fact in signed if fact is not None))


def _signer(evidence: Evidence, party: str) -> Fact | None:
    found = [SIGNERS.get((one["kind"], one["role"])) for one in evidence.signatures if one["party"] == party]
    words = [one for one in found if one is not None]
    if not words:
        return None
    german, english = (", ".join(getattr(one, name) for one in words) for name in ("german", "english"))
    name = _shown(party)
    return Fact(Sentence("Unterschrift", "Signature"), Sentence(f"{name} ({german})", f"{name} ({english})"))


def _entered(leaf: Leaf) -> Fact:
    try:
        at = dt.datetime.fromtimestamp(leaf.at, dt.UTC)
    except (ValueError, OverflowError, OSError):
        return Fact(Sentence("Eingetragen", "Entered"), Sentence(f"laut {leaf.log}", f"as {leaf.log} says"))
    german = f"{at:%d.%m.%Y, %H:%M} UTC, laut {leaf.log}"
    return Fact(Sentence("Eingetragen", "Entered"), Sentence(german, f"{at:%Y-%m-%d %H:%M} UTC, as {leaf.log} says"))


def _lines(evidence: Evidence) -> list[Fact]:
    """A booking's evidence is its agreement's and this number."""
    if evidence.primary_type != "Agreement":
        return []
    currency = _shown(evidence.message["currency"])
    return [_line(number, line, currency) for number, line in enumerate(evidence.message["lines"], start=1)]


def _line(number: int, line: dict[str, Any], currency: str) -> Fact:
    year, _, week = _shown(line["week"]).partition("-W")
    hours = f"{line['minutes'] / 60:,.2f}".rstrip("0").rstrip(".")
    amount = "{:,}.{:02}".format(*divmod(line["amountCents"], 100))
    german = f"KW {week}/{year}, {_german(hours)} Stunden, {_german(amount)} {currency}"
    english = f"week {week}/{year}, {hours} hours, {amount} {currency}"
    return Fact(Sentence(f"Zeile {number}", f"Line {number}"), Sentence(german, english), number)


def _german(number: str) -> str:
    return number.translate(str.maketrans(".,", ",."))


def _shown(text: str) -> str:
    """Text of a stranger's file without signs that steer a screen."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:MOST_LETTERS])
