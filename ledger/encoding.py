"""Strict text forms of bytes: one encoding per value, so that a changed character is never overlooked."""

import binascii

from ledger.errors import VerificationError


def _letters(alphabet: bytes) -> frozenset[bytes]:
    return frozenset(bytes([letter]) for letter in alphabet)


_ALPHABET = _letters(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") | {b""}
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")
_PADDING = (b"", b"===", b"==", b"=")
# The last letter of an incomplete group carries unused bits, which must be zero.
_LAST = (_ALPHABET, frozenset[bytes](), _letters(b"AQgw"), _letters(b"AEIMQUYcgkosw048"))


def to_b64(data: bytes) -> str:
    """Standard base64 with padding (RFC 4648, section 4)."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def from_b64(text: str, length: int | None = None) -> bytes:
    """The bytes of standard base64; refuses whitespace, wrong padding and stray bits; `length` in bytes."""
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise VerificationError("not base64") from error
    # Decoders ignore the unused bits of the last character; the re-encoding does not.
    if to_b64(data) != text:
        raise VerificationError("base64 is not canonical")
    return _of_length(data, length)


def to_b64url(data: bytes) -> str:
    """Base64url without padding, as WebAuthn writes it (RFC 4648, section 5)."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL, b"=").decode("ascii")


def from_b64url(text: str, length: int | None = None) -> bytes:
    """The bytes of unpadded base64url; refuses padding, foreign letters and stray bits; `length` in bytes."""
    try:
        raw = text.encode("ascii")
        data = binascii.a2b_base64(raw.translate(_FROM_URL) + _PADDING[len(raw) % 4], strict_mode=True)
    except (binascii.Error, ValueError, TypeError, AttributeError) as error:
        raise VerificationError("not base64url") from error
    if b"+" in raw or b"/" in raw or raw[-1:] not in _LAST[len(raw) % 4]:
        raise VerificationError("base64url is not canonical")
    return data if length is None else _of_length(data, length)


def to_hex(data: bytes) -> str:
    """Lower-case hex with the prefix 0x."""
    return "0x" + data.hex()


def from_hex(text: str, length: int | None = None) -> bytes:
    """The bytes of 0x-prefixed lower-case hex; `length` in bytes."""
    try:
        data = bytes.fromhex(text[2:] if isinstance(text, str) else text)
    except (ValueError, TypeError) as error:
        raise VerificationError("not lower-case hex with the prefix 0x") from error
    # Decoders take spaces and capitals too; the re-encoding does not.
    if f"0x{data.hex()}" != text:
        raise VerificationError("not lower-case hex with the prefix 0x")
    return _of_length(data, length)


def _of_length(data: bytes, length: int | None) -> bytes:
    if length is not None and len(data) != length:
        raise VerificationError(f"{length} bytes expected, {len(data)} given")
    return data
