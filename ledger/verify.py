"""Verification of one evidence file, offline: the numbered steps of ledger.md section 5."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ledger import checkpoint, checks
from ledger import note as notes
from ledger.anchor.check import Witness, claim_of
from ledger.canonical import check_depth
from ledger.checkpoint import Checkpoint
from ledger.checks import Parties, Render
from ledger.cosigners import check_lines, earliest_time
from ledger.encoding import to_hex
from ledger.errors import VerificationError
from ledger.evidence import Evidence
from ledger.evidence_file import MAX_BYTES, EvidenceFile, Proved, parse_file
from ledger.firm_keys import PRACTICE_PREFIX, FirmKeys
from ledger.key_records import read_key_record
from ledger.leaf import Leaf
from ledger.merkle import leaf_hash, verify_inclusion
from ledger.note import COSIGNER_KEY, Opened, Verifier
from ledger.places import proved_place, seqs_of
from ledger.policy import Policy
from ledger.records import ZERO32
from ledger.references import NEVER_ERASED
from ledger.replay import Entry, Totals, verify_entries
from ledger.report import ANCHOR_STEP, PRACTICE_STEP, Report, Step, make_step
from ledger.signers import check_signers

__all__ = ["Entry", "Report", "Totals", "verify_bundle", "verify_entries"]

_SUPERSEDABLE = frozenset({"agreement", "change", "link.partner", "key.register", "hours.report"})


class NotApplicableError(Exception):
    """The step has nothing to check in this file; ends a check, never leaves this module."""


def verify_bundle(
    data: bytes,
    policy: Policy | None = None,
    *,
    is_practice_allowed: bool = False,
    render: Render | None = None,
    chain: Witness | None = None,
) -> Report:
    """The report on one evidence file.

    Without a policy the keys are those of the genesis records in the file, and step 3 says so. `render` gives the text
    of a template again (step 7). `chain` confirms what an anchor record says (step 14, only in such files).
    Raises VerificationError only for input that is no evidence file at all.
    """
    _check_usable(data)
    try:
        file = parse_file(data)
    except VerificationError as error:
        return Report((make_step(1, "failed", str(error)),))
    run = _Run(file, policy, render, chain)
    steps = [make_step(1, "ok"), *(_run_step(number, check, run) for number, check in _STEPS.items())]
    steps.append(_practice_step(run, is_practice_allowed))
    if run.leaf.type == "anchor":
        steps.append(_run_step(ANCHOR_STEP, _check_anchor, run))
    return Report(tuple(steps), is_binding=not run.is_practice, existed_by=min(run.seen, default=None))


@dataclass
class _Run:
    """What the steps find out for each other; a key ring that could not be built keeps its reason."""

    file: EvidenceFile
    policy: Policy | None
    render: Render | None
    chain: Witness | None
    firms: dict[str, FirmKeys] = field(default_factory=dict)
    key_errors: dict[str, str] = field(default_factory=dict)
    unpinned: set[int] = field(default_factory=set)
    seen: list[int] = field(default_factory=list)
    own: Checkpoint | None = None
    other: Checkpoint | None = None

    def __post_init__(self) -> None:
        self.own = _parse_checkpoint(self.file.checkpoint)
        if self.file.counterpart is not None:
            self.other = _parse_checkpoint(self.file.counterpart.checkpoint)
        self._read_keys()

    @property
    def leaf(self) -> Leaf:
        return self.file.record.leaf

    @property
    def evidence(self) -> Evidence:
        if self.file.record.evidence is None:
            raise NotApplicableError("the content was erased")
        return self.file.record.evidence

    @property
    def parties(self) -> Parties:
        other = self.file.counterpart
        known = {} if other is None or other.leaf is None else {other.leaf.log: other.leaf.seq}
        return Parties(self.firms, known)

    @property
    def is_practice(self) -> bool:
        leaves = [self.leaf, *(record.leaf for record in (*self.file.keys, *self.file.chain))]
        logs = {leaf.log for leaf in leaves} | {claim.origin for claim in (self.own, self.other) if claim is not None}
        if self.file.record.evidence is not None:
            message = self.file.record.evidence.message
            logs |= {str(message.get(name, "")) for name in ("logFrom", "logTo")}
        return any(log.startswith(PRACTICE_PREFIX) for log in logs)

    def keys_of_log(self, origin: str) -> FirmKeys:
        if origin in self.key_errors:
            raise VerificationError(self.key_errors[origin])
        for keys in self.firms.values():
            if keys.origin == origin:
                return keys
        raise VerificationError(f"no genesis record of {origin}")

    def _read_keys(self) -> None:
        for record in self.file.keys:
            origin = record.leaf.log
            try:
                claim = next((one for one in (self.own, self.other) if one is not None and one.origin == origin), None)
                read_key_record(record, claim, self.firms)
            except VerificationError as error:
                self.key_errors.setdefault(origin, f"key record {record.leaf.seq} of {origin}: {error}")
        # A log with one doubtful key record vouches for nobody.
        self.firms = {firm: keys for firm, keys in self.firms.items() if keys.origin not in self.key_errors}


def _parse_checkpoint(note: str) -> Checkpoint | None:
    try:
        return checkpoint.parse(notes.parse(note).text)
    except VerificationError:
        return None


def _check_inclusion(run: _Run) -> str:
    """2: leaf hash; inclusion with the index of the leaf and the size of the checkpoint, exact proof length."""
    if run.own is None:
        raise VerificationError("the checkpoint cannot be read")
    run.file.record.check_inclusion(run.own)
    return f"entry {run.leaf.seq} of {run.own.size} in {run.own.origin}"


def _check_checkpoint(run: _Run) -> str:
    """3: signed by the log's key, every line by a known key, quorum of the policy."""
    witnesses = [notes.parse_vkey(vkey) for vkey in run.file.witnesses]
    if any(witness.alg != COSIGNER_KEY for witness in witnesses):
        raise VerificationError("a witness without a cosigner key")
    opened = _open_checkpoint(run, run.file.checkpoint, run.own, witnesses)
    signers = {(line.name, line.key_id) for line in opened.verified}
    if any((witness.name, witness.key_id) not in signers for witness in witnesses):
        raise VerificationError("a witness is named that did not cosign")
    _note_time(run, opened, run.file.checkpoint)
    return _check_policy(run, signers) + _describe_cosignatures(opened)


