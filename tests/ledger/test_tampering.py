"""Tampering of every kind with a log that holds every type of record: each found, at its first position.

A kind is one manipulation of one thing: a member of a row, a field of a record by an insider who makes the hashes right
again, a signature, a checkpoint, a key, the order of rows, the end of the log. Some kinds run at several positions.
Three insiders: one who edits rows; one who owns the node and signs new checkpoints; one who makes the digest right, too.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import pytest

from ledger import canonical, checkpoint, keys, note, records, signatures, typed
from ledger.encoding import from_b64, from_b64url, from_hex, to_b64, to_b64url, to_hex
from ledger.errors import VerificationError
from ledger.evidence_file import EvidenceFile, build_file, counterpart, prove
from ledger.firm_keys import key_id
from ledger.fsck import check_log, export_log
from ledger.head import append_entry, empty_head, sign_head
from ledger.leaf import Leaf, parse_leaf
from ledger.merkle import leaf_hash
from ledger.note import LOG_KEY, SignatureLine, Signer
from ledger.replay import BadPositionError, Entry
from ledger.types import SCHEME, primary_type_of
from ledger.verify import verify_bundle
from tests.ledger.logbook import (
    Logbook,
    by_manager,
    by_recovery,
    fixed_firm,
    fixed_passkey,
    key_fields,
    rebuilt,
    secret,
    the_logbook,
)
from tests.ledger.world import CONTRACT_TEXT, NOW, Firm, enter_link, make_agreement, make_world
from tests.ledger.write_vectors import good_file

BOOK = the_logbook()
OWN = BOOK.own
SIZE = OWN.head.size
ENTRIES = OWN.entries()
PAIRS = BOOK.partner_keys()
NAMES = {seq: name for name, seq in BOOK.places.items()}
WITH_CONTENT = [seq for seq in range(SIZE) if OWN.evidence[seq] is not None]


@dataclass(frozen=True)
class Tampering:
    """A kind: its name, the export that the tamperer shows, the position it must be found at, what partners saw."""

    kind: str
    lines: Callable[[], list[bytes]]
    position: int
    seen: Callable[[], list[str]] = list


def export(entries: list[Entry] | None = None, notes: list[tuple[int, str]] | None = None) -> list[bytes]:
    if entries is notes is None:
        return list(clean_export())
    shown = BOOK.notes if notes is None else notes
    return list(export_log(OWN.origin, ENTRIES if entries is None else entries, shown, PAIRS))


@lru_cache(maxsize=1)
def clean_export() -> tuple[bytes, ...]:
    return tuple(export_log(OWN.origin, ENTRIES, BOOK.notes, PAIRS))


def resigned(entries: list[Entry]) -> list[bytes]:
    """The node's owner signs every checkpoint anew, with the right key for each size."""
    head, notes = empty_head(OWN.origin), []
    for entry in entries:
        leaf = parse_leaf(entry.leaf)
        head = append_entry(head, leaf.type, leaf.digest, leaf.evidence, leaf.at).head
        notes.append((head.size, sign_head(head, log_key_for(head.size))))
    return export(entries, notes)


def log_key_for(size: int) -> Signer:
    word = "rennsteig log" if size <= BOOK.places["key.rotate log"] else "new log"
    return Signer(OWN.origin, LOG_KEY, secret(word))


def seen_by_partner() -> list[str]:
    """Every checkpoint as the partner cosigned it and kept it."""
    return [text for _, text in BOOK.notes]


def entry_at(seq: int, change: Callable[[dict[str, Any]], Any]) -> list[bytes]:
    """The export with one entry's line changed, nothing else made right."""
    lines = export()
    place = [at for at, line in enumerate(lines) if b'"kind":"entry"' in line][seq]
    value = json.loads(lines[place])
    change(value)
    return [*lines[:place], canonical.dumps(value) + b"\n", *lines[place + 1 :]]


# 1. Rows: one member of a stored leaf


def other_value(value: Any) -> Any:
    """A value of the same kind and form that is not this one."""
    if value is None or isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, list):
        return [*value, value[0]] if value else ["x"]
    if isinstance(value, dict):
        name = sorted(value)[0]
        return {**value, name: other_value(value[name])}
    if value.startswith("0x") and len(value) > 2:
        return value[:-1] + ("0" if value[-1] != "0" else "1")
    return value[:-1] + ("B" if value[-1:] == "A" else "A") if len(value) > 20 else value + "x"


def wrong_kind(value: Any) -> Any:
    return str(value) if isinstance(value, int) else 5


ROW_CHANGES: dict[str, Callable[[dict[str, Any], str], None]] = {
    "changed": lambda row, name: row.update({name: other_value(row[name])}),
    "removed": lambda row, name: row.pop(name) and None,
    "of another kind": lambda row, name: row.update({name: wrong_kind(row[name])}),
    "null": lambda row, name: row.update({name: None}),
    "renamed": lambda row, name: row.update({name + "x": row.pop(name)}),
}
# Form faults are told at the line; a wrong but well-formed member only after the whole log was found to be of one form.
POSITIONS = (0, 1, 7, SIZE - 1)


def rows() -> Iterator[Tampering]:
    for name in json.loads(OWN.leaves[0]):
        for change, apply in ROW_CHANGES.items():
            for seq in POSITIONS:
                yield Tampering(f"leaf.{name} {change}", row_lines(seq, name, apply), seq)
    for name in ("digest", "evidence", "prev", "seq", "type"):
        for seq in (1, 7, SIZE - 2):
            yield Tampering(f"leaf.{name} of the neighbour", neighbour_lines(seq, name), seq)


