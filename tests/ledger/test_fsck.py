"""A whole log: replayed from its export, and every tampering named at its first position."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from ledger import canonical, keys, records
from ledger.encoding import from_b64, to_b64, to_hex
from ledger.errors import VerificationError
from ledger.evidence import evidence_hash
from ledger.evidence_file import Counterpart, Proved, counterpart
from ledger.fsck import check_log, export_log
from ledger.head import append_entry, empty_head
from ledger.leaf import parse_leaf
from ledger.replay import BadPositionError, Entry, Replay, verify_entries
from tests.ledger.world import Firm, World, make_world

WORLD = make_world(noise=3)
OWN = WORLD.requester


def partner_keys(world: World) -> list[tuple[Proved, str]]:
    return [(world.provider.prove(0), world.provider.note())]


def notes(world: World) -> list[tuple[int, str]]:
    """The checkpoints that the firm signed on its way, at every size."""
    head, made = empty_head(world.requester.origin), []
    from ledger.head import sign_head

    for data, evidence in zip(world.requester.leaves, world.requester.evidence, strict=True):
        leaf = parse_leaf(data)
        assert evidence is not None
        head = append_entry(head, leaf.type, leaf.digest, evidence_hash(evidence), leaf.at).head
        made.append((head.size, sign_head(head, world.requester.log_key)))
    return made


LINES = list(export_log(OWN.origin, OWN.entries(), notes(WORLD), partner_keys(WORLD)))


def entry_line(number: int) -> int:
    return [place for place, line in enumerate(LINES) if b'"kind":"entry"' in line][number]


def test_an_exported_log_holds() -> None:
    heard: list[int] = []
    totals = check_log(LINES, progress=heard.append, every=2)
    assert totals.entries == OWN.head.size
    assert totals.root == OWN.head.root
    assert totals.signatures == 4 + 4 + 4 + 3 + 1
    assert totals.checkpoints == OWN.head.size
    assert heard == [2, 4, 6]


def test_the_log_holds_straight_from_its_rows() -> None:
    totals = verify_entries(iter(OWN.entries()), OWN.origin, partner_keys(WORLD))
    assert (totals.entries, totals.root) == (OWN.head.size, OWN.head.root)


def first_bad(lines: list[bytes], **options: Any) -> int:
    with pytest.raises(BadPositionError) as found:
        check_log(lines, **options)
    return found.value.position


def edit(line: bytes, path: list[Any], value: Any) -> bytes:
    whole = json.loads(line)
    target = whole
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return canonical.dumps(whole) + b"\n"


def place_of(world: World, before: int = 0) -> Counterpart:
    """Where the provider's log holds the agreement, or so many entries before it."""
    seq = world.provider_seq - before
    return counterpart(world.provider.note(), world.provider.leaves[seq], world.provider.prove(seq).proof)


def lines_with(world: World, *places: Counterpart, keys: tuple[int, ...] = (0,)) -> list[bytes]:
    """The requester's log, with these places before its agreement, and that of the link just before it."""
    entries, link = world.requester.entries(), world.seq - 1
    parts = [*entries[:link], place_of(world, 1), entries[link], *places, *entries[world.seq :]]
    partner = [(world.provider.prove(seq), world.provider.note()) for seq in keys]
    return list(export_log(world.requester.origin, parts, (), partner))


def test_a_partners_key_is_judged_by_where_its_own_log_holds_the_record() -> None:
    world = make_world(noise=1)
    lock = records.KeyRevoke(
        **world.provider.common(to=world.provider.address),
        purpose="passkey",
        kid=to_hex(world.provider.kid),
        reason="x",
    )
    provider = world.provider
    locked = provider.enter(lock, lambda digest: [provider.sign_by_recovery(digest), provider.sign_by_seal(digest)])
    assert first_bad(lines_with(world, keys=(0, locked))) == world.seq
    assert check_log(lines_with(world, place_of(world), keys=(0, locked))).entries == world.requester.head.size


PLACES: dict[str, Callable[[], list[Counterpart]]] = {
    "of another record": lambda: [replace(place_of(WORLD), **vars(elsewhere(1)))],
    "with another proof": lambda: [replace(place_of(WORLD), proof=(bytes(32), *place_of(WORLD).proof[1:]))],
    "under the own checkpoint": lambda: [replace(place_of(WORLD), checkpoint=OWN.note())],
    "in the own log": lambda: [counterpart(OWN.note(), OWN.leaves[WORLD.seq], OWN.prove(WORLD.seq).proof)],
    "told twice": lambda: [place_of(WORLD), place_of(WORLD)],
    "without a leaf": lambda: [counterpart(WORLD.provider.note())],
}


def elsewhere(seq: int) -> Counterpart:
    return counterpart(WORLD.provider.note(), WORLD.provider.leaves[seq], WORLD.provider.prove(seq).proof)


@pytest.mark.parametrize("name", PLACES)
def test_a_place_in_a_partners_log_that_does_not_hold_is_named(name: str) -> None:
    assert check_log(lines_with(WORLD, place_of(WORLD))).entries == OWN.head.size
    assert first_bad(lines_with(WORLD, *PLACES[name]())) == WORLD.seq


