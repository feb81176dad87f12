"""The process dies anywhere while an agreement is signed, sealed, appended and its checkpoint signed.

At each of so many statements and commits of that flow a process is shot by SIGKILL; the next one finds the same folder.
What was acknowledged stands in the logs, the logs replay clean, and no log ever signed two checkpoints of one size.
"""

import os
import shutil
import signal
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from cryptography.hazmat.primitives import serialization
from sqlalchemy.engine.default import DefaultDialect

import tests.tables  # noqa: F401
from app.agreements.models import Agreement
from app.core import clock
from app.core.db import Database
from app.core.prepared import Prepared
from app.notary import heads
from app.notary.keys import use_node_key
from app.notary.models import LedgerEntry, LedgerHead
from app.notary.queries import export_log
from app.worker import end_what_is_due, run_until_quiet
from ledger import checkpoint
from ledger.errors import VerificationError
from ledger.fsck import check_log
from tests.agreements.world import NODE_KEY, Deal, drafted, make_deal, sign_only
from tests.long.processes import forked
from tests.long.race_world import MONDAY
from tests.passkeys.software import SoftwarePasskey

KILLS, SHORT_KILLS = 200, 6
PATIENCE_S = 600
DATABASE, ACKNOWLEDGED, SIGNED = "werkring.sqlite", "acknowledged", "checkpoints"
PARTNERS = ("yilmaz", "brandt")
Found = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A plan over two partners that everybody still has to sign, as plain values that travel to another process."""

    deal: Deal
    keys: dict[str, bytes]
    signatures: tuple[tuple[str, str], ...]
    """Who signs which agreement, in their order."""


def run(is_short: bool, seed: int) -> Found:
    """So many deaths, evenly over the flow; then the planted fault: a head that was set back signs a second history."""
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder) / "start"
        case = prepare(start)
        points = _count_points(start, case)
        kills = SHORT_KILLS if is_short else KILLS
        faults = [
            fault for number in range(kills) for fault in _shoot(start, case, 1 + (number * points + seed) // kills)
        ]
        caught = is_planted_caught(start, case)
    return {
        "ok": caught and not faults and points > kills // 2,
        "kills": kills,
        "points": points,
        "faults": len(faults),
        "first_faults": faults[:5],
        "planted_caught": caught,
    }


def prepare(folder: Path) -> Case:
    folder.mkdir()
    database = Database(f"sqlite:///{folder / DATABASE}")
    database.create_tables()
    with clock.frozen(MONDAY):
        deal = make_deal(database, PARTNERS)
        ids = drafted(database, deal)
    with database.read() as session:
        rows = session.scalars(sa.select(Agreement).where(Agreement.firm_id == deal.firms["keller"].id)).all()
        partners = {row.id: next(key for key in PARTNERS if deal.firms[key].id == row.partner_id) for row in rows}
    database.close()
    keys = {key: _private_bytes(passkey) for key, passkey in deal.passkeys.items()}
    signatures = (*(("keller", one) for one in ids), *((partners[one], one) for one in ids))
    return Case(replace(deal, passkeys={}), keys, signatures)


def play(folder: Path, case: Case, die_at: int) -> None:
    """In a process of its own: both sign, everything follows; die at the given statement or commit (0: live)."""
    events = count(1)

    def tick(*_: Any) -> None:
        if next(events) == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    _tick_at_each_step(tick)
    _note_signed_checkpoints(folder)
    use_node_key(NODE_KEY)
    deal = replace(case.deal, passkeys={key: _passkey(secret) for key, secret in case.keys.items()})
    database = Database(f"sqlite:///{folder / DATABASE}")
    sa.event.listen(database.engine, "before_cursor_execute", tick)
    with clock.frozen(MONDAY):
        heads.resume_checkpoints(database)
        run_until_quiet(database)
        for key, agreement_id in case.signatures:
            if not _has_signed(database, deal, key, agreement_id):
                sign_only(database, deal, key, agreement_id)
            _write(folder / ACKNOWLEDGED, f"{key} {agreement_id}")
            run_until_quiet(database)
        end_what_is_due(database)
    database.close()
    _write(folder / "points", str(next(events) - 1))


def check(folder: Path, case: Case) -> list[str]:
    """What must hold when all is quiet; one sentence per fault."""
    database = Database(f"sqlite:///{folder / DATABASE}")
    faults = []
    with database.read() as session:
        for line in (folder / ACKNOWLEDGED).read_text().splitlines():
            key, agreement_id = line.split()
            row = session.get_one(Agreement, (case.deal.firms[key].id, agreement_id))
            if row.state != "in_force" or row.signed_at is None:
                faults.append(f"{key} was told that it is signed, and it is {row.state}")
        for head in session.scalars(sa.select(LedgerHead)).all():
            if head.signed_size != head.size:
                faults.append(f"{head.origin} is unsigned at its end")
            count_of = sa.select(sa.func.count()).select_from(LedgerEntry).where(LedgerEntry.firm_id == head.firm_id)
            if session.scalar(count_of) != head.size:
                faults.append(f"{head.origin} has other entries than its head says")
            try:
                check_log(b"".join(export_log(session, head.firm_id)).splitlines(keepends=True))
            except VerificationError as error:
                faults.append(f"{head.origin}: {error}")
    database.close()
    return [*faults, *_double_checkpoints(folder)]


def is_planted_caught(start: Path, case: Case) -> bool:
    """Another tree of a size that was signed already must be seen."""
    folder = start.with_name("planted")
    shutil.copytree(start, folder)
    _run(folder, case, 0)
    notes = (folder / SIGNED).read_text().split("\0")
    other = notes[0].split("\n")
    other[2] = "A" * 43 + "="
    _write(folder / SIGNED, "\n".join(other), "\0")
    return bool(check(folder, case))


def _shoot(start: Path, case: Case, die_at: int) -> list[str]:
    folder = start.with_name(f"kill{die_at}")
    shutil.copytree(start, folder)
    code = _run(folder, case, die_at)
    faults = [] if code == -signal.SIGKILL else [f"point {die_at}: the process ended with {code}"]
    code = _run(folder, case, 0)
    faults += [] if code == 0 else [f"point {die_at}: the next process ended with {code}"]
    faults += [f"point {die_at}: {fault}" for fault in check(folder, case)]
    shutil.rmtree(folder)
    return faults


def _count_points(start: Path, case: Case) -> int:
    folder = start.with_name("whole")
    shutil.copytree(start, folder)
    _run(folder, case, 0)
    return int((folder / "points").read_text())


def _run(folder: Path, case: Case, die_at: int) -> int:
    process = forked().Process(target=play, args=(folder, case, die_at))
    process.start()
    process.join(PATIENCE_S)
    process.kill()
    process.join(10)
    return process.exitcode if process.exitcode is not None else 1


def _tick_at_each_step(tick: Callable[[], None]) -> None:
    commit = DefaultDialect.do_commit

    def shot(dialect: DefaultDialect, connection: Any) -> None:
        tick()
        commit(dialect, connection)
        tick()

    DefaultDialect.do_commit = shot  # type: ignore[method-assign]
    run = Prepared._run

    def shot_too(*args: Any) -> Any:
        tick()
        return run(*args)

    Prepared._run = shot_too  # type: ignore[method-assign]


def _note_signed_checkpoints(folder: Path) -> None:
    """Whatever leaves the log key is written down, also what a crash then loses."""
    sign_head = heads.sign_head

    def noted(*args: Any) -> str:
        note = sign_head(*args)
        _write(folder / SIGNED, note, "\0")
        return note

    heads.sign_head = noted


def _double_checkpoints(folder: Path) -> list[str]:
    roots = defaultdict(set)
    if not (folder / SIGNED).exists():
        return ["no checkpoint was signed"]
    for note in (folder / SIGNED).read_text().split("\0")[:-1]:
        claim = checkpoint.parse(note)
        roots[claim.origin, claim.size].add(claim.root)
    return [f"two checkpoints of size {size} in {origin}" for (origin, size), found in roots.items() if len(found) > 1]


def _has_signed(database: Database, deal: Deal, key: str, agreement_id: str) -> bool:
    with database.read() as session:
        row = session.get_one(Agreement, (deal.firms[key].id, agreement_id))
        return row.signed_at is not None


def _write(path: Path, text: str, end: str = "\n") -> None:
    with path.open("a") as file:
        file.write(text + end)
        file.flush()
        os.fsync(file.fileno())


def _private_bytes(passkey: SoftwarePasskey) -> bytes:
    return passkey.key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _passkey(secret: bytes) -> SoftwarePasskey:
    key: Any = serialization.load_der_private_key(secret, None)
    return SoftwarePasskey(key=key)
