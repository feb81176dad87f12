"""Every type of record in one log: who must sign it, what it may point back to, and what a rotated key still may do."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ledger import canonical, checkpoint, keys, records, types
from ledger.cosigners import check_lines
from ledger.encoding import to_hex
from ledger.errors import VerificationError
from ledger.evidence import evidence_hash
from ledger.evidence_file import EvidenceFile, build_file, counterpart
from ledger.firm_keys import FirmKeys, Position, key_id
from ledger.fsck import check_log, export_log
from ledger.head import append_entry, empty_head, sign_head
from ledger.leaf import Leaf, parse_leaf
from ledger.merkle import leaf_hash
from ledger.note import COSIGNER_KEY, LOG_KEY, Signer
from ledger.policy import parse_policy
from ledger.proof import format_proof, parse_proof, proof_of, verify_proof
from ledger.replay import BadPositionError, Entry, verify_entries
from ledger.verify import verify_bundle
from tests.ledger import logbook
from tests.ledger.logbook import Logbook, by_manager, by_recovery, by_seal, hours, rebuilt, secret, the_logbook
from tests.ledger.world import NOW, Firm

BOOK = the_logbook()


def first_bad(entries: list[Entry], book: Logbook = BOOK) -> BadPositionError:
    with pytest.raises(BadPositionError) as found:
        verify_entries(entries, book.own.origin, book.partner_keys())
    return found.value


def test_a_log_with_every_type_of_record_holds() -> None:
    assert {parse_leaf(leaf).type for leaf in BOOK.own.leaves} == set(types.RECORD_TYPES)
    lines = list(export_log(BOOK.own.origin, BOOK.own.entries(), BOOK.notes, BOOK.partner_keys()))
    totals = check_log(lines)
    assert (totals.entries, totals.checkpoints, totals.erased) == (24, 24, 1)
    assert totals.root == BOOK.own.head.root


@pytest.mark.parametrize("name", [name for name in BOOK.places if name != "erased"])
def test_the_evidence_file_of_every_type_holds_and_is_plain_json(name: str) -> None:
    assert verify_bundle(build_file(file_of(BOOK, name))).failed == ()


def file_of(book: Logbook, name: str) -> EvidenceFile:
    own, seq = book.own, book.places[name]
    key_seqs = [at for at, leaf in enumerate(own.leaves) if parse_leaf(leaf).type.startswith(("genesis", "key."))]
    evidence = own.evidence[seq]
    wanted, chain = json.loads(evidence or b"{}")["message"]["supersedes"], []
    while wanted != records.ZERO32:
        at = next(place for place in range(own.head.size) if to_hex(parse_leaf(own.leaves[place]).digest) == wanted)
        chain.append(own.prove(at))
        wanted = json.loads(own.evidence[at] or b"{}")["message"]["supersedes"]
    return EvidenceFile(
        record=own.prove(seq),
        checkpoint=own.note(book.partner),
        keys=(*(own.prove(at) for at in key_seqs), book.partner.prove(0)),
        chain=tuple(chain),
        counterpart=counterpart(book.partner.note()),
    )


def signatures_of(name: str) -> list[dict[str, Any]]:
    return list(json.loads(BOOK.own.evidence[BOOK.places[name]] or b"{}")["signatures"])


ALL_SIGNATURES = [
    (name, place) for name in BOOK.places if name != "erased" for place in range(len(signatures_of(name)))
]


@pytest.mark.parametrize(("name", "place"), ALL_SIGNATURES, ids=lambda one: str(one))
def test_no_signature_of_any_record_can_be_left_out(name: str, place: int) -> None:
    """The insider drops it and makes every hash after it right again."""
    seq = BOOK.places[name]
    whole = json.loads(BOOK.own.evidence[seq] or b"{}")
    del whole["signatures"][place]
    found = first_bad(rebuilt(BOOK.own, {seq: canonical.dumps(whole)}))
    assert found.position == seq
    assert "signature missing" in found.reason


# What a record may point back to


def bad_hours(member: str, value: Any) -> Callable[[Logbook], int]:
    def enter(book: Logbook) -> int:
        fields = {"report": book.digests["hours.report"], **hours(book), member: value}
        return book.add("bad", records.HoursConfirm(**book.common("bad"), **fields), by_seal(book.own))

    return enter


def money(book: Logbook) -> dict[str, Any]:
    return {"accepted_min": 1, "currency": "EUR", "amount_cents": 1}


def enter_own(make: Callable[[Logbook], records.Record]) -> Callable[[Logbook], int]:
    return lambda book: book.add("bad", make(book), by_manager(book.own))


def report(book: Logbook, **changes: Any) -> records.HoursReport:
    done = {"machine": "m", "set_up_min": 0, "quantity": 1, "scrap": 0}
    return records.HoursReport(**book.common("bad"), **done, **hours(book, **changes))


UNKNOWN = to_hex(b"\x01" * 32)
POINTERS: dict[str, Callable[[Logbook], int]] = {
    "hours of no agreement": lambda book: book.add("bad", report(book, agreement=UNKNOWN), by_seal(book.own)),
    "hours of a report": lambda book: book.add(
        "bad", report(book, agreement=book.digests["hours.report"]), by_seal(book.own)
    ),
    "confirmation of no report": bad_hours("report", UNKNOWN),
    "confirmation of an agreement": lambda book: bad_hours("report", book.digests["agreement"])(book),
    "confirmation of other minutes": bad_hours("minutes", 2401),
    "confirmation of another week": bad_hours("week", "2026-W41"),
    "confirmation of another line": bad_hours("line", 1),
    "confirmation of another agreement": lambda book: bad_hours("agreement", book.digests["change"])(book),
    "confirmation to oneself": lambda book: book.add(
        "bad",
        records.HoursConfirm(
            **book.own.common(to=book.own.address, text="bad"),
            report=book.digests["hours.report"],
            **hours(book),
        ),
        by_seal(book.own),
    ),
    "completion of a report": enter_own(
        lambda book: records.Completion(**book.common("bad"), agreement=book.digests["hours.report"], **money(book))
    ),
    "completion of nothing": enter_own(
        lambda book: records.Completion(**book.common("bad"), agreement=UNKNOWN, **money(book))
    ),
    "dispute about nothing": enter_own(
        lambda book: records.Dispute(**book.common("bad"), subject=UNKNOWN, reason="x", **money(book))
    ),
    "dispute about a key": enter_own(
        lambda book: records.Dispute(**book.common("bad"), subject=book.digests["genesis"], reason="x", **money(book))
    ),
    "end of no permission": enter_own(
        lambda book: records.ShareRevoke(**book.common("bad"), grant=UNKNOWN, reason="x")
    ),
    "end of another's permission": enter_own(
        lambda book: records.ShareRevoke(
            **book.own.common(to="x@y.example", text="bad"), grant=book.digests["share.grant"], reason="x"
        )
    ),
    "erasure of nothing": enter_own(lambda book: erasure(book)),
    "erasure of what is not there": enter_own(lambda book: erasure(book, UNKNOWN)),
    "erasure of what is still there": enter_own(lambda book: erasure(book, book.digests["dispute"])),
    "erasure told twice": enter_own(lambda book: erasure(book, UNKNOWN, UNKNOWN)),
    "anchor of the future": enter_own(lambda book: anchor(book, size=book.own.head.size + 1)),
    "anchor of nothing": enter_own(lambda book: anchor(book, size=0)),
    "anchor of another root": enter_own(lambda book: anchor(book, root=UNKNOWN)),
    "anchor of another size": enter_own(lambda book: anchor(book, size=4)),
}


def erasure(book: Logbook, *digests: str) -> records.Erasure:
    return records.Erasure(**book.own.common(text="bad"), erased=digests, legal_basis="Art. 17 DSGVO")


def anchor(book: Logbook, size: int = 5, root: str = "") -> records.Anchor:
    right = to_hex(checkpoint.parse(dict(book.notes)[5]).root)
    chain = {"chain_id": 1, "contract": "0x" + "00" * 20, "transaction": UNKNOWN}
    return records.Anchor(**book.own.common(text="bad"), **chain, size=size, root=root or right)


@pytest.mark.parametrize("fault", POINTERS)
def test_a_record_that_points_to_nothing_fitting_is_named(fault: str) -> None:
    book = logbook.start_logbook()
    logbook.enter_work(book)
    logbook.enter_shares(book)
    seq = POINTERS[fault](book)
    if fault.startswith("anchor"):
        drop_passkeys(book, seq)
    found = first_bad(book.own.entries(), book)
    assert found.position == seq
    assert re.search("names|anchored|never had", found.reason)


def drop_passkeys(book: Logbook, seq: int) -> None:
    """An anchor bears the seal only."""
    whole = json.loads(book.own.evidence[seq] or b"{}")
    whole["signatures"] = [one for one in whole["signatures"] if one["kind"] == "seal"]
    entry = rebuilt(book.own, {seq: canonical.dumps(whole)})[seq]
    book.own.leaves[seq], book.own.evidence[seq] = entry.leaf, entry.evidence


def test_a_confirmation_of_an_erased_report_holds() -> None:
    book = logbook.start_logbook()
    logbook.enter_work(book)
    book.own.evidence[book.places["hours.report"]] = None
    book.add("erasure", erasure(book, book.digests["hours.report"]), by_manager(book.own), "bad")
    assert verify_entries(book.own.entries(), book.own.origin, book.partner_keys()).erased == 1


CONFLICTS: dict[str, Callable[[Logbook], dict[str, str]]] = {
    "one checkpoint twice": lambda book: {"second": logbook.fork_note(book.partner, "one")},
    "two sizes": lambda book: {"second": logbook.fork_note(book.partner, "other", size=4)},
    "signed by another": lambda book: {"second": forged_note(book.partner)},
    "of another log": lambda book: {"log": "other.example/x"},
    "of the own log": lambda book: {
        "log": book.own.origin,
        "first": logbook.fork_note(book.own, "one"),
        "second": logbook.fork_note(book.own, "other"),
    },
    "no checkpoints": lambda book: {"first": "x", "second": "y"},
}


def forged_note(firm: Firm) -> str:
    claim = checkpoint.Checkpoint(firm.origin, 3, secret("other"))
    return checkpoint.sign(claim, keys.generate_log_key(firm.origin))


@pytest.mark.parametrize("fault", CONFLICTS)
def test_a_conflict_that_proves_nothing_is_refused(fault: str) -> None:
    book = logbook.start_logbook()
    notes = {word: logbook.fork_note(book.partner, word) for word in ("one", "other")}
    said = {"log": book.partner.origin, "first": notes["one"], "second": notes["other"]}
    good = records.WitnessConflict(**book.common("good"), **said)
    book.add("good", good, by_seal(book.own))
    assert verify_entries(book.own.entries(), book.own.origin, book.partner_keys()).entries == book.own.head.size
    bad = records.WitnessConflict(**book.common("bad"), **{**said, **CONFLICTS[fault](book)})
    seq = book.add("bad", bad, by_seal(book.own))
    assert first_bad(book.own.entries(), book).position == seq


@pytest.mark.parametrize("name", ["genesis", "key.register", "key.rotate seal", "key.revoke", "erasure"])
def test_a_key_record_or_an_erasure_is_never_erased(name: str) -> None:
    """Else whoever holds a revoked key could erase its revocation."""
    book = logbook.make_logbook()
    seq = book.places[name]
    book.own.evidence[seq] = None
    book.add("again", erasure(book, book.digests[name]), by_manager(book.own), "bad")
    assert first_bad(book.own.entries(), book).position == seq
    if name == "key.revoke":
        file = replace(file_of(BOOK, name), erasure=BOOK.own.prove(BOOK.places["erasure"]))
        gone = replace(file, record=replace(file.record, evidence=None, evidence_bytes=None))
        assert 4 in verify_bundle(build_file(gone)).failed


def test_existence_is_proved_where_content_is_gone() -> None:
    own, seq = BOOK.own, BOOK.places["erased"]
    file = replace(file_of(BOOK, "erasure"), record=own.prove(seq), erasure=own.prove(BOOK.places["erasure"]))
    report_ = verify_bundle(build_file(file))
    assert report_.failed == ()
    assert report_.step(4).sentence.english == "Existence proved, content gone."


# Rotated keys


def rotation_of(book: Logbook) -> tuple[int, Signer, Signer]:
    """Where the log key changes, the key before and the key after."""
    origin = book.own.origin
    old, new = (Signer(origin, LOG_KEY, secret(word)) for word in ("rennsteig log", "new log"))
    return book.places["key.rotate log"], old, new


def note_at(size: int, key: Signer) -> str:
    head = empty_head(BOOK.own.origin)
    for data in BOOK.own.leaves[:size]:
        leaf = parse_leaf(data)
        head = append_entry(head, leaf.type, leaf.digest, leaf.evidence, leaf.at).head
    return sign_head(head, key)


@pytest.mark.parametrize("size", range(10, 24))
def test_a_checkpoint_is_signed_by_the_key_that_is_valid_at_its_size(size: int) -> None:
    rotated, old, new = rotation_of(BOOK)
    right, wrong = (old, new) if size <= rotated else (new, old)
    for key, is_right in ((right, True), (wrong, False)):
        notes = [(size, note_at(size, key))]
        lines = list(export_log(BOOK.own.origin, BOOK.own.entries(), notes, BOOK.partner_keys()))
        if is_right:
            assert check_log(lines).checkpoints == 1
        else:
            with pytest.raises(BadPositionError) as found:
                check_log(lines)
            assert found.value.position == size - 1


def test_a_partner_whose_log_key_was_rotated_is_known_by_its_records_under_the_newest_checkpoint() -> None:
    book = logbook.start_logbook()
    partner, new = book.partner, Signer(book.partner.origin, LOG_KEY, secret("new partner log"))
    old_kid, fields = key_id(partner.log_key.verifier.public_key), logbook.key_fields("log", new.verifier.public_key)
    record = records.KeyRotate(**partner.common(text="rotate"), old_kid=old_kid, **fields)
    rotated = partner.enter(record, by_recovery(partner), "rotate")
    stale = partner.note()
    partner.log_key = new
    pairs = [(partner.prove(seq), partner.note()) for seq in (0, rotated)]
    assert verify_entries(book.own.entries(), book.own.origin, pairs).entries == book.own.head.size
    with pytest.raises(BadPositionError):
        verify_entries(book.own.entries(), book.own.origin, [(record_, stale) for record_, _ in pairs])


def grown(*steps: tuple[str, dict[str, Any]]) -> FirmKeys:
    """The keys of a firm after genesis and these key records, one a position, ten seconds apart."""
    own = BOOK.own
    firm = FirmKeys.from_genesis(parse_leaf(own.leaves[0]), json.loads(own.evidence[0] or b"{}")["message"])
    for seq, (record_type, message) in enumerate(steps, start=1):
        leaf = Leaf(own.origin, seq, bytes(32), record_type, NOW + 10 * seq, bytes(32), bytes(32))
        firm.apply(leaf, {"from": own.address, **message})
    return firm


def registers(purpose: str, word: str) -> tuple[str, dict[str, Any]]:
    return "key.register", wire(logbook.key_fields(purpose, public(purpose, word)))


def wire(fields: dict[str, Any]) -> dict[str, Any]:
    return {records.field_name(name): value for name, value in fields.items()}


def public(purpose: str, word: str) -> bytes:
    if purpose == "passkey":
        return logbook.fixed_passkey(word).point
    return secret(word)[:20] if purpose == "seal" else Signer("x", LOG_KEY, secret(word)).verifier.public_key


def revokes(purpose: str, word: str) -> tuple[str, dict[str, Any]]:
    return "key.revoke", {"purpose": purpose, "kid": key_id(public(purpose, word))}


def test_a_revoked_log_key_leaves_the_one_before_it_or_none() -> None:
    firm = grown(registers("log", "second"), revokes("log", "second"), revokes("log", "rennsteig log"))
    found = [firm.log_key(size).public_key for size in (1, 2, 3)]
    assert found == [public("log", "rennsteig log"), public("log", "second"), public("log", "rennsteig log")]
    with pytest.raises(VerificationError, match="no log key"):
        firm.log_key(4)


def test_a_key_registered_again_signs_on_from_there_and_not_in_between() -> None:
    firm = grown(*[registers("passkey", "p"), revokes("passkey", "p")] * 2)
    kid = key_id(public("passkey", "p"))
    may = {}
    for key_seq in (1, 3):
        for seq in range(6):
            try:
                firm.passkey(kid, key_seq, "worker", Position(seq, NOW))
                may[key_seq, seq] = True
            except VerificationError:
                may[key_seq, seq] = False
    assert [seq for seq in range(6) if may[1, seq]] == [2]
    assert [seq for seq in range(6) if may[3, seq]] == [4]


def test_a_key_has_one_purpose() -> None:
    with pytest.raises(VerificationError, match="one purpose"):
        grown(registers("log", "rennsteig cosign"))
    with pytest.raises(VerificationError, match="never registered"):
        grown(revokes("seal", "rennsteig log"))
    with pytest.raises(VerificationError, match="unknown purpose"):
        grown(registers("magic", "x"))


@pytest.mark.parametrize(("seconds", "holds"), [(-1, True), (0, False), (500, False)])
def test_a_rotated_cosigner_key_counts_until_it_was_rotated(seconds: int, holds: bool) -> None:
    """A partner's log, cosigned by a key that our log replaced at a certain time."""
    book = logbook.start_logbook()
    own, partner, old = book.own, book.partner, book.own.cosign_key
    logbook.rotate(book, "cosign", "rotate")
    seq = book.places["rotate"]
    note = partner.note()
    for key, time in ((old, NOW + seconds), (own.cosign_key, NOW + 500)):
        note = checkpoint.add_cosignature(note, checkpoint.cosign(note, key, time))
    pairs = [(own.prove(at), own.note()) for at in (0, seq)]
    lines = list(export_log(partner.origin, partner.entries(), [(partner.head.size, note)], pairs))
    if holds:
        assert check_log(lines).checkpoints == 1
    else:
        with pytest.raises(BadPositionError, match="revoked by then"):
            check_log(lines)


