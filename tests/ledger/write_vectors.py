"""Our own test vectors, made from fixed keys: `python -m tests.ledger.write_vectors` writes them, a test compares them."""

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from ledger import canonical, checkpoint, keys, merkle, note, types, witness
from ledger.encoding import to_b64, to_b64url, to_hex
from ledger.evidence_file import EvidenceFile, build_file, counterpart
from ledger.firm_keys import key_id
from ledger.fsck import export_log
from ledger.leaf import parse_leaf
from ledger.note import COSIGNER_KEY, LOG_KEY, Signer
from ledger.proof import format_proof, proof_of
from ledger.signatures import seal_address
from ledger.tiles import tile_bytes, tiles_of
from ledger.verify import verify_bundle
from tests.ledger.logbook import Logbook, fixed_passkey, make_logbook, secret
from tests.ledger.witnessing import MemoryStore
from tests.ledger.world import NOW, Firm

FOLDER = Path(__file__).parent / "vectors"
PURPOSES = ("log", "cosign", "seal", "manager", "recovery")


def make_vectors() -> dict[str, bytes]:
    """File name and content of every vector."""
    book = make_logbook()
    files = evidence_files(book)
    made: dict[str, Any] = {
        "keys.json": [describe_keys(word) for word in ("rennsteig", "saale")],
        "records.json": [describe_record(book, name) for name in book.places],
        "checkpoints.json": describe_checkpoints(book),
        "proofs.json": describe_proofs(book),
        "witness.json": describe_witness(),
        "tiles.json": [describe_tiles(size) for size in (1, 2, 255, 256, 257, 70_000)],
        "files.json": [describe_file(name, data, files["good-agreement"]) for name, data in files.items()],
    }
    text = {name: (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode() for name, value in made.items()}
    lines = export_log(book.own.origin, book.own.entries(), book.notes, book.partner_keys())
    return {**text, "log.jsonl": b"".join(lines), "good-agreement.json": files["good-agreement"]}


def describe_keys(word: str) -> dict[str, Any]:
    seeds = {purpose: secret(f"{word} {purpose}") for purpose in PURPOSES}
    origin = f"werkring.example/0193-{word}"
    log, cosign = Signer(origin, LOG_KEY, seeds["log"]), Signer(f"{origin}/witness", COSIGNER_KEY, seeds["cosign"])
    passkey, recovery = fixed_passkey(f"{word} manager"), keys.recovery_public_key(seeds["recovery"])
    seal = seal_address(seeds["seal"])
    public = {
        "log": log.verifier.public_key,
        "cosign": cosign.verifier.public_key,
        "seal": bytes.fromhex(seal[2:]),
        "manager": passkey.point,
        "recovery": recovery,
    }
    return {
        "firm": f"{word}@werkring.example",
        "origin": origin,
        "secrets": {purpose: to_hex(seed) for purpose, seed in seeds.items()},
        "public": {purpose: to_hex(one) for purpose, one in public.items()},
        "kids": {purpose: key_id(one) for purpose, one in public.items()},
        "logVkey": log.verifier.vkey,
        "cosignVkey": cosign.verifier.vkey,
        "recoveryWords": keys.words_from_seed(seeds["recovery"]),
    }


def describe_record(book: Logbook, name: str) -> dict[str, Any]:
    seq = book.places[name]
    leaf, evidence = book.own.leaves[seq], book.own.evidence[seq]
    parsed = parse_leaf(leaf)
    content = None if evidence is None else json.loads(evidence)
    return {
        "name": name,
        "type": parsed.type,
        "typeString": types.type_strings()[types.primary_type_of(parsed.type)],
        "digest": to_hex(parsed.digest),
        "leaf": leaf.decode(),
        "leafHash": to_b64(book.own.hashes[seq]),
        "evidenceHash": to_b64(parsed.evidence),
        "evidenceBytes": None if evidence is None else len(evidence),
        "message": None if content is None else content["message"],
        "signedBy": None if content is None else [[one["party"], one["role"]] for one in content["signatures"]],
    }


def describe_checkpoints(book: Logbook) -> list[dict[str, Any]]:
    return [
        {
            "size": size,
            "root": to_b64(checkpoint.parse(text).root),
            "note": text,
            "cosignedMessage": note.cosigned_message(note.parse(text).text, NOW + 60 + size).decode(),
            "cosignedAt": NOW + 60 + size,
        }
        for size, text in book.notes
    ]


def describe_proofs(book: Logbook) -> list[dict[str, Any]]:
    own, partner = book.own, book.partner
    policy = f"log {own.log_key.verifier.vkey}\nwitness partner {partner.cosign_key.verifier.vkey}\nquorum partner\n"
    text = own.note(partner)
    size = checkpoint.parse(text).size
    return [
        {
            "index": index,
            "leaf": own.leaves[index].decode(),
            "proofFile": format_proof(proof_of(own.prove(index), text)),
            "policy": policy,
            "consistencyFrom": index,
            "consistencyRoot": to_b64(merkle.root(own.hashes[:index])),
            "consistency": [to_b64(one) for one in merkle.consistency_proof(own.hashes[:size], index)],
        }
        for index in range(size)
    ]


def describe_witness() -> list[dict[str, Any]]:
    """One witness, one request after the other: each answer depends on those before."""
    log = Signer("werkring.example/w", LOG_KEY, secret("witnessed log"))
    cosigner = Signer("werkring.example/w2/witness", COSIGNER_KEY, secret("witness"))
    store = MemoryStore({log.name: (log.verifier,)})
    leaves = [merkle.leaf_hash(bytes([number])) for number in range(12)]
    fork = [*leaves[:3], *(merkle.leaf_hash(b"fork" + bytes([number])) for number in range(9))]
    told: list[dict[str, Any]] = []

    def ask(name: str, size: int, old: int, tree: list[bytes] = leaves, signer: Signer = log) -> None:
        text = checkpoint.sign(checkpoint.Checkpoint(signer.name, size, merkle.root(tree[:size])), signer)
        body = witness.build_request(text, old, merkle.consistency_proof(tree[:size], min(old, size)))
        answer = witness.answer_request(body, store, cosigner, NOW)
        told.append(
            {"name": name, "request": body.decode(), "status": answer.status, "body": answer.body, "type": answer.content_type}
        )  # fmt: skip

    ask("first", 0, 0)
    ask("grown from nothing", 5, 0)
    ask("the same again", 5, 5)
    ask("grown", 9, 5)
    ask("old size wrong", 11, 5)
    ask("older than known", 7, 7)
    ask("same size, other root", 9, 9, fork)
    ask("inconsistent", 11, 9, fork)
    ask("old larger than the checkpoint", 9, 10)
    ask("unknown log", 3, 0, leaves, Signer("werkring.example/x", LOG_KEY, secret("witnessed log")))
    ask("unknown key", 10, 9, leaves, Signer(log.name, LOG_KEY, secret("another log key")))
    return told


def describe_tiles(size: int) -> dict[str, Any]:
    """The tree of `size` leaves, the leaf n being four bytes, big endian."""
    leaves = [merkle.leaf_hash(number.to_bytes(4, "big")) for number in range(size)]
    last = [tile for tile in tiles_of(size) if tile.width < 256 or tile.index % 100 == 0]
    shown = {tile.path: sha256(tile_bytes(tile, leaves)).hexdigest() for tile in last}
    return {"size": size, "root": to_b64(merkle.root(leaves)), "tiles": len(list(tiles_of(size))), "sha256": shown}


# Evidence files: two that hold, and for each step some that do not, named after their fault.


def good_file(book: Logbook) -> EvidenceFile:
    own, partner = book.own, book.partner
    at_partner = next(seq for seq, leaf in enumerate(partner.leaves) if parse_leaf(leaf).type == "agreement")
    other = counterpart(partner.note(own), partner.leaves[at_partner], partner.prove(at_partner).proof)
    seqs = [seq for seq, leaf in enumerate(own.leaves) if parse_leaf(leaf).type.startswith(("genesis", "key."))]
    return EvidenceFile(
        record=own.prove(book.places["agreement"]),
        checkpoint=own.note(partner),
        keys=(*(own.prove(seq) for seq in seqs), partner.prove(0)),
        counterpart=other,
    )


def describe_file(name: str, data: bytes, good: bytes) -> dict[str, Any]:
    """A file as a change of the good one: at this byte, cut so many bytes and put this text."""
    before = _same(good, data)
    after = _same(good[before:][::-1], data[before:][::-1])
    # Cut between letters, not inside one.
    while before < len(good) and good[before] & 0xC0 == 0x80:
        before -= 1
    while after and good[len(good) - after] & 0xC0 == 0x80:
        after -= 1
    put = data[before : len(data) - after].decode()
    failed = list(verify_bundle(data).failed)
    return {"name": name, "at": before, "cut": len(good) - after - before, "put": put, "failed": failed}


def _same(one: bytes, other: bytes) -> int:
    """How many bytes both begin with."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def evidence_files(book: Logbook) -> dict[str, bytes]:
    good = good_file(book)
    gone = replace(good, record=book.own.prove(book.places["erased"]), counterpart=counterpart(book.partner.note()))
    erased = replace(gone, erasure=book.own.prove(book.places["erasure"]))
    changed = replace(good, record=book.own.prove(book.places["change"]), counterpart=counterpart(book.partner.note()))
    made = {
        "good-agreement": build_file(good),
        "good-erased": build_file(erased),
        "good-change": build_file(replace(changed, chain=(good.record,))),
        "bad-04-erased-without-erasure": build_file(gone),
        "bad-11-replaced-record-missing": build_file(changed),
    }
    for name, change in {**BYTES, **parts(book)}.items():
        made[f"bad-{name}"] = change(good)
    return dict(sorted(made.items()))


def edited(*path: str | int, to: Any) -> Callable[[EvidenceFile], bytes]:
    """The good file with one member changed, in canonical form still."""

    def change(file: EvidenceFile) -> bytes:
        whole = target = json.loads(build_file(file))
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = to(target[path[-1]]) if callable(to) else to
        return canonical.dumps(whole)

    return change


def turn(text: str) -> str:
    """The same text with its 20th character another one."""
    return text[:20] + ("B" if text[20] == "A" else "A") + text[21:]


BYTES: dict[str, Callable[[EvidenceFile], bytes]] = {
    "01-space": lambda file: build_file(file).replace(b":", b": ", 1),
    "01-final-newline": lambda file: build_file(file) + b"\n",
    "01-duplicate-key": lambda file: build_file(file)[:-1] + b',"v":1}',
    "01-unknown-member": edited("more", to=1),
    "01-other-version": edited("v", to=2),
    "01-float": lambda file: build_file(file).replace(b'"v":1}', b'"v":1.0}'),
    "02-time-in-the-leaf-changed": edited("leaf", "at", to=NOW + 1),
    "02-position-changed": edited("leaf", "seq", to=2),
    "02-proof-changed": edited("proof", 0, to=turn),
    "02-proof-too-long": edited("proof", to=lambda proof: [*proof, proof[0]]),
    "02-proof-too-short": edited("proof", to=lambda proof: proof[:-1]),
    "03-size-in-the-checkpoint-changed": edited("checkpoint", to=lambda text: text.replace("\n24\n", "\n25\n")),
    "04-text-changed": edited("evidence", "display", "text", to=lambda text: text + "!"),
    "06-amount-changed": edited("evidence", "message", "totalCents", to=1),
    "05-field-of-another-kind": edited("evidence", "message", "totalCents", to="1042000"),
    "05-unknown-field": edited("evidence", "message", to=lambda said: {**said, "more": 1}),
    "07-text-and-its-hash-changed": edited("evidence", "message", "displayHash", to=to_b64url(b"\x11" * 32)),
    "08-passkey-signature-changed": edited("evidence", "signatures", 0, to=turn),
    "09-seal-changed": edited("evidence", "signatures", 1, to="firm " + to_b64url(b"\x11" * 64 + b"\x1b")),
    "10-signature-missing": edited("evidence", "signatures", to=lambda given: given[:3]),
    "12-counterparts-proof-changed": edited("counterpart", "proof", 0, to=turn),
}  # fmt: skip


def parts(book: Logbook) -> dict[str, Callable[[EvidenceFile], bytes]]:
    own, partner = book.own, book.partner
    stranger = Signer(own.origin, LOG_KEY, secret("stranger"))
    other_cosigner = Signer("other.example/witness", COSIGNER_KEY, secret("other"))
    claim = checkpoint.Checkpoint(own.origin, own.head.size, own.head.root)
    line = checkpoint.cosign(own.note(), other_cosigner, NOW)
    wrong_entry = counterpart(partner.note(own), partner.leaves[0], partner.prove(0).proof)

    def rebuild(**changes: Any) -> Callable[[EvidenceFile], bytes]:
        return lambda file: build_file(replace(file, **changes))

    return {
        "03-checkpoint-by-another-key": rebuild(checkpoint=checkpoint.sign(claim, stranger)),
        "03-checkpoint-by-the-rotated-key": rebuild(checkpoint=checkpoint.sign(claim, first_log_key(own))),
        "03-cosigned-by-a-stranger": rebuild(checkpoint=checkpoint.add_cosignature(own.note(), line)),
        "03-named-witness-did-not-sign": rebuild(witnesses=(other_cosigner.verifier.vkey,)),
        "03-key-records-missing": lambda file: build_file(replace(file, keys=(file.keys[0], file.keys[-1]))),
        "08-no-key-of-the-partner": lambda file: build_file(replace(file, keys=file.keys[:-1])),
        "12-counterpart-entered-something-else": rebuild(counterpart=wrong_entry),
    }


def first_log_key(firm: Firm) -> Signer:
    return Signer(firm.origin, LOG_KEY, secret("rennsteig log"))


def write() -> None:
    for name, data in make_vectors().items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


if __name__ == "__main__":
    write()
