"""What is said to people by push and mail: short enough for a lock screen, in the receiver's language.

A text is German and its own key; `texts/<language>.po` translates it, else the catalogue of the pages does. Of several
wordings the first one wins whose gaps can be filled and which fits. Never a price, a person, an end customer, a drawing.
"""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from app.core.units import BERLIN, hours_text, week_short

MOST_TITLE = 30
MOST_BODY = 45
FOLDER = Path(__file__).parent / "texts"
PAGES = Path(__file__).parents[1] / "translations"
ANSWER_PATH = "/antwort"
HOURS_PATH = "/stunden/antwort"
SEEN_PATH = "/push/gesehen"
ARRIVED_PATH = "/push/angekommen"
GAP = re.compile(r"%\((\w+)\)s")
YES_NO = (("yes", "Ja, das geht"), ("no", "Diesmal nicht"))
LOOK = (("open", "Ansehen"),)
SEEN = (("seen", "Gesehen"),)


@dataclass(frozen=True)
class Kind:
    """One occasion: wordings from best to shortest, buttons, and how hard it tries to be noticed."""

    titles: tuple[str, ...]
    bodies: tuple[str, ...]
    buttons: tuple[tuple[str, str], ...] = LOOK
    is_urgent: bool = True
    """Urgent ones do not count towards the three a day"""
    has_mail: bool = True
    escalates: bool = False
    """Unseen, it goes to the deputy and then to the manager"""


@dataclass(frozen=True)
class Said:
    """One message as people read it. `buttons` are (action, label)."""

    title: str
    body: str
    buttons: tuple[tuple[str, str], ...] = ()