def test_every_line_of_an_exported_checkpoint_is_by_a_known_key() -> None:
    size, note = BOOK.notes[-1]
    stranger = keys.generate_cosigner_key("other.example/w")
    more = checkpoint.add_cosignature(note, checkpoint.cosign(note, stranger, NOW))
    lines = list(export_log(BOOK.own.origin, BOOK.own.entries(), [(size, more)], BOOK.partner_keys()))
    with pytest.raises(BadPositionError, match="unknown key"):
        check_log(lines)


def test_a_key_with_the_id_of_a_witness_does_not_stand_in_for_it() -> None:
    firms = {BOOK.partner.address: partner_keys(), BOOK.own.address: grown()}
    first = Signer(BOOK.own.cosign_key.name, COSIGNER_KEY, secret("rennsteig cosign"))
    signed = BOOK.partner.note()
    note, claim = checkpoint.add_cosignature(signed, checkpoint.cosign(signed, first, NOW)), checkpoint.parse(signed)
    assert len(check_lines(note, claim, firms, [first.verifier]).verified) == 2
    forged = replace(first.verifier, public_key=public("cosign", "forged"))
    with pytest.raises(VerificationError, match="one id"):
        check_lines(note, claim, firms, [forged])


def partner_keys() -> FirmKeys:
    partner = BOOK.partner
    return FirmKeys.from_genesis(parse_leaf(partner.leaves[0]), json.loads(partner.evidence[0] or b"{}")["message"])


def test_the_harness_makes_every_hash_right_again() -> None:
    assert rebuilt(BOOK.own, {}) == BOOK.own.entries()
    changed = rebuilt(BOOK.own, {3: b"{}"})
    assert parse_leaf(changed[3].leaf).evidence == evidence_hash(b"{}")
    assert first_bad(changed).position == 3


def test_any_record_goes_into_a_proof_file_that_other_programs_read() -> None:
    own, partner = BOOK.own, BOOK.partner
    text = f"log {own.log_key.verifier.vkey}\nwitness p {partner.cosign_key.verifier.vkey}\nquorum p\n"
    for seq in (0, 5, 23):
        data = format_proof(proof_of(own.prove(seq), own.note(partner)))
        proof = parse_proof(data)
        assert proof.extra == own.leaves[seq]
        assert verify_proof(proof, leaf_hash(proof.extra), parse_policy(text)).size == 24
