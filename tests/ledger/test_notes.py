"""Signed notes, checkpoints, cosignatures and proof files: the published vectors, and our own round trips."""

from base64 import b64decode
from typing import Any

import pytest

from ledger import checkpoint, keys, merkle, note
from ledger.checkpoint import Checkpoint
from ledger.errors import VerificationError
from ledger.note import SignatureLine, Signer
from ledger.policy import parse_policy
from ledger.proof import LogProof, format_proof, parse_proof, verify_proof
from ledger.witness import build_request, parse_request
from tests.ledger.vectors import load, names, needs_vectors

ROOT = merkle.leaf_hash(b"x")
LOG = keys.generate_log_key("werkring.example/a")
WITNESS = keys.generate_cosigner_key("werkring.example/b")


def check_vkey(vector: dict[str, Any]) -> None:
    key = note.parse_vkey(vector["vkey"])
    expect = vector["expect"]
    assert (key.name, key.key_id.hex(), f"0x{key.alg:02x}") == (
        expect["name"],
        expect["keyId"],
        expect["signatureType"],
    )
    assert key.public_key.hex() == expect["publicKeyHex"]
    assert key.vkey == vector["vkey"]


def check_skey(vector: dict[str, Any]) -> None:
    signer = note.parse_skey(vector["skey"])
    assert signer.verifier.vkey == vector["expect"]["vkey"]
    assert signer.skey == vector["skey"]


def check_sign(vector: dict[str, Any]) -> None:
    signer: Signer | str = vector["skey"] or LOG  # two vectors are about other people's lines only
    if "signerName" in vector:
        signer = Signer(vector["signerName"], note.LOG_KEY, note.parse_skey(vector["skey"]).seed)
    own = (signer if isinstance(signer, Signer) else note.parse_skey(signer)).verifier
    existing = [read_existing(one, own) for one in vector.get("existing", [])]
    assert note.sign(vector["text"], signer, existing) == vector["expect"]["note"]


def read_existing(one: dict[str, str], own: note.Verifier) -> SignatureLine:
    data = b64decode(one["base64"])
    if (one["name"], one["keyId"]) == (own.name, own.key_id.hex()):
        return SignatureLine(own.name, own.key_id, data)  # replaced unread
    if data[:4].hex() != one["keyId"]:
        raise VerificationError("does not begin with its key id")
    return SignatureLine(one["name"], data[:4], data[4:])


def check_open(vector: dict[str, Any]) -> None:
    data = vector["note"] if vector["note"] is not None else b64decode(vector["note_b64"])
    opened = note.open_note(data, vector["vkeys"])
    assert opened.text == vector["expect"]["text"]
    assert [line.name for line in opened.verified] == vector["expect"]["verified"]
    assert [line.name for line in opened.unverified] == vector["expect"]["unverified"]
    assert note.open(data, vector["vkeys"]) == vector["expect"]["verified"]


def check_lookup(vector: dict[str, Any]) -> None:
    known = [note.parse_vkey(vkey) for vkey in vector["vkeys"]]
    for one in vector["lookups"]:
        if one["answer"] == "ambiguous":
            with pytest.raises(VerificationError):
                note.find_key(known, one["name"], bytes.fromhex(one["keyId"]))
        else:
            found = note.find_key(known, one["name"], bytes.fromhex(one["keyId"]))
            assert (found is not None) == (one["answer"] == "found")


def check_lines(lines: tuple[SignatureLine, ...], expected: list[dict[str, Any]]) -> None:
    assert len(lines) == len(expected)
    for line, expect in zip(lines, expected, strict=True):
        assert (line.name, line.key_id.hex(), len(line.signature)) == (
            expect["name"],
            expect["keyId"],
            expect["signatureBytes"],
        )
        if "cosignatureTimestamp" in expect:
            assert note.cosignature_time(line) == expect["cosignatureTimestamp"]
        if expect.get("timestampInRange") is False:
            with pytest.raises(VerificationError):
                note.cosignature_time(line)


