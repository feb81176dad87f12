"""What leaves for a phone can be read by that phone alone."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.push.encryption import encrypt_for
from app.push.rules import MOST_PAYLOAD_BYTES
from tests.push.service import Phone, to_text

PHONE = Phone("http://localhost", "/push/1")


@given(text=some.text(some.characters(codec="utf-8"), max_size=500))
def test_a_phone_reads_what_was_written_and_no_message_repeats_a_key(text: str) -> None:
    body = json.dumps({"text": text}, ensure_ascii=False).encode()
    one, other = (encrypt_for(PHONE.p256dh, to_text(PHONE.auth), body) for _ in range(2))
    assert PHONE.read(one) == PHONE.read(other) == {"text": text}
    assert one[:16] != other[:16]
    assert one[21:86] != other[21:86]


def test_the_longest_message_fits_into_4096_bytes_and_a_longer_one_is_refused() -> None:
    assert len(encrypt_for(PHONE.p256dh, to_text(PHONE.auth), b"x" * MOST_PAYLOAD_BYTES)) == 4096
    with pytest.raises(ValueError):
        encrypt_for(PHONE.p256dh, to_text(PHONE.auth), b"x" * (MOST_PAYLOAD_BYTES + 1))


@pytest.mark.parametrize(
    ("point", "auth"),
    [("", None), ("short", None), ("off the curve", None), ("ä", None), (None, ""), (None, "c2hvcnQ")],
)
def test_broken_keys_of_a_subscription_are_an_error_and_never_a_message(point: str | None, auth: str | None) -> None:
    points = {"short": PHONE.p256dh[:-4], "off the curve": to_text(b"\x04" + b"\x01" * 64), None: PHONE.p256dh}
    with pytest.raises(ValueError):
        encrypt_for(points.get(point, point or ""), to_text(PHONE.auth) if auth is None else auth, b"{}")
