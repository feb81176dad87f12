"""A partner's request meets our machines in our own house; what comes of it stays here."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import NotFound
from app.core.events import CapacityFreed, RequestMatched, RequestReceived
from app.core.ids import new_id
from app.core.outbox import emit
from app.federation.rules import is_photo
from app.firms.access import Role
from app.firms.actions import bump_version
from app.firms.models import Firm, Person
from app.firms.queries import people
from app.matching.models import MatchProposal, MatchVerdict
from app.matching.queries import Judgement, RatedLine, judge_request, proposal_key, stored_lines
from app.matching.rules import Verdict
from app.partners.queries import may_send, partnership_with
from app.push.actions import alert_people
from app.requests.models import Receipt, WorkRequest
from app.requests.queries import ANSWERABLE, files_of, partner_request, process_label, receipt_of


def match_request(session: Session, event: RequestReceived) -> None:
    """Keep every machine's verdict with its reasons and what a plain yes would offer; a fit is told on."""
    request = _answerable(session, event.firm_id, event.request_id)
    if request is None:
        return
    judgement = judge_request(session, event.firm_id, request)
    erase_matches(session, event.firm_id, request.id)
    _keep(session, event.firm_id, request, judgement)
    bump_version(session, event.firm_id)
    if judgement.verdict.answer != "no":
        emit(session, RequestMatched(event.firm_id, request.id))


def rematch_requests(session: Session, event: CapacityFreed) -> None:
    """Hours came free: look again at open requests that nobody here has answered. Each is announced only once."""
    unanswered = sa.or_(Receipt.answer == "", Receipt.answer.is_(None))
    found = session.scalars(
        sa.select(WorkRequest.id)
        .outerjoin(Receipt, (Receipt.firm_id == WorkRequest.firm_id) & (Receipt.request_id == WorkRequest.id))
        .where(WorkRequest.firm_id == event.firm_id, WorkRequest.side == "theirs", WorkRequest.state.in_(ANSWERABLE))
        .where(WorkRequest.reply_by > clock.now(), unanswered)
        .order_by(WorkRequest.id)
    )
    for request_id in found.all():
        match_request(session, RequestReceived(event.firm_id, request_id))


def announce_match(session: Session, event: RequestMatched) -> None:
    """Tell our foremen; without a rate card our managers, for only they can set the price. No fit, no noise.

    Where somebody of us has answered already, nobody is asked again.
    """
    request = _answerable(session, event.firm_id, event.request_id)
    receipt = receipt_of(session, event.firm_id, event.request_id)
    if request is None or (receipt is not None and receipt.answer):
        return
    lines = stored_lines(session, event.firm_id, request.id)
    needs_manager = any(line.rate_cents_per_hour is None for line in lines)
    alert_people(
        session,
        event.firm_id,
        _receivers(session, event.firm_id, needs_manager),
        "know_how" if request.kind == "know_how" else "request",
        request.id,
        f"/anfragen/{request.id}",
        _values(session, request, lines),
        f"request:{request.id}:{request.version}",
    )
    if receipt is not None and receipt.announced_at is None:
        receipt.announced_at = clock.now()


def erase_matches(session: Session, firm_id: str, request_id: str) -> None:
    """Erase what matching found for a partner's request."""
    for table in (MatchVerdict, MatchProposal):
        session.execute(sa.delete(table).where(table.firm_id == firm_id, table.request_id == request_id))


def _answerable(session: Session, firm_id: str, request_id: str) -> WorkRequest | None:
    """The request, unless it ended meanwhile, its deadline has passed, or our answer could not leave now."""
    try:
        request = partner_request(session, firm_id, request_id)
    except NotFound:
        return None
    is_open = request.state in ANSWERABLE and request.reply_by is not None and request.reply_by > clock.now()
    return request if is_open and may_send(session, firm_id, request.partner_id or "", "offer.made", {}) else None


def _keep(session: Session, firm_id: str, request: WorkRequest, judgement: Judgement) -> None:
    verdicts = [_verdict_row(firm_id, request, verdict) for verdict in judgement.verdict.machines]
    proposals = [
        {
            "firm_id": firm_id,
            "id": new_id(),
            "created_at": clock.now(),
            "request_id": request.id,
            "machine_id": line.machine_id,
            "week": line.week,
            "minutes": line.minutes,
            "rate_cents_per_hour": line.rate_cents_per_hour,
        }
        for line in judgement.lines
    ]
    if verdicts:
        session.execute(sa.insert(MatchVerdict), verdicts)
    if proposals:
        session.execute(sa.insert(MatchProposal), proposals)


def _verdict_row(firm_id: str, request: WorkRequest, verdict: Verdict) -> dict[str, object]:
    return {
        "firm_id": firm_id,
        "id": new_id(),
        "created_at": clock.now(),
        "request_id": request.id,
        "machine_id": verdict.machine_id,
        "request_version": request.version,
        "answer": verdict.answer,
        "reasons": [
            {"code": reason.code, "ok": reason.ok, "text": reason.text, "values": dict(reason.values)}
            for reason in verdict.reasons
        ],
        "minutes": verdict.total_min,
    }


def _receivers(session: Session, firm_id: str, needs_manager: bool) -> list[Person]:
    foremen = [] if needs_manager else list(people(session, firm_id, Role.FOREMAN))
    return foremen or list(people(session, firm_id, Role.MANAGER))


def _values(session: Session, request: WorkRequest, lines: Sequence[RatedLine]) -> dict[str, object]:
    """Fill the message: never a price, a drawing or a person.

    `version` and `proposal_key` bind its answer to this version of the request and to these hours.
    """
    partner = partnership_with(session, request.firm_id, request.partner_id or "")
    firm = session.get_one(Firm, request.firm_id)
    weeks = sorted(line.week for line in lines) or [request.first_week, request.last_week]
    return {
        "name": partner.short_name if firm.name_in_push else "",
        "minutes": sum(line.minutes for line in lines),
        "free_min": sum(line.minutes for line in lines),
        "process": {
            language: process_label(request.process_key, request.pack, language, is_chip=True)
            for language in ("de", "en")
        },
        "first_week": weeks[0],
        "last_week": weeks[-1],
        "count": request.part_count or 0,
        "has_photo": any(is_photo(file.media_type) for file in files_of(session, request.firm_id, request.id)),
        "reply_by": request.reply_by.isoformat() if request.reply_by else "",
        "version": request.version,
        "proposal_key": proposal_key(lines),
        "has_answer": bool(lines) and all(line.rate_cents_per_hour is not None for line in lines),
    }
