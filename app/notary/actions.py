"""Sealing and appending: the only writer of a firm's log."""

import base64
import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import Conflict, RuleBroken
from app.core.prepared import Prepared
from app.core.words import N_
from app.notary.counterparts import OtherEntry, place_elsewhere
from app.notary.documents import Display, LedgerDraft
from app.notary.heads import StoredHead, head_of, locked_head, sign_after_commit, stored_head, swap_head
from app.notary.heads import resume_checkpoints as resume_checkpoints
from app.notary.heads import sign_checkpoint as sign_checkpoint
from app.notary.keys import log_signer, open_wrapped
from app.notary.models import FirmKey, LedgerEntry, LedgerEvidence, LedgerHead, PartnerKeys, table_of
from app.notary.rings import carry_keys, keys_of_log, keys_under, partner_keys, verify_key_document
from app.notary.signing import Signature, log_signature, recovery_signature
from app.notary.signing import check_signature as check_signature
from app.notary.signing import passkey_approval as passkey_approval
from app.notary.signing import recovery_approval as recovery_approval
from app.notary.signing import seal as seal
from ledger import canonical, checks, head, merkle, typed
from ledger.checks import Parties
from ledger.encoding import to_hex
from ledger.errors import VerificationError
from ledger.evidence import Evidence, build_evidence, evidence_hash
from ledger.firm_keys import KEY_RECORDS, PRACTICE_PREFIX, FirmKeys
from ledger.leaf import Leaf, parse_leaf
from ledger.signatures import run_once

PLACE = ("leaf", "proof", "checkpoint")
_ENTRY = table_of(LedgerEntry)
_ONCE = ["firm_id", "digest", "type"]
_NEW_ENTRY = {
    "sqlite": Prepared(sqlite.insert(_ENTRY).on_conflict_do_nothing(index_elements=_ONCE)),
    "postgresql": Prepared(postgresql.insert(_ENTRY).on_conflict_do_nothing(index_elements=_ONCE)),
}
_NEW_EVIDENCE = Prepared(sa.insert(table_of(LedgerEvidence)))
RESTING = N_("Euer Logbuch ruht gerade. Ihr könnt nichts unterschreiben.")
OTHER_KEYS = N_("Der Partner hat neue Schlüssel. Ruf dort an. Mach erst dann weiter.")


def open_ledger(session: Session, firm_id: str, draft: LedgerDraft, approval: Signature) -> int:
    """Begin the firm's log with its genesis record, approved by the first manager's passkey; returns 0.

    `approval` is the signature over `draft.digest`. Raises RuleBroken when it does not hold.
    """
    _save_keys(session, firm_id, draft)
    _save_head(session, firm_id, draft.origin)
    party, digest = draft.message["from"], draft.digest
    recovery = open_wrapped(base64.b64decode(draft.wrapped["recovery"]), "recovery", draft.origin)
    proofs = [
        log_signature(party, draft.origin, digest, log_signer(session, firm_id)),
        recovery_signature(party, draft.origin, 0, digest, recovery),
        seal(session, firm_id, digest),
        approval,
    ]
    return append_entry(session, firm_id, "genesis", "Genesis", draft.message, draft.display, proofs)


