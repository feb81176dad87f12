"""The kinds of documents of this room that a manager signs with the passkey."""

from typing import Any

from flask import url_for
from sqlalchemy.orm import Session

from app.agreements.amending import approve_amendment, signable_amendment
from app.agreements.approving import approve_agreement, signable_digest
from app.agreements.documents import call_off_title
from app.agreements.forgetting import DONE as ERASED
from app.agreements.forgetting import approve_erasure, signable_erasure
from app.agreements.models import Agreement
from app.agreements.queries import agreement_for, amendment_for, next_to_sign
from app.agreements.record import facts_of
from app.core.words import N_
from app.firms.access import Actor
from app.notary.queries import digest
from app.passkeys.documents import DOCUMENTS, Signable, SignableDocument
from app.requests.queries import request_for

PERMISSION = "agreements.sign"
DONE = N_("Unterschrieben. Beide Betriebe haben denselben Text. Du findest ihn unter Verträge.")
SENT = N_("Unterschrieben. Jetzt prüft der Partner denselben Text.")


def _load_agreement(session: Session, actor: Actor, agreement_id: str) -> SignableDocument:
    agreement = agreement_for(session, actor.firm_id, agreement_id)
    digest, role = signable_digest(session, actor, agreement_id)
    return SignableDocument(
        digest,
        call_off_title(facts_of(agreement)),
        url_for("agreements.show", agreement_id=agreement_id),
        PERMISSION,
        role=role,
        receipt=SENT if agreement.side == "ours" else DONE,
        sum_cents=agreement.total_cents,
    )


def _finish_agreement(session: Session, actor: Actor, agreement_id: str, signature: dict[str, Any]) -> str:
    agreement: Agreement = approve_agreement(session, actor, agreement_id, signature)
    following = next_to_sign(session, agreement)
    replaces = request_for(session, actor.firm_id, agreement.request_id).disruption_id
    if replaces and not following:
        return url_for("trouble.show", disruption_id=replaces)
    return url_for("agreements.show", agreement_id=following or agreement_id)


def _load_amendment(session: Session, actor: Actor, amendment_id: str) -> SignableDocument:
    amendment = amendment_for(session, actor.firm_id, amendment_id)
    digest, role = signable_amendment(session, actor, amendment_id)
    url = url_for("agreements.show", agreement_id=amendment.agreement_id)
    receipt = SENT if amendment.by_us and amendment.needs_both else DONE
    title, sum_cents = amendment.text.split("\n", 1)[0], amendment.message.get("totalCents", amendment.fee_cents)
    return SignableDocument(digest, title, url, PERMISSION, role=role, receipt=receipt, sum_cents=sum_cents)


def _finish_amendment(session: Session, actor: Actor, amendment_id: str, signature: dict[str, Any]) -> str:
    amendment = approve_amendment(session, actor, amendment_id, signature)
    return url_for("agreements.show", agreement_id=amendment.agreement_id)


def _load_erasure(session: Session, actor: Actor, agreement_id: str) -> SignableDocument:
    row = signable_erasure(session, actor, agreement_id)
    url = url_for("agreements.erase", agreement_id=agreement_id)
    return SignableDocument(digest("Erasure", row.message), row.text, url, PERMISSION, receipt=N_("Unterschrieben."))


def _finish_erasure(session: Session, actor: Actor, agreement_id: str, signature: dict[str, Any]) -> str:
    row = approve_erasure(session, actor, agreement_id, signature)
    return (
        url_for("agreements.index") if row.state == ERASED else url_for("agreements.erase", agreement_id=agreement_id)
    )


DOCUMENTS["agreement"] = Signable(_load_agreement, _finish_agreement)
DOCUMENTS["amendment"] = Signable(_load_amendment, _finish_amendment)
DOCUMENTS["erasure"] = Signable(_load_erasure, _finish_erasure)
