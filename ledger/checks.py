"""The checks of one record, in the numbering of ledger.md section 5; each raises VerificationError or holds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ledger import checkpoint, typed
from ledger.encoding import to_hex
from ledger.errors import VerificationError
from ledger.evidence import Evidence, Signature
from ledger.firm_keys import KEY_RECORDS, FirmKeys, Position
from ledger.leaf import Leaf
from ledger.signatures import CurveCheck, prepare_key_proof, prepare_passkey, prepare_seal
from ledger.signers import check_signers
from ledger.types import PRIMARY_TYPES
from ledger.witness import check_conflict

# Clocks of two nodes may differ; a day is far more than they do and far less than a dispute is about.
CLOCK_TOLERANCE_S = 86_400
# What a person answers for by signing, within the limit of the key: the new total, or the fee.
_SUMS = {"Agreement": "totalCents", "Change": "totalCents", "Cancellation": "feeCents"}
_ACCEPTED_BY_THE_OTHER = frozenset({"agreement", "change", "cancellation"})

# Renders the text of a message again: template and message in, the exact text out.
Render = Callable[[str, Mapping[str, Any]], str]


@dataclass(frozen=True)
class Parties:
    """The keys of all firms concerned, by firm address; `seqs` places the record in other firms' logs, by origin.

    `drafted` is the length of the drafter's log when it signed, by origin, where the record pins that.
    """

    firms: Mapping[str, FirmKeys]
    seqs: Mapping[str, int]
    drafted: Mapping[str, int] = field(default_factory=dict)

    def keys_of(self, firm: str) -> FirmKeys:
        """The keys of a firm; raises VerificationError for a firm that brought none."""
        try:
            return self.firms[firm]
        except KeyError as error:
            raise VerificationError(f"no key records of {firm[:80]}") from error

    def place(self, keys: FirmKeys, leaf: Leaf) -> Position:
        """Where a record stands for that firm's keys."""
        if keys.origin == leaf.log:
            return Position(self.drafted.get(keys.origin, leaf.seq), leaf.at)
        seq = self.drafted.get(keys.origin, self.seqs.get(keys.origin))
        return Position(seq, leaf.at, CLOCK_TOLERANCE_S)


def check_record(leaf: Leaf, evidence: Evidence, parties: Parties, render: Render | None = None) -> None:
    """Steps 5 to 11 of one record."""
    check_digest(leaf, evidence)
    for pending in check_after_digest(leaf, evidence, parties, render):
        pending.run()


def check_after_digest(
    leaf: Leaf, evidence: Evidence, parties: Parties, render: Render | None = None
) -> list[CurveCheck]:
    """Steps 7 to 11 of a record whose digest was found right; the curve operations are left to the caller."""
    check_display(evidence, render)
    check_signers(evidence)
    return check_in_place(leaf, evidence, parties)


def check_in_place(leaf: Leaf, evidence: Evidence, parties: Parties) -> list[CurveCheck]:
    """What of steps 8 to 11 hangs on the place in the log and on keys; the curve operations are left to the caller."""
    pending = prepare_signatures(leaf, evidence, parties)
    check_context(leaf, evidence, parties)
    return pending


def check_type(leaf: Leaf, evidence: Evidence) -> None:
    """Step 5: the evidence is of the type that the leaf names."""
    if PRIMARY_TYPES[leaf.type] != evidence.primary_type:
        raise VerificationError("leaf and evidence are of different types")


def check_fields(evidence: Evidence) -> bytes:
    """Step 5: every field of the type, of its kind, and no other; the digest of them."""
    return typed.digest(evidence.primary_type, evidence.message)


def check_digest(leaf: Leaf, evidence: Evidence) -> None:
    """Steps 5 and 6: every field of the type and no other; its digest is the one in the leaf."""
    check_type(leaf, evidence)
    if check_fields(evidence) != leaf.digest:
        raise VerificationError("the digest is another one")