def test_a_place_in_the_log_of_a_stranger_is_refused() -> None:
    assert first_bad(lines_with(WORLD, place_of(make_world("other.example/")))) == WORLD.seq


FAULTS: dict[str, Callable[[bytes], bytes]] = {
    "seq": lambda line: edit(line, ["leaf", "seq"], 99),
    "prev": lambda line: edit(line, ["leaf", "prev"], to_b64(bytes(32))),
    "type": lambda line: edit(line, ["leaf", "type"], "dispute"),
    "time": lambda line: edit(line, ["leaf", "at"], 5),
    "log": lambda line: edit(line, ["leaf", "log"], "other.example/x"),
    "digest": lambda line: edit(line, ["leaf", "digest"], to_hex(bytes(32))),
    "evidence-hash": lambda line: edit(line, ["leaf", "evidence"], to_b64(bytes(32))),
    "text": lambda line: edit(line, ["evidence", "display", "text"], "anders"),
    "amount": lambda line: edit(line, ["evidence", "message", "issuedAt"], 5),
    "signature-gone": lambda line: edit(line, ["evidence", "signatures"], []),
    "content-gone": lambda line: edit(line, ["evidence"], None),
    "spelling": lambda line: line.replace(b'":', b'": ', 1),
    "other-kind": lambda line: edit(line, ["kind"], "gift"),
    "second-header": lambda line: LINES[0],
}


@pytest.mark.parametrize("number", range(1, OWN.head.size - 1))
@pytest.mark.parametrize("fault", FAULTS)
def test_a_changed_entry_is_named_by_its_position(fault: str, number: int) -> None:
    place = entry_line(number)
    lines = [*LINES[:place], FAULTS[fault](LINES[place]), *LINES[place + 1 :]]
    # A changed claim of time changes only the leaf's hash: the checkpoint right after it tells.
    assert first_bad(lines) == number


@pytest.mark.parametrize("number", range(1, OWN.head.size - 1))
def test_an_entry_that_was_dropped_doubled_or_swapped_is_named(number: int) -> None:
    place = entry_line(number)
    without_notes = [line for line in LINES if b'"kind":"checkpoint"' not in line]
    place = next(at for at, line in enumerate(without_notes) if line == LINES[place])
    dropped = [*without_notes[:place], *without_notes[place + 1 :]]
    doubled = [*without_notes[: place + 1], *without_notes[place:]]
    swapped = [*without_notes[:place], without_notes[place + 1], without_notes[place], *without_notes[place + 2 :]]
    assert first_bad(dropped) == number
    assert first_bad(doubled) == number + 1
    assert first_bad(swapped) == number


def rewrite(number: int, at: int) -> list[Entry]:
    """The insider: changes one entry's time and rebuilds every link after it with the right hashes."""
    head, made = empty_head(OWN.origin), []
    for data, evidence in zip(OWN.leaves, OWN.evidence, strict=True):
        leaf = parse_leaf(data)
        new = append_entry(head, leaf.type, leaf.digest, leaf.evidence, at if leaf.seq == number else leaf.at)
        made.append(Entry(new.leaf, evidence))
        head = new.head
    return made


def test_a_consistent_rewrite_is_found_by_the_older_checkpoints() -> None:
    entries = rewrite(2, at=1_790_000_001)
    assert verify_entries(entries, OWN.origin, partner_keys(WORLD)).entries == OWN.head.size
    lines = list(export_log(OWN.origin, entries, notes(WORLD), partner_keys(WORLD)))
    assert first_bad(lines) == 2


def test_a_log_shorter_than_its_signed_checkpoint_is_found() -> None:
    assert first_bad([*LINES[: entry_line(4)], LINES[-1]]) == 3


def test_a_checkpoint_by_another_key_is_found() -> None:
    stranger = keys.generate_log_key(OWN.origin)
    from ledger.head import sign_head

    bad = canonical.dumps({"kind": "checkpoint", "note": sign_head(OWN.head, stranger)}) + b"\n"
    assert first_bad([*LINES, bad]) == OWN.head.size - 1


def test_a_wrong_signature_is_named_before_a_later_fault_of_the_same_block() -> None:
    """Curve operations wait in a batch; the answer is still the first position."""
    world = make_world(noise=3)
    own = world.requester
    own.hashes, own.leaves, own.evidence, own.head = [], [], [], empty_head(own.origin)
    own.enter_genesis()
    record = records.AgreementLapsed(**own.common(text="x"), agreement=records.ZERO32, reason="zu spät")
    own.enter(record, lambda digest: [own.sign_by_seal(bytes(32))], "x")
    own.enter_noise(3)
    entries = own.entries()
    entries[3] = replace(entries[3], leaf=entries[2].leaf)
    with pytest.raises(BadPositionError) as found:
        verify_entries(entries, own.origin)
    assert found.value.position == 1
    assert "seal" in found.value.reason
    lines = list(export_log(own.origin, own.entries()))
    assert first_bad(lines) == 1
    assert check_log(lines, is_signature_check=False).entries == 5