def check_parse_note(vector: dict[str, Any]) -> None:
    parsed = note.parse(vector["note"])
    assert parsed.text == vector["expect"]["text"]
    check_lines(parsed.signatures, vector["expect"]["signatures"])
    assert note.format_note(parsed.text, parsed.signatures) == vector["note"]
    with pytest.raises(VerificationError):
        note.open(vector["note"], [])


def check_parse_checkpoint(vector: dict[str, Any]) -> None:
    check_parse_note(vector)
    claim, expect = checkpoint.parse(vector["note"]), vector["expect"]
    assert (claim.origin, claim.size, list(claim.extensions)) == (
        expect["origin"],
        expect["size"],
        expect["extensionLines"],
    )
    assert claim.root == b64decode(expect["rootBase64"])
    assert checkpoint.format(claim) == expect["text"]


def check_cosigned_message(vector: dict[str, Any]) -> None:
    assert note.cosigned_message(vector["text"], vector["timestamp"]).decode() == vector["expect"]["message"]


def check_signature_lines(vector: dict[str, Any]) -> None:
    check_lines(note.parse_lines(vector["text"]), vector["expect"]["signatures"])


def check_add_checkpoint(vector: dict[str, Any]) -> None:
    request, expect = parse_request(vector["text"].encode()), vector["expect"]
    claim = checkpoint.parse(request.note)
    assert request.old_size == expect["oldSize"]
    assert list(request.proof) == [b64decode(one) for one in expect["proofHashes"]]
    assert (claim.origin, claim.size) == (expect["checkpoint"]["origin"], expect["checkpoint"]["size"])
    check_lines(note.parse(request.note).signatures, expect["checkpoint"]["signatures"])
    assert build_request(request.note, request.old_size, request.proof) == vector["text"].encode()
    with pytest.raises(VerificationError):
        merkle.verify_consistency(request.old_size, claim.size, ROOT, claim.root, request.proof)


def check_tlog_proof(vector: dict[str, Any]) -> None:
    parse_proof(vector["text"])


def check_subtree_request(vector: dict[str, Any]) -> None:
    checkpoint.parse(vector["text"].partition("\n\n")[2])


CHECKS = {
    "vkey": check_vkey,
    "skey": check_skey,
    "sign": check_sign,
    "open": check_open,
    "lookup": check_lookup,
    "parse-note": check_parse_note,
    "parse-checkpoint": check_parse_checkpoint,
    "cosigned-message": check_cosigned_message,
    "signature-lines": check_signature_lines,
    "add-checkpoint-request": check_add_checkpoint,
    "tlog-proof": check_tlog_proof,
    "sign-subtree-request": check_subtree_request,
}


@needs_vectors
@pytest.mark.parametrize("name", names("notes"))
def test_note_vector(name: str) -> None:
    vector = load("notes", name)
    if vector["kind"] in ("vkey-list", "skey-list"):
        parse = note.parse_vkey if vector["kind"] == "vkey-list" else note.parse_skey
        for key in vector["keys"]:
            with pytest.raises(VerificationError):
                parse(key)
    elif vector["valid"]:
        CHECKS[vector["kind"]](vector)
    else:
        with pytest.raises(VerificationError):
            CHECKS[vector["kind"]](vector)


def test_a_partner_cosigns_a_checkpoint_and_the_time_is_proved() -> None:
    claim = Checkpoint(LOG.name, 7, ROOT)
    signed = checkpoint.sign(claim, LOG)
    cosigned = checkpoint.add_cosignature(signed, checkpoint.cosign(signed, WITNESS, 1_790_000_060))
    assert checkpoint.parse(cosigned) == claim
    assert checkpoint.verify_signature(cosigned, LOG.verifier.vkey) == claim
    assert checkpoint.verify_cosignature(cosigned, WITNESS.verifier.vkey) == 1_790_000_060
    again = checkpoint.add_cosignature(cosigned, checkpoint.cosign(signed, WITNESS, 1_790_000_090))
    assert checkpoint.verify_cosignature(again, WITNESS.verifier) == 1_790_000_090
    assert len(note.parse(again).signatures) == 2


