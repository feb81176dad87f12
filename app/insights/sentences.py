"""Facts about two firms in words for the partner's page, and the periods that people choose from."""

import datetime as dt

from flask_babel import gettext, ngettext
from sqlalchemy.orm import Session

from app.core.units import hours_text
from app.core.words import N_
from app.insights.facts import conduct_of
from app.insights.rules import Conduct, Share, Usual

PERIODS = {
    "jahr": (N_("Dieses Jahr"), N_("In diesem Jahr")),
    "vorjahr": (N_("Voriges Jahr"), N_("Im vorigen Jahr")),
    "monate": (N_("12 Monate"), N_("In den letzten 12 Monaten")),
}
"""By key: the word to choose, and how a sentence begins with it"""
Lines = list[tuple[str, str]]


def partner_facts(session: Session, firm_id: str, partner_id: str, now: dt.datetime) -> tuple[Lines, Lines]:
    """What the partner does for us and what we do for it, as (label, value); empty where there were too few cases."""
    theirs, ours = (conduct_of(session, firm_id, partner_id, now, by_us) for by_us in (False, True))
    return _lines(theirs), _lines(ours)


def _lines(conduct: Conduct) -> Lines:
    told = (
        (gettext("Angebote"), conduct.offers and _of(conduct.offers, gettext("%(part)s von %(all)s Anfragen"))),
        (gettext("Antwort meist nach"), conduct.answer_min and _answer_text(conduct.answer_min)),
        (gettext("In der KW gearbeitet"), conduct.hours and _hours_text(conduct.hours)),
        (gettext("Mit Mangel"), conduct.defects and _of(conduct.defects, gettext("%(part)s von %(all)s Aufträgen"))),
        (gettext("Angenommen"), conduct.awards and _of(conduct.awards, gettext("%(part)s von %(all)s Angeboten"))),
        (gettext("Zahlung meist nach"), conduct.payment_days and _days_text(conduct.payment_days)),
    )
    return [(label, value) for label, value in told if value]


def _of(share: Share, text: str) -> str:
    return text % {"part": share.part, "all": share.whole}


def _hours_text(share: Share) -> str:
    return str(gettext("%(part)s von %(all)s h", part=hours_text(share.part), all=hours_text(share.whole)))


def _days_text(days: Usual) -> str:
    invoices = ngettext("%(num)d Rechnung", "%(num)d Rechnungen", days.count)
    return f"{ngettext('%(num)d Tag', '%(num)d Tagen', days.middle)} · {invoices}"


def _answer_text(answers: Usual) -> str:
    offers = ngettext("%(num)d Angebot", "%(num)d Angebote", answers.count)
    return f"{_span_text(answers.middle)} · {offers}"


def _span_text(minutes: int) -> str:
    if minutes < 60:
        return str(ngettext("%(num)d Minute", "%(num)d Minuten", max(1, minutes)))
    if minutes < 48 * 60:
        return str(ngettext("%(num)d Stunde", "%(num)d Stunden", round(minutes / 60)))
    return str(ngettext("%(num)d Tag", "%(num)d Tagen", round(minutes / 1440)))
