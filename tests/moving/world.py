"""A firm with everything in its house, packed on one node and unpacked on another."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

from app.core.db import Database
from app.moving.exporting import write_archive
from app.moving.importing import Imported, import_firm
from app.moving.rules import COPY, MANIFEST
from app.notary.transfer import words_of
from ledger.keys import unwrap_key

NEW_NODE_KEY, TRANSFER_KEY = bytes(range(32, 64)), bytes(range(64, 96))
WORDS = words_of(TRANSFER_KEY)
KEY_FILE, NEIGHBOURS = "rows/firm_key.jsonl", "rows/partnership.jsonl"
OLD_NODE = "alt.example"


def pack(database: Database, firm_id: str, folder: Path, *, kind: str = COPY, name: str = "a") -> Path:
    """The firm's archive as a file."""
    path = folder / f"{name}.tar.gz"
    with path.open("wb") as file:
        write_archive(database, firm_id, file, TRANSFER_KEY, folder, kind=kind, node=OLD_NODE)
    return path


def bring(database: Database, archive: Path, folder: Path, words: str = WORDS) -> Imported:
    return import_firm(database, archive, words, NEW_NODE_KEY, folder)


def members(archive: Path) -> dict[str, bytes]:
    """The files of an archive by name."""
    with tarfile.open(archive) as packed:
        return {one.name: packed.extractfile(one).read() for one in packed}  # type: ignore[union-attr]


def repack(files: dict[str, bytes], path: Path) -> Path:
    """An archive of these very files, whatever its manifest says."""
    with tarfile.open(path, "w:gz") as packed:
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            packed.addfile(member, io.BytesIO(body))
    return path


def same_files(one: Path, other: Path) -> dict[str, bytes]:
    """Whether two archives say the same, byte by byte; returns the files. Keys are compared opened.

    Who was a partner next door is one on another node after the way, and nothing else of it changes.
    """
    first, second = members(one), members(other)
    assert first.keys() == second.keys()
    differing = {name for name in first if first[name] != second[name]}
    assert differing <= {KEY_FILE, MANIFEST, NEIGHBOURS}, differing
    assert [row | {"node": row["node"] or OLD_NODE} for row in lines(first[NEIGHBOURS])] == lines(second[NEIGHBOURS])
    assert _opened(first) == _opened(second)
    return first


def lines(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in body.splitlines()]


def _opened(files: dict[str, bytes]) -> list[tuple[str, bytes | None]]:
    import base64

    log = json.loads(files[MANIFEST])["firm"]["log"]
    rows = lines(files[KEY_FILE])
    assert len(rows) >= 5
    return [
        (
            row["purpose"] + row["public_key"],
            row["wrapped"] and unwrap_key(base64.b64decode(row["wrapped"]), TRANSFER_KEY, row["purpose"], log),
        )
        for row in rows
    ]
