"""The demonstrator network as files: rows by heading, tables in the very form that a firm uploads."""

import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path

DATA = Path(__file__).parent / "data"


def rows(name: str) -> Iterator[dict[str, str]]:
    """The rows of one file by its German headings."""
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file, delimiter=";")


def table_bytes(name: str) -> bytes:
    """A table of machines or hours, unread, for the firm's own importer."""
    return (DATA / f"{name}.csv").read_bytes()


def data_digest() -> bytes:
    """Changes with every cell of every file."""
    digest = hashlib.sha256()
    for path in sorted(DATA.glob("*.csv")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.digest()