def row_lines(seq: int, name: str, apply: Callable[[dict[str, Any], str], None]) -> Callable[[], list[bytes]]:
    return lambda: entry_at(seq, lambda value: apply(value["leaf"], name))


def neighbour_lines(seq: int, name: str) -> Callable[[], list[bytes]]:
    there = json.loads(OWN.leaves[seq + 1])[name]
    return lambda: entry_at(seq, lambda value: value["leaf"].update({name: there}))


# 2. Fields: every field of every type of record, by three insiders


def first_of_each_type() -> list[int]:
    found: dict[str, int] = {}
    for seq in WITH_CONTENT:
        found.setdefault(parse_leaf(OWN.leaves[seq]).type, seq)
    return sorted(found.values())


def fields() -> Iterator[Tampering]:
    for seq in first_of_each_type():
        record_type = parse_leaf(OWN.leaves[seq]).type
        for name in content(seq)["message"]:
            kind = f"{record_type}.{name} changed"
            yield Tampering(f"{kind}, row only", field_row(seq, name), seq)
            yield Tampering(f"{kind}, hashes made right", field_lines(seq, name, is_digest_right=False), seq)
            yield Tampering(f"{kind}, digest made right", field_lines(seq, name, is_digest_right=True), seq)


def content(seq: int) -> dict[str, Any]:
    evidence = OWN.evidence[seq]
    assert evidence is not None
    return dict(json.loads(evidence))


def field_row(seq: int, name: str) -> Callable[[], list[bytes]]:
    def change(value: dict[str, Any]) -> None:
        message = value["evidence"]["message"]
        message[name] = other_value(message[name])

    return lambda: entry_at(seq, change)


def field_lines(seq: int, name: str, *, is_digest_right: bool) -> Callable[[], list[bytes]]:
    def lines() -> list[bytes]:
        whole = content(seq)
        whole["message"][name] = other_value(whole["message"][name])
        leaf = parse_leaf(OWN.leaves[seq])
        if is_digest_right:
            digest = typed.digest(primary_type_of(leaf.type), whole["message"])
            leaf = leaf._replace(digest=digest)
        return resigned(with_record(seq, canonical.dumps(whole), leaf))

    return lines


def with_record(seq: int, evidence: bytes, leaf: Leaf) -> list[Entry]:
    """The log up to this position, with another record there and all hashes right."""
    other = leaf._replace(evidence=signatures.sha256(evidence).digest())
    *before, changed = rebuilt(OWN, {seq: other})[: seq + 1]
    return [*before, replace(changed, evidence=evidence)]


# 3. The rest of the evidence and its signatures, hashes made right and checkpoints signed anew

BY_TYPE = {parse_leaf(OWN.leaves[seq]).type: seq for seq in reversed(WITH_CONTENT)}
AGREEMENT, GENESIS, ROTATE = BOOK.places["agreement"], 0, BOOK.places["key.rotate seal"]
EVIDENCE_CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "evidence version": lambda whole: whole.update(v=2),
    "evidence unknown member": lambda whole: whole.update(more=1),
    "evidence without display": lambda whole: whole.pop("display"),
    "evidence without attachments": lambda whole: whole.pop("attachments"),
    "evidence without notBefore": lambda whole: whole.pop("notBefore"),
    "domain name": lambda whole: whole["domain"].update(name="Andere"),
    "domain version": lambda whole: whole["domain"].update(version="2"),
    "domain of a chain": lambda whole: whole["domain"].update(chainId=1),
    "another type": lambda whole: whole.update(primaryType="Change"),
    "message unknown field": lambda whole: whole["message"].update(more=1),
    "message without salt": lambda whole: whole["message"].pop("salt"),
    "text longer": lambda whole: whole["display"].update(text=whole["display"]["text"] + " "),
    "text gone": lambda whole: whole["display"].update(text=""),
    "text of another language": lambda whole: whole["display"].update(locale="en"),
    "text in another composition": lambda whole: whole["display"].update(text=whole["display"]["text"].replace("ä", "a\u0308")),
    "no signatures": lambda whole: whole.update(signatures=[]),
    "signatures in another order": lambda whole: whole["signatures"].reverse(),
    "signature twice": lambda whole: whole["signatures"].insert(0, whole["signatures"][0]),
    "signatures exchanged": lambda whole: exchange(whole["signatures"]),
    "parties exchanged": lambda whole: whole["message"].update({"from": whole["message"]["to"], "to": whole["message"]["from"]}),
    "a line dropped": lambda whole: whole["message"]["lines"].pop(),
    "a line doubled": lambda whole: whole["message"]["lines"].append(whole["message"]["lines"][0]),
    "lines exchanged": lambda whole: whole["message"]["lines"].reverse(),
    "notBefore of nothing": lambda whole: whole.update(notBefore={"checkpoint": ""}),
    "notBefore of the partner's log": lambda whole: whole.update(notBefore={"checkpoint": BOOK.partner.note()}),
    "notBefore of the future": lambda whole: whole.update(notBefore={"checkpoint": BOOK.notes[-1][1]}),
    "notBefore by another key": lambda whole: whole.update(notBefore={"checkpoint": forged(2)}),
}  # fmt: skip
# What no signature covers, the partner's own copy and its cosignatures do.
WITNESSED_CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "attachment slipped in": lambda whole: whole["attachments"].append(
        {"name": "x.step", "mediaType": "model/step", "size": 1, "sha256": "0x" + "00" * 32}
    ),
    "template renamed": lambda whole: whole["display"].update(template="test/2"),
    "notBefore slipped in": lambda whole: whole.update(notBefore={"checkpoint": BOOK.notes[1][1]}),
}