@pytest.mark.parametrize("cut", [0, 1, 5, 40])
def test_a_changed_cosignature_is_refused(cut: int) -> None:
    signed = checkpoint.sign(Checkpoint(LOG.name, 7, ROOT), LOG)
    line = note.parse_lines(checkpoint.cosign(signed, WITNESS, 5))[0]
    wrong = bytearray(line.signature)
    wrong[cut] ^= 1
    bad = note.format_note(note.parse(signed).text, [SignatureLine(line.name, line.key_id, bytes(wrong))])
    with pytest.raises(VerificationError):
        checkpoint.verify_cosignature(bad, WITNESS.verifier)


def test_keys_do_not_do_each_others_work() -> None:
    claim = Checkpoint(LOG.name, 7, ROOT)
    signed = checkpoint.sign(claim, LOG)
    with pytest.raises(VerificationError):
        checkpoint.cosign(signed, LOG, 5)
    with pytest.raises(VerificationError):
        note.sign(checkpoint.format(claim), WITNESS)
    with pytest.raises(VerificationError):
        checkpoint.sign(Checkpoint("werkring.example/other", 7, ROOT), LOG)
    with pytest.raises(VerificationError):
        checkpoint.verify_cosignature(signed, LOG.verifier)
    with pytest.raises(VerificationError):
        checkpoint.verify_signature(signed, WITNESS.verifier)


