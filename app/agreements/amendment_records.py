"""The signed record of a change or cancellation: reckoned from the agreement and what is wanted, the same at both sides."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.agreements.amendment_documents import (
    CancellationFacts,
    CancelledLine,
    ChangeFacts,
    fee_for,
    render_cancellation,
    render_change,
)
from app.agreements.models import Agreement, Amendment
from app.agreements.queries import amendments_of
from app.agreements.record import facts_of, record_id, record_lines
from app.agreements.rules import acts_alone, check_cancellable, fee_percent_for, moment
from app.agreements.standing import LineChange, Standing, apply_changes, changes_from, standing_after
from app.core.errors import RuleBroken
from app.core.units import BERLIN
from app.notary.documents import Display, new_message
from app.notary.queries import digest
from app.partners.texts import one_line

PRIMARY = {"change": "Change", "cancellation": "Cancellation"}
ALONE_BASIS = "clause 22"
DISRUPTED_BASIS = "clause 23"
MOST_REASON = 200
STEP_MIN = 15


@dataclass(frozen=True)
class Wanted:
    """What one side wants: new minutes per line (0 cancels), why, on which day; `expires_at` UTC seconds.

    `is_disrupted`: the provider said before that it cannot work these hours.
    """

    kind: str
    changes: tuple[LineChange, ...]
    reason: str
    day: str
    expires_at: int
    is_by_requester: bool
    is_disrupted: bool = False

    @property
    def needs_both(self) -> bool:
        return not acts_alone(self.kind, self.is_by_requester, self.is_disrupted)

    def to_body(self) -> dict[str, Any]:
        rows = [[change.line_no, change.old_min, change.new_min] for change in self.changes]
        return {
            "kind": self.kind,
            "lines": rows,
            "reason": self.reason,
            "day": self.day,
            "expires_at": self.expires_at,
            "is_by_requester": self.is_by_requester,
            "is_disrupted": self.is_disrupted,
        }


@dataclass(frozen=True)
class AmendmentRecord:
    """Text, message and what follows: the fee in cents, whether both must sign, the agreement afterwards."""

    text: str
    message: dict[str, Any]
    fee_cents: int
    needs_both: bool
    total_cents: int
    after: Standing

    def digest(self, kind: str) -> bytes:
        return digest(PRIMARY[kind], self.message)


def wanted_from(body: dict[str, Any]) -> Wanted:
    """Read what a partner wants; raises RuleBroken for anything unusual."""
    kinds: dict[str, type] = {"kind": str, "lines": list, "reason": str, "day": str, "expires_at": int}
    kinds |= {"is_by_requester": bool, "is_disrupted": bool}
    if set(body) != set(kinds) or any(type(body[name]) is not kind for name, kind in kinds.items()):
        raise RuleBroken("Die Nachricht passt nicht zu dieser Version. Bitte den Partner um eine neue.")
    reason = one_line(body["reason"])
    if body["kind"] not in PRIMARY or reason != body["reason"] or not 0 < len(reason) <= MOST_REASON:
        raise RuleBroken("Die Nachricht passt nicht zu dieser Version. Bitte den Partner um eine neue.")
    if not _is_day(body["day"]) or moment(body["expires_at"]).timestamp() != body["expires_at"]:
        raise RuleBroken("Die Nachricht passt nicht zu dieser Version. Bitte den Partner um eine neue.")
    told = {name: value for name, value in body.items() if name != "lines"}
    return Wanted(**told, changes=changes_from(body["lines"]))


def standing_of(session: Session, agreement: Agreement, but_not: str = "") -> Standing:
    """The agreement after all changes and cancellations in force."""
    done = _in_force(session, agreement, but_not)
    return standing_after(facts_of(agreement), [changes_from(one.facts["lines"]) for one in done])


def last_digest(session: Session, agreement: Agreement, but_not: str = "") -> str:
    """The digest of the newest record of this agreement, which the next one supersedes."""
    done = _in_force(session, agreement, but_not)
    return done[-1].digest if done else agreement.digest


def amendment_record(
    session: Session,
    agreement: Agreement,
    amendment_id: str,
    wanted: Wanted,
    salt: str = "",
    issued_at: dt.datetime | None = None,
) -> AmendmentRecord:
    """Reckon text and message of a change or cancellation; raises RuleBroken when it cannot be."""
    standing = standing_of(session, agreement, amendment_id)
    after = apply_changes(standing, wanted.changes)
    _check_wanted(wanted)
    if wanted.kind == "change":
        text, own, fee_cents = _change(agreement, wanted, standing, after)
    else:
        text, own, fee_cents = _cancellation(agreement, wanted, standing)
    needs_both = wanted.needs_both
    sides = (agreement.message["from"], agreement.message["to"])
    message = new_message(
        wanted.kind,
        *(sides if wanted.is_by_requester else sides[::-1]),
        text,
        expires_at=dt.datetime.fromtimestamp(wanted.expires_at, dt.UTC) if needs_both else None,
        issued_at=issued_at,
        supersedes=last_digest(session, agreement, amendment_id),
        record_id=record_id(amendment_id),
        salt=salt,
        agreement=agreement.digest,
        basis="mutual" if needs_both else DISRUPTED_BASIS if wanted.is_disrupted else ALONE_BASIS,
        currency=standing.facts.currency,
        fee_cents=fee_cents,
        **own,
    )
    total_cents = after.facts.total_cents if wanted.kind == "change" else fee_cents
    return AmendmentRecord(text, message, fee_cents, needs_both, total_cents, after)


def english_amendment(session: Session, agreement: Agreement, amendment: Amendment) -> str:
    """The English reading aid of a change or cancellation, from the bookings as they stood before it."""
    earlier = [one for one in _in_force(session, agreement, amendment.id) if _came_before(one, amendment)]
    before = standing_after(facts_of(agreement), [changes_from(one.facts["lines"]) for one in earlier])
    wanted = wanted_from(amendment.facts)
    if amendment.kind == "change":
        return render_change(_change_facts(agreement, wanted, before), "en")
    return render_cancellation(_cancellation_facts(agreement, wanted, before), "en")


def _came_before(one: Amendment, amendment: Amendment) -> bool:
    if amendment.entry_seq is not None and one.entry_seq is not None:
        return one.entry_seq < amendment.entry_seq
    return amendment.ended_at is None or (one.in_force_at or amendment.ended_at) < amendment.ended_at


def display_of(amendment: Amendment) -> Display:
    """The exact text as the evidence keeps it."""
    return Display(f"{amendment.kind}/1", "de", amendment.text)


def agreed_on(agreement: Agreement) -> str:
    """The day of the agreement, the same at both sides: when it was drawn up."""
    issued_at = dt.datetime.fromtimestamp(agreement.message["issuedAt"], dt.UTC)
    return issued_at.astimezone(BERLIN).date().isoformat()


def _is_day(text: str) -> bool:
    try:
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _check_wanted(wanted: Wanted) -> None:
    is_cancellation = wanted.kind == "cancellation"
    if wanted.is_disrupted and not wanted.is_by_requester:
        raise RuleBroken("Nur der Auftraggeber gibt ausgefallene Stunden zurück.", field="lines")
    for change in wanted.changes:
        # of several lines that a disruption struck one may be gone and another shorter
        may_be_gone = is_cancellation or (wanted.is_disrupted and change.new_min == 0)
        if may_be_gone is not (change.new_min == 0) or change.new_min % STEP_MIN or change.new_min == change.old_min:
            raise RuleBroken("Gib die Stunden in Viertelstunden ein, zum Beispiel 7,25 oder 7,5.", field="lines")


def _change(agreement: Agreement, wanted: Wanted, before: Standing, after: Standing) -> tuple[str, dict[str, Any], int]:
    logs = (agreement.message["logFrom"], agreement.message["logTo"])
    log_from, log_to = logs if wanted.is_by_requester else logs[::-1]
    own = {
        "log_from": log_from,
        "log_to": log_to,
        "total_cents": after.facts.total_cents,
        "transport_cents": after.facts.transport_cents,
        "lines": tuple(record_lines(after.facts)),
    }
    return render_change(_change_facts(agreement, wanted, before)), own, 0


def _cancellation(agreement: Agreement, wanted: Wanted, standing: Standing) -> tuple[str, dict[str, Any], int]:
    facts = _cancellation_facts(agreement, wanted, standing)
    numbers = tuple(change.line_no - 1 for change in wanted.changes)
    return render_cancellation(facts), {"line_numbers": numbers, "reason": wanted.reason}, facts.fee_cents


def _change_facts(agreement: Agreement, wanted: Wanted, before: Standing) -> ChangeFacts:
    after = apply_changes(before, wanted.changes)
    return ChangeFacts(
        before.facts, after.facts, agreed_on(agreement), agreement.digest, wanted.reason, wanted.expires_at,
        wanted.is_disrupted,
    )  # fmt: skip


def _cancellation_facts(agreement: Agreement, wanted: Wanted, standing: Standing) -> CancellationFacts:
    day = dt.date.fromisoformat(wanted.day)
    if not wanted.is_disrupted:
        for change in wanted.changes:
            check_cancellable(standing.line(change.line_no).week, day)
    is_free = wanted.is_disrupted or not wanted.is_by_requester
    lines = cancelled_lines(standing, wanted.changes, day, is_free)
    return CancellationFacts(
        call_off=standing.facts,
        agreed_on=agreed_on(agreement),
        digest=agreement.digest,
        canceller="requester" if wanted.is_by_requester else "provider",
        cancelled_on=wanted.day,
        reason=wanted.reason,
        lines=lines,
        fee_cents=sum(line.fee_cents for line in lines),
        needs_both=wanted.needs_both,
        is_disrupted=wanted.is_disrupted,
    )


def cancelled_lines(
    standing: Standing, changes: Sequence[LineChange], day: dt.date, is_free: bool
) -> tuple[CancelledLine, ...]:
    """What is cancelled and what it costs on that day.

    `is_free`: the provider, who may not cancel by right, earns no fee from it, nor from hours that it cannot work.
    """
    found = []
    for change in changes:
        line = standing.line(change.line_no)
        percent = 0 if is_free else fee_percent_for(standing.facts.cancellation_steps, line.week, day)
        fee = fee_for(line.amount_cents, percent)
        found.append(CancelledLine(line.machine_name, line.week, line.minutes, line.amount_cents, percent, fee))
    return tuple(found)


def _in_force(session: Session, agreement: Agreement, but_not: str) -> list[Amendment]:
    found = amendments_of(session, agreement.firm_id, agreement.id)
    done = [one for one in found if one.state == "in_force" and one.id != but_not]
    return sorted(done, key=lambda one: (one.in_force_at is None, one.in_force_at, one.entry_seq or 0))