def _check_policy(run: _Run, signers: set[tuple[str, bytes]]) -> str:
    if run.policy is None:
        run.unpinned.add(3)
        return "log key taken from the genesis record in the file, not pinned by a policy"
    if not run.policy.logs:
        run.unpinned.add(3)
    elif not any((log.name, log.key_id) in signers for log in run.policy.logs):
        raise VerificationError("not signed by a log of the policy")
    cosigners = [key for key in run.policy.witnesses.values() if (key.name, key.key_id) in signers]
    if not run.policy.is_satisfied(cosigners):
        raise VerificationError("cosignatures missing for the quorum of the policy")
    return f"log key {'pinned' if run.policy.logs else 'not pinned'} by the policy, quorum reached"


def _open_checkpoint(run: _Run, note: str, claim: Checkpoint | None, witnesses: Iterable[Verifier] = ()) -> Opened:
    if claim is None:
        raise VerificationError("the checkpoint cannot be read")
    run.keys_of_log(claim.origin)
    pinned = run.policy.witnesses.values() if run.policy is not None else ()
    return check_lines(note, claim, run.firms, (*witnesses, *pinned))


def _note_time(run: _Run, opened: Opened, note: str) -> None:
    """Who cosigned proves that the record existed by then: a partner, or who the policy names.

    A firm is no witness of its own log, nor is a key that only the file names as witness.
    """
    origin = checkpoint.parse(note).origin
    counted = [key for one in run.firms.values() if one.origin != origin for key in one.cosigners()]
    if run.policy is not None and run.policy.witnesses:
        counted = list(run.policy.witnesses.values())
    time = earliest_time(opened, counted)
    run.seen.extend([] if time is None else [time])