@pytest.mark.parametrize(
    "text",
    ["", "\n", "o\n", "o\n1\n", "o\n01\nAA==\n", "o\n-1\nAA==\n", "\n1\nAA==\n", "o\n1\nAA==\n", "o\n٣\nAA==\n"],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(VerificationError):
        checkpoint.parse(text)


def test_a_proof_file_is_read_back_and_proves_the_entry() -> None:
    leaves = [merkle.leaf_hash(bytes([number])) for number in range(9)]
    signed = checkpoint.sign(Checkpoint(LOG.name, 9, merkle.root(leaves)), LOG)
    cosigned = checkpoint.add_cosignature(signed, checkpoint.cosign(signed, WITNESS, 5))
    proof = LogProof(6, tuple(merkle.inclusion_proof(leaves, 6)), cosigned, b"extra")
    policy = parse_policy(f"log {LOG.verifier.vkey}\nwitness b {WITNESS.verifier.vkey}\nquorum b\n")
    assert parse_proof(format_proof(proof)) == proof
    assert verify_proof(proof, leaves[6], policy).size == 9
    for wrong in (leaves[5], LogProof(5, proof.path, cosigned), LogProof(6, proof.path, signed)):
        bad = (proof, wrong) if isinstance(wrong, bytes) else (wrong, leaves[6])
        with pytest.raises(VerificationError):
            verify_proof(*bad, policy)


BAD_PROOFS = {
    "another version": lambda text: text.replace("@v1", "@v2", 1),
    "no index": lambda text: text.replace("index 6\n", "", 1),
    "index with a leading zero": lambda text: text.replace("index 6", "index 06", 1),
    "index as a word": lambda text: text.replace("index 6", "index six", 1),
    "extra after the index": lambda text: text.replace("index 6\n", "index 6\nextra AAAA\n", 1),
    "extra with stray bits": lambda text: text.replace("index 6", "extra AB==\nindex 6", 1),
    "hash too short": lambda text: text.replace("index 6\n", "index 6\nAAAA\n", 1),
    "no empty line": lambda text: text.replace("\n\n", "\n", 1),
    "no checkpoint": lambda text: text.partition("\n\n")[0] + "\n\n",
    "unsigned checkpoint": lambda text: text.rpartition("\n\n")[0] + "\n",
    "carriage returns": lambda text: text.replace("\n", "\r\n"),
    "too long": lambda text: text + "x" * 1_000_000,
}


@pytest.mark.parametrize("fault", BAD_PROOFS)
def test_a_bad_proof_file_is_refused(fault: str) -> None:
    leaves = [merkle.leaf_hash(bytes([number])) for number in range(9)]
    signed = checkpoint.sign(Checkpoint(LOG.name, 9, merkle.root(leaves)), LOG)
    text = format_proof(LogProof(6, tuple(merkle.inclusion_proof(leaves, 6)), signed))
    with pytest.raises(VerificationError):
        parse_proof(BAD_PROOFS[fault](text))


def test_a_policy_counts_witnesses_as_its_groups_say() -> None:
    witnesses = [keys.generate_cosigner_key(f"werkring.example/{name}").verifier for name in "abcd"]
    lines = [f"witness {name} {key.vkey} https://example.org" for name, key in zip("abcd", witnesses, strict=True)]
    text = "\n".join(["# rule", *lines, "group x 2 a b c", "group all-of-them all x d", "quorum all-of-them", ""])
    policy = parse_policy(text)
    a, b, c, d = witnesses
    assert policy.is_satisfied([a, c, d])
    assert not policy.is_satisfied([a, b, c])
    assert not policy.is_satisfied([a, d])
    assert parse_policy("quorum none").is_satisfied([])


def test_groups_within_groups_are_counted_to_any_depth() -> None:
    vkey = WITNESS.verifier.vkey
    chain = [f"witness g0 {vkey}", *(f"group g{number + 1} 1 g{number}" for number in range(3000)), "quorum g3000"]
    policy = parse_policy("\n".join(chain))
    assert policy.is_satisfied([WITNESS.verifier])
    assert not policy.is_satisfied([])


def test_the_largest_policy_that_everybody_must_read_is_read() -> None:
    def vkey(kind: int, number: int) -> str:
        return Signer(f"example.org/{number}", kind, bytes([number]) * 32).verifier.vkey

    logs = [f"log {vkey(note.LOG_KEY, number)}\thttps://example.org" for number in range(32)]
    witnesses = [f"  witness w{number} {vkey(note.COSIGNER_KEY, number + 40)}" for number in range(32)]
    groups = [f"group g{number} 1 w{number}" for number in range(31)] + ["group Räte all g0 g1 w31"]
    policy = parse_policy("\n".join(["# alle", "", *logs, *witnesses, *groups, "quorum Räte", ""]))
    assert (len(policy.logs), len(policy.witnesses), len(policy.groups)) == (32, 32, 32)
    assert policy.is_satisfied([policy.witnesses[name] for name in ("w0", "w1", "w31")])
    assert not policy.is_satisfied([policy.witnesses[name] for name in ("w0", "w31")])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "quorum x",
        "quorum none\nquorum none",
        "log nonsense\nquorum none",
        f"log {LOG.verifier.vkey}\nlog {LOG.verifier.vkey}\nquorum none",
        f"log {WITNESS.verifier.vkey}\nquorum none",
        f"witness none {WITNESS.verifier.vkey}\nquorum none",
        f"witness a {WITNESS.verifier.vkey}\ngroup g 2 a\nquorum g",
        f"witness a {WITNESS.verifier.vkey}\ngroup g 01 a\nquorum g",
        f"witness a {WITNESS.verifier.vkey}\ngroup g any a\ngroup h any a\nquorum g",
        "group g any g\nquorum g",
        f"witness a {WITNESS.verifier.vkey}\ngroup g {'9' * 5000} a\nquorum g",
        f"witness a {WITNESS.verifier.vkey}\r\nquorum a",
        f"witness a {WITNESS.verifier.vkey}\ngroup g any a none\nquorum g",
        f"quorum a\nwitness a {WITNESS.verifier.vkey}",
        f"witness a {WITNESS.verifier.vkey}\ngroup g any\nquorum g",
        f"witness a {WITNESS.verifier.vkey}\nwitness b {WITNESS.verifier.vkey}\nquorum a",
        f"witness a {WITNESS.verifier.vkey}\ngroup g 0 a\nquorum g",
        "nonsense\nquorum none",
    ],
    ids=[
        "empty",
        "wrong quorum",
        "two quorums",
        "wrong log",
        "two logs",
        "witness as log",
        "reserved name",
        "group of one",
        "leading zero",
        "group in two groups",
        "group of itself",
        "threshold of many digits",
        "carriage return",
        "none in a group",
        "quorum before its witness",
        "group of nobody",
        "one key twice",
        "threshold zero",
        "unknown line",
    ],
)
def test_a_wrong_policy_is_refused(text: str) -> None:
    with pytest.raises(VerificationError):
        parse_policy(text)
