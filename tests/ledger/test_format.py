"""FORMAT.md says what the code does: its type strings and vectors are computed again."""

from hashlib import sha256
from pathlib import Path

import pytest

from ledger import canonical, checkpoint, keys, merkle, records, signatures, typed, types
from ledger.anchor.contract import ANCHORED, origin_hash
from ledger.encoding import to_b64, to_hex
from ledger.evidence import display_hash
from ledger.firm_keys import key_id
from ledger.leaf import Leaf, build_leaf
from ledger.note import COSIGNER_KEY, LOG_KEY, Signer

FORMAT = (Path(__file__).resolve().parents[2] / "ledger" / "FORMAT.md").read_text(encoding="utf-8")
SEED = bytes(range(32))


def vectors() -> dict[str, str]:
    record = records.Completion(
        id=to_hex(bytes([1] * 32)),
        salt=to_hex(bytes([2] * 32)),
        from_="a@werkring.example",
        to="b@werkring.example",
        issued_at=1_790_000_000,
        display_hash=display_hash("Abnahme: 40 Stunden."),
        agreement=to_hex(bytes([3] * 32)),
        accepted_min=2400,
        currency="EUR",
        amount_cents=368_000,
    )
    digest = typed.digest("Completion", record.message())
    evidence = sha256(b"evidence").digest()
    leaf = build_leaf(Leaf("werkring.example/a", 1, bytes(32), "completion", 1_790_000_000, digest, evidence))
    log = Signer("werkring.example/a", LOG_KEY, SEED)
    witness = Signer("werkring.example/b/witness", COSIGNER_KEY, SEED)
    claim = checkpoint.Checkpoint(log.name, 1, merkle.leaf_hash(leaf))
    note = checkpoint.sign(claim, log)
    return {
        "message": canonical.dumps(record.message()).decode(),
        "domain separator": to_hex(types.SCHEME.domain_separator),
        "digest": to_hex(digest),
        "leaf": leaf.decode(),
        "leaf hash": to_b64(merkle.leaf_hash(leaf)),
        "root of two such leaves": to_b64(merkle.root([merkle.leaf_hash(leaf)] * 2)),
        "log vkey": log.verifier.vkey,
        "witness vkey": witness.verifier.vkey,
        "log signature line": note.splitlines()[-1],
        "cosignature line at 1790000060": checkpoint.cosign(note, witness, 1_790_000_060).rstrip("\n"),
        "seal address": signatures.seal_address(SEED[1:] + b"\x20"),
        "seal": to_hex(signatures.sign_seal(digest, SEED[1:] + b"\x20")),
        "recovery key": to_hex(keys.recovery_public_key(SEED)),
        "recovery kid": key_id(keys.recovery_public_key(SEED)),
        "recovery proof": to_hex(signatures.sign_key_proof(digest, SEED)),
        "recovery words": keys.words_from_seed(SEED),
        "origin hash of `werkring.example/a` with the salt of the message": to_hex(
            origin_hash(bytes([2] * 32), log.name)
        ),
        "event topic": ANCHORED,
        "registry": types.registry_hash(),
    }


@pytest.mark.parametrize("name", vectors())
def test_the_vector_in_the_description_is_right(name: str) -> None:
    assert f"- {name}: `{vectors()[name]}`" in FORMAT


@pytest.mark.parametrize("record_type", types.RECORD_TYPES)
def test_every_record_type_is_described_with_its_type_string(record_type: str) -> None:
    primary = types.primary_type_of(record_type)
    own = types.type_strings()[primary].partition("string locale,bytes32 displayHash,")[2].removesuffix(LINE)
    assert f"`{record_type}` {primary}: `{own[:-1]}`" in FORMAT


LINE = "Line(string machine,string week,uint32 minutes,uint64 rateCentsPerHour,uint32 setUpMin,uint64 amountCents)"


def test_the_common_fields_and_the_line_are_described() -> None:
    assert f"`{LINE}`" in FORMAT
    assert types.type_strings()["Completion"].removeprefix("Completion(").partition(",bytes32 agreement")[0] in FORMAT
