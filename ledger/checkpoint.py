"""Checkpoints (C2SP tlog-checkpoint) and cosignatures (C2SP tlog-cosignature v1)."""

from dataclasses import dataclass

from ledger import note as notes
from ledger.encoding import from_b64, to_b64
from ledger.errors import VerificationError
from ledger.note import COSIGNER_KEY, LOG_KEY, SignatureLine, Signer, Verifier


@dataclass(frozen=True)
class Checkpoint:
    """What a log claims of itself: its name, how many entries it has, and their root; `extensions` are kept as read."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()


def parse(text: str | bytes) -> Checkpoint:
    """The checkpoint of a note, or of a note's text alone; signatures are not verified."""
    body = _body(text)
    origin, size, root, *extensions = _lines(body)
    if not origin:
        raise VerificationError("a checkpoint without origin")
    return Checkpoint(origin, parse_size(size), from_b64(root, length=32), tuple(extensions))


def format(checkpoint: Checkpoint) -> str:
    """The text of a checkpoint, ready to be signed."""
    lines = [checkpoint.origin, str(checkpoint.size), to_b64(checkpoint.root), *checkpoint.extensions]
    text = "".join(f"{line}\n" for line in lines)
    if parse(text) != checkpoint:
        raise VerificationError("not a checkpoint")
    return text


def sign(checkpoint: Checkpoint, signer: Signer | str) -> str:
    """The note of a checkpoint; the key's name must be the origin."""
    key = notes.parse_skey(signer) if isinstance(signer, str) else signer
    if key.name != checkpoint.origin:
        raise VerificationError("the log key bears another name than the log")
    return notes.sign(format(checkpoint), key)


def cosign(note: str, signer: Signer | str, timestamp: int) -> str:
    """The cosignature line over a checkpoint note; `timestamp` in seconds since 1970.

    Whether the checkpoint may be cosigned (right log, consistent, not older) is decided before, by the caller.
    """
    key = notes.parse_skey(signer) if isinstance(signer, str) else signer
    if key.alg != COSIGNER_KEY:
        raise VerificationError("only a cosigner key cosigns")
    text = _body(note)
    parse(text)
    signature = timestamp.to_bytes(8, "big") + key.sign_bytes(notes.cosigned_message(text, timestamp))
    return str(SignatureLine(key.name, key.verifier.key_id, signature))


def add_cosignature(note: str, line: str) -> str:
    """The note with one more line; an older line of the same key is replaced, so none stands twice."""
    parsed, (new,) = notes.parse(note), notes.parse_lines(line)
    kept = [old for old in parsed.signatures if (old.name, old.key_id) != (new.name, new.key_id)]
    return notes.format_note(parsed.text, [*kept, new])


def verify_cosignature(note: str, vkey: Verifier | str) -> int:
    """The time of the cosigner's signature in seconds since 1970; raises where it is missing or wrong."""
    key = notes.parse_vkey(vkey) if isinstance(vkey, str) else vkey
    if key.alg != COSIGNER_KEY:
        raise VerificationError("not a cosigner key")
    opened = notes.open_note(note, [key])
    parse(opened.text)
    return notes.cosignature_time(opened.verified[0])


def verify_signature(note: str, vkey: Verifier | str) -> Checkpoint:
    """The checkpoint of a note that the log's own key signed."""
    key = notes.parse_vkey(vkey) if isinstance(vkey, str) else vkey
    checkpoint = parse(notes.open_note(note, [key]).text)
    if key.alg != LOG_KEY or key.name != checkpoint.origin:
        raise VerificationError("not the key of this log")
    return checkpoint


def parse_size(text: str) -> int:
    """A tree size as checkpoints and witnesses write it: decimal, no leading zeros, below 2^63."""
    if not (text.isascii() and text.isdecimal()) or len(text) > 19 or (text[0] == "0" and text != "0"):
        raise VerificationError("a tree size is a decimal number without leading zeros")
    size = int(text)
    if size >= 2**63:
        raise VerificationError("a tree size is out of range")
    return size


def _body(text: str | bytes) -> str:
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    # An extension line is never empty, so an empty line can only part text and signatures.
    return notes.parse(text).text if "\n\n" in plain else plain


def _lines(body: str) -> list[str]:
    if not body.endswith("\n"):
        raise VerificationError("a checkpoint ends in a newline")
    lines = body[:-1].split("\n")
    if len(lines) < 3 or not all(lines):
        raise VerificationError("a checkpoint has three lines or more, none empty")
    return lines
