"""Signed, hash-linked records: bytes, hashes and keys. Knows neither app nor web nor database."""

from ledger import (
    canonical,
    checkpoint,
    evidence,
    evidence_file,
    head,
    keys,
    leaf,
    merkle,
    note,
    policy,
    proof,
    records,
    signatures,
    typed,
    types,
    verify,
    witness,
)
from ledger.errors import VerificationError

__all__ = [
    "VerificationError",
    "canonical",
    "checkpoint",
    "evidence",
    "evidence_file",
    "head",
    "keys",
    "leaf",
    "merkle",
    "note",
    "policy",
    "proof",
    "records",
    "signatures",
    "typed",
    "types",
    "verify",
    "witness",
]
