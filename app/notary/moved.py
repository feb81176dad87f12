"""Where a firm lives now: its log key's word for its node, which partners believe and nobody else's."""

import datetime as dt
import re
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.prepared import Prepared
from app.notary.keys import log_signer
from app.notary.models import LedgerHead, table_of
from app.notary.rings import verify_key_document
from ledger import checkpoint
from ledger import note as notes
from ledger.errors import VerificationError

TITLE = "werkring moved v1"
NODE = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*(:[0-9]{2,5})?")
LONGEST_NODE = 120
LATEST_S = 2**36
_HEAD = table_of(LedgerHead)
_HOME = Prepared(sa.select(_HEAD.c.moved_to, _HEAD.c.moved_at).where(_HEAD.c.firm_id == sa.bindparam("firm")))


class Home(NamedTuple):
    """The node where a firm lives, and since when."""

    node: str
    at: dt.datetime


def is_node(text: str) -> bool:
    """Whether this is host[:port] of a node."""
    return len(text) <= LONGEST_NODE and NODE.fullmatch(text) is not None


def name_new_home(session: Session, firm_id: str, node: str) -> None:
    """From now on our key document names this node."""
    head = session.get_one(LedgerHead, firm_id)
    head.moved_to, head.moved_at = node, clock.now().replace(microsecond=0)
    session.flush()


def new_home(session: Session, firm_id: str) -> Home | None:
    """Where a firm moved to, here or from here; None for one that never did."""
    session.flush()
    row = _HOME.row(session.connection(), firm=firm_id)
    return Home(row.moved_to, row.moved_at) if row is not None and row.moved_at is not None else None


def moved_note(session: Session, firm_id: str) -> str:
    """A signed note of four lines: title, log, node, Unix seconds. '' for a firm that never moved."""
    home = new_home(session, firm_id)
    if home is None:
        return ""
    signer = log_signer(session, firm_id)
    return notes.sign(f"{TITLE}\n{signer.verifier.name}\n{home.node}\n{int(home.at.timestamp())}\n", signer)


def home_in(note: object, known: dict[str, Any]) -> Home:
    """What a moved note says, by the log key of the key document that we know; raises VerificationError."""
    if type(note) is not str:
        raise VerificationError("no note about a move")
    keys = verify_key_document(known)
    size = checkpoint.parse(notes.parse(known["checkpoint"]).text).size
    notes.open(note, [keys.log_key(size).vkey])
    lines = notes.parse(note).text.split("\n")
    if len(lines) != 5 or lines[:2] != [TITLE, keys.origin] or lines[4] or not is_node(lines[2]):
        raise VerificationError("not a note about a move")
    if not re.fullmatch(r"[1-9][0-9]{0,10}", lines[3]) or int(lines[3]) > LATEST_S:
        raise VerificationError("not a note about a move")
    return Home(lines[2], dt.datetime.fromtimestamp(int(lines[3]), dt.UTC))
