"""Go's own sumdb/note and sumdb/tlog read our checkpoints, proofs and tiles, and refuse what we refuse.

Needs the Debian packages golang-go and golang-golang-x-mod-dev; without them these tests skip, and say so.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ledger import checkpoint, keys, merkle
from ledger.checkpoint import Checkpoint
from ledger.encoding import to_b64
from ledger.tiles import tile_bytes, tiles_of

SOURCE = Path(__file__).parent / "go" / "check.go"
PACKAGES = Path("/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog")
has_go = shutil.which("go") is not None and PACKAGES.is_dir()
pytestmark = pytest.mark.skipif(not has_go, reason="Go is absent: apt-get install golang-go golang-golang-x-mod-dev")

LEAVES = [merkle.leaf_hash(number.to_bytes(4, "big")) for number in range(600)]
ROOTS = [merkle.root(LEAVES[:size]) for size in range(130)]
LOG = keys.generate_log_key("werkring.example/a")
WITNESS = keys.generate_cosigner_key("werkring.example/b")
OTHER = keys.generate_log_key("werkring.example/a")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("go")
    built = folder / "check"
    places = {"GOPATH": "/usr/share/gocode", "GO111MODULE": "off", "GOFLAGS": "", "GOCACHE": str(folder / "cache")}
    command = ["go", "build", "-o", str(built), str(SOURCE)]
    subprocess.run(command, check=True, env={**os.environ, **places}, capture_output=True, timeout=300)
    return built


def answers(program: Path, cases: list[dict[str, Any]]) -> list[str]:
    text = json.dumps(cases)
    done = subprocess.run([program], input=text, capture_output=True, text=True, timeout=300, check=True)
    found: list[str] = json.loads(done.stdout)
    assert len(found) == len(cases)
    return found


def inclusion(size: int, index: int) -> dict[str, Any]:
    proof = merkle.inclusion_proof(LEAVES[:size], index)
    tree = {"Size2": size, "Root2": to_b64(ROOTS[size]), "Index": index, "Leaf": to_b64(LEAVES[index])}
    return {"Kind": "inclusion", **tree, "Proof": [to_b64(one) for one in proof]}


def consistency(size1: int, size2: int) -> dict[str, Any]:
    proof = merkle.consistency_proof(LEAVES[:size2], size1)
    roots = {"Root1": to_b64(ROOTS[size1]), "Root2": to_b64(ROOTS[size2])}
    return {"Kind": "consistency", "Size1": size1, "Size2": size2, **roots, "Proof": [to_b64(one) for one in proof]}


def changed(case: dict[str, Any], place: int) -> dict[str, Any]:
    proof = list(case["Proof"])
    first = proof[place][0]
    proof[place] = ("B" if first == "A" else "A") + proof[place][1:]
    return {**case, "Proof": proof}


@pytest.mark.parametrize("kind", ["inclusion", "consistency"])
def test_go_accepts_every_proof_up_to_size_128_and_no_changed_one(program: Path, kind: str) -> None:
    if kind == "inclusion":
        good = [inclusion(size, index) for size in range(1, 129) for index in range(size)]
    else:
        # Go does not prove from the empty tree.
        good = [consistency(size1, size2) for size2 in range(1, 129) for size1 in range(1, size2 + 1)]
    bad = [changed(case, place) for case in good[::7] for place in range(len(case["Proof"]))]
    assert set(answers(program, good)) == {""}
    assert "" not in answers(program, bad)


def test_go_opens_our_checkpoints_also_with_a_cosignature_below(program: Path) -> None:
    note = checkpoint.sign(Checkpoint(LOG.name, 9, ROOTS[9]), LOG)
    cosigned = checkpoint.add_cosignature(note, checkpoint.cosign(note, WITNESS, 1_790_000_000))
    case = {"Kind": "note", "Note": note, "Vkeys": [LOG.verifier.vkey], "Size2": 9, "Root2": to_b64(ROOTS[9])}
    forged = checkpoint.sign(Checkpoint(LOG.name, 9, ROOTS[8]), OTHER)
    bad = [
        {**case, "Note": forged},
        {**case, "Note": note.replace("\n9\n", "\n8\n")},
        {**case, "Vkeys": [OTHER.verifier.vkey]},
        {**case, "Note": note[:-1]},
        {**case, "Root2": to_b64(ROOTS[8])},
    ]
    found = answers(program, [case, {**case, "Note": cosigned}, *bad])
    assert found[:2] == ["", ""]
    assert "" not in found[2:]


@pytest.mark.parametrize("size", [2, 100, 256, 257, 600])
def test_go_reads_our_tiles_and_finds_a_changed_one(program: Path, size: int) -> None:
    leaves, index = LEAVES[:size], size // 2
    tiles = {tile.path: tile_bytes(tile, leaves) for tile in tiles_of(size)}
    case = {"Kind": "tiles", "Size2": size, "Root2": to_b64(merkle.root(leaves)), "Index": index}
    case = {**case, "Leaf": to_b64(leaves[index]), "Tiles": {path: to_b64(data) for path, data in tiles.items()}}
    used = f"tile/0/{index // 256:03}" if size >= 256 * (index // 256 + 1) else next(reversed(case["Tiles"]))
    wrong = bytes([tiles[used][0] ^ 1]) + tiles[used][1:]
    bad = {**case, "Tiles": {**case["Tiles"], used: to_b64(wrong)}}
    assert answers(program, [case]) == [""]
    assert answers(program, [bad]) != [""]