REQUEST_TITLES = (
    "%(hours)s h %(process)s in %(week)s?",
    "%(hours)s h %(process)s, %(weeks)s?",
    "%(hours)s h %(process)s?",
    "%(hours)s h in %(week)s?",
    "%(hours)s h, %(weeks)s?",
    "%(process)s gesucht",
    "Neue Anfrage",
)
KINDS: dict[str, Kind] = {
    "request": Kind(
        REQUEST_TITLES,
        (
            "%(name)s braucht Hilfe. Bei dir sind %(free)s h frei.",
            "%(name)s fragt. %(free)s h sind frei bei dir.",
            "%(name)s braucht Hilfe. Habt ihr Zeit?",
            "Ein Partner braucht Hilfe. Habt ihr Zeit?",
        ),
        YES_NO,
        escalates=True,
    ),
    "reminder": Kind(
        ("Antwort bis %(day)s, %(time)s Uhr", "Antwort bis %(time)s Uhr", "Bitte antworte bald"),
        (
            "%(name)s wartet: %(hours)s h %(process)s in %(week)s.",
            "%(name)s wartet: %(hours)s h %(process)s.",
            "%(name)s wartet auf eure Antwort.",
            "Ein Partner wartet auf eure Antwort.",
        ),
        YES_NO,
    ),
    "hours": Kind(
        ("Stunden fehlen noch",),
        (
            "%(part)s für %(name)s: Waren es %(hours)s h?",
            "Auftrag für %(name)s: Waren es %(hours)s h?",
            "Waren es %(hours)s h?",
            "Wie lange hast du gearbeitet?",
        ),
        (("send", "%(hours)s h senden"), ("open", "Ändern")),
        is_urgent=False,
        has_mail=False,
    ),
    "hours_arrived": Kind(
        ("Stunden von %(name)s", "Stunden von einem Partner"),
        ("Bitte prüfe sie und sag Ja oder Nein.",),
    ),
    "hours_disputed": Kind(
        ("Stunden stimmen nicht",),
        ("%(name)s hat eine Frage zu euren Stunden.", "Ein Partner sieht es anders. Sieh nach."),
    ),
    "plans": Kind(
        ("%(many)s Pläne für deine %(need)s h", "%(many)s Pläne sind da", "Ein Plan ist da"),
        ("Antworten sind da. Jetzt vergleichen.",),
        is_urgent=False,
    ),
    "agreement": Kind(
        ("Vereinbarung wartet",),
        (
            "%(name)s hat unterschrieben. Jetzt prüfen.",
            "%(name)s hat unterschrieben.",
            "Ein Partner hat unterschrieben.",
        ),
    ),
    "second_signature": Kind(("Eine Unterschrift fehlt",), ("Zwei Leitungen müssen unterschreiben.",)),
    "sealed": Kind(
        ("Vereinbarung gilt",),
        ("%(name)s und ihr habt unterschrieben.", "Beide Betriebe haben unterschrieben."),
        is_urgent=False,
    ),
    "declined": Kind(
        ("Vereinbarung abgelehnt",),
        ("%(name)s hat Nein gesagt.", "Ein Partner hat Nein gesagt."),
    ),
    "lapsed": Kind(("Vereinbarung gilt nicht",), ("Die Frist ist vorbei.",)),
    "ended": Kind(("Vereinbarung gilt nicht",), ("Tippe hier. Dann siehst du den Grund.",)),
    "one_sided": Kind(
        ("Vereinbarung gilt nur halb",),
        ("%(name)s sieht sie anders. Ruf dort an.", "Der Partner sieht sie anders. Ruf an."),
    ),
    "changed": Kind(
        ("Stunden haben sich geändert",),
        ("%(name)s weiß Bescheid. Sieh nach.", "Der Partner weiß Bescheid. Sieh nach."),
        is_urgent=False,
    ),
    "amendment": Kind(
        ("Änderung wartet",),
        ("%(name)s will etwas ändern. Jetzt prüfen.", "%(name)s will etwas ändern.", "Ein Partner will etwas ändern."),
    ),
    "overtaken": Kind(
        ("Eure Änderung gilt nicht",),
        ("%(name)s will auch etwas ändern.", "Ein Partner will auch etwas ändern."),
    ),
    "invoice": Kind(
        ("Rechnung von %(name)s", "Rechnung ist da"),
        ("Prüfe sie und sag Ja oder Nein.",),
        is_urgent=False,
    ),
    "invoice_refused": Kind(
        ("Rechnung ging nicht hinaus",),
        ("Die Prüfung fand einen Fehler. Sieh nach.",),
    ),
    "invoice_disputed": Kind(
        ("Rechnung beanstandet",),
        ("%(name)s nennt den Grund. Sieh nach.", "Der Partner nennt den Grund. Sieh nach."),
    ),
    "invoice_reminded": Kind(
        ("Rechnung noch offen",),
        ("%(name)s wartet auf euer Geld.", "Ein Partner wartet auf euer Geld."),
    ),
    "netting": Kind(
        ("%(name)s will verrechnen", "Partner will verrechnen"),
        ("Prüfe beide Summen und sag Ja oder Nein.",),
        is_urgent=False,
    ),
    "invoice_overdue": Kind(
        ("Rechnung überfällig",),
        ("%(name)s hat noch nicht bezahlt.", "Ein Partner hat noch nicht bezahlt."),
        is_urgent=False,
    ),
    "disruption": Kind(
        ("Maschine steht. %(hours)s h fehlen.", "Eine Maschine steht"),
        ("Bei %(name)s. Tippe und hol Hilfe.", "Bei einem Partner. Tippe und hol Hilfe."),
    ),
    "hours_lost": Kind(
        ("%(hours)s h fehlen", "Stunden fehlen"),
        ("%(name)s kommt nicht weiter. Sieh nach.", "Ein Partner kommt nicht weiter. Sieh nach."),
    ),
    "resumed": Kind(
        ("Es geht weiter",),
        ("%(name)s arbeitet wieder.", "Ein Partner arbeitet wieder."),
        is_urgent=False,
    ),
    "defect": Kind(
        ("Mangel gemeldet",),
        ("%(name)s zeigt dir, was nicht stimmt.", "Ein Partner zeigt dir, was nicht stimmt."),
    ),
    "defect_answered": Kind(
        ("Antwort zum Mangel",),
        ("%(name)s hat geantwortet. Sieh nach.", "Der Partner hat geantwortet. Sieh nach."),
    ),
    "defect_settled": Kind(
        ("Mangel ist behoben",),
        ("%(name)s ist zufrieden.", "Der Partner ist zufrieden."),
        is_urgent=False,
    ),
    "accepted": Kind(
        ("Arbeit ist abgenommen",),
        ("%(name)s ist zufrieden.", "Der Partner ist zufrieden."),
        is_urgent=False,
    ),
    "provision": Kind(
        ("Es kommt etwas für euch",),
        ("%(name)s schickt Material oder Werkzeug.", "Ein Partner schickt Material oder Werkzeug."),
    ),
    "provision_moved": Kind(
        ("Neues zu eurem Material",),
        ("%(name)s hat etwas gemeldet. Sieh nach.", "Der Partner hat etwas gemeldet. Sieh nach."),
        is_urgent=False,
    ),
    "know_how": Kind(
        ("Wer kann das? %(count)s Stück", "Wer kann das?"),
        (
            "%(name)s fragt euch. %(photo)s ist dabei.",
            "%(name)s fragt euch. Könnt ihr das?",
            "Ein Partner fragt euch. Könnt ihr das?",
        ),
        (("open", "Ansehen"), ("no", "Diesmal nicht")),
        escalates=True,
    ),
    "question": Kind(
        ("Frage zu deiner Anfrage",),
        ("%(name)s möchte etwas wissen.", "Ein Partner möchte etwas wissen."),
    ),
    "answer": Kind(
        ("%(name)s hat geantwortet", "Eine Antwort ist da"),
        ("Deine Frage ist beantwortet.",),
    ),
    "request_gone": Kind(
        ("Anfrage ist vorbei",),
        ("%(name)s braucht keine Hilfe mehr.", "Ein Partner braucht keine Hilfe mehr."),
        is_urgent=False,
        has_mail=False,
    ),
    "request_changed": Kind(
        ("Anfrage hat sich geändert",),
        ("%(name)s hat etwas geändert. Sieh nach.", "Ein Partner hat etwas geändert. Sieh nach."),
        is_urgent=False,
        has_mail=False,
    ),
    "answer_dropped": Kind(
        ("Dein Ja gilt nicht mehr",),
        ("%(name)s hat die Anfrage geändert.", "Ein Partner hat die Anfrage geändert."),
    ),
    "chosen": Kind(
        ("Euer Angebot passt",),
        ("%(name)s möchte es nehmen.", "Ein Partner möchte es nehmen."),
        is_urgent=False,
    ),
    "partner": Kind(
        ("Neuer Partner?",),
        ("%(name)s will euer Partner werden.", "Ein Betrieb will euer Partner werden."),
    ),
    "approach": Kind(
        ("Neuer Partner?",),
        ("Ein Betrieb aus dem Verzeichnis fragt an.",),
    ),
    "introduction": Kind(
        ("Kennt ihr euch schon?",),
        ("%(name)s stellt euch einen Betrieb vor.", "Ein Partner stellt euch einen Betrieb vor."),
    ),
    "introduced": Kind(
        ("Beide haben Ja gesagt",),
        ("Jetzt könnt ihr euch kennenlernen.",),
    ),
    "partner_new": Kind(
        ("Ihr seid jetzt Partner",),
        ("%(name)s hat unterschrieben.", "Ein Partner hat unterschrieben."),
        is_urgent=False,
    ),
    "partner_end": Kind(
        ("Partnerschaft ist vorbei",),
        ("%(name)s ist kein Partner mehr.", "Ein Betrieb ist kein Partner mehr."),
    ),
    "message_stuck": Kind(
        ("Nachricht kommt nicht an",),
        ("%(name)s: Seit %(day)s kommt nichts an.", "Ein Partner ist nicht erreichbar. Ruf an."),
    ),
    "log_halted": Kind(
        ("Euer Logbuch ruht",),
        ("Ihr könnt gerade nichts unterschreiben.",),
    ),
    "log_contradicts": Kind(
        ("Logbuch widerspricht sich",),
        ("%(name)s zeigt zwei Stände. Ruf dort an.", "Ein Partner zeigt zwei Stände. Ruf an."),
    ),
    "log_doubted": Kind(
        ("Logbuch unklar",),
        ("%(name)s klärt es nicht auf. Ruf dort an.", "Ein Partner klärt es nicht auf. Ruf dort an."),
    ),
    "erasure": Kind(
        ("Vertrag löschen?",),
        ("%(name)s will einen Vertrag löschen.", "Ein Partner will einen Vertrag löschen."),
        is_urgent=False,
    ),
    "erasure_declined": Kind(
        ("Vertrag bleibt",),
        ("%(name)s will ihn behalten.", "Der Partner will ihn behalten."),
        is_urgent=False,
    ),
    "glass_broken": Kind(
        ("Betreiber sah ins Protokoll",),
        ("Lies den Grund in eurem Protokoll.",),
    ),
    "certificate": Kind(
        ("Zertifikat läuft bald ab",),
        ("Trage rechtzeitig das neue ein.",),
        is_urgent=False,
    ),
    "test": Kind(
        ("Es klappt!",),
        ("So kommen Anfragen an. Tippe auf Gesehen.",),
        SEEN,
        has_mail=False,
    ),
}
ESCALATING = tuple(kind for kind, spec in KINDS.items() if spec.escalates)
REPLIES: dict[str, tuple[tuple[str, ...], str]] = {
    "yes": (
        ("Danke. %(name)s weiß Bescheid.", "Danke. Antwort ist gesendet."),
        "Dein Ja ist noch kein Vertrag.",
    ),
    "no": (("Alles klar. Danke.",), "Ein Nein hat keine Nachteile."),
    "undo": (("Zurückgenommen.",), "Du kannst neu antworten."),
    "sent": (("Gesendet. Danke.",), "Dein Meister prüft die Stunden noch."),
    "unsent": (("Zurückgenommen.",), "Melde die Stunden in der App."),
}
DONE = "Schon erledigt."
THANKS = ("Danke. Antwort ist gesendet.",)
FAILED = "Noch nicht gesendet – tippe hier"
UNDO = "Rückgängig"
ANYBODY = "Ein Partner"
PRACTICE = "ÜBUNG: %(title)s"


