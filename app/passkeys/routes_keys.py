"""The firm's own keys: since when each signs, and a new one in its place."""

from flask import Response, url_for
from sqlalchemy.orm import Session

from app.firms.access import Actor
from app.notary.rotation import firm_keys, forget_planned_key, plan_key
from app.passkeys.approvals import shown_digest
from app.passkeys.door import room
from app.passkeys.firm_keys import KEY_NAMES, ROTATE, rotate_record
from app.web.render import go_to, render
from app.web.transaction import deed, page
from app.web.world import config

KEYS = "passkeys.firm_keys"


@room.get("/betrieb/schluessel", endpoint="firm_keys")
@page("keys.edit")
def show_firm_keys(session: Session, actor: Actor) -> Response:
    return render("passkeys/firm_keys.html", keys=firm_keys(session, actor.firm_id), names=KEY_NAMES)


@room.post("/betrieb/schluessel/<purpose>/neu")
@deed("keys.edit")
def plan_firm_key(session: Session, actor: Actor, purpose: str) -> Response:
    plan_key(session, actor.firm_id, purpose, actor.person_id, config().node_key)
    return go_to(url_for("passkeys.approve_firm_key", purpose=purpose))


@room.get("/betrieb/schluessel/<purpose>")
@page("keys.edit")
def approve_firm_key(session: Session, actor: Actor, purpose: str) -> Response:
    """The text of the record, to be approved with a passkey."""
    record = rotate_record(session, actor.firm_id, purpose)
    return render(
        "passkeys/approve_firm_key.html",
        kind=ROTATE,
        purpose=purpose,
        name=KEY_NAMES[purpose],
        text=record.display.text,
        digest=shown_digest(record.digest),
    )


@room.post("/betrieb/schluessel/<purpose>/lassen")
@deed("keys.edit")
def keep_firm_key(session: Session, actor: Actor, purpose: str) -> Response:
    forget_planned_key(session, actor.firm_id, purpose)
    return go_to(url_for(KEYS), receipt="Gut. Alles bleibt, wie es ist.")