def append_entry(
    session: Session,
    firm_id: str,
    type: str,
    primary_type: str,
    message: dict[str, Any],
    display: Display,
    signatures: Sequence[Signature],
    attachments: Iterable[dict[str, Any]] = (),
    subject_id: str = "",
    not_before: str = "",
    counterpart: dict[str, Any] | None = None,
) -> int:
    """Append a record with everything verified again; returns its position. The same record twice gives the first one.

    `not_before` is the drafter's checkpoint when it signed: its keys are judged as they were then. `counterpart` proves
    that the partner entered the same record first: its keys are judged as they were at that place of its log.
    The checkpoint is signed after the commit and before the answer. Raises RuleBroken for a record that does not hold,
    Conflict when another entry was faster.
    """
    try:
        digest = typed.digest(primary_type, message)
        evidence = Evidence(primary_type, message, display, tuple(signatures), tuple(attachments), not_before or None)
        body = build_evidence(evidence)
    except VerificationError as error:
        raise _refused(error) from error
    connection = session.connection()
    other = None
    if counterpart is not None:
        other = place_elsewhere(session, firm_id, counterpart, digest, evidence_hash(body).hex())
    row, now_s = locked_head(connection, firm_id), int(clock.now().timestamp())
    if row.halt:
        raise RuleBroken(RESTING)
    try:
        appended = head.append_entry(head_of(row), type, digest, evidence_hash(body), now_s)
        leaf = parse_leaf(appended.leaf)
        own = _check_entry(session, row, leaf, evidence, other)
        place = {name: counterpart[name] for name in PLACE} if counterpart else None
        is_new = _store(connection, row, leaf, appended, body, subject_id, place)
    except VerificationError as error:
        return _earlier(session, firm_id, digest, type, error)
    if not is_new:
        return _earlier(session, firm_id, digest, type)
    if not swap_head(connection, row, appended.head, _key_seqs(row, leaf)):
        raise Conflict("Jemand war schneller. Versuch es noch einmal.")
    if leaf.type not in KEY_RECORDS:
        carry_keys(own, appended.head.root.hex())
    sign_after_commit(session, firm_id)
    return leaf.seq


def remember_partner_keys(
    session: Session, firm_id: str, partner_id: str, document: dict[str, Any], genesis: str = ""
) -> None:
    """Keep a partner's key document after verifying it whole; `genesis` (0x hex) pins its first record.

    One that is older than what we know changes nothing: a key that was revoked stays revoked. Raises RuleBroken when it
    does not hold, is of another log or world than the one we know, or bears the name of another partner.
    """
    try:
        keys = verify_key_document(document)
    except VerificationError as error:
        raise RuleBroken("Die Schlüssel des Partners stimmen nicht. Verbindet euch neu.") from error
    _check_world(session, firm_id, keys)
    row = session.get(PartnerKeys, (firm_id, partner_id))
    known = genesis or (_genesis_of(row.document) if row else "")
    if (known and known != to_hex(keys.genesis_digest)) or _is_taken(session, firm_id, partner_id, keys.firm):
        raise RuleBroken(OTHER_KEYS)
    if row is not None and not _goes_on(row.document, document):
        return
    if row is None:
        row = PartnerKeys(firm_id=firm_id, partner_id=partner_id)
        session.add(row)
    row.address, row.origin, row.document, row.updated_at = keys.firm, keys.origin, document, clock.now()


def forget_recovery_key(session: Session, firm_id: str) -> None:
    """The print was confirmed: from now on the recovery key exists on paper only."""
    row = session.get_one(FirmKey, (firm_id, "recovery"))
    row.wrapped = None


def _check_world(session: Session, firm_id: str, keys: FirmKeys) -> None:
    """A record of the practice world binds nobody: its keys never stand beside real ones."""
    own = stored_head(session, firm_id)
    if own is not None and own.origin.startswith(PRACTICE_PREFIX) is not keys.origin.startswith(PRACTICE_PREFIX):
        raise RuleBroken("Die Schlüssel des Partners stimmen nicht. Verbindet euch neu.")


def _is_taken(session: Session, firm_id: str, partner_id: str, address: str) -> bool:
    """Signatures are looked up by address: no two partners bear the same one, and none bears ours."""
    own = stored_head(session, firm_id)
    if own is not None and own.size and address == keys_under(session, own).firm:
        return True
    other = sa.select(PartnerKeys.partner_id).where(PartnerKeys.firm_id == firm_id, PartnerKeys.address == address)
    return session.scalar(other.where(PartnerKeys.partner_id != partner_id).limit(1)) is not None


def _goes_on(known: dict[str, Any], told: dict[str, Any]) -> bool:
    """Whether a document tells all that we know; an older one tells less. Raises RuleBroken for one that leaves out."""
    before, now = _leaves(known), _leaves(told)
    if not before <= now and not now < before:
        raise RuleBroken(OTHER_KEYS)
    return before <= now


def _leaves(document: dict[str, Any]) -> set[bytes]:
    return {canonical.dumps(record["leaf"]) for record in document["keys"]}


