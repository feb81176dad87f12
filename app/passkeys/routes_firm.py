"""Setting up a firm: its facts, the first passkey, the confirmation of its log."""

from flask import Response, redirect, request, url_for
from flask_babel import get_locale
from sqlalchemy.orm import Session

from app.core.db import Database
from app.core.errors import NotFound, RuleBroken
from app.firms.access import Actor
from app.firms.routes import FORM_CHIPS, read_firm
from app.firms.rules import short_name_for
from app.notary.documents import open_draft
from app.passkeys.ceremony import (
    creation_options,
    new_user_handle,
    open_passkey,
    request_options,
    verify_answer,
    verify_new_passkey,
)  # fmt: skip
from app.passkeys.challenges import challenge_in, new_challenge, set_browser_cookie, take_challenge
from app.passkeys.door import (
    next_answer,
    options_answer,
    posted_credential,
    room,
    this_browser,
    this_device,
    url_after,
)  # fmt: skip
from app.passkeys.founding import (
    Founder,
    draft_fields,
    draft_for,
    draft_in,
    facts_of,
    found_firm,
    founder_of,
    plan_ledger,
    renew_ledger_if_taken,
    save_draft,
)  # fmt: skip
from app.passkeys.models import FoundingDraft
from app.passkeys.rules import is_local_path
from app.passkeys.sessions import end_own_sign_in, start_sign_in
from app.web.forms import Form
from app.web.limits import FOUND, SIGN_IN, limiter
from app.web.render import render
from app.web.transaction import PUBLIC, ceremony, deed, page
from app.web.world import config

CLOSED = "Hier können gerade keine neuen Betriebe anfangen."


@room.get("/betrieb/neu")
@page(PUBLIC)
def new_firm(session: Session, _actor: Actor | None) -> Response:
    """The facts of a new firm, filled again from the draft of this browser."""
    if not config().firms_may_join:
        return render("passkeys/closed.html", 403)
    fields = draft_fields(draft_in(session, this_browser()))
    return _facts_page(Form(fields | {"weiter": request.args.get("weiter", "")}), 200)


@room.post("/betrieb/neu")
@limiter.limit(SIGN_IN)
@deed(PUBLIC)
def save_new_firm(session: Session, _actor: Actor | None) -> Response:
    _check_open()
    form, browser = _form(), this_browser()
    facts = read_firm(form)
    founder = Founder(
        form.text("person_name", "Schreib deinen Namen."),
        form.mail("email", "Schreib deine E-Mail-Adresse."),
        str(get_locale() or "de"),
    )
    next_url = form.value("weiter") if is_local_path(form.value("weiter")) else ""
    if form.is_good:
        try:
            save_draft(session, browser, facts, founder, next_url[:200])
            return set_browser_cookie(redirect(url_for("passkeys.first_passkey"), 303), browser)  # type: ignore[arg-type]
        except RuleBroken as error:
            form.add_error(error)
    return _facts_page(form, 422)


@room.get("/betrieb/neu/schluessel")
@page(PUBLIC)
def first_passkey(session: Session, _actor: Actor | None) -> Response:
    """S03 for the first manager."""
    draft = draft_in(session, this_browser())
    if draft is None:
        return redirect(url_for("passkeys.new_firm"))  # type: ignore[return-value]
    return render("passkeys/first_passkey.html", firm_name=draft.facts["name"])


@room.post("/betrieb/neu/schluessel/optionen")
@limiter.limit(FOUND)
@ceremony(PUBLIC)
def begin_first_passkey(database: Database, _actor: Actor | None) -> Response:
    _check_open()
    browser, handle = this_browser(), new_user_handle()
    with database.write() as session:
        draft = draft_for(session, browser)
        challenge = new_challenge(session, "found", browser, detail={"handle": handle})
    return options_answer(creation_options(challenge, handle, draft.facts["person_name"]), browser)


