"""What the pages of this room show: values for the templates, nothing that changes anything."""

from typing import Any

from flask import Response
from flask_babel import gettext, ngettext
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import Conflict
from app.federation.queries import shut_files
from app.firms.access import Actor, may
from app.matching.queries import Judgement, judge_request
from app.offers.parsing import free_slots
from app.offers.queries import InboxRow, OfferView, asked_of, own_offer
from app.offers.rules import UNDO, Asked, check_answerable
from app.push.queries import is_ready_for_messages
from app.requests.models import Receipt, WorkRequest
from app.requests.queries import ANSWERABLE, files_of, receipt_of, thread
from app.requests.words import (
    asked_text,
    part_facts,
    pieces_text,
    precise_facts,
    process_text,
    reason_text,
    weeks_text,
    when_text,
)
from app.web.forms import Form
from app.web.render import hours_said, render


def answer_page(session: Session, actor: Actor, request: WorkRequest, form: Form, status: int = 200) -> Response:
    asked = asked_of(session, request)
    judgement = judge_request(session, actor.firm_id, request)
    offer = own_offer(session, actor.firm_id, request.id)
    receipt = receipt_of(session, actor.firm_id, request.id)
    files = files_of(session, actor.firm_id, request.id)
    return render(
        "offers/show.html",
        status,
        form=form,
        request=request,
        partner_name=asked.partner_name,
        ended=_ended_text(asked),
        process=process_text(request.process_key, request.pack),
        asked=asked_text(request.kind, request.need_min, request.part_count),
        reply_by=when_text(request.reply_by) if request.reply_by else "",
        weeks=weeks_text(request.first_week, request.last_week),
        judgement=judgement,
        span=weeks_text(judgement.lines[0].week, judgement.lines[-1].week) if judgement.lines else "",
        lines=_by_week(judgement),
        facts=_facts(request, judgement),
        files=files,
        shut=shut_files(session, actor.firm_id, [file.file_id for file in files]),
        offer=offer if offer and offer.offer.state not in ("withdrawn", "expired", "superseded") else None,
        own=receipt,
        can_undo=_can_undo(receipt, actor),
        may_rate=may(actor, "rates.see"),
        offers_messages=is_ready_for_messages(session, actor),
        line_count=len(thread(session, actor.firm_id, request.id, request.partner_id or "")),
        valid_until=_valid_text(offer),
        one_machine=_one_machine(offer),
    )


def part_page(session: Session, actor: Actor, request: WorkRequest, form: Form, status: int = 200) -> Response:
    asked = asked_of(session, request)
    judgement = judge_request(session, actor.firm_id, request)
    offer = own_offer(session, actor.firm_id, request.id)
    free = free_slots(judgement, offer)
    machines = [(machine_id, judgement.machines[machine_id].name) for machine_id in sorted({key[0] for key in free})]
    return render(
        "offers/part.html",
        status,
        form=form,
        request=request,
        partner_name=asked.partner_name,
        process=process_text(request.process_key, request.pack),
        asked=asked_text(request.kind, request.need_min, request.part_count),
        machines=machines,
        weeks=[{"week": week, "free_min": minutes} for week, minutes in _free_by_week(free)],
        slots=[
            {
                "name": f"line.{machine_id}.{week}",
                "machine": judgement.machines[machine_id].name,
                "week": week,
                "free_min": minutes,
            }
            for (machine_id, week), minutes in sorted(free.items(), key=lambda item: (item[0][1], item[0][0]))
        ],
        needs_rate=any(judgement.machines[machine_id].rate_cents_per_hour is None for machine_id, _name in machines),
        may_rate=may(actor, "rates.see"),
    )


def _facts(request: WorkRequest, judgement: Judgement) -> list[tuple[str, str]]:
    """What it is, how much of it is free here, how much is asked in all; then the rest of the job."""
    rows = part_facts(request)
    if request.kind == "hours":
        rows.append((gettext("Frei bei dir"), gettext("%(hours)s Stunden", hours=hours_said(judgement.total_free_min))))
        rows.append((gettext("Gesucht insgesamt"), asked_text(request.kind, request.need_min, None)))
    rows += precise_facts(request)
    if request.shortage_reason:
        rows.append((gettext("Grund"), reason_text(request.shortage_reason)))
    return rows


def _by_week(judgement: Judgement) -> list[dict[str, Any]]:
    """Lines of a plain yes, the earliest week first."""
    return [
        {"week": line.week, "minutes": line.minutes, "machine": line.machine_name}
        for line in sorted(judgement.lines, key=lambda line: (line.week, line.machine_name))
    ]


def _free_by_week(free: dict[tuple[str, str], int]) -> list[tuple[str, int]]:
    total: dict[str, int] = {}
    for (_machine_id, week), minutes in free.items():
        total[week] = total.get(week, 0) + minutes
    return sorted(total.items())


def card(row: InboxRow) -> dict[str, Any]:
    is_hours = row.kind == "hours"
    number = row.proposed_min if is_hours else 0
    return {
        "id": row.id,
        "title": _title(row),
        "minutes": number or (row.need_min if is_hours else 0),
        "pieces": "" if is_hours else pieces_text(row.part_count),
        "facts": _card_facts(row),
        "weeks": weeks_text(row.first_week, row.last_week),
        "reply_by": when_text(row.reply_by),
        "mark": _mark(row),
    }


def _card_facts(row: InboxRow) -> list[tuple[str, str]]:
    """The part, and whether the partner wrote something that nobody here has read."""
    unread = ngettext("%(num)s neue Antwort", "%(num)s neue Antworten", row.unread_count) if row.unread_count else ""
    facts = ((gettext("Teil"), row.title), (gettext("Rückfragen"), unread))
    return [(name, text) for name, text in facts if text]


def _mark(row: InboxRow) -> str:
    if row.state in ("cancelled", "expired"):
        return {"cancelled": "zurueckgezogen", "expired": "abgelaufen"}[row.state]
    return {"yes": "zugesagt", "part": "teil", "no": "nein"}.get(row.answer, "")


def is_waiting(row: InboxRow) -> bool:
    return row.is_linked and not row.answer and row.state in ANSWERABLE and row.reply_by > clock.now()


def _ended_text(asked: Asked) -> str:
    """Why the request can no longer be answered, '' while it can."""
    try:
        check_answerable(asked, clock.now())
    except Conflict as error:
        return str(gettext(error.text, **error.values))
    return ""


def _can_undo(receipt: Receipt | None, actor: Actor) -> bool:
    if receipt is None or not receipt.answer or receipt.answered_at is None:
        return False
    return receipt.answered_by == actor.person_id and clock.now() <= receipt.answered_at + UNDO


def _one_machine(offer: OfferView | None) -> str:
    """The machine's name where all lines lie on one machine, else ''."""
    names = {line.machine_name for line in offer.lines} if offer else set()
    return names.pop() if len(names) == 1 else ""


def _title(row: InboxRow) -> str:
    if row.process_key is None:
        return str(gettext("Wer kann das? %(name)s fragt.", name=row.partner_name))
    process = process_text(row.process_key, row.pack)
    return str(gettext("%(process)s für %(name)s", process=process, name=row.partner_name))


def _valid_text(offer: OfferView | None) -> str:
    return when_text(offer.offer.valid_until) if offer else ""