def _save_keys(session: Session, firm_id: str, draft: LedgerDraft) -> None:
    public = {
        "log": draft.message["logKey"],
        "cosign": draft.message["cosignKey"],
        "seal": draft.message["seal"],
        "recovery": draft.message["recovery"],
        "derive": "",
        "pdf": draft.certificate,
    }
    for purpose, key in public.items():
        wrapped = base64.b64decode(draft.wrapped[purpose])
        open_wrapped(wrapped, purpose, draft.origin)
        session.add(FirmKey(firm_id=firm_id, purpose=purpose, public_key=key, wrapped=wrapped, created_at=clock.now()))


def _save_head(session: Session, firm_id: str, log: str) -> None:
    root = merkle.EMPTY_ROOT.hex()
    session.add(
        LedgerHead(
            firm_id=firm_id, origin=log, size=0, last_hash="", frontier=[], root=root, signed_size=0, key_seqs=[]
        )
    )
    session.flush()


def _earlier(session: Session, firm_id: str, digest: bytes, type: str, error: VerificationError | None = None) -> int:
    """Where the same record stands already; raises RuleBroken when `error` befell a new one."""
    found = session.scalar(
        sa.select(LedgerEntry.seq).where(
            LedgerEntry.firm_id == firm_id, LedgerEntry.digest == to_hex(digest), LedgerEntry.type == type
        )
    )
    if found is None:
        raise _refused(error) from error
    return found


def _check_entry(
    session: Session, row: StoredHead, leaf: Leaf, evidence: Evidence, other: OtherEntry | None
) -> FirmKeys:
    """Every check of a record at its place in the log, with the keys as they are now; returns our own keys."""
    message = evidence.message
    own = FirmKeys.from_genesis(leaf, message) if leaf.type == "genesis" else keys_under(session, row)
    firms = {own.firm: own}
    for party in {message["from"], message["to"]} - {own.firm}:
        found = partner_keys(session, row.firm_id, party)
        if found is not None:
            firms[party] = found
    # two histories of a partner are judged by the keys of that very log
    if "log" in message and (accused := keys_of_log(session, row.firm_id, message["log"])) is not None:
        firms[accused.firm] = accused
    # the leaf was made with the digest of this very message: nothing to compare again
    checks.check_type(leaf, evidence)
    for pending in checks.check_after_digest(
        leaf, evidence, Parties(firms, {other.origin: other.seq} if other else {})
    ):
        run_once(pending)
    return own


def _store(
    connection: sa.Connection,
    row: StoredHead,
    leaf: Leaf,
    appended: head.Appended,
    body: bytes,
    subject_id: str,
    counterpart: dict[str, Any] | None,
) -> bool:
    """Keep entry and evidence; False when this record stands in the log already."""
    sha256 = leaf.evidence.hex()
    entry = {
        "firm_id": row.firm_id,
        "seq": leaf.seq,
        "type": leaf.type,
        "leaf": appended.leaf,
        "leaf_hash": appended.leaf_hash.hex(),
        "digest": to_hex(leaf.digest),
        "evidence_sha256": sha256,
        "subject_id": subject_id,
        "at": dt.datetime.fromtimestamp(leaf.at, dt.UTC),
        "counterpart": counterpart,
    }
    is_new = _NEW_ENTRY[connection.dialect.name].change(connection, **entry) == 1
    if is_new:
        _NEW_EVIDENCE.change(connection, firm_id=row.firm_id, sha256=sha256, body=body)
    return is_new


def _key_seqs(row: StoredHead, leaf: Leaf) -> list[int]:
    return [*row.key_seqs, leaf.seq] if leaf.type in KEY_RECORDS else row.key_seqs


def _genesis_of(document: dict[str, Any]) -> str:
    return to_hex(verify_key_document(document).genesis_digest)


def _refused(error: VerificationError | None) -> RuleBroken:
    refused = RuleBroken("Dieser Eintrag lässt sich nicht beweisen. Es wurde nichts gespeichert.")
    refused.__cause__ = error
    return refused