def message(kind: str, values: Mapping[str, Any], language: str, is_practice: bool = False) -> Said:
    """The text of one alert; raises KeyError for an unknown kind.

    `values`: name, minutes, free_min, need_min, process (a word, or one per language), first_week, last_week, count,
    part, reply_by (ISO), day, time, has_photo; each may be missing.
    """
    spec = KINDS[kind]
    gaps = _gaps(values, language)
    title = _fit(spec.titles, gaps, language, MOST_TITLE)
    if is_practice:
        # drawn on our own page, never on a phone's lock screen: it may be longer by this word
        title = translate(language, PRACTICE, title=title)
    buttons = tuple((action, _fit((label,), gaps, language, MOST_TITLE)) for action, label in spec.buttons)
    return Said(title, _fit(spec.bodies, gaps, language, MOST_BODY), buttons)


def reply(answer: str, language: str, name: str = "") -> Said:
    """What a lock screen shows after yes, no or undo; `name` is the asking firm's, '' when it must not stand there."""
    titles, body = REPLIES[answer]
    gaps = {"name": name} if name else {}
    return Said(_fit(titles, gaps, language, MOST_TITLE), translate(language, body))


def translate(language: str, text: str, **values: object) -> str:
    """A German text in another language with its %(name)s filled; what nobody translated stays German."""
    found = _words(language).get(text, text)
    return found % values if values else found


