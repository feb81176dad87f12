"""Partners as witnesses: how far each has confirmed our log, how many shall, and what a log that rests needs."""

from dataclasses import dataclass

from flask import Response, request, url_for
from flask_babel import gettext
from sqlalchemy.orm import Session

from app.core.errors import RuleBroken
from app.firms.access import Actor
from app.firms.models import Firm
from app.notary.gossip import is_in_doubt
from app.notary.models import LedgerAudit
from app.notary.witnesses import Seen, contradiction, halt_of, policy_of, witnesses_of
from app.partners.door import room
from app.partners.queries import partners_in
from app.partners.rules import LINKED
from app.web.forms import Form
from app.web.render import go_to, render
from app.web.transaction import deed, page

WITNESSES = "partners.witnesses"


@dataclass(frozen=True)
class WitnessRow:
    """One partner; `seen` is None before its first word."""

    name: str
    seen: Seen | None
    is_contradicting: bool
    is_in_doubt: bool


@room.get("/partner/zeugen", endpoint="witnesses")
@page("keys.edit")
def show_witnesses(session: Session, actor: Actor) -> Response:
    seen = {one.partner_id: one for one in witnesses_of(session, actor.firm_id)}
    rows = [
        WitnessRow(
            one.name,
            seen.get(one.partner_id),
            contradiction(session, actor.firm_id, one.partner_id) is not None,
            is_in_doubt(session, actor.firm_id, one.partner_id),
        )
        for one in partners_in(session, actor.firm_id, sorted(LINKED))
    ]
    quorum = session.get_one(Firm, actor.firm_id).witness_quorum
    halt = halt_of(session, actor.firm_id)
    return render(
        "partners/witnesses.html",
        rows=rows,
        quorum=quorum,
        choices=_choices(len(rows)),
        halt=halt,
        audit=session.get(LedgerAudit, actor.firm_id),
    )


@room.post("/partner/zeugen", endpoint="save_quorum")
@deed("keys.edit")
def save_quorum(session: Session, actor: Actor) -> Response:
    """How many partners shall have confirmed before others should believe a checkpoint of ours."""
    wanted = Form(request.form).value("quorum")
    if wanted not in dict(_choices(len(partners_in(session, actor.firm_id, sorted(LINKED))))):
        raise RuleBroken("So viele Partner habt ihr nicht.")
    session.get_one(Firm, actor.firm_id).witness_quorum = int(wanted)
    return go_to(url_for(WITNESSES), receipt="Gemerkt.")


@room.get("/partner/zeugen/regel.txt", endpoint="policy")
@page("keys.edit")
def download_policy(session: Session, actor: Actor) -> Response:
    """For whoever checks our evidence: which keys to trust (C2SP tlog-policy)."""
    quorum = session.get_one(Firm, actor.firm_id).witness_quorum
    answer = Response(policy_of(session, actor.firm_id, quorum), mimetype="text/plain")
    answer.headers["Content-Disposition"] = 'attachment; filename="regel.txt"'
    return answer


def _choices(count: int) -> list[tuple[str, str]]:
    return [("0", gettext("egal")), *((str(number), str(number)) for number in range(1, min(count, 5) + 1))]
