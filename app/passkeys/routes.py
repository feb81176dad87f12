"""Signing in and out, changing the view, and approving documents (S07)."""

import structlog
from flask import Response, redirect, request, url_for
from flask_babel import lazy_gettext
from sqlalchemy.orm import Session

from app.core.db import Database
from app.core.errors import NotFound, RuleBroken
from app.firms.access import Actor, Role
from app.firms.protocol import add_sentences
from app.firms.queries import roles_of
from app.passkeys import approvals, routes_devices, routes_firm, routes_join, routes_keys, routes_recovery  # noqa: F401
from app.passkeys.actions import end_access, renew_sign_ins, sign_in, sign_out, use_code
from app.passkeys.ceremony import WRONG, credential_id_in, request_options, verify_answer
from app.passkeys.challenges import challenge_in, new_challenge, take_challenge
from app.passkeys.door import (
    json_body,
    next_answer,
    options_answer,
    posted_credential,
    room,
    this_browser,
    this_device,
    url_after,
    url_home,
)  # fmt: skip
from app.passkeys.queries import key_by_credential, usable_passkeys
from app.passkeys.rules import cleaned_code
from app.passkeys.sessions import change_view, clear_cookie, end_own_sign_in, set_cookie
from app.web.forms import Form
from app.web.limits import CODE, CODE_FAILURES, SIGN_IN, limiter
from app.web.render import go_to, render
from app.web.transaction import PUBLIC, ceremony, deed, page
from app.web.world import config

log = structlog.get_logger()


@room.get("/anmelden", endpoint="sign_in")
@page(PUBLIC)
def sign_in_page(_session: Session, actor: Actor | None) -> Response:
    """S07: the passkey, or the code for a freshly installed app."""
    if actor is not None:
        return redirect(url_after(request.args.get("weiter")))  # type: ignore[return-value]
    return render(
        "passkeys/sign_in.html", wanted=request.args.get("weiter", ""), firms_may_join=config().firms_may_join
    )


@room.post("/anmelden/optionen")
@limiter.limit(SIGN_IN)
@ceremony(PUBLIC)
def begin_sign_in(database: Database, _actor: Actor | None) -> Response:
    browser = this_browser()
    with database.write() as session:
        challenge = new_challenge(session, "sign_in", browser)
    return options_answer(request_options(challenge), browser)


@room.post("/anmelden/pruefen")
@limiter.limit(SIGN_IN)
@ceremony(PUBLIC)
def finish_sign_in(database: Database, _actor: Actor | None) -> Response:
    credential, wanted = posted_credential(), json_body().get("weiter")
    challenge = challenge_in(credential)
    with database.write() as session:
        take_challenge(session, "sign_in", this_browser(), challenge)
    with database.read() as session:
        passkey = key_by_credential(session, credential_id_in(credential))
    if passkey is None:
        raise RuleBroken(WRONG)
    answer = verify_answer(credential, challenge, passkey.public_key, passkey.user_handle, needs_handle=True)
    with database.write() as session:
        end_own_sign_in(session)
        new = sign_in(session, passkey.firm_id, passkey.id, answer, this_device())
    return next_answer(url_after(wanted), new.secret)


@room.get("/anmelden/code")
@page(PUBLIC)
def enter_code(_session: Session, _actor: Actor | None) -> Response:
    """The six characters that a freshly installed iPhone app asks for."""
    return render("passkeys/code.html", form=Form())


@room.post("/anmelden/code")
@limiter.limit(CODE)
@limiter.limit(CODE_FAILURES, key_func=lambda: "node", deduct_when=lambda response: response.status_code >= 400)
@deed(PUBLIC)
def check_code(session: Session, _actor: Actor | None) -> Response:
    """Exchange the code for the invitation itself: the six characters open nothing but this."""
    form = Form(request.form)
    code = cleaned_code(form.text("code", "Gib den Code ein. Er hat 6 Zeichen."))
    if form.is_good:
        try:
            token = use_code(session, code)
            return redirect(url_for("passkeys.welcome", token=token), 303)  # type: ignore[return-value]
        except NotFound:
            log.warning("code refused")
            form.add_error(RuleBroken("Dieser Code gilt nicht. Hol im Browser einen neuen.", "code"))
    return render("passkeys/code.html", 422, form=form)


