"""The archive as a file: a gzipped tar whose last member, the manifest, names every other one with its sum."""

import hashlib
import hmac
import json
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from app.moving.rules import MANIFEST, VERSION, MovingError

NAME = re.compile(r"(?:(?:rows|files|ledger|tables|calendar)/)?[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
NO_ARCHIVE = "This is no archive of a firm, or it is damaged; nothing was changed."
MOST_BYTES = 50 * 2**30
MOST_FILES = 1_000_000


@dataclass
class Packer:
    """Puts files into an open tar, one after the other; `folder` takes what is still growing."""

    tar: tarfile.TarFile
    folder: Path
    at_s: int
    files: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, name: str, parts: Iterable[bytes], *, has_rows: bool = False) -> None:
        """Add a file of these parts; with `has_rows` each part is one row, and they are counted."""
        digest, size, count = hashlib.sha256(), 0, 0
        with tempfile.TemporaryFile(dir=self.folder) as draft:
            for part in parts:
                draft.write(part)
                digest.update(part)
                size, count = size + len(part), count + 1
            draft.seek(0)
            self._put(name, size, draft)
        self.files[name] = {"sha256": digest.hexdigest(), "size": size} | ({"rows": count} if has_rows else {})

    def finish(self, facts: dict[str, Any], transfer_key: bytes) -> None:
        """Add the manifest; its seal opens only with the words."""
        body = {"v": VERSION, **facts, "files": self.files}
        sealed = body | {"mac": _mac(body, transfer_key)}
        with tempfile.TemporaryFile(dir=self.folder) as draft:
            draft.write(json.dumps(sealed, ensure_ascii=False, sort_keys=True, indent=1).encode())
            size = draft.tell()
            draft.seek(0)
            self._put(MANIFEST, size, draft)

    def _put(self, name: str, size: int, file: IO[bytes]) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.mtime = size, 0o600, self.at_s
        self.tar.addfile(member, file)


def unpack(archive: Path, folder: Path) -> None:
    """Lay the files of an archive into an empty folder; raises MovingError for anything but such files."""
    try:
        with tarfile.open(archive, "r|gz") as packed:
            size = 0
            for count, member in enumerate(packed):
                size += member.size
                content = packed.extractfile(member) if member.isfile() else None
                if content is None or not NAME.fullmatch(member.name) or count > MOST_FILES or size > MOST_BYTES:
                    raise MovingError(NO_ARCHIVE)
                _lay(folder / member.name, content)
    except (OSError, EOFError, zlib.error, tarfile.TarError):
        raise MovingError(NO_ARCHIVE) from None


def read_manifest(folder: Path, transfer_key: bytes) -> dict[str, Any]:
    """The manifest, with every file compared to it; raises MovingError."""
    try:
        body: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
        mac, version, files = str(body.pop("mac")), body["v"], dict(body["files"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise MovingError(NO_ARCHIVE) from None
    if version != VERSION:
        raise MovingError(f"This archive has format {version!r:.20}; this node reads format {VERSION}.")
    if not hmac.compare_digest(mac.encode(), _mac(body, transfer_key).encode()):
        raise MovingError("These are not the words of this archive, or its manifest was changed; nothing was changed.")
    present = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    if present != {*files, MANIFEST}:
        raise MovingError("The archive is not complete, or holds more than its manifest names; nothing was changed.")
    for name, facts in files.items():
        _check_sum(folder, name, facts)
    return body


def lines_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as lines:
        yield from lines


def _check_sum(folder: Path, name: str, facts: dict[str, Any]) -> None:
    with (folder / name).open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != facts["sha256"]:
            raise MovingError(f"{name} in the archive is damaged; nothing was changed.")
    if "rows" in facts and sum(1 for _ in lines_of(folder / name)) != facts["rows"]:
        raise MovingError(f"{name} in the archive has lost rows; nothing was changed.")


def _lay(path: Path, content: IO[bytes]) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with path.open("xb") as file:
        shutil.copyfileobj(content, file)


def _mac(body: dict[str, Any], transfer_key: bytes) -> str:
    key = hmac.digest(transfer_key, b"werkring/archive/v1", "sha256")
    data = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    return hmac.digest(key, data, "sha256").hex()