def _describe_cosignatures(opened: Opened) -> str:
    times = [notes.cosignature_time(line) for line in opened.verified if len(line.signature) == 72]
    return f"; {len(times)} cosignatures, the earliest at {min(times)}" if times else "; no cosignatures"


def _check_evidence(run: _Run) -> str:
    """4: evidence hash equals the leaf's; or erased, with an erasure record that names it."""
    if run.file.record.evidence is not None:
        if run.file.erasure is not None:
            raise VerificationError("erased, and yet the content is there")
        run.file.record.check_evidence()
        return ""
    if run.file.erasure is None:
        raise VerificationError("the content is missing and no record says that it was erased")
    _check_other_record(run, run.file.erasure, {"erasure"})
    erased = run.file.erasure.check_evidence().message["erased"]
    if run.leaf.type in NEVER_ERASED:
        raise VerificationError("the content of a key or erasure record is never erased")
    if to_hex(run.leaf.digest) not in erased or run.file.erasure.leaf.seq <= run.leaf.seq:
        raise VerificationError("the erasure record names other contents")
    raise NotApplicableError("existence proved, content gone")


def _check_schema(run: _Run) -> str:
    """5: strict schema of the type that the leaf names."""
    checks.check_type(run.leaf, run.evidence)
    checks.check_fields(run.evidence)
    return run.evidence.primary_type


def _check_digest(run: _Run) -> str:
    """6: digest recomputed."""
    checks.check_digest(run.leaf, run.evidence)
    return to_hex(run.leaf.digest)


def _check_display(run: _Run) -> str:
    """7: displayHash; the text equals the rendering where a renderer is at hand."""
    checks.check_fields(run.evidence)
    checks.check_display(run.evidence, run.render)
    return "" if run.render is not None else "hash of the text; no template at hand to render it again"


def _check_passkeys(run: _Run) -> str:
    """8: each passkey signature, key registered before and not revoked."""
    for error in run.key_errors.values():
        raise VerificationError(error)
    checks.check_fields(run.evidence)
    count = checks.check_passkeys(run.leaf, run.evidence, run.parties)
    if not count:
        raise NotApplicableError("no passkey signature in this record")
    return f"{count} passkey signatures"


def _check_seals(run: _Run) -> str:
    """9: each seal."""
    checks.check_fields(run.evidence)
    count = checks.check_seals(run.leaf, run.evidence, run.parties)
    if not count:
        raise NotApplicableError("no seal in this record")
    return f"{count} seals and key proofs"


def _check_roles(run: _Run) -> str:
    """10: required roles present, each once."""
    checks.check_fields(run.evidence)
    check_signers(run.evidence)
    return ", ".join(f"{one['party']} {one['role']}" for one in run.evidence.signatures)


def _check_context(run: _Run) -> str:
    """11: not expired, in its own log, supersedes chain resolves."""
    checks.check_fields(run.evidence)
    checks.check_context(run.leaf, run.evidence, run.parties)
    _check_in_time(run)
    length = _check_chain(run)
    return f"replaces {length} earlier records" if length else "replaces no earlier record"


def _check_in_time(run: _Run) -> None:
    other = run.file.counterpart
    if run.seen and run.leaf.at > min(run.seen) + checks.CLOCK_TOLERANCE_S:
        raise VerificationError("it claims a time at which a witness had seen it long before")
    accepted = run.leaf if other is None or other.leaf is None else other.leaf
    is_elsewhere = checks.is_accepted_elsewhere(run.leaf, run.evidence, run.parties)
    if is_elsewhere and checks.is_late(accepted, run.evidence):
        raise VerificationError("no log proves that it was accepted before it had expired")


