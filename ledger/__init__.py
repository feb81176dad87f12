"""Signed, hash-linked records: bytes, hashes and keys. Knows neither app nor web nor database."""
