"""Leaf and evidence: one spelling, one shape, everything else refused."""

import json
from typing import Any

import pytest

from ledger import canonical
from ledger.errors import VerificationError
from ledger.evidence import build_evidence, parse_evidence
from ledger.head import append_entry, empty_head
from ledger.leaf import NO_PREVIOUS, Leaf, build_leaf, parse_leaf
from tests.ledger.world import make_world

LEAF = Leaf("werkring.example/a", 637, NO_PREVIOUS, "agreement", 1_790_000_000, bytes(range(32)), bytes(32))


def test_a_leaf_is_read_back_and_is_canonical() -> None:
    data = build_leaf(LEAF)
    assert parse_leaf(data) == LEAF
    assert canonical.dumps(json.loads(data)) == data
    assert len(data) < 320


def change(**members: Any) -> bytes:
    value = {**json.loads(build_leaf(LEAF)), **members}
    return canonical.dumps({name: item for name, item in value.items() if item is not None})


@pytest.mark.parametrize(
    ("name", "data"),
    {
        "other-version": change(v=2),
        "unknown-member": change(x=1),
        "missing-member": change(at=None),
        "unknown-type": change(type="gift"),
        "type-of-another-kind": change(type=5),
        "negative-seq": change(seq=-1),
        "seq-as-text": change(seq="637"),
        "time-as-text": change(at="1"),
        "digest-upper-case": change(digest="0x" + "AB" * 32),
        "digest-too-short": change(digest="0x00"),
        "prev-with-stray-bits": change(prev="A" * 42 + "B="),
        "prev-too-short": change(prev="AAAA"),
        "log-with-space": change(log="a b"),
        "log-empty": change(log=""),
        "not-canonical": build_leaf(LEAF).replace(b'":', b'": ', 1),
        "integer-beyond-2-53": build_leaf(LEAF).replace(b"1790000000", b"9007199254740993"),
        "too-long": b" " * 70_000,
        "empty": b"",
    }.items(),
)
def test_a_bad_leaf_is_refused(name: str, data: bytes) -> None:
    with pytest.raises(VerificationError):
        parse_leaf(data)


def test_a_leaf_that_could_not_be_read_back_is_not_built() -> None:
    for bad in (LEAF._replace(log="a b"), LEAF._replace(type="gift"), LEAF._replace(digest=b"short")):
        with pytest.raises(VerificationError):
            build_leaf(bad)


def test_a_log_begins_with_genesis_and_has_one_only() -> None:
    head = empty_head("werkring.example/a")
    with pytest.raises(VerificationError):
        append_entry(head, "agreement", bytes(32), bytes(32), 1)
    first = append_entry(head, "genesis", bytes(32), bytes(32), 1)
    with pytest.raises(VerificationError):
        append_entry(first.head, "genesis", bytes(32), bytes(32), 2)
    second = append_entry(first.head, "anchor", bytes(32), bytes(32), 2)
    assert parse_leaf(second.leaf).prev == first.leaf_hash
    assert (second.head.size, second.head.last) == (2, second.leaf_hash)


WORLD = make_world(noise=0)
EVIDENCE = WORLD.requester.evidence[WORLD.seq] or b""


def alter(path: list[Any], value: Any) -> bytes:
    """The evidence with one member set, or removed where the value is ...; written canonically."""
    whole = json.loads(EVIDENCE)
    target = whole
    for step in path[:-1]:
        target = target[step]
    if value is ...:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return canonical.dumps(whole)


def test_the_same_evidence_stands_in_both_logs_and_is_read_back() -> None:
    assert WORLD.provider.evidence[WORLD.provider_seq] == EVIDENCE
    assert build_evidence(parse_evidence(EVIDENCE)) == EVIDENCE
    assert len(EVIDENCE) < 10_000


@pytest.mark.parametrize(
    ("name", "data"),
    {
        "other-version": alter(["v"], 2),
        "version-true": alter(["v"], True),
        "other-domain": alter(["domain", "name"], "Andere"),
        "domain-with-chain": alter(["domain", "chainId"], 1),
        "unknown-type": alter(["primaryType"], "Gift"),
        "unknown-member": alter(["more"], 1),
        "missing-display": alter(["display"], ...),
        "display-with-more": alter(["display", "html"], "x"),
        "display-not-text": alter(["display", "text"], 5),
        "message-list": alter(["message"], []),
        "from-number": alter(["message", "from"], 5),
        "signature-of-unknown-kind": alter(["signatures", 0, "kind"], "pgp"),
        "signature-of-list-kind": alter(["signatures", 0, "kind"], []),
        "signature-with-more": alter(["signatures", 0, "note"], "x"),
        "signature-without-kid": alter(["signatures", 0, "kid"], ...),
        "signature-of-unknown-role": alter(["signatures", 0, "role"], "king"),
        "signature-number": alter(["signatures", 0, "party"], 5),
        "key-at-text": alter(["signatures", 0, "keyAt"], "0"),
        "key-at-negative": alter(["signatures", 0, "keyAt", "seq"], -1),
        "key-at-true": alter(["signatures", 0, "keyAt", "seq"], True),
        "signatures-in-another-order": alter(["signatures"], json.loads(EVIDENCE)["signatures"][::-1]),
        "signatures-object": alter(["signatures"], {}),
        "attachment-with-wrong-size": alter(
            ["attachments"], [{"name": "a", "mediaType": "b", "size": -1, "sha256": "c"}]
        ),
        "attachment-text": alter(["attachments"], ["a"]),
        "not-before-of-another-form": alter(["notBefore"], {"time": 5}),
        "not-before-no-checkpoint": alter(["notBefore"], {"checkpoint": "x"}),
        "not-canonical": EVIDENCE + b"\n",
    }.items(),
)
def test_bad_evidence_is_refused(name: str, data: bytes) -> None:
    with pytest.raises(VerificationError):
        parse_evidence(data)