def test_partner_keys_are_needed_and_must_be_genuine() -> None:
    without = [line for line in LINES if b'"kind":"key"' not in line]
    assert first_bad(without) == WORLD.seq - 1
    key_line = next(line for line in LINES if b'"kind":"key"' in line)
    for bad in (
        edit(key_line, ["leaf", "at"], 5),
        edit(key_line, ["proof"], []),
        edit(key_line, ["proof"], [5]),
        edit(key_line, ["evidence", "display", "text"], "anders"),
        edit(key_line, ["checkpoint"], OWN.note()),
    ):
        assert first_bad([LINES[0], bad, *LINES[2:]]) == 0


def test_erased_content_needs_an_erasure_record() -> None:
    world = make_world(noise=1)
    own = world.requester
    digest = to_hex(parse_leaf(own.leaves[1]).digest)
    record = records.Erasure(**own.common(text="Löschung"), erased=(digest,), legal_basis="Art. 17 DSGVO")
    own.evidence[1] = None
    with pytest.raises(BadPositionError) as found:
        verify_entries(own.entries(), own.origin, partner_keys(world))
    assert found.value.position == 1
    own.enter(record, lambda one: [own.sign_by_passkey(one), own.sign_by_seal(one)], "Löschung")
    assert verify_entries(own.entries(), own.origin, partner_keys(world)).erased == 1


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [b"\n"],
        [b"x"],
        [b'{"kind":"log"}'],
        [b'{"kind":"log","origin":5,"v":1}'],
        [b'{"kind":"log","origin":"o","v":2}'],
    ],
)
def test_what_is_no_export_is_unusable(lines: list[bytes]) -> None:
    with pytest.raises(VerificationError) as found:
        check_log(lines)
    assert not isinstance(found.value, BadPositionError)


def test_the_harness_finds_a_replay_that_does_not_look_at_prev(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted fault: without the check of place, a swapped entry goes through."""
    monkeypatch.setattr(Replay, "_check_place", lambda self, leaf: self._references.add(leaf))
    without_notes = [line for line in LINES if b'"kind":"checkpoint"' not in line]
    swapped = [*without_notes[:3], without_notes[4], without_notes[3], *without_notes[5:]]
    assert check_log(swapped).root != OWN.head.root


def test_a_partners_log_may_be_replayed_with_the_same_records() -> None:
    own_keys = [(OWN.prove(0), OWN.note())]
    totals = verify_entries(WORLD.provider.entries(), WORLD.provider.origin, own_keys)
    assert totals.root == WORLD.provider.head.root


def test_proofs_in_an_export_are_strict_base64() -> None:
    with pytest.raises(VerificationError):
        from_b64("AAA", length=32)


def sign_over(firm: Firm, other: bytes | None, digest: bytes) -> list[dict[str, Any]]:
    return [firm.sign_by_seal(other or digest)]


def long_log(count: int, *wrong: int) -> list[bytes]:
    """A log of lapses with a checkpoint after each; the seals at the `wrong` positions are over something else."""
    own = make_world(noise=0).requester
    own.hashes, own.leaves, own.evidence, own.head = [], [], [], empty_head(own.origin)
    own.enter_genesis()
    for number in range(1, count):
        record = records.AgreementLapsed(**own.common(text=f"{number}"), agreement=records.ZERO32, reason="zu spät")
        signed = bytes(32) if number in wrong else None
        own.enter(record, partial(sign_over, own, signed), f"{number}")
    return list(export_log(own.origin, own.entries(), [(own.head.size, own.note())]))


def test_several_processes_find_what_one_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.curves.ALONE_AT_FIRST", 0)
    monkeypatch.setattr("ledger.replay.BATCH", 8)
    for processes in (1, 2):
        assert first_bad(long_log(60, 50, 31), processes=processes) == 31
    good = check_log(long_log(60), processes=2)
    assert (good.entries, good.signatures, good.checkpoints) == (60, 63, 1)


def test_a_wrong_signature_is_named_before_a_later_line_that_cannot_be_read() -> None:
    lines = long_log(20, 3)
    for bad in (b"no line\n", b'{"kind":"gift"}\n', lines[0]):
        assert first_bad([*lines[:10], bad, *lines[10:]]) == 3


def test_an_entry_in_another_spelling_is_named() -> None:
    lines = long_log(6)
    for spelled in (
        lines[4].replace(b',"kind"', b', "kind"'),
        lines[4].replace(b"}\n", b"}}\n"),
        lines[4].replace(b'"evidence":', b'"evidence": ', 1),
        lines[4].replace(b'{"evidence":', b'{"evidence":null,"evidence":', 1),
        lines[4].replace(b'"v":1}}', b'"v":1} }'),
    ):
        assert spelled != lines[4]
        assert first_bad([*lines[:4], spelled, *lines[5:]]) == 3
