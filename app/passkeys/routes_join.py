"""Joining by QR: who invites, language, install step on iPhones, passkey or none (S02, S03, S04)."""

import structlog
from flask import Response, redirect, request, url_for
from sqlalchemy.orm import Session

from app.core.db import Database
from app.core.errors import NotFound, RuleBroken
from app.firms.access import Actor
from app.passkeys.actions import invitation_code, join_with_passkey, join_without_passkey, show_code
from app.passkeys.ceremony import creation_options, new_user_handle, verify_new_passkey
from app.passkeys.challenges import challenge_in, new_challenge, take_challenge
from app.passkeys.door import next_answer, options_answer, posted_credential, room, this_browser, this_device, url_home
from app.passkeys.models import JoinInvitation
from app.passkeys.queries import Invited, invitation_by, usable_passkeys
from app.passkeys.rules import is_iphone, is_worker_only
from app.passkeys.sessions import end_own_sign_in, set_cookie
from app.web.cookies import kept_look
from app.web.limits import CODE, limiter
from app.web.render import go_to, render, set_look
from app.web.transaction import PUBLIC, ceremony, deed, page

log = structlog.get_logger()
LANGUAGES = {"de": "Deutsch", "en": "English"}


@room.get("/willkommen/<token>")
@limiter.limit(CODE)
@page(PUBLIC)
def welcome(session: Session, _actor: Actor | None, token: str) -> Response:
    """S02: who invites whom."""
    invited = _invited(session, token)
    if invited is None:
        return _gone()
    return render("passkeys/welcome.html", invited=invited, token=token, is_device=invited.kind == "device")


@room.get("/willkommen/<token>/nein")
@page(PUBLIC)
def not_me(_session: Session, _actor: Actor | None, token: str) -> Response:
    return render("passkeys/not_me.html", token=token)


@room.get("/willkommen/<token>/sprache")
@limiter.limit(CODE)
@page(PUBLIC)
def choose_language(session: Session, _actor: Actor | None, token: str) -> Response:
    if _invited(session, token) is None:
        return _gone()
    return render("passkeys/language.html", token=token, languages=LANGUAGES)


@room.post("/willkommen/<token>/sprache")
@limiter.limit(CODE)
@deed(PUBLIC)
def save_language(session: Session, _actor: Actor | None, token: str) -> Response:
    """Keep the language on this phone; an iPhone installs the app before it makes a passkey."""
    invited = _invited(session, token)
    if invited is None:
        return _gone()
    needs_app = is_iphone(request.headers.get("User-Agent", "")) and not invited.has_app
    if needs_app:
        show_code(session, invited)
    step = "passkeys.install_first" if needs_app else "passkeys.set_up"
    response = redirect(url_for(step, token=token), 303)
    wanted = request.form.get("language", "")
    if wanted in LANGUAGES:
        set_look(response, "language", wanted)  # type: ignore[arg-type]
    return response  # type: ignore[return-value]


@room.get("/app")
@page(PUBLIC)
def install(_session: Session, _actor: Actor | None) -> Response:
    """S04 for people who are in already."""
    return render("passkeys/install.html", token="", code="")


@room.get("/willkommen/<token>/app")
@limiter.limit(CODE)
@page(PUBLIC)
def install_first(session: Session, _actor: Actor | None, token: str) -> Response:
    """S04: three steps for this phone, and the code that the installed app asks for."""
    invited = _invited(session, token)
    if invited is None:
        return _gone()
    row = session.get_one(JoinInvitation, (invited.firm_id, invited.id))
    return render("passkeys/install.html", token=token, code=invitation_code(session, row))


@room.post("/willkommen/<token>/code")
@limiter.limit(CODE)
@deed(PUBLIC)
def renew_code(session: Session, _actor: Actor | None, token: str) -> Response:
    """The code ran out before the app was there."""
    invited = _invited(session, token)
    if invited is None:
        return _gone()
    show_code(session, invited)
    return redirect(url_for("passkeys.install_first", token=token), 303)  # type: ignore[return-value]


@room.get("/willkommen/<token>/anmelden")
@limiter.limit(CODE)
@page(PUBLIC)
def set_up(session: Session, _actor: Actor | None, token: str) -> Response:
    """S03: the passkey; a worker's phone without screen lock may do without."""
    invited = _invited(session, token)
    if invited is None:
        return _gone()
    return render(
        "passkeys/set_up.html", invited=invited, token=token, may_do_without=is_worker_only(invited.roles), error=""
    )


@room.post("/willkommen/<token>/optionen")
@limiter.limit(CODE)
@ceremony(PUBLIC)
def begin_joining(database: Database, _actor: Actor | None, token: str) -> Response:
    browser = this_browser()
    with database.write() as session:
        invited = invitation_by(session, token)
        if invited.waits_for_second:
            raise RuleBroken("Eine zweite Person muss noch zustimmen. Bitte sie darum.")
        known = usable_passkeys(session, invited.firm_id, invited.person_id) if invited.person_id else ()
        handle = known[0].user_handle if known else new_user_handle()
        challenge = new_challenge(
            session,
            "join",
            browser,
            firm_id=invited.firm_id,
            document=("invitation", invited.id),
            detail={"handle": handle},
        )
    return options_answer(
        creation_options(challenge, handle, invited.name, [key.credential_id for key in known]), browser
    )


@room.post("/willkommen/<token>/anmelden")
@limiter.limit(CODE)
@ceremony(PUBLIC)
def finish_joining(database: Database, _actor: Actor | None, token: str) -> Response:
    credential = posted_credential()
    challenge = challenge_in(credential)
    with database.write() as session:
        invited = invitation_by(session, token)
        detail = take_challenge(
            session, "join", this_browser(), challenge, firm_id=invited.firm_id, document=("invitation", invited.id)
        )
    new = verify_new_passkey(credential, challenge, detail["handle"])
    with database.write() as session:
        end_own_sign_in(session)
        invited = invitation_by(session, token)
        signed_in, _ = join_with_passkey(session, invited, new, this_device(), _language())
    return next_answer(url_home(), signed_in.secret, "Geschafft. Ab jetzt reicht dein Fingerabdruck.")


@room.post("/willkommen/<token>/ohne")
@limiter.limit(CODE)
@deed(PUBLIC)
def join_without(session: Session, _actor: Actor | None, token: str) -> Response:
    """ "Ohne weiter": a sign-in bound to this device, with worker rights."""
    invited = _invited(session, token)
    if invited is None:
        return _gone()
    try:
        end_own_sign_in(session)
        new = join_without_passkey(session, invited, this_device(), _language())
    except RuleBroken as error:
        return render("passkeys/set_up.html", 422, invited=invited, token=token, may_do_without=False, error=error)
    return set_cookie(go_to(url_home(), "Geschafft. Dieses Handy kennt dich jetzt."), new.secret)


def _invited(session: Session, token: str) -> Invited | None:
    try:
        return invitation_by(session, token)
    except NotFound:
        return None


def _gone() -> Response:
    """One answer for unknown, used and expired invitations."""
    log.warning("invitation refused")
    return render("passkeys/gone.html", 404)


def _language() -> str:
    wanted = kept_look("language")
    return wanted if wanted in LANGUAGES else "de"
