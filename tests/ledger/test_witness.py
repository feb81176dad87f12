"""A partner witnesses a log: it signs what only grew, and names every other checkpoint by its fault."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import checkpoint, keys, merkle, note, witness
from ledger.checkpoint import Checkpoint
from ledger.encoding import to_b64
from ledger.errors import VerificationError
from ledger.note import Signer
from ledger.witness import Answer, Known, RefusedError, answer_request, build_request, read_answer
from tests.ledger.witnessing import MemoryStore

LOG = keys.generate_log_key("werkring.example/a")
WITNESS = keys.generate_cosigner_key("werkring.example/b")
LEAVES = [merkle.leaf_hash(bytes([number])) for number in range(20)]
FORK = [*LEAVES[:3], *(merkle.leaf_hash(b"x" + bytes([number])) for number in range(17))]
NOW = 1_790_000_000


def make_store() -> MemoryStore:
    return MemoryStore({LOG.name: (LOG.verifier,)})


def signed(size: int, leaves: list[bytes] = LEAVES, key: Signer = LOG) -> str:
    return checkpoint.sign(Checkpoint(key.name, size, merkle.root(leaves[:size])), key)


def ask(
    store: MemoryStore, size: int, old: int, leaves: list[bytes] = LEAVES, *, now: int = NOW, base: int | None = None
) -> Answer:
    proof = merkle.consistency_proof(leaves[:size], old if base is None else base)
    return answer_request(build_request(signed(size, leaves), old, proof), store, WITNESS, now)


def seen(*sizes: int) -> MemoryStore:
    """A witness that cosigned these sizes, one after the other."""
    store, old = make_store(), 0
    for size in sizes:
        assert ask(store, size, old).status == witness.OK
        old = size
    return store


@pytest.mark.parametrize("old", range(11))
@pytest.mark.parametrize("size", range(11))
def test_a_log_that_only_grew_is_cosigned_and_every_other_size_told_what_is_known(old: int, size: int) -> None:
    store = seen(old)
    if size < old:
        answer = ask(store, size, 0)
        # An older tree is never cosigned again: its size is told instead.
        assert (answer.status, answer.body, answer.content_type) == (409, f"{old}\n", "text/x.tlog.size")
        assert read_answer(signed(size), answer, WITNESS.verifier) == Known(old)
        return
    found = read_answer(signed(size), ask(store, size, old), WITNESS.verifier)
    assert isinstance(found, witness.Cosigned)
    assert found.time == NOW
    whole = checkpoint.add_cosignature(signed(size), found.line)
    assert note.open(whole, [LOG.verifier, WITNESS.verifier]) == [LOG.name, WITNESS.name]
    assert store.newest(LOG.name) == signed(size)


def test_the_same_checkpoint_is_cosigned_again_with_a_new_time() -> None:
    store = seen(5)
    answer = read_answer(signed(5), ask(store, 5, 5, now=NOW + 3600), WITNESS.verifier)
    assert isinstance(answer, witness.Cosigned)
    assert answer.time == NOW + 3600
    assert not store.conflicts


def test_a_log_that_does_not_know_the_last_size_learns_it_and_tries_again() -> None:
    store = seen(5)
    told = read_answer(signed(9), ask(store, 9, 0), WITNESS.verifier)
    assert told == Known(5)
    assert ask(store, 9, told.size).status == witness.OK


@pytest.mark.parametrize("old", [0, 5])
def test_two_roots_of_one_size_are_kept_as_a_conflict_and_not_cosigned(old: int) -> None:
    store = seen(5)
    answer = ask(store, 5, old, FORK)
    assert (answer.status, answer.body) == (409, "5\n")
    with pytest.raises(RefusedError, match="409"):
        read_answer(signed(5, FORK), answer, WITNESS.verifier)
    ((first, second),) = store.conflicts
    assert witness.check_conflict(first, second, LOG.verifier).size == 5
    assert store.newest(LOG.name) == signed(5)


def test_a_fork_that_grew_further_is_refused() -> None:
    store = seen(5)
    answer = ask(store, 9, 5, FORK)
    assert answer.status == 422
    with pytest.raises(RefusedError, match="422"):
        read_answer(signed(9, FORK), answer, WITNESS.verifier)
    assert store.newest(LOG.name) == signed(5)


def body(size: int = 9, old: int = 5, proof: list[bytes] | None = None, text: str = "") -> bytes:
    made = merkle.consistency_proof(LEAVES[:size], min(old, size)) if proof is None else proof
    return build_request(text or signed(size), old, made)


EMPTY = checkpoint.sign(Checkpoint(LOG.name, 0, LEAVES[0]), LOG)
HASHES = merkle.consistency_proof(LEAVES[:9], 5)
# Requests to a witness that knows five entries, by their fault.
BAD: dict[str, tuple[int, Callable[[], bytes]]] = {
    "no bytes": (400, lambda: b""),
    "no utf-8": (400, lambda: b"\xff" + body()),
    "too long": (400, lambda: body() + b"x" * 100_000),
    "no old line": (400, lambda: body().partition(b"\n")[2]),
    "old in capitals": (400, lambda: body().replace(b"old", b"OLD", 1)),
    "old without a number": (400, lambda: body().replace(b"old 5", b"old ", 1)),
    "old with a leading zero": (400, lambda: body().replace(b"old 5", b"old 05", 1)),
    "old with a sign": (400, lambda: body().replace(b"old 5", b"old +5", 1)),
    "old with two spaces": (400, lambda: body().replace(b"old 5", b"old  5", 1)),
    "old beyond 63 bits": (400, lambda: body().replace(b"old 5", b"old 9223372036854775808", 1)),
    "old with carriage return": (400, lambda: body().replace(b"old 5", b"old 5\r", 1)),
    "hash too short": (400, lambda: body().replace(to_b64(HASHES[0]).encode(), b"AAAA", 1)),
    "hash with stray bits": (400, lambda: body().replace(to_b64(HASHES[0]).encode(), b"A" * 42 + b"B=", 1)),
    "64 hashes": (400, lambda: body(proof=[bytes(32)] * 63).replace(b"old 5\n", b"old 5\n" + b"A" * 43 + b"=\n")),
    "no empty line": (400, lambda: body().replace(b"\n\n", b"\n", 1)),
    "no checkpoint": (400, lambda: body().partition(b"\n\n")[0] + b"\n\n"),
    "checkpoint without signature": (400, lambda: body().rpartition(b"\n\n")[0] + b"\n"),
    "no final newline": (400, lambda: body()[:-1]),
    "old larger than the checkpoint": (400, lambda: body(old=10)),
    "another log": (404, lambda: body(text=signed(9, key=keys.generate_log_key("werkring.example/z")))),
    "another key of the log": (403, lambda: body(text=signed(9, key=keys.generate_log_key(LOG.name)))),
    "a changed signature": (403, lambda: flip_last(body())),
    "a changed root": (403, lambda: body().replace(to_b64(merkle.root(LEAVES[:9])).encode(), b"A" * 43 + b"=")),
    "signed as cosigner": (
        403,
        lambda: body(text=note.format_note(checkpoint.format(claim_of(9)), cosigner_lines(signed(9)))),
    ),
    "another old size": (409, lambda: body(old=4)),
    "old size zero": (409, lambda: body(old=0)),
    "proof missing": (422, lambda: body(proof=[])),
    "proof too short": (422, lambda: body(proof=HASHES[:-1])),
    "proof too long": (422, lambda: body(proof=[*HASHES, HASHES[0]])),
    "proof of another size": (422, lambda: body(proof=merkle.consistency_proof(LEAVES[:9], 4))),
    "proof for the same size": (422, lambda: body(size=5, proof=[HASHES[0]])),
    "hashes in another order": (422, lambda: body(proof=HASHES[::-1])),
}


def flip_last(data: bytes) -> bytes:
    at = len(data) - 6
    return data[:at] + (b"B" if data[at : at + 1] == b"A" else b"A") + data[at + 1 :]


def claim_of(size: int) -> Checkpoint:
    return Checkpoint(LOG.name, size, merkle.root(LEAVES[:size]))


def cosigner_lines(text: str) -> tuple[note.SignatureLine, ...]:
    return note.parse_lines(checkpoint.cosign(text, replace(WITNESS, name=LOG.name), NOW))


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_request_is_answered_by_its_fault(fault: str) -> None:
    status, make = BAD[fault]
    store = seen(5)
    answer = answer_request(make(), store, WITNESS, NOW)
    assert answer.status == status
    assert "—" not in answer.body
    assert store.newest(LOG.name) == signed(5)
    assert answer_request(body(), store, WITNESS, NOW).status == 200


@pytest.mark.parametrize(("text", "proof"), [(signed(5), [LEAVES[0]]), (EMPTY, [])], ids=["proof", "root of nothing"])
def test_a_first_checkpoint_has_no_proof_and_an_empty_log_one_root(text: str, proof: list[bytes]) -> None:
    store = make_store()
    assert answer_request(build_request(text, 0, proof), store, WITNESS, NOW).status == 422
    assert store.newest(LOG.name) is None


def test_signatures_by_unknown_keys_are_ignored_on_both_sides() -> None:
    other = keys.generate_cosigner_key("other.example/w")
    text = checkpoint.add_cosignature(signed(9), checkpoint.cosign(signed(9), other, 5))
    answer = answer_request(build_request(text, 5, HASHES), seen(5), WITNESS, NOW)
    more = replace(answer, body=checkpoint.cosign(signed(9), other, 5) + answer.body)
    assert read_answer(text, more, WITNESS.verifier) == read_answer(text, answer, WITNESS.verifier)


GOOD = ask(seen(5), 9, 5)
WRONG_ANSWERS: dict[str, Answer] = {
    "empty": replace(GOOD, body=""),
    "no newline": replace(GOOD, body=GOOD.body[:-1]),
    "over another checkpoint": ask(seen(5), 10, 5),
    "by another witness": replace(GOOD, body=checkpoint.cosign(signed(9), keys.generate_cosigner_key("o.example"), 5)),
    "by another key of that name": replace(
        GOOD, body=checkpoint.cosign(signed(9), keys.generate_cosigner_key("werkring.example/b"), 5)
    ),
    "twice": replace(GOOD, body=GOOD.body * 2),
    "changed": replace(GOOD, body=flip_last(GOOD.body.encode()).decode()),
    "no size": Answer(409, "many\n", witness.SIZE),
    "a page": replace(GOOD, body="<html>"),
}


@pytest.mark.parametrize("fault", WRONG_ANSWERS)
def test_an_answer_that_proves_nothing_is_refused(fault: str) -> None:
    assert isinstance(read_answer(signed(9), GOOD, WITNESS.verifier), witness.Cosigned)
    with pytest.raises(VerificationError):
        read_answer(signed(9), WRONG_ANSWERS[fault], WITNESS.verifier)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422, 500, 301])
def test_a_refusal_keeps_its_reason(status: int) -> None:
    with pytest.raises(RefusedError) as found:
        read_answer(signed(9), Answer(status, "no\n"), WITNESS.verifier)
    assert found.value.status == status


def test_a_restored_log_learns_that_its_partner_saw_more() -> None:
    store = seen(5, 9)
    assert read_answer(signed(7), ask(store, 7, 5), WITNESS.verifier) == Known(9)


@given(st.binary(max_size=300))
def test_any_bytes_are_answered(data: bytes) -> None:
    assert answer_request(data, make_store(), WITNESS, NOW).status == 400


class SlowStore(MemoryStore):
    """Another request is always quicker: it stores its checkpoint between this one's look and its change."""

    def replace(self, origin: str, expected: str | None, text: str) -> bool:
        self.notes[origin] = signed(9, FORK)
        return super().replace(origin, expected, text)


