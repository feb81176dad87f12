"""The printed recovery key: shown until it is on paper, typed in when every passkey of a manager is lost."""

import segno
import structlog
from flask import Response, request, url_for
from sqlalchemy.orm import Session

from app.core.db import Database
from app.core.errors import NotFound, RuleBroken
from app.firms.access import Actor
from app.firms.actions import note_event
from app.firms.queries import firm_of
from app.notary.queries import firm_by_recovery_words, recovery_words
from app.passkeys.actions import add_passkey, lock_passkey
from app.passkeys.ceremony import NewPasskey, creation_options, new_user_handle, verify_new_passkey
from app.passkeys.challenges import challenge_in, new_challenge, take_challenge
from app.passkeys.door import (
    json_body,
    next_answer,
    options_answer,
    posted_credential,
    room,
    this_browser,
    this_device,
    url_home,
)  # fmt: skip
from app.passkeys.founding import confirm_recovery_sheet
from app.passkeys.key_records import append_by_recovery_key, register_record, revoke_record
from app.passkeys.queries import managers, usable_passkeys
from app.passkeys.sessions import NewSignIn, end_own_sign_in, start_sign_in
from app.web.forms import Form
from app.web.limits import CODE, limiter
from app.web.render import go_to, render
from app.web.transaction import PUBLIC, ceremony, deed, page

log = structlog.get_logger()
WRONG_WORDS = "Diese Wörter stimmen nicht. Vergleiche sie mit dem Blatt."


@room.get("/notfall/schluessel")
@page("keys.edit")
def recovery_sheet(session: Session, actor: Actor) -> Response:
    """The recovery key as words and QR, until somebody confirms that it is on paper."""
    words = recovery_words(session, actor.firm_id)
    if words is None:
        return render("passkeys/recovery_done.html", printed_at=firm_of(session, actor.firm_id).recovery_printed_at)
    matrix = segno.make(words, error="m", micro=False).matrix
    return render(
        "passkeys/recovery_sheet.html",
        words=words.split(),
        matrix=matrix,
        framed=len(matrix) + 8,
        firm=firm_of(session, actor.firm_id),
    )


@room.post("/notfall/schluessel/gedruckt")
@deed("keys.edit")
def confirm_print(session: Session, actor: Actor) -> Response:
    confirm_recovery_sheet(session, actor.firm_id)
    note_event(session, actor.firm_id, actor.person_id, "recovery_printed", "firm", actor.firm_id)
    return go_to(url_for("firms.tasks"), receipt="Gut. Leg das Blatt an einen sicheren Ort.")


@room.get("/notfall")
@page(PUBLIC)
def emergency(_session: Session, _actor: Actor | None) -> Response:
    """What to do with a lost phone; the words of the sheet."""
    return render("passkeys/emergency.html", form=Form())


@room.post("/notfall")
@limiter.limit(CODE)
@ceremony(PUBLIC)
def enter_words(database: Database, _actor: Actor | None) -> Response:
    """Choose which manager gets a new passkey.

    The words stay in the page and come again with each step: they are written down nowhere, so this POST answers itself.
    """
    form = Form(request.form)
    words = form.long_text("words", "Schreib die 24 Wörter vom Blatt ab.", 400)
    with database.read() as session:
        found = firm_by_recovery_words(session, words) if words else None
        if found is None:
            log.warning("recovery words refused")
            if form.is_good:
                form.add_error(RuleBroken(WRONG_WORDS, "words"))
            return render("passkeys/emergency.html", 422, form=form)
        people = [(person.id, person.name) for person in managers(session, found[0])]
        return render("passkeys/recover.html", words=words, people=people, firm_name=firm_of(session, found[0]).name)


@room.post("/notfall/optionen")
@limiter.limit(CODE)
@ceremony(PUBLIC)
def begin_recovery(database: Database, _actor: Actor | None) -> Response:
    browser = this_browser()
    with database.write() as session:
        firm_id, _seed, person_id, name = _recovering(session)
        handle = new_user_handle()
        challenge = new_challenge(
            session, "recover", browser, firm_id=firm_id, person_id=person_id, detail={"handle": handle}
        )
    return options_answer(creation_options(challenge, handle, name), browser)


@room.post("/notfall/pruefen")
@limiter.limit(CODE)
@ceremony(PUBLIC)
def finish_recovery(database: Database, _actor: Actor | None) -> Response:
    credential = posted_credential()
    challenge = challenge_in(credential)
    with database.write() as session:
        firm_id, seed, person_id, _ = _recovering(session)
        detail = take_challenge(session, "recover", this_browser(), challenge, firm_id=firm_id, person_id=person_id)
    new = verify_new_passkey(credential, challenge, detail["handle"])
    with database.write() as session:
        end_own_sign_in(session)
        signed_in = recover_person(session, firm_id, person_id, new, seed, this_device())
    return next_answer(url_home(), signed_in.secret, "Geschafft. Deine alten Schlüssel sind gesperrt.")


def recover_person(
    session: Session, firm_id: str, person_id: str, new: NewPasskey, seed: bytes, device: str
) -> NewSignIn:
    """Lock all passkeys of a manager and give a new one, each step a record approved by the recovery key."""
    for old in usable_passkeys(session, firm_id, person_id):
        lock_passkey(session, old)
        if old.is_registered:
            append_by_recovery_key(session, old, revoke_record(session, old), seed)
    passkey = add_passkey(session, firm_id, person_id, new, device)
    append_by_recovery_key(session, passkey, register_record(session, passkey), seed)
    confirm_recovery_sheet(session, firm_id)
    note_event(session, firm_id, person_id, "recovered", "person", person_id)
    return start_sign_in(session, firm_id, person_id, device, has_passkey=True)


def _recovering(session: Session) -> tuple[str, bytes, str, str]:
    """Firm, seed, person and name of a recovery, from the posted words and choice; raises RuleBroken."""
    body = json_body()
    words, wanted = body.get("words"), body.get("person_id")
    found = firm_by_recovery_words(session, words[:400]) if isinstance(words, str) else None
    if found is None:
        raise RuleBroken(WRONG_WORDS)
    for person in managers(session, found[0]):
        if person.id == wanted:
            return found[0], found[1], person.id, person.name
    raise NotFound