@lru_cache(maxsize=16)
def _words(language: str) -> Mapping[str, str]:
    """All texts of one language: our own over those of the pages."""
    from babel.messages.pofile import read_po
    from babel.support import Translations

    pages = Translations.load(str(PAGES), [language])
    words = {key: text for key, text in getattr(pages, "_catalog", {}).items() if isinstance(key, str) and key and text}
    own = FOLDER / f"{language}.po"
    if re.fullmatch(r"[a-z]{2}", language) and own.exists():
        with own.open("rb") as file:
            words |= {str(entry.id): str(entry.string) for entry in read_po(file) if entry.id and entry.string}
    return words


def _fit(wordings: tuple[str, ...], gaps: Mapping[str, str], language: str, most: int) -> str:
    """The first wording that can be filled and is short enough; the last one is cut if it must be."""
    filled = ""
    for wording in wordings:
        if all(gap in gaps for gap in GAP.findall(wording)):
            filled = translate(language, wording, **gaps) if "%(" in wording else translate(language, wording)
            if len(filled) <= most:
                return filled
    return filled[: most - 1].rstrip() + "…"


def _gaps(values: Mapping[str, Any], language: str) -> dict[str, str]:
    """What can be said of these values, in words of the language; a missing value leaves its gap out."""
    minutes = values.get("minutes") or 0
    found = {
        "name": str(values.get("name") or translate(language, ANYBODY)),
        "hours": _hours(minutes, language),
        "free": _hours(values.get("free_min") or minutes, language),
        "need": _hours(values.get("need_min") or 0, language),
        "process": _word(values.get("process"), language),
        "week": _one_week(values),
        "weeks": _some_weeks(values),
        "count": str(values.get("count") or ""),
        "many": str(values["count"]) if (values.get("count") or 0) > 1 else "",
        "part": str(values.get("part") or ""),
        "day": _word(values.get("day"), language),
        "time": str(values.get("time") or ""),
        "photo": translate(language, "Foto") if values.get("has_photo") else "",
    }
    return {gap: text for gap, text in found.items() if text} | _deadline(values, language)