def exchange(given: list[dict[str, Any]]) -> None:
    given[0]["signature"], given[2]["signature"] = given[2]["signature"], given[0]["signature"]


def forged(size: int) -> str:
    claim = checkpoint.parse(BOOK.notes[size - 1][1])
    return checkpoint.sign(claim, Signer(OWN.origin, LOG_KEY, secret("stranger")))


def evidence_lines(seq: int, change: Callable[[dict[str, Any]], Any]) -> Callable[[], list[bytes]]:
    def lines() -> list[bytes]:
        whole = content(seq)
        change(whole)
        return resigned(with_record(seq, canonical.dumps(whole), parse_leaf(OWN.leaves[seq])))

    return lines


def evidence_parts() -> Iterator[Tampering]:
    for kind, change in EVIDENCE_CHANGES.items():
        yield Tampering(kind, evidence_lines(AGREEMENT, change), AGREEMENT)
    for kind, change in WITNESSED_CHANGES.items():
        for seq in (GENESIS, AGREEMENT, SIZE - 1):
            if (kind, seq) != ("notBefore slipped in", GENESIS):
                yield Tampering(kind, evidence_lines(seq, change), seq, seen_by_partner)


# place of one signature of each kind: record and place among its signatures
SIGNED = {
    "passkey": (AGREEMENT, 0),
    "seal": (AGREEMENT, 1),
    "partner's passkey": (AGREEMENT, 2),
    "partner's seal": (AGREEMENT, 3),
    "log key's proof": (GENESIS, 0),
    "recovery key's proof": (GENESIS, 1),
    "first passkey": (GENESIS, 2),
    "first seal": (GENESIS, 3),
    "recovery key in a rotation": (ROTATE, 0),
}


def signature_parts() -> Iterator[Tampering]:
    for what, (seq, place) in SIGNED.items():
        given = content(seq)["signatures"][place]
        for member in given:
            for change, apply in signature_changes(member, given).items():
                yield Tampering(f"{what}: {member} {change}", signature_lines(seq, place, apply), seq)
        yield Tampering(f"{what}: unknown member", signature_lines(seq, place, lambda one: one.update(more=1)), seq)
        yield Tampering(f"{what}: left out", signature_lines(seq, place, None), seq)


def signature_changes(member: str, given: dict[str, Any]) -> dict[str, Callable[[dict[str, Any]], Any]]:
    value = given[member]
    changes: dict[str, Callable[[dict[str, Any]], Any]] = {
        "changed": lambda one: one.update({member: other_value(value)}),
        "removed": lambda one: one.pop(member),
        "of another kind": lambda one: one.update({member: 5}),
    }
    if member in ("signature", "authenticatorData", "clientDataJSON"):
        for place in ("first", "middle", "last"):
            changes[f"{place} byte changed"] = lambda one, place=place: one.update({member: flipped(value, place)})
        changes["a byte longer"] = lambda one: one.update({member: resized(value, 1)})
        changes["a byte shorter"] = lambda one: one.update({member: resized(value, -1)})
    if member == "role":
        changes["worker"] = lambda one: one.update(role="worker")
        changes["second"] = lambda one: one.update(role="second")
    if member == "party":
        changes["of a stranger"] = lambda one: one.update(party="fremd@other.example")
    if member == "keyAt":
        changes["in another log"] = lambda one: one.update(keyAt={"log": "other.example/x", "seq": 0})
        changes["at another position"] = lambda one: one.update(keyAt={"log": value["log"], "seq": 1})
    return changes


