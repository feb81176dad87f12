"""The short form of an evidence file: everything comes back as it was, and there is one spelling."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from ledger import canonical
from ledger.encoding import from_b64url, to_b64url
from ledger.errors import VerificationError
from ledger.evidence_file import build_file, parse_file, write_proved
from ledger.short_form import complete, shorten
from ledger.verify import verify_bundle
from tests.ledger.world import make_world
from tests.ledger.write_vectors import FOLDER

DATA = make_world().file_bytes()
SHORT: dict[str, Any] = json.loads(DATA)
FULL = complete(SHORT)
Json = dict[str, Any]


def signature(file: Json, place: int = 0) -> Json:
    found: Json = file["evidence"]["signatures"][place]
    return found


def test_what_was_left_out_comes_back_byte_for_byte() -> None:
    world = make_world()
    file = parse_file(world.file_bytes())
    assert file.record == world.file().record
    assert file.keys == tuple(sorted(world.file().keys, key=lambda one: (one.leaf.log, one.leaf.seq)))
    assert build_file(file) == world.file_bytes()


@pytest.mark.parametrize("name", ["good-agreement", "good-change", "good-erased"])
def test_rotated_keys_replaced_and_erased_records_come_back_too(name: str) -> None:
    good = (FOLDER / "good-agreement.json").read_bytes()
    one = next(one for one in json.loads((FOLDER / "files.json").read_bytes()) if one["name"] == name)
    short = json.loads(good[: one["at"]] + one["put"].encode() + good[one["at"] + one["cut"] :])
    full = complete(short)
    assert shorten(full) == short
    assert [write_proved(record) for record in parse_file(canonical.dumps(short)).keys] == full["keys"]
    assert verify_bundle(canonical.dumps(short)).holds


def test_the_full_form_is_not_taken_for_a_file() -> None:
    assert verify_bundle(canonical.dumps(FULL)).failed == (1,)


WRITTEN: dict[str, Callable[[Json], object]] = {
    "an empty list": lambda file: file.update(chain=[]),
    "no erasure": lambda file: file.update(erasure=None),
    "the version of a leaf": lambda file: file["leaf"].update(v=1),
    "the log of a leaf": lambda file: file["leaf"].update(log=FULL["leaf"]["log"]),
    "the type of the other leaf": lambda file: file["counterpart"]["leaf"].update(type="agreement"),
    "the domain": lambda file: file["evidence"].update(domain=FULL["evidence"]["domain"]),
    "a zero": lambda file: file["evidence"]["message"].update(supersedes=FULL["evidence"]["message"]["supersedes"]),
    "bytes in hex": lambda file: file["evidence"]["message"].update(salt=FULL["evidence"]["message"]["salt"]),
    "a whole signature": lambda file: file["evidence"]["signatures"].__setitem__(0, signature(FULL)),
    "a position zero": lambda file: file["evidence"]["signatures"].__setitem__(
        0, file["evidence"]["signatures"][0].replace(" ", "@0 ")
    ),
    "the hash of a key record's text": lambda file: file["keys"][0]["evidence"]["message"].update(
        displayHash=to_b64url(bytes.fromhex(FULL["keys"][0]["evidence"]["message"]["displayHash"][2:]))
    ),
    "the digest of a key record": lambda file: file["keys"][0]["leaf"].update(digest=FULL["keys"][0]["leaf"]["digest"]),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_file_that_writes_what_follows_from_the_rest_is_refused(name: str) -> None:
    file = copy.deepcopy(SHORT)
    WRITTEN[name](file)
    assert canonical.dumps(file) != DATA
    assert verify_bundle(canonical.dumps(file)).failed == (1,)


UNUSUAL: dict[str, Callable[[Json], object]] = {
    "another browser's clientDataJSON": lambda file: signature(file).update(
        clientDataJSON=to_b64url(from_b64url(signature(file)["clientDataJSON"])[:-1] + b',"more":1}')
    ),
    "extensions in authenticatorData": lambda file: signature(file).update(
        authenticatorData=signature(file)["authenticatorData"] + "AAAA"
    ),
    "a key of an unknown place": lambda file: signature(file)["keyAt"].update(seq=9),
    "another address than the first seal": lambda file: signature(file, 1).update(address="0x" + "11" * 20),
    "another party": lambda file: signature(file, 1).update(party="x@y"),
    "a point that is on no curve": lambda file: file["keys"][0]["evidence"]["message"].update(
        passkey="0x04" + "11" * 64
    ),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_what_is_unusual_is_written_in_full(name: str) -> None:
    file = copy.deepcopy(FULL)
    UNUSUAL[name](file)
    assert complete(shorten(file)) == file


@pytest.mark.parametrize("end", ["}", ',"crossOrigin":false}'])
def test_both_endings_that_browsers_write_are_short(end: str) -> None:
    file = copy.deepcopy(FULL)
    start = from_b64url(signature(file)["clientDataJSON"]).decode().partition(',"crossOrigin"')[0]
    signature(file)["clientDataJSON"] = to_b64url((start + end).encode())
    short = shorten(file)
    assert isinstance(short["evidence"]["signatures"][0], str)
    assert complete(short) == file


@pytest.mark.parametrize("part", ["leaf", "proof", "evidence", "keys", "checkpoint", "counterpart"])
@pytest.mark.parametrize("value", [None, 5, [], {}, "x", [[]], [5], True, [{}], {"leaf": {}}])
def test_nothing_but_a_refusal_comes_of_parts_that_make_no_sense(part: str, value: Any) -> None:
    try:
        complete({**SHORT, part: value})
    except VerificationError:
        return
    assert not verify_bundle(canonical.dumps({**SHORT, part: value})).holds