def check_display(evidence: Evidence, render: Render | None = None) -> None:
    """Step 7: the text is the one whose hash was signed, and the one that the template gives today."""
    display, message = evidence.display, evidence.message
    if to_hex(display.hash) != message["displayHash"] or display.locale != message["locale"]:
        raise VerificationError("the text is not the one that was signed")
    if render is not None and render(display.template, message) != display.text:
        raise VerificationError("the text is not what its template says")


def prepare_signatures(leaf: Leaf, evidence: Evidence, parties: Parties) -> list[CurveCheck]:
    """Steps 8 and 9 but for the curve operations: form, and a key that was registered and not revoked."""
    pinned = _pinned(leaf, evidence, parties)
    return [_PREPARE[signature["kind"]](leaf, evidence, signature, pinned) for signature in evidence.signatures]


def check_passkeys(leaf: Leaf, evidence: Evidence, parties: Parties) -> int:
    """Step 8: every passkey signature; the number of them."""
    return _check_kinds({"passkey"}, leaf, evidence, parties)


def check_seals(leaf: Leaf, evidence: Evidence, parties: Parties) -> int:
    """Step 9: every seal, and in key records the proofs by log and recovery key; the number of them."""
    return _check_kinds({"seal", "log", "recovery"}, leaf, evidence, parties)


def check_context(leaf: Leaf, evidence: Evidence, parties: Parties) -> None:
    """Step 11 without the chain: the record belongs to this log, and to its time."""
    message = evidence.message
    own = parties.firms.get(message["from"]), parties.firms.get(message["to"])
    if not any(keys is not None and keys.origin == leaf.log for keys in own):
        raise VerificationError("the record belongs to another log")
    if "logFrom" in message:
        _check_logs(message, parties)
    if evidence.primary_type == "LinkPartner":
        _check_linked_keys(leaf, message, parties)
    rule = _CONTEXT.get(leaf.type)
    if rule is not None:
        rule(leaf, message, parties)
    if is_late(leaf, evidence) and not is_accepted_elsewhere(leaf, evidence, parties):
        raise VerificationError("entered after it had expired")
    if message["issuedAt"] > leaf.at + CLOCK_TOLERANCE_S:
        raise VerificationError("entered before it was issued")


def is_late(leaf: Leaf, evidence: Evidence) -> bool:
    """True for an entry after the record's own deadline."""
    return bool(0 < evidence.message["expiresAt"] < leaf.at)


def is_accepted_elsewhere(leaf: Leaf, evidence: Evidence, parties: Parties) -> bool:
    """Who signs last accepts by the entry in its own log; the drafter's log follows when the word arrives, however late."""
    message = evidence.message
    drafter = parties.firms.get(message["from"])
    if leaf.type not in _ACCEPTED_BY_THE_OTHER or drafter is None or leaf.log != drafter.origin:
        return False
    return any(signature["party"] == message["to"] for signature in evidence.signatures)


def is_key_record(leaf: Leaf) -> bool:
    """True for the records that say which keys are valid."""
    return leaf.type in KEY_RECORDS


def _check_kinds(kinds: set[str], leaf: Leaf, evidence: Evidence, parties: Parties) -> int:
    chosen = [signature for signature in evidence.signatures if signature["kind"] in kinds]
    pinned = _pinned(leaf, evidence, parties)
    for signature in chosen:
        _PREPARE[signature["kind"]](leaf, evidence, signature, pinned).run()
    return len(chosen)


def _pinned(leaf: Leaf, evidence: Evidence, parties: Parties) -> Parties:
    """The drafter signed when its log was as long as `notBefore` says: a key that it revoked later was valid then."""
    if evidence.not_before is None:
        return parties
    drafter, claim = parties.keys_of(evidence.message["from"]), checkpoint.parse(evidence.not_before)
    if claim.origin != drafter.origin or (leaf.log == drafter.origin and claim.size > leaf.seq):
        raise VerificationError("notBefore is no earlier checkpoint of the drafter's log")
    checkpoint.verify_signature(evidence.not_before, drafter.log_key(claim.size))
    return replace(parties, drafted={drafter.origin: claim.size})


