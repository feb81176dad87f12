"""A firm leaves its node for good: partners are told, all it owned is erased, and commitments stay.

The copy at the old node of a firm that moved goes the same way, once 90 days have passed and its new node has answered.
"""

import asyncio
import datetime as dt
import json
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from app.agreements.forgetting import KEEP_YEARS, is_bound
from app.config import Config
from app.core import clock
from app.core.db import Base, Database, each_alone
from app.core.errors import Conflict, RuleBroken
from app.core.events import FirmLeaves
from app.core.outbox import emit
from app.core.outgoing import Unreachable, courier
from app.core.urls import base_url
from app.core.words import N_
from app.federation.actions import cancel_waiting, send_message
from app.federation.models import Message
from app.firms.actions import bump_version, note_event
from app.firms.models import Firm
from app.invoices.queries import has_open_invoices
from app.moving.exporting import waiting_events
from app.moving.rows import owner_column
from app.moving.rules import KEPT_COMMITMENTS, NEEDED_TO_TELL
from app.notary.heads import LEFT
from app.notary.models import LedgerEntry, LedgerEvidence, LedgerHead
from app.notary.transfer import COPY, FORWARDS_FOR, LEAVING, MOVED, goes_on_in, is_elsewhere
from app.partners.models import Partnership
from app.partners.rules import LINKED, OPEN, OWED
from app.partners.telling import left_body
from app.passkeys.models import SignIn

log = structlog.get_logger()
BOUND = N_("Ein Vertrag läuft noch. Wartet sein Ende ab oder sagt ihn ab.")
UNPAID = N_("Eine Rechnung ist noch offen. Schließt sie zuerst ab.")
ASK_EVERY = dt.timedelta(days=1)
MOST_DOCUMENT_BYTES = 512 * 1024
_asked: dict[tuple[str, str], dt.datetime] = {}
"""When each new home was last asked whether the firm is there. A restart forgets it: that costs one question more."""


def kept_until(session: Session, firm_id: str) -> dt.date | None:
    """The last day on which the law wants evidence of a firm that leaves today; None where it never signed with anybody.

    Letters of business, counted from the end of the calendar year (HGB § 257).
    """
    signed = sa.select(Partnership.id).where(Partnership.firm_id == firm_id, Partnership.since.is_not(None))
    return None if session.scalar(signed.limit(1)) is None else dt.date(clock.today().year + KEEP_YEARS, 12, 31)


def check_may_leave(session: Session, firm_id: str) -> None:
    """Raise RuleBroken while something is owed, Conflict where the firm works elsewhere or has begun to leave."""
    head = session.get(LedgerHead, firm_id)
    if is_elsewhere(session, firm_id) or (head is not None and head.halt == LEAVING):
        raise Conflict("Euer Betrieb hat diesen Server schon verlassen.")
    if owed := what_is_owed(session, firm_id):
        raise RuleBroken(owed)


def what_is_owed(session: Session, firm_id: str) -> str:
    """What still binds the firm, as one sentence; '' when nothing does."""
    if is_bound(session, firm_id):
        return BOUND
    return UNPAID if has_open_invoices(session, firm_id, clock.today()) else ""


def leave_for_good(session: Session, firm_id: str, person_id: str | None) -> None:
    """From now on nothing is appended and nobody is signed in; the rest follows. None: the operator."""
    check_may_leave(session, firm_id)
    head = session.get_one(LedgerHead, firm_id, with_for_update=True, populate_existing=True)
    head.halt, head.halted_at, head.keep_until = LEAVING, clock.now(), kept_until(session, firm_id)
    session.execute(sa.delete(SignIn).where(SignIn.firm_id == firm_id))
    note_event(session, firm_id, person_id, "firm_leaves", once_key="firm_leaves")
    bump_version(session, firm_id)
    emit(session, FirmLeaves(firm_id))


def part_with_partners(session: Session, event: FirmLeaves) -> None:
    """Reaction: every partner hears that nothing passes any more; whatever that does not need is erased at once."""
    firm_id = event.firm_id
    partners = sa.select(Partnership).where(Partnership.firm_id == firm_id)
    for one in session.scalars(partners.where(Partnership.state.in_(sorted(LINKED | OPEN)))).all():
        cancel_waiting(session, firm_id, one.partner_id, keep=OWED)
        one.state, one.ended_at = "ended", clock.now()
        send_message(session, firm_id, one.partner_id, "partner.end", left_body(session, firm_id), one.partner_id)
    session.flush()
    _erase_rows(session, firm_id, KEPT_COMMITMENTS.keys() | NEEDED_TO_TELL.keys())
    session.execute(sa.delete(Message).where(Message.firm_id == firm_id, ~_is_under_way()))


def forget_left_firms(session: Session, now: dt.datetime) -> None:
    """Deadline: who has left and told it to everybody is erased; so is, years later, the evidence that the law wanted."""
    leaving = session.scalars(sa.select(LedgerHead.firm_id).where(LedgerHead.halt == LEAVING)).all()
    told = [firm_id for firm_id in leaving if not _has_to_tell(session, firm_id)]
    each_alone(session, told, lambda firm_id: erase_firm(session, firm_id))
    over = sa.select(LedgerHead).where(LedgerHead.halt == LEFT, LedgerHead.keep_until < clock.today())
    for head in session.scalars(over).all():
        _erase_evidence(session, head)


