"""Devices, passkeys and invitations of the firm (S46)."""

import segno
from flask import Response, redirect, request, url_for
from flask_babel import gettext, ngettext
from sqlalchemy.orm import Session

from app.core.db import Database
from app.core.errors import NotFound, RuleBroken
from app.firms.access import Actor, Role, may
from app.firms.queries import people_with_roles, person_for
from app.firms.routes import ROLE_NAMES
from app.firms.rules import roles_to_invite
from app.firms.two_person import rule_change_to_approve
from app.passkeys.actions import (
    add_passkey,
    approve_device,
    check_presence,
    invitation_token,
    invite_device,
    invite_person,
    revoke_passkey,
    sign_out,
    sign_out_person,
)  # fmt: skip
from app.passkeys.approvals import shown_digest
from app.passkeys.ceremony import creation_options, new_user_handle, verify_new_passkey
from app.passkeys.challenges import challenge_in, new_challenge, take_challenge
from app.passkeys.door import next_answer, options_answer, posted_credential, room, this_browser, this_device, url_home
from app.passkeys.key_records import due_record
from app.passkeys.models import JoinInvitation
from app.passkeys.queries import (
    devices,
    has_second,
    invitation_by,
    invitation_of,
    is_fresh,
    needs_second_key,
    passkey_for,
    passkeys,
    usable_passkeys,
    waiting_for_second,
    waiting_key_count,
)  # fmt: skip
from app.passkeys.rule_changes import RULE_CHANGE, rule_change_text
from app.passkeys.rules import vouching_permission
from app.passkeys.sessions import clear_cookie
from app.web.forms import Form
from app.web.render import go_to, render
from app.web.transaction import ceremony, deed, page
from app.web.world import config

DEVICES = "passkeys.devices"


@room.get("/geraete", endpoint="devices")
@page("own.use")
def show_devices(session: Session, actor: Actor) -> Response:
    """S46: every sign-in with its sign-out, every passkey with its lock, colleagues who wait for a second yes."""
    return render(
        "passkeys/devices.html",
        devices=devices(session, actor),
        keys=passkeys(session, actor),
        waiting=waiting_for_second(session, actor),
        may_see_all=may(actor, "devices.see"),
        may_approve=may(actor, "keys.edit"),
        may_lock=may(actor, "people.edit"),
        needs_second_key=needs_second_key(session, actor),
        is_fresh=is_fresh(session, actor),
        colleagues=[
            (one.id, one.name)
            for one in people_with_roles(session, actor.firm_id)
            if one.roles and one.id != actor.person_id and may(actor, vouching_permission(one.roles))
        ],
    )


def key_hints(session: Session, actor: Actor) -> list[tuple[str, str]]:
    """What managers should do about keys now: each a sentence, with the page where it is done."""
    hints = []
    waiting = waiting_key_count(session, actor.firm_id) if may(actor, "keys.edit") else 0
    if waiting:
        hints.append(ngettext("Ein Schlüssel braucht dein Ja.", "%(num)d Schlüssel brauchen dein Ja.", waiting))
    if needs_second_key(session, actor) and not config().is_practice:
        hints.append(gettext("Du hast nur einen Schlüssel. Richte einen zweiten ein."))
    return [(hint, url_for(DEVICES)) for hint in hints]


@room.post("/geraete/<device_id>/abmelden")
@deed("own.use")
def sign_out_device(session: Session, actor: Actor, device_id: str) -> Response:
    sign_out(session, actor, device_id)
    if device_id == actor.session_id:
        return clear_cookie(redirect(url_home(), 303))  # type: ignore[arg-type]
    return go_to(url_for(DEVICES), receipt="Abgemeldet.")


@room.post("/geraete/alle-abmelden")
@deed("own.use")
def sign_out_all(session: Session, actor: Actor) -> Response:
    """All other devices of one's own."""
    sign_out_person(session, actor.firm_id, actor.person_id, but=actor.session_id)
    return go_to(url_for(DEVICES), receipt="Alle anderen Geräte sind abgemeldet.")


@room.post("/geraete/schluessel/optionen")
@ceremony("own.use")
def begin_adding(database: Database, actor: Actor) -> Response:
    """One more passkey for the person who is signed in with one."""
    if not actor.has_passkey:
        raise RuleBroken("Bitte deinen Meister um eine neue Einladung.")
    browser = this_browser()
    with database.write() as session:
        check_presence(session, actor, actor.person_id)
        known = usable_passkeys(session, actor.firm_id, actor.person_id)
        handle = known[0].user_handle if known else new_user_handle()
        challenge = new_challenge(
            session, "add", browser, firm_id=actor.firm_id, person_id=actor.person_id, detail={"handle": handle}
        )
    return options_answer(
        creation_options(challenge, handle, actor.name, [key.credential_id for key in known]), browser
    )


@room.post("/geraete/schluessel")
@ceremony("own.use")
def finish_adding(database: Database, actor: Actor) -> Response:
    credential = posted_credential()
    challenge = challenge_in(credential)
    with database.write() as session:
        detail = take_challenge(
            session, "add", this_browser(), challenge, firm_id=actor.firm_id, person_id=actor.person_id
        )
    new = verify_new_passkey(credential, challenge, detail["handle"])
    with database.write() as session:
        passkey = add_passkey(session, actor.firm_id, actor.person_id, new, this_device())
    if may(actor, "keys.edit"):
        return next_answer(url_for("passkeys.approve_key", passkey_id=passkey.id))
    return next_answer(url_for(DEVICES), receipt="Geschafft. Ab jetzt reicht dein Fingerabdruck.")