def flipped(text: str, place: str) -> str:
    data = bytearray(from_hex(text) if text.startswith("0x") else from_b64url(text))
    data[{"first": 0, "middle": len(data) // 2, "last": -1}[place]] ^= 1
    return to_hex(bytes(data)) if text.startswith("0x") else to_b64url(bytes(data))


def resized(text: str, by: int) -> str:
    data = from_hex(text) if text.startswith("0x") else from_b64url(text)
    data = data + b"\x00" if by > 0 else data[:-1]
    return to_hex(data) if text.startswith("0x") else to_b64url(data)


def signature_lines(seq: int, place: int, change: Callable[[dict[str, Any]], Any] | None) -> Callable[[], list[bytes]]:
    def lines() -> list[bytes]:
        whole = content(seq)
        if change is None:
            del whole["signatures"][place]
        else:
            change(whole["signatures"][place])
        return resigned(with_record(seq, canonical.dumps(whole), parse_leaf(OWN.leaves[seq])))

    return lines


def forged_signatures() -> Iterator[Tampering]:
    """Whole signatures that verify, by keys that may not sign here."""
    seq, digest = AGREEMENT, parse_leaf(OWN.leaves[AGREEMENT]).digest
    other_digest = parse_leaf(OWN.leaves[BOOK.places["change"]]).digest
    own, partner = OWN, BOOK.partner
    new_seal = signatures.sign_seal(digest, secret("new seal"))
    stranger = fixed_passkey("stranger")
    made: dict[str, tuple[int, dict[str, Any]]] = {
        "passkey over another record": (0, own.sign_by_passkey(other_digest)),
        "passkey that nobody registered": (0, own.sign_by_passkey(digest, passkey=stranger)),
        "a worker's passkey as manager": (0, own.sign_by_passkey(digest, passkey=fixed_passkey("worker"), at=1)),
        "the partner's passkey in our name": (0, {**partner.sign_by_passkey(digest), "party": own.address}),
        "passkey without a person": (0, own.sign_by_passkey(digest, passkey=without_person())),
        "passkey of another site": (0, own.sign_by_passkey(digest, passkey=at_other_site())),
        "passkey inside another page": (0, own.sign_by_passkey(digest, passkey=embedded())),
        "seal that is registered only later": (1, seal_of(own.address, secret("new seal"), new_seal)),
        "the partner's seal in our name": (1, {**partner.sign_by_seal(digest), "party": own.address}),
        "seal over another record": (1, old_seal(other_digest)),
        "seal that nobody registered": (
            1,
            seal_of(own.address, secret("x"), signatures.sign_seal(digest, secret("x"))),
        ),
        "seal with a high s": (1, high_s(old_seal(digest))),
    }
    for kind, (place, signature) in made.items():
        yield Tampering(kind, signature_lines(seq, place, lambda one, to=signature: replace_all(one, to)), seq)
    rotated = BOOK.places["cancellation"]
    cancelled = parse_leaf(OWN.leaves[rotated]).digest
    stale = old_seal(cancelled)
    yield Tampering(
        "a seal that was rotated out", signature_lines(rotated, 1, lambda one: replace_all(one, stale)), rotated
    )
    last = BOOK.places["erasure"]
    gone = own.sign_by_passkey(parse_leaf(OWN.leaves[last]).digest, "manager", passkey=fixed_passkey("worker"), at=1)
    yield Tampering("a passkey that was revoked", signature_lines(last, 0, lambda one: replace_all(one, gone)), last)


def replace_all(one: dict[str, Any], other: dict[str, Any]) -> None:
    one.clear()
    one.update(other)


def without_person() -> Any:
    device = fixed_passkey("rennsteig manager")
    device.flags = 0x01
    return device


def at_other_site() -> Any:
    device = fixed_passkey("rennsteig manager")
    device.origin = "https://werkring.example.evil"
    return device


def embedded() -> Any:
    device = fixed_passkey("rennsteig manager")
    device.more_client_data = {"crossOrigin": True}
    return device


def seal_of(party: str, private_key: bytes, signature: bytes) -> dict[str, Any]:
    address = signatures.seal_address(private_key)
    return {"kind": "seal", "role": "firm", "party": party, "address": address, "signature": to_hex(signature)}


def old_seal(digest: bytes) -> dict[str, Any]:
    return seal_of(OWN.address, secret("rennsteig seal"), signatures.sign_seal(digest, secret("rennsteig seal")))


def high_s(given: dict[str, Any]) -> dict[str, Any]:
    data = from_hex(given["signature"])
    s = signatures.SECP256K1_ORDER - int.from_bytes(data[32:64], "big")
    return {**given, "signature": to_hex(data[:32] + s.to_bytes(32, "big") + bytes([55 - data[64]]))}


# 4. Order: rows dropped, doubled, moved, brought in; and the same by the node's owner


def order() -> Iterator[Tampering]:
    bare = [line for line in export() if b'"kind":"checkpoint"' not in line]
    head = len(bare) - SIZE
    for seq in (0, 1, AGREEMENT, SIZE - 2):
        at = head + seq
        yield Tampering("row dropped", lambda at=at: [*bare[:at], *bare[at + 1 :]], seq)
        yield Tampering("row doubled", lambda at=at: [*bare[: at + 1], *bare[at:]], seq + 1)
        yield Tampering("rows exchanged", lambda at=at: swapped(bare, at), seq)
        yield Tampering("row moved to the end", lambda at=at: [*bare[:at], *bare[at + 1 :], bare[at]], seq)
        yield Tampering("row of another log", lambda at=at: [*bare[:at], foreign_line(), *bare[at + 1 :]], seq)
        yield Tampering("row of another export kind", lambda at=at: [*bare[:at], bare[0], *bare[at:]], seq)
        yield Tampering("row in another spelling", lambda at=at: [*bare[:at], spaced(bare[at]), *bare[at + 1 :]], seq)
        yield Tampering("row that is no JSON", lambda at=at: [*bare[:at], b"x\n", *bare[at + 1 :]], seq)
        yield Tampering("row cut off", lambda at=at: [*bare[:at], bare[at][:-20] + b"\n", *bare[at + 1 :]], seq)
    for seq in (1, 6, SIZE - 2):
        yield Tampering("row dropped, hashes made right", lambda seq=seq: without(seq), seq, seen_by_partner)
        yield Tampering("rows exchanged, hashes made right", lambda seq=seq: exchanged(seq), seq, seen_by_partner)


def swapped(lines: list[bytes], at: int) -> list[bytes]:
    return [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]


def spaced(line: bytes) -> bytes:
    return line.replace(b'":', b'": ', 1)


@lru_cache(maxsize=1)
def foreign_line() -> bytes:
    world = make_world("other.example/", noise=0)
    return next(line for line in export_log(world.requester.origin, world.requester.entries()) if b'"entry"' in line)


def chained(entries: list[Entry]) -> list[Entry]:
    """Numbers and hashes made right again."""
    head, made = empty_head(OWN.origin), []
    for entry in entries:
        leaf = parse_leaf(entry.leaf)
        new = append_entry(head, leaf.type, leaf.digest, leaf.evidence, leaf.at)
        made.append(Entry(new.leaf, entry.evidence))
        head = new.head
    return made


def without(seq: int) -> list[bytes]:
    """Only rows that no later record points to, and whose place no key names."""
    return export(chained([*ENTRIES[:seq], *ENTRIES[seq + 1 :]]), [])


def exchanged(seq: int) -> list[bytes]:
    return export(chained([*ENTRIES[:seq], ENTRIES[seq + 1], ENTRIES[seq], *ENTRIES[seq + 2 :]]), [])


# 5. The node's owner: a rewrite with the node's own keys, an older state, another history


def owner() -> Iterator[Tampering]:
    for seq in range(SIZE):
        yield Tampering(
            f"time of entry {seq} rewritten by the owner", lambda seq=seq: rewritten(seq), seq, seen_by_partner
        )
    for size in range(1, SIZE):
        yield Tampering(f"rolled back to {size} entries", lambda size=size: rolled_back(size), size, seen_by_partner)
    yield Tampering("rolled back and gone on otherwise", lambda: forked(10), 10, seen_by_partner)
    yield Tampering("the whole log by new keys", lambda: other_firm(), 0, seen_by_partner)
    yield Tampering("an empty log", lambda: export([], []), 0, seen_by_partner)
    yield Tampering("only the last checkpoint was seen", lambda: rolled_back(20), 20, lambda: seen_by_partner()[-1:])


def rewritten(seq: int) -> list[bytes]:
    leaf = parse_leaf(OWN.leaves[seq])
    return resigned(rebuilt(OWN, {seq: leaf._replace(at=leaf.at + 1)}))


def rolled_back(size: int) -> list[bytes]:
    return resigned(ENTRIES[:size])


def forked(size: int) -> list[bytes]:
    """Signed properly, by all keys of the firm."""
    whole = content(SIZE - 1)
    whole["message"]["id"] = to_hex(secret("fork"))
    digest = typed.digest("AgreementLapsed", whole["message"])
    whole["signatures"] = [old_seal(digest)]
    evidence = canonical.dumps(whole)
    leaf = parse_leaf(OWN.leaves[SIZE - 1])
    other = leaf._replace(digest=digest, evidence=signatures.sha256(evidence).digest())
    head = empty_head(OWN.origin)
    for data in OWN.leaves[:size]:
        one = parse_leaf(data)
        head = append_entry(head, one.type, one.digest, one.evidence, one.at).head
    new = append_entry(head, other.type, other.digest, other.evidence, other.at)
    return resigned([*ENTRIES[:size], Entry(new.leaf, evidence)])


def other_firm() -> list[bytes]:
    """A stranger founds a log of the same name, every signature right by its own keys."""
    firm = Firm(OWN.address, OWN.origin)
    firm.enter_genesis()
    firm.enter_noise(SIZE - 1)
    return list(export_log(firm.origin, firm.entries(), [(firm.head.size, firm.note())]))


# 6. Checkpoints in the export


def checkpoints() -> Iterator[Tampering]:
    for size in (1, 10, SIZE):
        for kind, change in NOTE_CHANGES.items():
            yield Tampering(f"checkpoint: {kind}", note_lines(size, change), size - 1)
    at = BOOK.places["key.rotate log"]
    stale, early = (Signer(OWN.origin, LOG_KEY, secret(word)) for word in ("rennsteig log", "new log"))
    yield Tampering("checkpoint: by the key that was rotated out", note_lines(at + 1, by(stale)), at)
    yield Tampering("checkpoint: by a key that is registered later", note_lines(at, by(early)), at - 1)
    for size in (5, SIZE - 1):
        yield Tampering("checkpoint: of an earlier size", note_lines(size, lambda _: BOOK.notes[1][1]), size - 1)
        yield Tampering("checkpoint: of a later size", note_lines(size, lambda _: BOOK.notes[-1][1]), size - 1)


def by(signer: Signer) -> Callable[[str], str]:
    return lambda text: note.sign(note.parse(text).text, signer)


def note_lines(size: int, change: Callable[[str], str]) -> Callable[[], list[bytes]]:
    def lines() -> list[bytes]:
        notes = [(one, change(text) if one == size else text) for one, text in BOOK.notes]
        return export(None, notes)

    return lines


def line_changed(place: int, at: int) -> Callable[[str], str]:
    """One byte of one signature line is another; the key id is left as it is."""

    def change(text: str) -> str:
        parsed = note.parse(text)
        lines = list(parsed.signatures)
        data = bytearray(lines[place].signature)
        data[at] ^= 1
        lines[place] = SignatureLine(lines[place].name, lines[place].key_id, bytes(data))
        return note.format_note(parsed.text, lines)

    return change


def body_line(number: int, change: Callable[[str], str]) -> Callable[[str], str]:
    def apply(text: str) -> str:
        lines = text.split("\n")
        lines[number] = change(lines[number])
        return "\n".join(lines)

    return apply


def with_lines(change: Callable[[list[SignatureLine]], list[SignatureLine]]) -> Callable[[str], str]:
    return lambda text: note.format_note(note.parse(text).text, change(list(note.parse(text).signatures)))


def renamed(line: SignatureLine) -> SignatureLine:
    return SignatureLine(line.name + "x", line.key_id, line.signature)


STRANGER = Signer(OWN.origin, LOG_KEY, secret("stranger"))
NOTE_CHANGES: dict[str, Callable[[str], str]] = {
    "another origin": body_line(0, lambda line: line + "x"),
    "a size more": body_line(1, lambda line: str(int(line) + 1)),
    "a size less": body_line(1, lambda line: str(int(line) - 1)),
    "size with a leading zero": body_line(1, lambda line: "0" + line),
    "another root": body_line(2, lambda line: to_b64(bytes([from_b64(line)[0] ^ 1]) + from_b64(line)[1:])),
    "a shorter root": body_line(2, lambda line: to_b64(from_b64(line)[:-1])),
    "an extension line": body_line(2, lambda line: line + "\nmore"),
    "signature's first byte": line_changed(0, 0),
    "signature's last byte": line_changed(0, 63),
    "cosignature's time": line_changed(1, 7),
    "cosignature's first byte": line_changed(1, 8),
    "cosignature's last byte": line_changed(1, 71),
    "signed by another key": by(STRANGER),
    "another root, signed by another key": lambda text: by(STRANGER)(NOTE_CHANGES["another root"](text)),
    "the log's line gone": with_lines(lambda lines: lines[1:]),
    "the log's line twice": with_lines(lambda lines: [lines[0], *lines]),
    "the log's line renamed": with_lines(lambda lines: [renamed(lines[0]), lines[1]]),
    "the cosigner renamed": with_lines(lambda lines: [lines[0], renamed(lines[1])]),
    "a line by a stranger": lambda text: checkpoint.add_cosignature(
        text, checkpoint.cosign(text, keys.generate_cosigner_key("other.example/w"), NOW)
    ),
    "no signatures": lambda text: text.rpartition("\n\n")[0] + "\n",
    "no final newline": lambda text: text[:-1],
    "carriage returns": lambda text: text.replace("\n", "\r\n"),
    "no note": lambda text: "",
}


# 7. Keys: the partner's records that came along, and contents that are gone


def partner_key() -> Iterator[Tampering]:
    lines = export()
    value = json.loads(lines[1])
    for part, names in (("leaf", value["leaf"]), ("evidence", value["evidence"])):
        for name in names:
            yield Tampering(f"partner's key record: {part}.{name}", key_lines([part, name], other_value), 0)
    for name in value["evidence"]["message"]:
        yield Tampering(f"partner's key: {name}", key_lines(["evidence", "message", name], other_value), 0)
    for place in range(4):
        path = ["evidence", "signatures", place, "signature"]
        yield Tampering(f"partner's key: signature {place}", key_lines(path, lambda one: flipped(one, "middle")), 0)
    for place in range(len(value["proof"])):
        yield Tampering("partner's key: proof changed", key_lines(["proof", place], lambda _: to_b64(bytes(32))), 0)
    yield Tampering("partner's key: proof longer", key_lines(["proof"], lambda one: [*one, one[0]]), 0)
    yield Tampering("partner's key: proof gone", key_lines(["proof"], lambda _: []), 0)
    yield Tampering("partner's key: our checkpoint", key_lines(["checkpoint"], lambda _: BOOK.notes[-1][1]), 0)
    forgery = checkpoint.sign(checkpoint.parse(value["checkpoint"]), Signer(BOOK.partner.origin, LOG_KEY, secret("x")))
    yield Tampering("partner's key: checkpoint by another key", key_lines(["checkpoint"], lambda _: forgery), 0)
    yield Tampering("partner's key: content gone", key_lines(["evidence"], lambda _: None), 0)
    yield Tampering("partner's key record gone", lambda: [lines[0], *lines[2:]], 0)
    yield Tampering("partner's key record twice", lambda: [lines[0], lines[1], *lines[1:]], 0)
    yield Tampering("partner's key record after its use", lambda: after_use(lines), BOOK.places["link.partner"])


def key_lines(path: list[Any], change: Callable[[Any], Any]) -> Callable[[], list[bytes]]:
    def made() -> list[bytes]:
        lines = export()
        whole = target = json.loads(lines[1])
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = change(target[path[-1]])
        return [lines[0], canonical.dumps(whole) + b"\n", *lines[2:]]

    return made


def after_use(lines: list[bytes]) -> list[bytes]:
    bare = [line for line in lines if b'"kind":"checkpoint"' not in line]
    return [bare[0], *bare[2:], bare[1]]


def erasing() -> Iterator[Tampering]:
    for seq in WITH_CONTENT:
        # Of every later fault the missing content is not the first: what it leaves unproved comes before the end.
        if is_independent(seq):
            yield Tampering(f"content of {NAMES[seq]} gone", lambda seq=seq: content_gone(seq), seq)
    erased = BOOK.places["erased"]
    yield Tampering("the erasure dropped by the owner", lambda: without_erasure(), erased)
    back = content(SIZE - 1)
    yield Tampering("another content in the place of the erased", lambda: put_back(erased, back), erased)


def is_independent(seq: int) -> bool:
    """No key of a later record and no later pointer hangs on its content."""
    return parse_leaf(OWN.leaves[seq]).type not in ("genesis", "key.register", "key.rotate", "key.revoke", "erasure")


def content_gone(seq: int) -> list[bytes]:
    return export([replace(one, evidence=None) if at == seq else one for at, one in enumerate(ENTRIES)])


def without_erasure() -> list[bytes]:
    at = BOOK.places["erasure"]
    return resigned(chained([*ENTRIES[:at], *ENTRIES[at + 1 :]]))


def put_back(seq: int, other: dict[str, Any]) -> list[bytes]:
    evidence = canonical.dumps(other)
    return export([replace(one, evidence=evidence) if at == seq else one for at, one in enumerate(ENTRIES)])


# 8. Keys used beyond what their record allows, everything signed and hashed right


def beyond() -> Iterator[Tampering]:
    for record_type, name in (("Agreement", "agreement"), ("Change", "change"), ("Cancellation", "cancellation")):
        for kind, fields in BEYOND.items():
            yield Tampering(f"{name} by {kind}", lambda one=record_type, more=fields: by_new_key(one, **more), 5)
    yield Tampering("seal used before it is valid", early_seal, 2)


BEYOND = {
    "a passkey above its limit": {"limit_cents": 500_000},
    "a passkey above the limit that it was given later": {"limit_cents": 0, "later_cents": 500_000},
    "a passkey a second before it is valid": {"valid_from": NOW + 1},
    "a passkey that is valid never": {"valid_from": 2**53 - 1},
}


def by_new_key(
    primary_type: str, limit_cents: int = 0, later_cents: int | None = None, valid_from: int = NOW
) -> list[bytes]:
    """A log whose entry 5 is signed by the passkey of entry 2, which entry 3 registers again."""
    own, partner, device = fixed_firm("rennsteig"), fixed_firm("saale"), fixed_passkey("second manager")
    own.enter_genesis(), partner.enter_genesis()
    enter_link(own, partner)
    later = limit_cents if later_cents is None else later_cents
    for cents in (limit_cents, later):
        fields = {
            **key_fields("passkey", device.point),
            "role": "manager",
            "limit_cents": cents,
            "valid_from": valid_from,
        }
        own.enter(records.KeyRegister(**own.common(text="key"), **fields), by_manager(own), "key")
    agreement = make_agreement(own, partner)
    first = to_hex(typed.digest("Agreement", agreement.message()))
    if primary_type == "Agreement":
        own.enter_noise(1)
        record: records.Record = agreement
    else:
        own.enter(agreement, lambda digest: signed_by_all(own, partner, digest), CONTRACT_TEXT)
        record = later_record(primary_type, own, partner, agreement, first)

    def signatures(digest: bytes) -> list[dict[str, Any]]:
        return [own.sign_by_passkey(digest, passkey=device, at=2), *signed_by_all(own, partner, digest)[1:]]

    own.enter(record, signatures, CONTRACT_TEXT)
    return list(export_log(own.origin, own.entries(), [], [(partner.prove(0), partner.note())]))


def signed_by_all(one: Firm, other: Firm, digest: bytes) -> list[dict[str, Any]]:
    return [sign(digest) for firm in (one, other) for sign in (firm.sign_by_passkey, firm.sign_by_seal)]


def later_record(
    primary_type: str, own: Firm, partner: Firm, agreement: records.Agreement, first: str
) -> records.Record:
    common = own.common(to=partner.address, text=CONTRACT_TEXT, supersedes=first)
    more = {"agreement": first, "basis": "mutual", "currency": "EUR", "fee_cents": 600_000}
    if primary_type == "Cancellation":
        return records.Cancellation(**common, **more, line_numbers=(0,), reason="Auftrag entfallen")
    logs = {"log_from": own.origin, "log_to": partner.origin}
    return records.Change(**common, **more, **logs, total_cents=600_000, transport_cents=0, lines=agreement.lines)


def early_seal() -> list[bytes]:
    own, new = fixed_firm("rennsteig"), secret("new seal")
    own.enter_genesis()
    old, address = (bytes.fromhex(signatures.seal_address(one)[2:]) for one in (own.seal, new))
    fields = {**key_fields("seal", address), "valid_from": NOW + 1}
    record = records.KeyRotate(**own.common(text="rotate"), old_kid=key_id(old), **fields)
    own.enter(record, by_recovery(own), "rotate")
    own.seal = new
    own.enter_noise(1)
    return list(export_log(own.origin, own.entries()))


def test_a_key_within_what_its_record_allows_is_no_fault() -> None:
    for primary_type in ("Agreement", "Change", "Cancellation"):
        assert check_log(by_new_key(primary_type)).entries == 6
        assert check_log(by_new_key(primary_type, limit_cents=500_000, later_cents=1_042_000)).entries == 6
        assert check_log(by_new_key(primary_type, limit_cents=1_042_000)).entries == 6


FAMILIES = {
    "rows": rows,
    "fields": fields,
    "evidence": evidence_parts,
    "signatures": signature_parts,
    "forgeries": forged_signatures,
    "order": order,
    "owner": owner,
    "checkpoints": checkpoints,
    "partner": partner_key,
    "erasing": erasing,
    "beyond": beyond,
}
TAMPERINGS = {family: list(make()) for family, make in FAMILIES.items()}


def found_at(tampering: Tampering) -> int | str:
    try:
        check_log(tampering.lines(), seen=tampering.seen())
    except BadPositionError as error:
        return error.position
    return "not found"


def test_the_clean_log_holds_also_against_what_the_partner_saw() -> None:
    assert check_log(export(), seen=seen_by_partner()).root == OWN.head.root
    assert check_log(resigned(ENTRIES), seen=seen_by_partner()).root == OWN.head.root
    assert chained(ENTRIES) == ENTRIES


def test_there_are_more_than_three_hundred_kinds() -> None:
    kinds = {one.kind for family in TAMPERINGS.values() for one in family}
    assert len(kinds) >= 300
    # Each family alone is not what makes the number.
    assert len({one.kind for family, made in TAMPERINGS.items() if family != "fields" for one in made}) >= 300


@pytest.mark.parametrize("family", FAMILIES)
def test_every_kind_of_tampering_is_found_at_its_first_position(family: str) -> None:
    clean = export()
    wrong = {}
    for one in TAMPERINGS[family]:
        assert one.lines() != clean, f"{one.kind} changes nothing"
        if (found := found_at(one)) != one.position:
            wrong[f"{one.kind} at {one.position}"] = found
    assert not wrong


@pytest.mark.parametrize("seq", range(SIZE))
def test_without_a_witness_the_owners_rewrite_stays_unseen(seq: int) -> None:
    """The harness tells who finds what: the owner's log is right in itself; the partner's copies tell, or an anchor."""
    tampering = next(one for one in TAMPERINGS["owner"] if one.kind == f"time of entry {seq} rewritten by the owner")
    anchored = content(BOOK.places["anchor"])["message"]["size"]
    assert found_at(replace(tampering, seen=list)) == (BOOK.places["anchor"] if seq < anchored else "not found")


# 9. One evidence file: every value in it


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from paths(item, (*path, name))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from paths(item, (*path, place))
    if path:
        yield path


@lru_cache(maxsize=1)
def small_file() -> EvidenceFile:
    """The agreement with the first key record of each firm only, under the checkpoint right after it."""
    world = make_world(noise=1)
    return world.file()


SMALL = json.loads(build_file(small_file()))
FILE_CHANGES: dict[str, Callable[[Any], Any]] = {
    "changed": other_value,
    "of another kind": lambda value: wrong_kind(value) if not isinstance(value, dict | list) else 5,
    "removed": lambda value: ...,
}


def file_with(path: tuple[Any, ...], change: Callable[[Any], Any]) -> bytes:
    whole = target = json.loads(build_file(small_file()))
    for step in path[:-1]:
        target = target[step]
    value = change(target[path[-1]]) if target[path[-1]] is not None else 5
    if value is ...:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return canonical.dumps(whole)


@pytest.mark.parametrize("part", sorted(SMALL))
@pytest.mark.parametrize("change", FILE_CHANGES)
def test_no_value_of_an_evidence_file_can_be_changed(part: str, change: str) -> None:
    let_through = []
    for path in paths(SMALL):
        if path[0] != part or is_free_choice(path, change):
            continue
        if holds(file_with(path, FILE_CHANGES[change])):
            let_through.append(path)
    assert not let_through


def is_free_choice(path: tuple[Any, ...], change: str) -> bool:
    """Without the counterpart's own entry, or a witness, the file proves less, and says so; it still is no lie."""
    return path in {("counterpart", "leaf"), ("counterpart", "proof")} and change == "removed"


def holds(data: bytes) -> bool:
    try:
        return verify_bundle(data).holds
    except VerificationError:
        return False


# 9. No false alarm


def noted(book_hashes: list[bytes], leaves: list[bytes], size: int, key: Signer) -> str:
    head = empty_head(key.name)
    for data in leaves[:size]:
        leaf = parse_leaf(data)
        head = append_entry(head, leaf.type, leaf.digest, leaf.evidence, leaf.at).head
    assert head.last == book_hashes[size - 1]
    return sign_head(head, key)


def test_a_thousand_clean_proofs_raise_no_alarm() -> None:
    firm = make_world(noise=45).requester
    count = 0
    for size in range(1, firm.head.size + 1):
        text = noted(firm.hashes, firm.leaves, size, firm.log_key)
        first = prove(firm.leaves[0], firm.hashes[:size], firm.evidence[0])
        for seq in range(size):
            if parse_leaf(firm.leaves[seq]).type in ("link.partner", "agreement"):
                continue
            record = prove(firm.leaves[seq], firm.hashes[:size], firm.evidence[seq])
            report = verify_bundle(build_file(EvidenceFile(record=record, checkpoint=text, keys=(first,))))
            assert report.holds, report.text("en", is_plain=False)
            count += 1
    assert count >= 1000


@pytest.mark.parametrize("size", range(1, SIZE + 1))
def test_every_record_proves_itself_under_every_checkpoint(size: int) -> None:
    """300 more, with every type of record, rotated keys and cosignatures."""
    for seq in range(size):
        file = file_under(BOOK, seq, size)
        if file is not None:
            report = verify_bundle(build_file(file))
            assert report.holds, (NAMES[seq], report.text("en", is_plain=False))


def file_under(book: Logbook, seq: int, size: int) -> EvidenceFile | None:
    own = book.own
    known = [at for at in range(size) if parse_leaf(own.leaves[at]).type.startswith(("genesis", "key."))]
    evidence = own.evidence[seq]
    erasure = None
    if evidence is None:
        if size <= book.places["erasure"]:
            return None
        at = book.places["erasure"]
        erasure = prove(own.leaves[at], own.hashes[:size], own.evidence[at])
    keys_ = tuple(prove(own.leaves[at], own.hashes[:size], own.evidence[at]) for at in known)
    chain, wanted = [], "0x" if evidence is None else json.loads(evidence)["message"]["supersedes"]
    by_digest = {to_hex(parse_leaf(leaf).digest): at for at, leaf in enumerate(own.leaves)}
    while wanted in by_digest:
        at = by_digest[wanted]
        chain.append(prove(own.leaves[at], own.hashes[:size], own.evidence[at]))
        wanted = json.loads(own.evidence[at] or b"{}")["message"]["supersedes"]
    return EvidenceFile(
        record=prove(own.leaves[seq], own.hashes[:size], evidence),
        checkpoint=dict(book.notes)[size],
        keys=(*keys_, book.partner.prove(0)),
        chain=tuple(chain),
        erasure=erasure,
        counterpart=counterpart(book.partner.note()),
    )


def test_the_vector_file_is_clean_too() -> None:
    assert verify_bundle(build_file(good_file(BOOK))).holds
    assert leaf_hash(OWN.leaves[0]) == OWN.hashes[0]
    assert set(SCHEME.encode_type("Agreement"))


def test_the_harness_finds_a_verifier_that_does_not_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted faults: without the check of digests, or of lines below a checkpoint, some kinds go through."""
    monkeypatch.setattr("ledger.replay.checks.check_digest", lambda leaf, evidence: None)
    late = [one for one in TAMPERINGS["fields"] if one.kind == "cancellation.reason changed, hashes made right"]
    assert [found_at(one) for one in late] == ["not found"]
    monkeypatch.undo()
    monkeypatch.setattr("ledger.replay.prepare_lines", lambda parsed, claim, firms: [])
    notes = [one for one in TAMPERINGS["checkpoints"] if one.kind == "checkpoint: cosignature's last byte"]
    assert [found_at(one) for one in notes] == ["not found"] * 3
