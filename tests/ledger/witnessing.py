"""A witness's memory in plain Python, for tests: what a node keeps in its database."""

from collections.abc import Collection
from dataclasses import dataclass, field
from threading import Lock

from ledger.note import Verifier


@dataclass
class MemoryStore:
    keys: dict[str, tuple[Verifier, ...]]
    notes: dict[str, str] = field(default_factory=dict)
    conflicts: list[tuple[str, str]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def log_keys(self, origin: str, size: int) -> Collection[Verifier] | None:
        return self.keys.get(origin)

    def newest(self, origin: str) -> str | None:
        return self.notes.get(origin)

    def replace(self, origin: str, expected: str | None, note: str) -> bool:
        with self.lock:
            if self.notes.get(origin) != expected:
                return False
            self.notes[origin] = note
            return True

    def keep_conflict(self, first: str, second: str) -> None:
        self.conflicts.append((first, second))
