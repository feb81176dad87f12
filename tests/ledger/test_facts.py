"""What a record says in a few facts: whom it binds, who signed, when it was entered, and each booked line."""

import pytest

from ledger.evidence_file import parse_file
from ledger.facts import RECORDS, facts_of
from ledger.types import RECORD_TYPES
from ledger.verify import verify_bundle
from tests.ledger.world import CONTRACT_TEXT, enter_for_both, make_agreement, make_world

WORLD = make_world(noise=1)


def told(data: bytes, language: str = "de") -> list[str]:
    return [fact.text(language) for fact in facts_of(parse_file(data), verify_bundle(data))]


def test_an_agreement_tells_parties_signers_time_and_lines() -> None:
    german, english = told(WORLD.file_bytes()), told(WORLD.file_bytes(), "en")
    requester, provider = WORLD.requester, WORLD.provider
    assert german[:2] == ["Eintrag: Vereinbarung", f"Zwischen: {requester.address} und {provider.address}"]
    assert german[2:4] == [
        f"Unterschrift: {requester.address} (Leitung, Siegel)",
        f"Unterschrift: {provider.address} (Leitung, Siegel)",
    ]
    assert german[4] == f"Eingetragen: 21.09.2026, 14:13 UTC, laut {requester.origin}"
    assert german[5:] == [
        "Zeile 1: KW 40/2026, 40 Stunden, 3.680,00 EUR",
        "Zeile 2: KW 41/2026, 40 Stunden, 3.680,00 EUR",
        "Zeile 3: KW 42/2026, 30 Stunden, 2.940,00 EUR",
    ]
    assert english[5] == "Line 1: week 40/2026, 40 hours, 3,680.00 EUR"
    assert "Entry: Agreement" in english


def test_the_lines_carry_the_numbers_of_their_bookings() -> None:
    facts = facts_of(parse_file(WORLD.file_bytes()), verify_bundle(WORLD.file_bytes()))
    lines = [fact.line for fact in facts if fact.line]
    assert lines == list(range(1, len(lines) + 1))


def test_of_a_changed_content_only_the_entry_is_told() -> None:
    changed = WORLD.file_bytes().replace(b"40 Stunden", b"41 Stunden", 1)
    assert [line.split(":")[0] for line in told(changed)] == ["Eintrag", "Eingetragen"]


def test_every_type_of_record_has_a_name() -> None:
    assert RECORDS.keys() == RECORD_TYPES.keys()


@pytest.mark.parametrize("sign", ["\x1b[2J", "\u202e"])
def test_signs_that_steer_a_screen_are_not_told(sign: str) -> None:
    world = make_world(noise=0)
    agreement = make_agreement(world.requester, world.provider, currency=f"E{sign}UR")
    seq, _ = enter_for_both(world.requester, world.provider, agreement, CONTRACT_TEXT)
    data = world.file_bytes(record=world.requester.prove(seq), counterpart=None)
    assert "3.680,00 E?UR" in "".join(told(data)).replace("[2J", "")