@room.post("/betrieb/neu/schluessel")
@limiter.limit(FOUND)
@ceremony(PUBLIC)
def finish_first_passkey(database: Database, _actor: Actor | None) -> Response:
    """Keep the passkey and the ledger that it will begin; the firm does not exist yet."""
    credential, browser = posted_credential(), this_browser()
    challenge = challenge_in(credential)
    with database.write() as session:
        detail = take_challenge(session, "found", browser, challenge)
    new = verify_new_passkey(credential, challenge, detail["handle"])
    with database.write() as session:
        draft = draft_for(session, browser)
        draft.passkey = new.to_body()
        draft.ledger = plan_ledger(session, config(), facts_of(draft), new).to_body()
    return next_answer(url_for("passkeys.confirm_firm"))


@room.get("/betrieb/neu/bestaetigen")
@page(PUBLIC)
def confirm_firm(session: Session, _actor: Actor | None) -> Response:
    """The text of the first record, to be approved with the new passkey."""
    draft = draft_in(session, this_browser())
    if draft is None or not draft.ledger:
        return redirect(url_for("passkeys.new_firm"))  # type: ignore[return-value]
    return render("passkeys/confirm_firm.html", text=draft.ledger["text"], firm_name=draft.facts["name"])


@room.post("/betrieb/neu/bestaetigen/optionen")
@limiter.limit(FOUND)
@ceremony(PUBLIC)
def begin_founding(database: Database, _actor: Actor | None) -> Response:
    browser = this_browser()
    with database.write() as session:
        draft = _planned_draft(session, browser)
        digest = new_challenge(session, "genesis", browser, value=open_draft(draft.ledger).digest)
    return options_answer(request_options(digest, [draft.passkey["credential_id"]]), browser)


@room.post("/betrieb/neu/bestaetigen")
@limiter.limit(FOUND)
@ceremony(PUBLIC)
def finish_founding(database: Database, _actor: Actor | None) -> Response:
    """One transaction makes the firm; the checkpoint of its log is signed before this answers."""
    _check_open()
    credential, browser = posted_credential(), this_browser()
    digest = challenge_in(credential)
    with database.write() as session:
        take_challenge(session, "genesis", browser, digest)
        draft = _planned_draft(session, browser)
        is_renewed = renew_ledger_if_taken(session, config(), draft)
    passkey, ledger = open_passkey(draft.passkey), open_draft(draft.ledger)
    answer = verify_answer(credential, digest, passkey.public_key, passkey.user_handle, needs_handle=False)
    if is_renewed or ledger.digest != digest:
        raise RuleBroken("Der Text hat sich geändert. Lade die Seite neu.")
    with database.write() as session:
        end_own_sign_in(session)
        founded = found_firm(
            session, config(), facts_of(draft), founder_of(draft), passkey, ledger, answer.parts(), this_device()
        )
        session.delete(draft_for(session, browser))
        new = start_sign_in(session, founded.firm_id, founded.person_id, this_device(), has_passkey=True)
    after = url_after(draft.next_url) if draft.next_url else url_for("passkeys.recovery_sheet")
    return next_answer(after, new.secret)


def _planned_draft(session: Session, browser: str) -> FoundingDraft:
    """The draft with its ledger: whoever typed other facts since makes a new passkey first."""
    draft = draft_for(session, browser)
    if not draft.ledger:
        raise NotFound("Fang bitte noch einmal an. Deine Angaben sind zu alt.")
    return draft


def _form() -> Form:
    form = Form(request.form.copy())
    if not form.value("short_name").strip():
        form.fields["short_name"] = short_name_for(form.value("name"))
    return form


def _facts_page(form: Form, status: int) -> Response:
    return render("passkeys/new_firm.html", status, form=form, legal_form_options=FORM_CHIPS)


def _check_open() -> None:
    if not config().firms_may_join:
        raise RuleBroken(CLOSED)
