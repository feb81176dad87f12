"""The page Prüfen (S45): anybody checks an evidence file, without an account and without leaving it here."""

import re
from functools import partial

from flask import Blueprint, Response, request
from flask_babel import get_locale
from sqlalchemy.orm import Session

from app.core.db import Database
from app.core.errors import RuleBroken
from app.firms.access import Actor
from app.notary.checking import Checked, Uploads, check_files
from app.notary.queries import pdf_certificate
from app.notary.rules import CHECK_COMMAND, CHECK_PATH
from app.web.forms import Form
from app.web.limits import CHECK, limiter
from app.web.render import render
from app.web.transaction import PUBLIC, ceremony, page
from app.web.world import config

room = Blueprint("notary", __name__)
MOST_BYTES = 500_000
"""Up to here werkzeug keeps an upload in memory; a larger one would touch the disk."""
DIGEST = re.compile(r"0x[0-9a-f]{64}")
MOST_LINES = 64


@room.get(CHECK_PATH)
@page(PUBLIC)
def check(_session: Session, _actor: Actor | None) -> Response:
    """S45: choose a file; a printed agreement brings its digest along, a booking its line."""
    return _show(Form(request.args), None)


@room.post(CHECK_PATH)
@limiter.limit(CHECK)
@ceremony(PUBLIC, most_bytes=MOST_BYTES)
def check_file(database: Database, _actor: Actor | None) -> Response:
    """The answer comes with this very page: nothing is kept that a page after it could show."""
    form = Form(request.form)
    uploads = Uploads(**{name: _upload(name) for name in Uploads.__dataclass_fields__})
    try:
        with database.read() as session:
            checked = check_files(
                uploads,
                _digest(form),
                is_practice_allowed=config().is_practice,
                certificate_of=partial(pdf_certificate, session),
            )
    except RuleBroken as error:
        form.add_error(error)
        return _show(form, None, 422)
    return _show(form, checked)


def _upload(name: str) -> bytes:
    file = request.files.get(name)
    return b"" if file is None else file.read()


def _show(form: Form, checked: Checked | None, status: int = 200) -> Response:
    is_german = str(get_locale() or "de").startswith("de")
    line = Form(form.fields).whole("zeile", 1, MOST_LINES) or 0
    return render(
        "notary/check.html",
        status,
        form=form,
        checked=checked,
        digest=_digest(form),
        line=line,
        command=CHECK_COMMAND,
        word="german" if is_german else "english",
    )


def _digest(form: Form) -> str:
    found = form.value("eintrag")
    return found if DIGEST.fullmatch(found) else ""
