"""Alle Daten mitnehmen: a manager confirms it, writes down 24 words, and gets the archive. And leaving for good."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO

from flask import Blueprint, Response
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import NotFound
from app.core.ids import new_id
from app.core.units import BERLIN
from app.firms.access import Actor
from app.firms.queries import firm_of
from app.moving.documents import (
    EXPORT,
    LEAVE,
    confirmed_key,
    export_digest,
    export_text,
    leave_digest,
    leave_text,
)
from app.moving.exporting import write_archive
from app.moving.forgetting import what_is_owed
from app.notary.transfer import words_of
from app.passkeys.approvals import shown_digest
from app.web.limits import PROOFS, paced
from app.web.render import render
from app.web.transaction import page
from app.web.world import config, world

room = Blueprint("moving", __name__)
PART_BYTES = 256 * 1024


@room.get("/betrieb/mitnehmen")
@page("firm.export")
def show(session: Session, actor: Actor) -> Response:
    """What is inside, and the text to confirm."""
    if config().is_practice:
        raise NotFound
    export_id = new_id()
    text = export_text(session, actor, export_id)
    return render(
        "moving/show.html", kind=EXPORT, export_id=export_id, text=text, digest=shown_digest(export_digest(text))
    )


@room.get("/betrieb/verlassen")
@page("firm.export")
def leave(session: Session, actor: Actor) -> Response:
    """What goes, what stays, and the text to confirm; or what binds the firm."""
    if config().is_practice:
        raise NotFound
    leave_id = new_id()
    text = leave_text(session, actor, leave_id)
    return render(
        "moving/leave.html", kind=LEAVE, leave_id=leave_id, text=text, digest=shown_digest(leave_digest(text)),
        owed=what_is_owed(session, actor.firm_id),
    )  # fmt: skip


@room.get("/betrieb/mitnehmen/<export_id>")
@page("firm.export")
def archive(session: Session, actor: Actor, export_id: str) -> Response:
    """The words and the archive, for an hour after the passkey and for this person alone."""
    words = words_of(confirmed_key(session, actor, export_id)).split()
    return render("moving/archive.html", export_id=export_id, words=words)


@room.get("/betrieb/mitnehmen/<export_id>/archiv")
@paced(PROOFS)
@page("firm.export")
def download(session: Session, actor: Actor, export_id: str) -> Response:
    """The archive as a file: a copy, which goes on nowhere."""
    settings = config()
    transfer_key = confirmed_key(session, actor, export_id)
    handle = firm_of(session, actor.firm_id).address.partition("@")[0]
    with ExitStack() as ends:
        file = ends.enter_context(tempfile.TemporaryFile(dir=settings.data_dir))
        node = settings.node
        write_archive(world().database(), actor.firm_id, file, transfer_key, settings.data_dir, node=node)
        ends.pop_all()  # from here on the file ends with the answer
    name = f"werkring-{handle}-{clock.now().astimezone(BERLIN):%Y-%m-%d}.tar.gz"
    headers = {"Content-Length": str(file.tell()), "Content-Disposition": f'attachment; filename="{name}"'}
    response = Response(_read_out(file), mimetype="application/gzip", headers=headers)
    response.call_on_close(file.close)
    return response


def _read_out(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while part := file.read(PART_BYTES):
            yield part
