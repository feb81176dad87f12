"""What is signed after the call-off: a change and a cancellation, each a new text that names the one before."""

from dataclasses import dataclass, replace

from app.agreements.documents import CallOffFacts, check_call_off, line_text
from app.agreements.texts import moment_text, parts_of, phrase
from app.core.errors import RuleBroken
from app.core.units import euro_text, hours_text, week_label
from app.partners.documents import day_text
from app.partners.texts import fill, one_line, tidy


@dataclass(frozen=True)
class ChangeFacts:
    """A change: the facts before and after; `digest` is the hex digest of the call-off, `agreed_on` YYYY-MM-DD."""

    before: CallOffFacts
    after: CallOffFacts
    agreed_on: str
    digest: str
    reason: str
    expires_at: int
    is_disrupted: bool = False
    """The provider cannot work these hours: the requester alone gives them back."""


@dataclass(frozen=True)
class CancelledLine:
    """Cancelled minutes of one machine in one week, their net amount, and the fee in percent and in cents."""

    machine_name: str
    week: str
    minutes: int
    amount_cents: int
    fee_percent: int
    fee_cents: int


@dataclass(frozen=True)
class CancellationFacts:
    """A cancellation by `canceller` (requester or provider); `needs_both` where the terms do not let one act alone."""

    call_off: CallOffFacts
    agreed_on: str
    digest: str
    canceller: str
    cancelled_on: str
    reason: str
    lines: tuple[CancelledLine, ...]
    fee_cents: int
    needs_both: bool
    is_disrupted: bool = False


def fee_for(amount_cents: int, fee_percent: int) -> int:
    """Return the fee in cents, rounded half up once."""
    return (2 * amount_cents * fee_percent + 100) // 200


def render_change(facts: ChangeFacts, language: str = "de") -> str:
    """Return the exact German text of a change, or its English reading aid.

    Raises RuleBroken if a state contradicts itself or nothing changed.
    """
    check_call_off(facts.before)
    check_call_off(facts.after)
    if facts.before == facts.after:
        raise RuleBroken("Es hat sich nichts geändert. Ändere zuerst eine Stunde oder eine KW.", field="lines")
    if _with_shown_changes(facts) != facts.after:
        raise RuleBroken("Ein Nachtrag ändert nur Stunden, Preis und Termin. Erstelle sonst eine neue Vereinbarung.")
    text = _amendment("change", facts.before, _change_values(facts, language), language)
    ending = "change_disrupted" if facts.is_disrupted else "change_both"
    return tidy(text + "\n" + _ending(ending, facts.expires_at, language))


def render_cancellation(facts: CancellationFacts, language: str = "de") -> str:
    """Return the exact German text of a cancellation, or its English reading aid.

    Raises RuleBroken if a fee or the sum does not hold.
    """
    fees_hold = all(line.fee_cents == fee_for(line.amount_cents, line.fee_percent) for line in facts.lines)
    if not facts.lines or not fees_hold or facts.fee_cents != sum(line.fee_cents for line in facts.lines):
        raise RuleBroken("Die Pauschale stimmt nicht. Beginne die Stornierung neu.", field="fee_cents")
    text = _amendment("cancellation", facts.call_off, _cancellation_values(facts, language), language)
    if facts.is_disrupted:
        text = tidy(text + "\n" + phrase("cancellation_disrupted", language))
    return tidy(text + "\n" + phrase("needs_both" if facts.needs_both else "needs_one", language))


def _with_shown_changes(facts: ChangeFacts) -> CallOffFacts:
    """Carry over only what the text shows, so that nothing can change unseen."""
    after = facts.after
    return replace(
        facts.before,
        lines=after.lines,
        total_cents=after.total_cents,
        cap_cents=after.cap_cents,
        delivery_week=after.delivery_week,
        expires_at=after.expires_at,
    )


def _amendment(kind: str, call_off: CallOffFacts, values: dict[str, object], language: str) -> str:
    parts = parts_of("phrases", language)
    named = {
        "part": one_line(call_off.part),
        "currency": one_line(call_off.currency),
        "requester": one_line(call_off.requester.name),
        "provider": one_line(call_off.provider.name),
        "requester_label": phrase(f"label_{call_off.template_key}_requester", language),
        "provider_label": phrase(f"label_{call_off.template_key}_provider", language),
    }
    return tidy(parts[f"title_{kind}"].body + "\n\n" + fill(parts[kind].body, {**named, **values}))


def _change_values(facts: ChangeFacts, language: str) -> dict[str, object]:
    before, after = facts.before, facts.after
    return {
        "agreed_on": day_text(facts.agreed_on),
        "digest": one_line(facts.digest),
        "reason": one_line(facts.reason),
        "old_lines": _lines_text(before, language),
        "new_lines": _lines_text(after, language),
        "old_total": euro_text(before.total_cents),
        "new_total": euro_text(after.total_cents),
        "new_cap": euro_text(after.cap_cents),
        "old_week": week_label(before.delivery_week),
        "new_week": week_label(after.delivery_week),
    }


def _ending(key: str, expires_at: int, language: str) -> str:
    return fill(parts_of("phrases", language)[key].body, {"expires": moment_text(expires_at, language)})


def _lines_text(facts: CallOffFacts, language: str) -> str:
    return "\n".join(line_text(no, line, facts.currency, language) for no, line in enumerate(facts.lines, 1))


def _cancellation_values(facts: CancellationFacts, language: str) -> dict[str, object]:
    return {
        "agreed_on": day_text(facts.agreed_on),
        "digest": one_line(facts.digest),
        "canceller": phrase(f"label_{facts.call_off.template_key}_{facts.canceller}", language),
        "reason": one_line(facts.reason),
        "cancelled_on": day_text(facts.cancelled_on),
        "lines": "\n".join(_cancelled_text(no, line, facts, language) for no, line in enumerate(facts.lines, 1)),
        "fee": euro_text(facts.fee_cents),
    }


def _cancelled_text(no: int, line: CancelledLine, facts: CancellationFacts, language: str) -> str:
    return phrase(
        "cancellation_line",
        language,
        no=no,
        week=week_label(line.week),
        machine=line.machine_name,
        hours=hours_text(line.minutes),
        amount=euro_text(line.amount_cents),
        percent=line.fee_percent,
        fee=euro_text(line.fee_cents),
        currency=facts.call_off.currency,
    )
