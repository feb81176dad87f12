"""Our own vectors are what the code makes today, and a reader who has only them comes to the same answers."""

import json
from typing import Any

import pytest

from ledger import checkpoint, merkle, note, policy, proof, typed
from ledger.encoding import from_b64, from_hex
from ledger.fsck import check_log
from ledger.types import primary_type_of
from ledger.verify import verify_bundle
from tests.ledger.write_vectors import FOLDER, make_vectors

MADE = make_vectors()


def load(name: str) -> Any:
    return json.loads((FOLDER / name).read_bytes())


@pytest.mark.parametrize("name", MADE)
def test_the_vector_file_is_the_one_that_the_script_writes(name: str) -> None:
    assert (FOLDER / name).read_bytes() == MADE[name], "python -m tests.ledger.write_vectors"


def test_no_other_file_lies_among_the_vectors() -> None:
    assert {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file()} == set(MADE)


@pytest.mark.parametrize("one", load("files.json"), ids=lambda one: one["name"])
def test_an_evidence_file_fails_in_the_step_that_its_name_says(one: dict[str, Any]) -> None:
    good = (FOLDER / "good-agreement.json").read_bytes()
    data = good[: one["at"]] + one["put"].encode() + good[one["at"] + one["cut"] :]
    failed = list(verify_bundle(data).failed)
    assert failed == one["failed"]
    kind, _, rest = one["name"].partition("-")
    assert (kind == "good") == (not failed)
    if failed:
        assert int(rest[:2]) in failed


def test_the_vectors_name_every_step_that_a_file_can_fail_in() -> None:
    named = {int(one["name"][4:6]) for one in load("files.json") if one["name"].startswith("bad")}
    assert named == {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}


@pytest.mark.parametrize("one", load("records.json"), ids=lambda one: one["name"])
def test_a_record_has_the_digest_and_leaf_hash_that_stand_there(one: dict[str, Any]) -> None:
    assert merkle.leaf_hash(one["leaf"].encode()) == from_b64(one["leafHash"])
    if one["message"] is not None:
        assert typed.digest(primary_type_of(one["type"]), one["message"]) == from_hex(one["digest"])


def test_checkpoints_proofs_and_the_log_fit_together() -> None:
    keys = load("keys.json")
    hashes = [from_b64(one["leafHash"]) for one in load("records.json")]
    for one in load("checkpoints.json"):
        assert checkpoint.verify_cosignature(one["note"], keys[1]["cosignVkey"]) == one["cosignedAt"]
        assert note.cosigned_message(note.parse(one["note"]).text, one["cosignedAt"]).decode() == one["cosignedMessage"]
        assert merkle.root(hashes[: one["size"]]) == from_b64(one["root"])
    for one in load("proofs.json"):
        read, known = proof.parse_proof(one["proofFile"]), policy.parse_policy(one["policy"])
        claim = proof.verify_proof(read, merkle.leaf_hash(one["leaf"].encode()), known)
        path = [from_b64(hashed) for hashed in one["consistency"]]
        merkle.verify_consistency(
            one["consistencyFrom"], claim.size, from_b64(one["consistencyRoot"]), claim.root, path
        )
    with (FOLDER / "log.jsonl").open("rb") as lines:
        assert check_log(lines).entries == len(hashes)