def _check_chain(run: _Run) -> int:
    wanted, below = run.evidence.message["supersedes"], run.leaf.seq
    found = [proved_place(one, run.firms) for one in run.file.places]
    places = {place.digest: place for place in found}
    if len(places) != len(found):
        raise VerificationError("a place told twice")
    for record in run.file.chain:
        if wanted == ZERO32 or to_hex(record.leaf.digest) != wanted or record.leaf.seq >= below:
            raise VerificationError("a record that was not replaced, or in the wrong place")
        _check_other_record(run, record, _SUPERSEDABLE, places.pop(record.leaf.digest, None))
        wanted, below = record.check_evidence().message["supersedes"], record.leaf.seq
    if wanted != ZERO32:
        raise VerificationError("a replaced record is missing in the file")
    if places:
        raise VerificationError("a place of a record that is not in the file")
    return len(run.file.chain)


def _check_counterpart(run: _Run) -> str:
    """12: the other firm's checkpoint; same evidence hash, inclusion in its log."""
    other = run.file.counterpart
    if other is None:
        raise NotApplicableError("no counterpart in the file")
    opened = _open_checkpoint(run, other.checkpoint, run.other)
    pinned = {(log.name, log.key_id) for log in (run.policy.logs if run.policy is not None else ())}
    if not any((line.name, line.key_id) in pinned for line in opened.verified):
        run.unpinned.add(12)
    if other.leaf is None or other.leaf_bytes is None or run.other is None:
        raise NotApplicableError("the other firm's keys are proved, its entry is not in the file yet")
    leaf, own = other.leaf, run.leaf
    if (leaf.evidence, leaf.digest, leaf.type) != (own.evidence, own.digest, own.type) or leaf.log == own.log:
        raise VerificationError("the other firm entered something else")
    if leaf.log != run.other.origin:
        raise VerificationError("the checkpoint is of another log")
    verify_inclusion(leaf_hash(other.leaf_bytes), leaf.seq, run.other.size, other.proof, run.other.root)
    _note_time(run, opened, other.checkpoint)
    return f"entry {leaf.seq} of {run.other.size} in {run.other.origin}{_describe_cosignatures(opened)}"


def _check_anchor(run: _Run) -> str:
    """14: the chain holds size and root under the salted name of this log."""
    checks.check_fields(run.evidence)
    if run.chain is None:
        raise NotApplicableError("no chain was asked")
    return run.chain(claim_of(run.evidence.message, run.leaf.log))


def _check_other_record(run: _Run, record: Proved, types: Iterable[str], place: Leaf | None = None) -> None:
    if run.own is None or record.leaf.type not in types:
        raise VerificationError("a record of a type that has no place here")
    record.check_inclusion(run.own)
    parties = Parties(run.firms, seqs_of(record.leaf, place))
    checks.check_record(record.leaf, record.check_evidence(), parties, run.render)


def _practice_step(run: _Run, is_allowed: bool) -> Step:
    if not run.is_practice:
        return make_step(PRACTICE_STEP, "ok")
    return make_step(PRACTICE_STEP, "not applicable" if is_allowed else "failed")


def _run_step(number: int, check: Callable[[_Run], str], run: _Run) -> Step:
    try:
        detail = check(run)
        return make_step(number, "ok", detail, is_pinned=number not in run.unpinned)
    except NotApplicableError as reason:
        return make_step(number, "not applicable", str(reason))
    except VerificationError as error:
        return make_step(number, "failed", str(error))


def _check_usable(data: bytes) -> None:
    if not isinstance(data, bytes) or len(data) > MAX_BYTES:
        raise VerificationError(f"an evidence file has at most {MAX_BYTES} bytes")
    check_depth(data)
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise VerificationError("not an evidence file: no JSON") from error
    if not isinstance(value, dict) or "leaf" not in value or "checkpoint" not in value:
        raise VerificationError("not an evidence file")


_STEPS: dict[int, Callable[[_Run], str]] = {
    2: _check_inclusion,
    3: _check_checkpoint,
    4: _check_evidence,
    5: _check_schema,
    6: _check_digest,
    7: _check_display,
    8: _check_passkeys,
    9: _check_seals,
    10: _check_roles,
    11: _check_context,
    12: _check_counterpart,
}
