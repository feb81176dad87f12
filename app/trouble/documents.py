"""The exact texts that a manager signs about work that was done: taken, or not taken as it is."""

from dataclasses import dataclass

from app.core.units import euro_text, hours_text, week_days, week_label
from app.partners.texts import one_line, tidy

TYPES = {"completion": ("Completion", "completion/1"), "dispute": ("Dispute", "dispute/1")}
"""Kind of record -> its EIP-712 name, and the template of its text"""


@dataclass(frozen=True)
class WorkFacts:
    """One line of an agreement, and what is said of it. Minutes and cents as far as they are taken."""

    agreement_digest: str
    line_no: int
    machine_name: str
    week: str
    accepted_min: int
    amount_cents: int
    currency: str
    reason: str = ""


def render(kind: str, facts: WorkFacts) -> str:
    """The exact German text of a record, `completion` or `dispute`."""
    head = (
        f"Einzelauftrag mit der Prüfsumme {facts.agreement_digest}, Zeile {facts.line_no}\n"
        f"{one_line(facts.machine_name)}, {week_label(facts.week)} ({week_days(facts.week)})"
    )
    said = _completion(facts) if kind == "completion" else _dispute(facts)
    return tidy(f"{'Abnahme' if kind == 'completion' else 'Widerspruch'}\n\n{head}\n\n{said}")


def _completion(facts: WorkFacts) -> str:
    return (
        f"Abgenommen: {hours_text(facts.accepted_min)} Stunden, "
        f"netto {euro_text(facts.amount_cents)} {facts.currency}\n\n"
        "Rechte wegen verborgener Mängel bleiben unberührt (Ziffer 12 des Rahmenvertrags)."
    )


def _dispute(facts: WorkFacts) -> str:
    return (
        "Die Arbeit wird so nicht abgenommen. Die andere Seite bestreitet den Mangel.\n\n"
        f"Mangel: {one_line(facts.reason)}"
    )