@room.post("/abmelden", endpoint="sign_out")
@deed("own.use")
def sign_out_here(session: Session, actor: Actor) -> Response:
    """Sign this device out and wipe what the pages stored on it."""
    sign_out(session, actor, actor.session_id)
    return clear_cookie(redirect(url_home(), 303))  # type: ignore[arg-type]


@room.post("/rolle")
@deed("own.use")
def switch_role(session: Session, actor: Actor) -> Response:
    """Go on in another of one's own roles, with a new secret in the cookie."""
    wanted = request.form.get("role", "")
    if wanted not in actor.roles:
        raise RuleBroken("Diese Aufgabe hast du nicht.")
    new = change_view(session, actor, Role(wanted))
    return set_cookie(redirect(url_home(), 303), new.secret)  # type: ignore[arg-type]


@room.post("/unterschrift/<kind>/<document_id>/optionen")
@ceremony("own.use")
def begin_approval(database: Database, actor: Actor, kind: str, document_id: str) -> Response:
    browser = this_browser()
    shown = request.args.get("shown", "")
    return options_answer(approvals.begin(database, actor, kind, document_id, browser, shown), browser)


@room.post("/unterschrift/<kind>/<document_id>")
@ceremony("own.use")
def finish_approval(database: Database, actor: Actor, kind: str, document_id: str) -> Response:
    url, receipt = approvals.finish(database, actor, kind, document_id, this_browser(), posted_credential())
    return next_answer(url, receipt=receipt)


add_sentences(
    {
        "person_invited": ("user-plus", lazy_gettext("Eine Person ist eingeladen.")),
        "device_invited": ("qr-code", lazy_gettext("%(object)s bekommt ein neues Handy.")),
        "device_approved": ("user-check", lazy_gettext("Das neue Handy von %(object)s ist bestätigt.")),
        "passkey_added": ("fingerprint", lazy_gettext("%(object)s hat einen neuen Schlüssel.")),
        "passkey_revoked": ("ban", lazy_gettext("Ein Schlüssel von %(object)s ist gesperrt.")),
        "key_registered": ("key-round", lazy_gettext("Der Schlüssel von %(object)s darf unterschreiben.")),
        "key_rotated": ("key-round", lazy_gettext("Ein Schlüssel des Betriebs ist neu.")),
        "recovery_printed": ("printer", lazy_gettext("Der Notfallschlüssel ist gedruckt.")),
        "recovered": ("triangle-alert", lazy_gettext("%(object)s kam mit dem Notfallschlüssel herein.")),
    }
)


def _end_devices(session: Session, actor: Actor, person_id: str) -> None:
    end_access(session, actor.firm_id, person_id)


def _follow_roles(
    session: Session, actor: Actor, person_id: str, before: frozenset[Role], response: Response
) -> Response:
    """After somebody's roles changed: sign-ins with more rights begin anew, and the ledger hears of a former manager."""
    now = roles_of(session, actor.firm_id, person_id)
    is_own = person_id == actor.person_id
    if now - before:
        renew_sign_ins(session, actor.firm_id, person_id, but=actor.session_id if is_own else "")
    if not is_own and Role.MANAGER in before - now:
        keys = [key for key in usable_passkeys(session, actor.firm_id, person_id) if key.is_registered]
        if keys:
            url = url_for("passkeys.approve_key", passkey_id=keys[0].id)
            return go_to(url, receipt="Gemerkt. Bestätige noch die Sperre.")
    return (
        set_cookie(response, change_view(session, actor, actor.role).secret) if is_own and now != before else response
    )


# the room below lets people leave and change and lists what is to do; what becomes of devices and keys is decided here
room.record(
    lambda setup: setup.app.extensions.update(
        end_devices=_end_devices, follow_roles=_follow_roles, key_hints=routes_devices.key_hints
    )
)
