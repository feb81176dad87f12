"""Evidence read by its spelling: the same answer as reading any JSON gives, for every change of every byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import canonical, records
from ledger.errors import VerificationError
from ledger.evidence import Evidence, parse_entered, parse_evidence
from ledger.spelling import read_spelled
from ledger.types import PRIMARY_TYPES
from tests.ledger.world import Firm, enter_for_both, make_agreement, make_world

WORLD = make_world(noise=1)
AGREEMENT, LAPSE = WORLD.requester.evidence[WORLD.seq], WORLD.requester.evidence[1]
assert AGREEMENT is not None
assert LAPSE is not None
CASES = {"agreement": AGREEMENT, "agreement.lapsed": LAPSE}
PIECES = [
    b'"',
    b"\\",
    b"\\n",
    b"\\u0041",
    b",",
    b"}",
    b"]",
    b"[",
    b"{",
    b"0",
    b"00",
    b"-1",
    b"1.0",
    b"1e3",
    b" ",
    b"\n",
]
PIECES += [b"\x00", b"\xff", "é".encode(), "\U0001f600".encode(), b"null", b"true", b"9" * 16, b""]


def answer(data: bytes, record_type: str, *, is_long: bool) -> Evidence | None:
    try:
        return parse_evidence(data) if is_long else parse_entered(data, record_type)
    except VerificationError:
        return None


@given(st.data())
def test_a_changed_piece_is_read_or_refused_as_the_long_way_does(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(CASES)))
    body, piece = CASES[name], data.draw(st.sampled_from(PIECES))
    at, gone = data.draw(st.integers(0, len(body))), data.draw(st.integers(0, 5))
    changed = body[:at] + piece + body[at + gone :]
    assert answer(changed, name, is_long=False) == answer(changed, name, is_long=True)


@pytest.mark.parametrize("name", CASES)
def test_every_byte_counts(name: str) -> None:
    body = CASES[name]
    for at in range(len(body)):
        for changed in (body[:at] + body[at + 1 :], body[:at] + b"\x1f" + body[at + 1 :]):
            assert answer(changed, name, is_long=False) == answer(changed, name, is_long=True)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_of_people_is_read_as_it_was_written(text: str) -> None:
    firm = Firm("a@werkring.example", "werkring.example/a")
    firm.enter_genesis()
    record = records.Dispute(
        **firm.common(text=text), subject=records.ZERO32, accepted_min=0, currency="EUR", amount_cents=0, reason=text
    )
    seq = firm.enter(record, lambda digest: [firm.sign_by_seal(digest)], text)
    body = firm.evidence[seq]
    assert body is not None
    read = parse_entered(body, "dispute")
    assert read == parse_evidence(body)
    assert (read.display.text, read.message["reason"]) == (text, text)


def test_the_common_records_take_the_short_way() -> None:
    for name, body in CASES.items():
        assert read_spelled(body, name) is not None
    drafted = WORLD.provider
    seq, _ = enter_for_both(drafted, WORLD.requester, make_agreement(drafted, WORLD.requester, locale="en"), "One\ntwo")
    body_or_none = drafted.evidence[seq]
    assert body_or_none is not None
    assert read_spelled(body_or_none, "agreement") is not None


def test_evidence_of_another_type_than_its_leaf_says_takes_the_long_way() -> None:
    for name in PRIMARY_TYPES:
        if name != "agreement":
            assert read_spelled(CASES["agreement"], name) is None
    assert parse_entered(CASES["agreement"], "dispute").primary_type == "Agreement"


def test_more_signatures_than_a_record_may_bear_are_refused_both_ways() -> None:
    value = canonical.loads(CASES["agreement.lapsed"])
    value["signatures"] = value["signatures"] * 65
    body = canonical.dumps(value)
    for is_long in (False, True):
        assert answer(body, "agreement.lapsed", is_long=is_long) is None


def test_a_drafters_checkpoint_is_read_as_the_long_way_does() -> None:
    read = parse_evidence(CASES["agreement"])
    for note in (WORLD.requester.note(), "no checkpoint"):
        value = canonical.loads(CASES["agreement"]) | {"notBefore": {"checkpoint": note}}
        body = canonical.dumps(value)
        expected = replace_note(read, note)
        assert answer(body, "agreement", is_long=False) == answer(body, "agreement", is_long=True) == expected


def replace_note(read: Evidence, note: str) -> Evidence | None:
    return read._replace(not_before=note) if note.startswith(WORLD.requester.origin) else None
