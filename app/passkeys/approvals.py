"""Approving a document with the passkey: challenge, check without a lock, then one writing transaction."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import Database
from app.core.errors import NotFound, RuleBroken
from app.core.ids import new_id
from app.firms.access import Actor, require
from app.firms.queries import firm_of
from app.firms.rules import covers
from app.notary.actions import check_signature, passkey_approval
from app.passkeys import firm_keys, key_records, rule_changes  # noqa: F401 - they register their kinds of documents
from app.passkeys.actions import note_use
from app.passkeys.ceremony import WRONG, Assertion, credential_id_in, request_options, verify_answer
from app.passkeys.challenges import challenge_in, new_challenge, take_challenge
from app.passkeys.documents import DOCUMENTS, Signable, SignableDocument
from app.passkeys.models import Approval, Passkey
from app.passkeys.queries import known_key, usable_passkeys

CHANGED = "Der Text hat sich geändert. Bitte prüfe ihn neu."


def begin(database: Database, actor: Actor, kind: str, document_id: str, browser: str, shown: str) -> dict[str, Any]:
    """The options for the phone; the challenge is the document's digest.

    `shown` is the digest (0x hex) of the text on the page: raises RuleBroken when a colleague has changed it since.
    """
    with database.write() as session:
        document = document_to_sign(session, actor, kind, document_id)
        if shown != shown_digest(document.digest):
            raise RuleBroken(CHANGED)
        keys = _keys_for(session, actor, document)
        digest = new_challenge(
            session,
            "approve",
            browser,
            firm_id=actor.firm_id,
            person_id=actor.person_id,
            document=(kind, document_id),
            value=document.digest,
        )
    return request_options(digest, [key.credential_id for key in keys])


def finish(
    database: Database, actor: Actor, kind: str, document_id: str, browser: str, credential: dict[str, Any]
) -> tuple[str, str]:
    """Take the phone's answer and let the document's room go on; returns the URL to go to and the receipt to show."""
    digest = challenge_in(credential)
    # 1. from here on the challenge is used up; a crash leaves nothing but the need to tap again
    with database.write() as session:
        take_challenge(
            session, "approve", browser, digest, firm_id=actor.firm_id, person_id=actor.person_id,
            document=(kind, document_id),
        )  # fmt: skip
    # 2. curve arithmetic without a lock
    with database.read() as session:
        passkey = known_key(_own_key(session, actor, credential_id_in(credential)))
    answer = verify_answer(credential, digest, passkey.public_key, passkey.user_handle, needs_handle=False)
    # 3. everything is asked again, because time has passed
    with database.write() as session:
        document = document_to_sign(session, actor, kind, document_id)
        if document.digest != digest:
            raise RuleBroken(CHANGED)
        note_use(_own_key(session, actor, passkey.credential_id), answer)
        url = finish_with(session, actor, kind, document_id, passkey.id, answer.parts())
    return url, document.receipt


def shown_digest(digest: bytes) -> str:
    """How a page names the text that it shows."""
    return f"0x{digest.hex()}"


def document_to_sign(session: Session, actor: Actor, kind: str, document_id: str) -> SignableDocument:
    """The document if this actor may sign it now; raises NotFound, NotAllowed or RuleBroken."""
    document = _signable(kind).load(session, actor, document_id)
    require(actor, document.permission)
    if document.needs_recovery_sheet and firm_of(session, actor.firm_id).recovery_printed_at is None:
        raise RuleBroken("Drucke zuerst den Notfallschlüssel. Dann könnt ihr unterschreiben.")
    return document


def finish_with(
    session: Session, actor: Actor, kind: str, document_id: str, passkey_id: str, parts: dict[str, bytes]
) -> str:
    """Store an approval and let the document's room go on, in the running transaction; returns the URL to go to.

    `parts` are authenticatorData, clientDataJSON and signature over the document's digest, verified here by the ledger's
    rules. The practice world comes in here with the passkey that it holds itself.
    """
    document = document_to_sign(session, actor, kind, document_id)
    passkey = session.get(Passkey, (actor.firm_id, passkey_id), populate_existing=True)
    if passkey is None or passkey.person_id != actor.person_id or passkey.revoked_at or passkey.registered_seq is None:
        raise RuleBroken(WRONG)
    _check_covered([passkey], document)
    signature = passkey_approval(
        session, actor.firm_id, document.role, passkey.public_key, passkey.registered_seq, parts
    )
    check_signature(session, actor.firm_id, None, document.digest, signature)
    if not _remember(session, actor, kind, document_id, passkey, document.digest, signature):
        return document.url_after
    return _signable(kind).finish(session, actor, document_id, signature)


def signing_passkeys(session: Session, actor: Actor) -> Sequence[Passkey]:
    """The actor's passkeys that stand in the ledger; raises RuleBroken when there is none."""
    keys = [key for key in usable_passkeys(session, actor.firm_id, actor.person_id) if key.is_registered]
    if not keys:
        raise RuleBroken("Dein Schlüssel ist noch nicht freigegeben. Bitte eine andere Leitung darum.")
    return keys


def _keys_for(session: Session, actor: Actor, document: SignableDocument) -> Sequence[Passkey]:
    keys = signing_passkeys(session, actor)
    _check_covered(keys, document)
    return [key for key in keys if covers(key.registered_limit_cents, document.sum_cents)]


def _check_covered(keys: Sequence[Passkey], document: SignableDocument) -> None:
    """Partners hold a key to the limit that its record names: a wider one counts from its own record on."""
    if not any(covers(key.registered_limit_cents, document.sum_cents) for key in keys):
        raise RuleBroken("Deine neue Grenze gilt noch nicht. Eine andere Leitung muss sie freigeben.")


def _own_key(session: Session, actor: Actor, credential_id: str) -> Passkey:
    for key in signing_passkeys(session, actor):
        if key.credential_id == credential_id:
            return key
    raise RuleBroken(WRONG)


def _remember(
    session: Session,
    actor: Actor,
    kind: str,
    document_id: str,
    passkey: Passkey,
    digest: bytes,
    signature: dict[str, Any],
) -> bool:
    """Write the approval down; False when this person has approved this very digest before."""
    known = sa.select(Approval.id).where(
        Approval.firm_id == actor.firm_id,
        Approval.document_kind == kind,
        Approval.document_id == document_id,
        Approval.person_id == actor.person_id,
        Approval.digest == f"0x{digest.hex()}",
    )
    if session.scalar(known) is not None:
        return False
    session.add(
        Approval(
            firm_id=actor.firm_id,
            id=new_id(),
            created_at=clock.now(),
            document_kind=kind,
            document_id=document_id,
            person_id=actor.person_id,
            passkey_id=passkey.id,
            digest=f"0x{digest.hex()}",
            signature=signature,
        )
    )
    session.flush()
    return True


def _signable(kind: str) -> Signable:
    if kind not in DOCUMENTS:
        raise NotFound
    return DOCUMENTS[kind]


__all__ = ["Assertion", "begin", "document_to_sign", "finish", "finish_with", "signing_passkeys"]