def forget_firm(session: Session, firm_id: str) -> dt.date | None:
    """The operator's word: a copy, or the copy of a firm that moved 90 days ago, goes at once; any other firm leaves.

    Returns until when evidence stays. Raises RuleBroken or Conflict with one sentence.
    """
    head = session.get_one(LedgerHead, firm_id)
    if head.halt == MOVED and not _is_long_gone(head, clock.now()):
        raise RuleBroken("Dieser Server zeigt Partnern noch 90 Tage den Weg.")
    if head.halt in (MOVED, COPY):
        erase_firm(session, firm_id)
    else:
        leave_for_good(session, firm_id, None)
    return head.keep_until


def forget_moved_firms(database: Database, config: Config) -> None:
    """Errand: where a firm moved 90 days ago is asked, once a day, whether it goes on there; then its copy here goes.

    Without that answer it stays: it might be the only one.
    """
    now = clock.now()
    with database.read() as session:
        heads = session.scalars(sa.select(LedgerHead).where(LedgerHead.halt == MOVED)).all()
        gone = [(head.firm_id, head.moved_to) for head in heads if head.moved_to and _is_long_gone(head, now)]
    for firm_id, node in gone:
        last = _asked.get((database.url, firm_id))
        if last is not None and last + ASK_EVERY > now:
            continue
        _asked[database.url, firm_id] = now
        if _goes_on_at(database, config, firm_id, node):
            with database.write() as session:
                erase_firm(session, firm_id)
            log.info("firm forgotten", firm_id=firm_id)


def erase_firm(session: Session, firm_id: str) -> None:
    """Rows, files, secrets and keys go; what stays says that records existed, and until its day what was signed."""
    _erase_rows(session, firm_id, KEPT_COMMITMENTS.keys())
    head = session.get_one(LedgerHead, firm_id, with_for_update=True, populate_existing=True)
    if head.halt == MOVED:
        head.keep_until = None  # its evidence lives at the new node
    head.halt, head.halted_at = LEFT, clock.now()
    session.execute(
        sa.update(LedgerEntry).where(LedgerEntry.firm_id == firm_id).values(counterpart=sa.null(), subject_id="")
    )
    _empty_row(session, firm_id)
    if head.keep_until is None:
        _erase_evidence(session, head)


def _erase_rows(session: Session, firm_id: str, kept: Collection[str]) -> None:
    """Every table that has rows of firms, what points to others first: a table that is added tomorrow is known here too."""
    session.flush()
    _overwrite_freed_pages(session)
    for table in reversed(Base.metadata.sorted_tables):
        if table.name not in kept and "firm_id" in table.c:
            session.execute(sa.delete(table).where(owner_column(table) == firm_id))
    session.expire_all()


def _empty_row(session: Session, firm_id: str) -> None:
    empty: dict[str, Any] = dict.fromkeys(
        ("name", "short_name", "legal_form", "register_court", "register_no", "vat_id", "street", "postcode", "town"),
        "",
    )
    session.execute(sa.update(Firm).where(Firm.id == firm_id).values(empty | {"two_person_above_cents": None}))


def _overwrite_freed_pages(session: Session) -> None:
    """Else SQLite would keep the words until somebody else's rows need the place."""
    if session.get_bind().dialect.name == "sqlite":
        session.connection().exec_driver_sql("PRAGMA secure_delete = ON")


def _erase_evidence(session: Session, head: LedgerHead) -> None:
    _overwrite_freed_pages(session)
    session.execute(sa.delete(LedgerEvidence).where(LedgerEvidence.firm_id == head.firm_id))
    head.keep_until = None


def _has_to_tell(session: Session, firm_id: str) -> bool:
    waiting = sa.select(Message.id).where(Message.firm_id == firm_id, Message.direction == "out")
    is_waiting = session.scalar(waiting.where(Message.state == "waiting").limit(1)) is not None
    return is_waiting or waiting_events(session, firm_id) > 0


def _is_under_way() -> sa.ColumnElement[bool]:
    return sa.and_(Message.direction == "out", Message.state == "waiting")


def _is_long_gone(head: LedgerHead, now: dt.datetime) -> bool:
    since = head.moved_at or head.halted_at
    return since is not None and since + FORWARDS_FOR < now


def _goes_on_at(database: Database, config: Config, firm_id: str, node: str) -> bool:
    """Whether that node shows by a key document that the firm's log goes on there."""
    with database.read() as session:
        address = session.get_one(Firm, firm_id).address
    try:
        document = json.loads(asyncio.run(_document_at(config, node, address)))
    except (ValueError, RecursionError):
        return False
    with database.read() as session:
        return goes_on_in(session, firm_id, document)


async def _document_at(config: Config, node: str, address: str) -> bytes:
    url = f"{base_url(node, config.federation_test_nodes)}/.well-known/werkring/{address}.json"
    try:
        async with courier(config.federation_test_nodes) as post:
            answer = await post.send("GET", url, {}, most_bytes=MOST_DOCUMENT_BYTES)
    except Unreachable:
        return b""
    return answer.body if answer.status == 200 else b""