def _deadline(values: Mapping[str, Any], language: str) -> dict[str, str]:
    """The answer-by time in German time; the day only where `now` (ISO) lies on another one."""
    if not values.get("reply_by"):
        return {}
    local = dt.datetime.fromisoformat(values["reply_by"]).astimezone(BERLIN)
    clock = f"{local:%H:%M}" if local.minute or language != "de" else str(local.hour)
    now = values.get("now")
    if not now or dt.datetime.fromisoformat(now).astimezone(BERLIN).date() == local.date():
        return {"time": clock}
    return {"time": clock, "day": _weekday(local, language)}


def _weekday(local: dt.datetime, language: str) -> str:
    from babel.dates import format_date

    return str(format_date(local.date(), "EEE", locale=language)).rstrip(".")


def _hours(minutes: int, language: str) -> str:
    if minutes <= 0:
        return ""
    text = hours_text(minutes)
    return text if language == "de" else text.replace(",", ".")


def _word(word: object, language: str) -> str:
    if isinstance(word, Mapping):
        return str(word.get(language) or word.get("de") or "")
    return translate(language, str(word)) if word else ""


def _one_week(values: Mapping[str, Any]) -> str:
    first, last = values.get("first_week") or "", values.get("last_week") or ""
    return week_short(first) if first and last in ("", first) else ""


def _some_weeks(values: Mapping[str, Any]) -> str:
    first, last = values.get("first_week") or "", values.get("last_week") or ""
    return f"{week_short(first)}–{int(last[6:])}" if first and last and first != last else ""
