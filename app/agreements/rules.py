"""What may happen to an agreement: its steps, who may sign it, how long it waits, what a cancellation costs."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.core.errors import Conflict, RuleBroken
from app.core.units import BERLIN, monday
from app.core.words import N_
from app.firms.rules import check_limit, needs_two_people
from app.partners.documents import CancellationStep

STEPS: Mapping[str, frozenset[str]] = {
    "frozen": frozenset({"signed_one", "declined", "lapsed"}),
    "signed_one": frozenset({"waiting_bundle", "in_force", "declined", "lapsed"}),
    "waiting_bundle": frozenset({"in_force", "declined", "lapsed"}),
    "in_force": frozenset({"superseded", "terminated", "fulfilled"}),
}
AMENDMENT_STEPS: Mapping[str, frozenset[str]] = {
    "frozen": frozenset({"signed_one", "in_force", "declined", "lapsed"}),
    "signed_one": frozenset({"in_force", "declined", "lapsed"}),
    # The other side signed in time, and only the way here took longer than we waited.
    "lapsed": frozenset({"in_force"}),
}
OPEN = ("frozen", "signed_one", "waiting_bundle")
OVER = ("declined", "lapsed", "superseded", "terminated", "fulfilled")
EXPIRY_WORKING_DAYS = 3
PLAN_GRACE_WORKING_DAYS = 1
"""A plan of all or none waits so long after its deadline for words that were spoken in time."""
GRACE = dt.timedelta(hours=1)
"""So far a message may lie from the entry that it tells of."""
WORD_MAY_TAKE = dt.timedelta(days=7, hours=1)
"""After a deadline, who has signed waits so long for the other side's word before it ends anything alone: messages are
tried for seven days, and what the other side did in time counts at both."""
KEEP_UNCHOSEN = dt.timedelta(days=183)
"""How long a firm may still read what did not come about: six months."""
ONE_SIDED_AFTER = dt.timedelta(hours=1)
SOON = dt.timedelta(hours=24)

REASONS: Mapping[str, str] = {
    "expired": N_("Die Frist ist vorbei."),
    "declined": N_("Ein Betrieb hat abgelehnt."),
    "hours_gone": N_("Die Stunden sind nicht mehr frei."),
    "locked": N_("Ein Schlüssel ist gesperrt."),
    "bundle": N_("Der Plan ist nicht ganz zustande gekommen."),
}
"""Why an agreement did not come about; the keys stand in the record."""


@dataclass(frozen=True, slots=True)
class Signing:
    """All that decides whether a person may sign now. Sums in cents; `limit_cents` None means no limit."""

    state: str
    is_ours: bool
    expires_at: dt.datetime
    total_cents: int
    has_printed_recovery: bool
    is_partner_active: bool
    has_signed: bool
    limit_cents: int | None
    two_person_above_cents: int | None
    signer_count: int


def check_step(state: str, to: str) -> None:
    """Raise Conflict for a step that the life of an agreement does not know."""
    if to not in STEPS.get(state, frozenset()):
        raise Conflict("Das geht gerade nicht mehr. Lade die Seite neu.")


def check_amendment_step(state: str, to: str) -> None:
    """Raise Conflict for a step that the life of a change or cancellation does not know."""
    if to not in AMENDMENT_STEPS.get(state, frozenset()):
        raise Conflict("Das geht gerade nicht mehr. Lade die Seite neu.")


def check_may_sign(case: Signing, now: dt.datetime) -> None:
    """Raise the first reason why this person cannot sign now, in the order in which it can be mended."""
    if case.state in OVER:
        raise Conflict("Diese Vereinbarung gilt nicht mehr.")
    if case.state != waits_for_us(case.is_ours):
        raise Conflict("Hier ist schon alles unterschrieben.")
    if now > case.expires_at:
        raise Conflict("Die Frist ist vorbei. Es wurde nichts unterschrieben.")
    if not case.has_printed_recovery:
        raise RuleBroken("Drucke zuerst euren Notfallschlüssel. Danach kannst du unterschreiben.")
    if not case.is_partner_active:
        raise RuleBroken("Die Partnerschaft ruht gerade. Kläre das zuerst.")
    if case.has_signed:
        raise RuleBroken("Du hast schon unterschrieben. Jetzt fehlt noch eine andere Leitung.")
    check_limit(case.total_cents, case.limit_cents)


def waits_for_us(is_ours: bool) -> str:
    """The state in which our own signature is missing: the drafter signs first."""
    return "frozen" if is_ours else "signed_one"


def is_rule_met(total_cents: int, above_cents: int | None, signer_count: int) -> bool:
    """Say whether enough managers of one firm have signed: one, or two above the firm's own sum."""
    return signer_count >= (2 if needs_two_people(total_cents, above_cents) else 1)


def role_of_signer(signer_count: int) -> str:
    """The role in which the next manager signs; the two-person rule takes two of equal rank in any order."""
    return "manager" if signer_count == 0 else "second"


def fee_percent_for(steps: Sequence[CancellationStep], week: str, today: dt.date) -> int:
    """The percent of the net amount that cancelling this week costs today (clause 22 of the framework)."""
    days = (monday(week) - today).days
    return next((step.fee_percent for step in steps if days >= step.days_before), steps[-1].fee_percent)


def check_cancellable(week: str, today: dt.date) -> None:
    """Raise RuleBroken for hours of a week that is over: what was worked is reported, not cancelled.

    Hours that the provider said it cannot work go back at any time.
    """
    if monday(week) + dt.timedelta(days=6) < today:
        raise RuleBroken("Diese KW ist schon vorbei. Sie lässt sich nicht mehr absagen.", "lines")


def acts_alone(kind: str, is_requester: bool, is_disrupted: bool = False) -> bool:
    """Say whether the framework lets this side act alone: only the requester cancels by right (clause 22).

    What the provider said it cannot work the requester gives back in part or in whole, without a fee (clause 23).
    """
    return is_requester and (kind == "cancellation" or is_disrupted)


def check_given_back(old_min: int, new_min: int, lost_min: int) -> None:
    """Raise RuleBroken when more is given back than the provider said it cannot work."""
    if new_min >= old_min or old_min - new_min > lost_min:
        raise RuleBroken("So viele Stunden fallen nicht aus. Lade die Seite neu.", "lines")


def moment(seconds: int) -> dt.datetime:
    """The UTC time of a number that a partner wrote: what no calendar holds becomes one that no deadline allows."""
    return dt.datetime.fromtimestamp(min(max(seconds, 0), 2**37), dt.UTC)


def whole_minute(at: dt.datetime) -> dt.datetime:
    """The moment as the text shows it: without seconds, in UTC."""
    return at.astimezone(dt.UTC).replace(second=0, microsecond=0)


def on_day(at: dt.datetime, day: dt.date) -> dt.datetime:
    """The same time of day in Germany on another day, as UTC."""
    local = at.astimezone(BERLIN)
    return dt.datetime.combine(day, local.time(), BERLIN).astimezone(dt.UTC)