def test_of_two_histories_at_once_one_is_cosigned_and_the_other_kept_as_a_conflict() -> None:
    store = SlowStore({LOG.name: (LOG.verifier,)})
    assert ask(store, 9, 0).status == 409
    assert store.conflicts == [(signed(9, FORK), signed(9))]
    assert ask(SlowStore({LOG.name: (LOG.verifier,)}), 10, 0).body == "9\n"


def test_many_requests_at_once_never_roll_the_witness_back() -> None:
    store, sizes = make_store(), list(range(1, 20)) * 3
    Random(3).shuffle(sizes)

    def submit(size: int) -> int:
        for _ in range(50):
            found = ask(store, size, known) if (known := known_size(store)) <= size else ask(store, size, 0)
            if found.status == 200:
                return size
            if known_size(store) > size:
                return 0
        return 0

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(submit, sizes))
    assert max(done) == known_size(store) == 19
    assert not store.conflicts


def known_size(store: MemoryStore) -> int:
    newest = store.newest(LOG.name)
    return 0 if newest is None else checkpoint.parse(newest).size


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (signed(5), signed(5)),
        (signed(5), signed(6, FORK)),
        (signed(5), signed(5, FORK, keys.generate_log_key(LOG.name))),
        (signed(5), "x"),
    ],
    ids=["the same", "two sizes", "another key", "no note"],
)
def test_what_does_not_contradict_is_no_conflict(first: str, second: str) -> None:
    with pytest.raises(VerificationError):
        witness.check_conflict(first, second, LOG.verifier)