@room.get("/geraete/schluessel/<passkey_id>")
@page("keys.edit")
def approve_key(session: Session, actor: Actor, passkey_id: str) -> Response:
    """The text of a key record, to be approved with a passkey that may sign already."""
    passkey = passkey_for(session, actor.firm_id, passkey_id)
    record = due_record(session, passkey)
    if record is None:
        raise NotFound
    person = person_for(session, actor.firm_id, passkey.person_id).name
    return render(
        "passkeys/approve_key.html",
        kind=record.type,
        passkey=passkey,
        text=record.display.text,
        person=person,
        digest=shown_digest(record.digest),
    )


@room.get("/betrieb/zwei-leitungen/<change_id>")
@page("keys.edit")
def approve_rule(session: Session, actor: Actor, change_id: str) -> Response:
    """The wider two-person rule that another manager wants, to be approved with a passkey."""
    text = rule_change_text(session, rule_change_to_approve(session, actor, change_id))
    return render("passkeys/approve_rule.html", kind=RULE_CHANGE, change_id=change_id, text=text)


@room.post("/geraete/schluessel/<passkey_id>/sperren")
@deed("own.use")
def lock_key(session: Session, actor: Actor, passkey_id: str) -> Response:
    passkey = revoke_passkey(session, actor, passkey_id)
    if passkey.is_registered and may(actor, "keys.edit"):
        return go_to(url_for("passkeys.approve_key", passkey_id=passkey.id), receipt="Gesperrt. Bestätige es noch.")
    return go_to(url_for(DEVICES), receipt="Gesperrt. Alle Geräte dieser Person sind abgemeldet.")


@room.post("/geraete/neu")
@deed("own.use")
def new_device(session: Session, actor: Actor) -> Response:
    """A QR for another phone: one's own, or a colleague's."""
    person_id = request.form.get("person_id") or actor.person_id
    check_presence(session, actor, person_id)
    token = invite_device(session, actor, person_id)
    return go_to(url_for("passkeys.show_invitation", invitation_id=invitation_by(session, token).id))


@room.post("/geraete/einladung/<invitation_id>/zustimmen")
@deed("people.edit")
def approve_new_device(session: Session, actor: Actor, invitation_id: str) -> Response:
    approve_device(session, actor, invitation_id)
    return go_to(url_for(DEVICES), receipt="Danke. Das neue Handy kann sich jetzt anmelden.")


@room.get("/betrieb/einladen", endpoint="invite")
@page("people.invite_worker")
def new_invitation(_session: Session, actor: Actor) -> Response:
    """Name and roles of a new employee."""
    return _invite_page(actor, Form({"roles": Role.WORKER}), 200)


@room.post("/betrieb/einladen")
@deed("people.invite_worker")
def save_invitation(session: Session, actor: Actor) -> Response:
    form = Form(request.form)
    name = form.text("name", "Schreib den Namen.")
    roles = [Role(role) for role in form.choices("roles", list(Role), "Wähle mindestens eine Aufgabe aus.")]
    email = form.mail("email")
    if form.is_good:
        try:
            token = invite_person(session, actor, name, roles, email)
            return go_to(url_for("passkeys.show_invitation", invitation_id=invitation_by(session, token).id))
        except RuleBroken as error:
            form.add_error(error)
    return _invite_page(actor, form, 422)


@room.get("/betrieb/einladen/<invitation_id>")
@page("own.use")
def show_invitation(session: Session, actor: Actor, invitation_id: str) -> Response:
    """The QR, until it is used."""
    row = invitation_of(session, actor, invitation_id)
    if row.used_at is not None:
        return render("passkeys/invitation_used.html", name=row.name)
    url = config().public_url + url_for("passkeys.welcome", token=invitation_token(session, row))
    return render(
        "passkeys/invitation.html",
        name=row.name,
        url=url,
        matrix=segno.make(url, error="m", micro=False).matrix,
        expires_at=row.expires_at,
        waits_for_second=row.needs_second and not has_second(session, row, row.roles),
        is_own=row.person_id == actor.person_id,
    )


@room.post("/betrieb/einladen/<invitation_id>/zurueck")
@deed("own.use")
def withdraw_invitation(session: Session, actor: Actor, invitation_id: str) -> Response:
    """The QR was shown to the wrong person."""
    row: JoinInvitation = invitation_of(session, actor, invitation_id)
    if row.used_at is not None:
        raise NotFound
    session.delete(row)
    return go_to(
        url_for("passkeys.invite" if row.kind == "person" else DEVICES), receipt="Die Einladung gilt nicht mehr."
    )


def _invite_page(actor: Actor, form: Form, status: int) -> Response:
    allowed = roles_to_invite(actor.roles)
    options = [(role, gettext(ROLE_NAMES[role])) for role in Role if role in allowed]
    return render("passkeys/invite.html", status, form=form, role_options=options, needs_email=Role.MANAGER in allowed)
