"""The firm's readable Protokoll: each stored verb becomes one sentence."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext, lazy_gettext
from sqlalchemy.orm import Session, aliased

from app.firms.access import Actor
from app.firms.models import AuditEvent, Firm, Person
from app.web.render import when_text

MOST_LINES = 200
OPENED = "glass_broken"
"""The operator opened this firm's data."""
SENTENCES: dict[str, tuple[str, Any]] = {
    "firm_created": ("factory", lazy_gettext("Der Betrieb ist eingerichtet.")),
    "firm_changed": ("pencil", lazy_gettext("Die Betriebsdaten sind geändert.")),
    "two_person_rule_set": ("users", lazy_gettext("Die Regel für zwei Leitungen ist geändert.")),
    "two_person_rule_asked": ("users", lazy_gettext("Die Regel für zwei Leitungen soll sich ändern.")),
    "anchoring_set": ("link", lazy_gettext("Der öffentliche Nachweis ist geändert.")),
    "person_joined": ("user-plus", lazy_gettext("%(object)s ist dabei.")),
    "person_left": ("log-out", lazy_gettext("%(object)s ist nicht mehr dabei.")),
    "roles_set": ("user", lazy_gettext("%(object)s hat neue Aufgaben.")),
    "absence_set": ("calendar-clock", lazy_gettext("Die Vertretung von %(object)s ist geändert.")),
    "limit_set": ("euro", lazy_gettext("Die Grenze von %(object)s ist geändert.")),
    "calendar_set": ("calendar-days", lazy_gettext("Die Schichten sind geändert.")),
    "closure_added": ("calendar-days", lazy_gettext("Eine Schließzeit ist eingetragen.")),
    "closure_removed": ("calendar-days", lazy_gettext("Eine Schließzeit ist gelöscht.")),
    OPENED: ("key-round", lazy_gettext("Der Betreiber hat dieses Protokoll geöffnet. Grund: %(purpose)s")),
    "firm_exported": ("download", lazy_gettext("Alle Daten des Betriebs sind mitgenommen.")),
    "firm_exported_by_operator": ("download", lazy_gettext("Die Technik hat alle Daten des Betriebs kopiert.")),
    "firm_leaves": ("send", lazy_gettext("Der Betrieb verlässt diesen Server.")),
    "firm_moved": ("send", lazy_gettext("Der Betrieb ist umgezogen.")),
    "saw": ("eye", lazy_gettext("Ein Angebot ist angesehen.")),
}
OTHER = ("circle", lazy_gettext("Etwas ist geändert."))


@dataclass(frozen=True)
class Line:
    """One line as the timeline part wants it; `zeit` is for people."""

    text: str
    zeit: str
    wer: str
    icon: str


def add_sentences(more: dict[str, tuple[str, Any]]) -> None:
    """A room adds the sentences of its own verbs: verb -> (icon, lazy text with %(object)s)."""
    SENTENCES.update(more)


def protocol(session: Session, actor: Actor) -> list[Line]:
    """What happened in the firm, newest first."""
    return [_line(row) for row in session.execute(_rows(actor.firm_id).where(AuditEvent.verb != "seen_by"))]


def openings(session: Session, actor: Actor) -> list[Line]:
    """When the operator opened our data and why, newest first: all of them, however much happened since."""
    rows = session.execute(
        sa.select(AuditEvent.created_at, AuditEvent.detail)
        .where(AuditEvent.firm_id == actor.firm_id, AuditEvent.verb == OPENED)
        .order_by(AuditEvent.created_at.desc(), AuditEvent.id.desc())
    )
    return [Line(row.detail["purpose"], when_text(row.created_at), row.detail["operator"], "key-round") for row in rows]


def seen_by(session: Session, actor: Actor) -> list[Line]:
    """Which firm saw a price or hours of ours or opened a file, newest first; the firm, never a person of it."""
    other = aliased(Firm)
    rows = session.execute(
        sa.select(AuditEvent.created_at, AuditEvent.object_kind, AuditEvent.detail, other.name)
        .join(other, other.id == AuditEvent.about_firm_id)
        .where(AuditEvent.firm_id == actor.firm_id, AuditEvent.verb == "seen_by")
        .order_by(AuditEvent.created_at.desc(), AuditEvent.id)
        .limit(MOST_LINES)
    )
    return [Line(_seen_text(row), when_text(row.created_at), "", "eye") for row in rows]


def _seen_text(row: Any) -> str:
    if row.object_kind == "file":
        return str(gettext("%(firm)s hat eure Datei %(file)s geöffnet.", firm=row.name, file=row.detail["object"]))
    return str(gettext("%(firm)s hat euer Angebot angesehen.", firm=row.name))


def _rows(firm_id: str) -> sa.Select[*tuple[Any, ...]]:
    who, whom = aliased(Person), aliased(Person)
    return (
        sa.select(
            AuditEvent.created_at, AuditEvent.verb, AuditEvent.detail, who.name.label("who"), whom.name.label("whom")
        )
        .outerjoin(who, (who.firm_id == firm_id) & (who.id == AuditEvent.person_id))
        .outerjoin(whom, (whom.firm_id == firm_id) & (whom.id == AuditEvent.object_id))
        .where(AuditEvent.firm_id == firm_id)
        .order_by(AuditEvent.created_at.desc(), AuditEvent.id.desc())
        .limit(MOST_LINES)
    )


def _line(row: sa.Row[Any]) -> Line:
    icon, sentence = SENTENCES.get(row.verb, OTHER)
    values = {"object": row.whom or ""} | {key: str(value) for key, value in row.detail.items()}
    return Line(
        str(sentence) % values if "%(" in str(sentence) else str(sentence),
        when_text(row.created_at),
        row.who or "",
        icon,
    )