def _check_logs(message: Mapping[str, Any], parties: Parties) -> None:
    if message["logFrom"] == message["logTo"]:
        raise VerificationError("both logs are the same")
    for firm, log in ((message["from"], message["logFrom"]), (message["to"], message["logTo"])):
        keys = parties.firms.get(firm)
        if keys is not None and keys.origin != log:
            raise VerificationError("the record names another log than the firm has")


def _check_linked_keys(leaf: Leaf, message: Mapping[str, Any], parties: Parties) -> None:
    if message["fingerprint"] != f"{message['genesisFrom']} {message['genesisTo']}":
        raise VerificationError("the fingerprint is not that of both first records")
    for side in ("From", "To"):
        keys = parties.firms.get(message[side.lower()])
        if keys is None:
            continue
        if to_hex(keys.genesis_digest) != message[f"genesis{side}"]:
            raise VerificationError("the record names another first record than the firm has")
        keys.check_seal(message[f"seal{side}"], parties.place(keys, leaf))


def _check_conflict(leaf: Leaf, message: Mapping[str, Any], parties: Parties) -> None:
    keys = next((one for one in parties.firms.values() if one.origin == message["log"]), None)
    if keys is None or message["log"] == leaf.log:
        raise VerificationError("no key records of the log that is said to contradict itself")
    size = checkpoint.parse(message["first"]).size
    claim = check_conflict(message["first"], message["second"], keys.log_key(size))
    if claim.origin != message["log"]:
        raise VerificationError("the checkpoints are of another log")


def _check_anchor(leaf: Leaf, message: Mapping[str, Any], parties: Parties) -> None:
    if not 0 < message["size"] <= leaf.seq:
        raise VerificationError("an anchored tree ends before the record that tells of it")


def _check_erasure(leaf: Leaf, message: Mapping[str, Any], parties: Parties) -> None:
    if not message["erased"] or len(set(message["erased"])) != len(message["erased"]):
        raise VerificationError("an erasure names every digest once, and at least one")


def _prepare_passkey(leaf: Leaf, evidence: Evidence, signature: Signature, parties: Parties) -> CurveCheck:
    keys, key_seq = _owner(signature, parties)
    cents = evidence.message.get(_SUMS.get(evidence.primary_type, ""), 0)
    key = keys.passkey(signature["kid"], key_seq, signature["role"], parties.place(keys, leaf), cents)
    return prepare_passkey(leaf.digest, signature, key.public_key, key.origins, key.rp_id)


def _prepare_seal(leaf: Leaf, _evidence: Evidence, signature: Signature, parties: Parties) -> CurveCheck:
    keys = parties.keys_of(signature["party"])
    keys.check_seal(signature["address"], parties.place(keys, leaf))
    return prepare_seal(leaf.digest, signature["signature"], signature["address"])


def _prepare_key_proof(leaf: Leaf, _evidence: Evidence, signature: Signature, parties: Parties) -> CurveCheck:
    keys, key_seq = _owner(signature, parties)
    key = keys.signing_key(signature["kind"], signature["kid"], key_seq, parties.place(keys, leaf))
    return prepare_key_proof(leaf.digest, signature["signature"], key.public_key)


def _owner(signature: Signature, parties: Parties) -> tuple[FirmKeys, int]:
    keys = parties.keys_of(signature["party"])
    if signature["keyAt"]["log"] != keys.origin:
        raise VerificationError("the key stands in another firm's log")
    return keys, signature["keyAt"]["seq"]


_PREPARE: dict[str, Callable[[Leaf, Evidence, Signature, Parties], CurveCheck]] = {
    "passkey": _prepare_passkey,
    "seal": _prepare_seal,
    "log": _prepare_key_proof,
    "recovery": _prepare_key_proof,
}
_CONTEXT: dict[str, Callable[[Leaf, Mapping[str, Any], Parties], None]] = {
    "witness.conflict": _check_conflict,
    "anchor": _check_anchor,
    "erasure": _check_erasure,
}
