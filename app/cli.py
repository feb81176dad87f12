"""Commands for the operator: serve, migrate, status, backup, restore, firms and tables in and out, links, anchor, keys."""

import fcntl
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click
from flask import Flask

from app.config import ANCHOR_NEEDS, Config, ConfigError, key_in, load_config
from app.core.backup import DUMP, BackupError, make_backup, restore_backup

if TYPE_CHECKING:
    from app.core.db import Database
    from app.notary.wallet import Wallet

RESTORED = "restored"
"""Lies in the data folder from a restore to the next start."""
KEYS = ("secret.key", "node.key")
ROOT = Path(__file__).parents[1]
START_S, STOP_S = 60, 15


@click.group()
def main() -> None:
    """Werkring, for the one who runs it."""


def _config() -> Config:
    try:
        return load_config()
    except ConfigError as error:
        raise click.ClickException(str(error)) from None


@main.command()
def migrate() -> None:
    """Bring the database to this version."""
    _migrate(_config())


def _migrate(config: Config) -> None:
    from sqlalchemy.exc import DBAPIError

    from app.core.db import unusable

    try:
        migrate_database(config.database_url)
    except DBAPIError as error:
        raise click.ClickException(unusable(error)) from None


def migrate_database(url: str) -> None:
    """Run all migrations that are missing."""
    from alembic import command
    from alembic.config import Config as AlembicConfig

    alembic = AlembicConfig()
    alembic.set_main_option("script_location", str(ROOT / "migrations"))
    alembic.attributes["url"] = url
    command.upgrade(alembic, "head")


@main.command()
@click.argument("target", type=click.Path(path_type=Path))
def backup(target: Path) -> None:
    """Write database and keys into one archive, and restore it once to be sure."""
    config = _config()
    keys = {"secret.key": config.secret_key, "node.key": config.node_key}
    try:
        made = make_backup(
            config.database_url,
            config.data_dir,
            target.absolute(),
            keys,
            lambda url: _check_node_key(url, config.node_key),
        )
    except BackupError as error:
        raise click.ClickException(str(error)) from None
    click.echo(
        f"{target}: {target.stat().st_size} bytes, {sum(made.rows.values())} rows, restored once and found whole."
    )
    for name in KEYS:
        click.echo(f"{name}: inside." if name in made.files else f"{name}: NOT inside; keep a copy of it elsewhere.")


def _check_node_key(database_url: str, node_key: bytes) -> None:
    """A backup that its own node cannot open any more is none."""
    from app.core.db import Database
    from app.notary.keys import is_opened_by

    database = Database(database_url)
    try:
        with database.read() as session:
            if not is_opened_by(session, node_key):
                raise BackupError("The node key in use does not open the firms' keys; look for the right node.key.")
    finally:
        database.close()


@main.command()
@click.argument("archive", type=click.Path(path_type=Path, exists=True))
def restore(archive: Path) -> None:
    """Fill the empty DATA_DIR (and the empty PostgreSQL database at DATABASE_URL) from an archive."""
    data_dir = Path(os.environ.get("DATA_DIR") or "var").absolute()
    try:
        found = restore_backup(
            archive, data_dir, os.environ.get("DATABASE_URL", "").replace("postgres://", "postgresql://")
        )
    except BackupError as error:
        raise click.ClickException(str(error)) from None
    (data_dir / RESTORED).touch()
    click.echo(f"{data_dir} is restored: {sum(found.rows.values())} rows.")
    for name in KEYS:
        if name not in found.files:
            click.echo(f"{name} was not inside: put it into {data_dir} before the start, or name its file.")
    if not found.database_url:
        click.echo(f"{DUMP} waits there: set DATABASE_URL to an empty database and bring it in with pg_restore.")
    click.echo("`make run` starts it.")


@main.command()
@click.option("--deploy", is_flag=True, help="Make the contract on the chain, once, and tell its address.")
@click.option("--wait", default=300.0, help="Seconds to wait for a block and those that confirm it.")
def anchor(deploy: bool, wait: float) -> None:
    """Write the state of every firm's log that wants it to the public chain; may be killed and run again."""
    from app.notary.queries import VerificationError
    from app.notary.wallet import AnchorError, check_contract, deploy_contract, open_wallet

    config = _config()
    if config.anchor is None:
        raise click.ClickException(f"Anchoring is off: set {', '.join(ANCHOR_NEEDS)}.")
    try:
        with _alone(config.data_dir / "anchor.lock"):
            wallet = open_wallet(config.anchor)
            if deploy:
                click.echo(f"ANCHOR_CONTRACT={deploy_contract(wallet, wait)}")
                return
            check_contract(wallet, config.anchor.contract)
            is_good = _anchor_all(config, wallet, config.anchor.contract, wait)
    except (AnchorError, VerificationError) as error:
        raise click.ClickException(str(error)) from None
    sys.exit(0 if is_good else 1)


def _anchor_all(config: Config, wallet: "Wallet", contract: str, wait_s: float) -> bool:
    from app.core.db import Database
    from app.notary.anchoring import anchor_firms
    from app.notary.keys import use_node_key

    use_node_key(config.node_key)
    database = Database(config.database_url)
    try:
        return anchor_firms(database, wallet, contract, click.echo, wait_s)
    finally:
        database.close()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Two runs at once would take the same nonce; the lock goes with the process, however it ends."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise click.ClickException("Another run is anchoring just now.") from None
        yield


@main.command()
@click.option("--host", default="127.0.0.1", help="Address to listen on; a proxy with HTTPS stands in front.")
@click.option("--processes", default=1, help="Web processes.")
def serve(host: str, processes: int) -> None:
    """Migrate, then run web and worker until Ctrl-C."""
    config = _config()
    _migrate(config)
    if config.clock_start and "@" not in config.clock_start:
        os.environ["CLOCK_START"] = f"{config.clock_start}@{time.time()}"
    _doubt_what_was_restored(config)
    children = [_start_worker(), _start_web(host, config.port, processes)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        _wait_until_well(config, children)
        click.echo(
            f"Werkring runs at {config.public_url} (practice world: {config.public_url}/uebung). Ctrl-C stops it."
        )
        while all(child.poll() is None for child in children):
            time.sleep(0.5)
        raise click.ClickException("A part of Werkring stopped by itself; see the lines above.")
    except KeyboardInterrupt:
        click.echo("\nWerkring has stopped.")
    finally:
        _stop(children)


def _doubt_what_was_restored(config: Config) -> None:
    """A backup is older than what partners have seen, or may be: nothing is signed until they have said how far."""
    from app.core.db import Database
    from app.notary.witnesses import doubt_restored_logs

    if not (config.data_dir / RESTORED).exists():
        return
    database = Database(config.database_url)
    with database.write() as session:
        doubt_restored_logs(session)
    database.close()
    (config.data_dir / RESTORED).unlink()


@main.command("export")
@click.argument("address")
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--move", is_flag=True, help="The firm leaves: here nothing is written any more, there its log goes on.")
@click.option("--to", "new_node", default="", help="With --move: host[:port] of the new node, as its PUBLIC_URL says.")
def export_firm(address: str, target: Path, move: bool, new_node: str) -> None:
    """Write everything that belongs to one firm into one archive, its keys closed under 24 words that are shown once."""
    from app.core.db import Database
    from app.moving.exporting import firm_at, leave_node, note_export, write_archive
    from app.moving.rules import COPY, MOVE, MovingError
    from app.notary.keys import use_node_key
    from app.notary.moved import is_node
    from app.notary.transfer import new_transfer_key, words_of

    if move is not is_node(new_node):
        raise click.ClickException(
            "--move and --to go together: partners are told where the firm lives, as new.example."
        )
    config, transfer_key, target = _config(), new_transfer_key(), target.absolute()
    use_node_key(config.node_key)
    database = Database(config.database_url)
    try:
        with _new_file(target) as file:
            with database.read() as session:
                firm_id = firm_at(session, address)
            if move:
                leave_node(database, firm_id, new_node)
            with database.write() as session:
                note_export(session, firm_id, None)
            kind = MOVE if move else COPY
            files = write_archive(database, firm_id, file, transfer_key, target.parent, kind=kind, node=config.node)
    except MovingError as error:
        raise click.ClickException(str(error)) from None
    finally:
        database.close()
    rows = sum(one.get("rows", 0) for one in files.values())
    click.echo(f"{target}: {target.stat().st_size} bytes, {rows} rows, {len(files)} files.")
    click.echo(f"These words open the keys inside. Nobody can show them again:\n{words_of(transfer_key)}")
    if move:
        click.echo(
            f"{address} has left this node. Import the archive on {new_node} and nowhere else: two nodes would"
            " contradict each other. Keep this one running for 90 days: it shows partners the way."
        )


@contextmanager
def _new_file(target: Path) -> Iterator[BinaryIO]:
    """A file that is there whole or not at all, and that nobody else may read."""
    if target.exists() or not target.parent.is_dir():
        raise click.ClickException(f"{target} is there already, or its folder is missing; choose another name.")
    draft = target.with_name(target.name + ".part")
    try:
        with open(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.rename(target)
    finally:
        draft.unlink(missing_ok=True)


@main.command("import")
@click.argument("archive", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--words", prompt="The 24 words of the archive", help="Asked for when left out.")
def import_firm(archive: Path, words: str) -> None:
    """Bring a firm in from an archive of `export`: everything is checked first, then all of it is there, or nothing."""
    from app.core.db import Database
    from app.moving.importing import import_firm as bring_in
    from app.moving.rules import MovingError

    config = _config()
    _migrate(config)
    database = Database(config.database_url)
    try:
        found = bring_in(database, archive, words, config.node_key, config.data_dir, config.node)
    except MovingError as error:
        raise click.ClickException(str(error)) from None
    finally:
        database.close()
    click.echo(
        f"{found.name} ({found.address}) is here: {found.rows} rows, {found.entries} ledger entries, all verified."
    )
    if not found.is_move:
        click.echo("The archive is a copy: here it can be read, and nothing is appended to its log.")
    click.echo("People sign in anew. Under another domain a manager begins with the 24 words of the emergency key.")


@main.command("resume-log")
@click.argument("address")
@click.option("--alone", is_flag=True, help="A moved or copied log: no other node goes on with it, now or later.")
def resume(address: str, alone: bool) -> None:
    """Let the log of one firm go on, on the operator's word: though partners are silent, or because a move was given up."""
    import sqlalchemy as sa

    from app.core.db import Database
    from app.firms.models import Firm
    from app.moving.leaving import stay_after_all
    from app.notary.keys import use_node_key
    from app.notary.transfer import COPY, MOVED
    from app.notary.witnesses import RESTORED as ASKING
    from app.notary.witnesses import halt_of, resume_log

    config = _config()
    use_node_key(config.node_key)
    database = Database(config.database_url)
    try:
        with database.write() as session:
            firm_id = session.scalar(sa.select(Firm.id).where(Firm.address == address))
            halt = halt_of(session, firm_id) if firm_id else ""
            if firm_id is None or halt not in ((MOVED, COPY) if alone else (ASKING,)):
                raise click.ClickException(f"No log of {address} waits for that here.")
            stay_after_all(session, firm_id, config.node) if alone else resume_log(session, firm_id)
            halt = halt_of(session, firm_id)
    finally:
        database.close()
    click.echo(f"The log of {address} {'asks partners how far they saw it, and then goes on' if halt else 'goes on'}.")


@main.command()
@click.argument("address")
@click.confirmation_option(prompt="Everything of this firm on this node is erased for good. Go on?")
def forget(address: str) -> None:
    """Let a firm leave this node for good; a copy, or what a firm left that moved 90 days ago, goes at once."""
    from app.core.db import Database
    from app.core.errors import Conflict, RuleBroken
    from app.moving.exporting import firm_at
    from app.moving.forgetting import forget_firm
    from app.moving.rules import MovingError
    from app.notary.heads import LEFT
    from app.notary.keys import use_node_key
    from app.notary.witnesses import halt_of

    config = _config()
    use_node_key(config.node_key)
    database = Database(config.database_url)
    try:
        with database.write() as session:
            firm_id = firm_at(session, address)
            last = forget_firm(session, firm_id)
            is_gone = halt_of(session, firm_id) == LEFT
    except MovingError as error:
        raise click.ClickException(str(error)) from None
    except (RuleBroken, Conflict):
        raise click.ClickException(
            f"{address} stays: an agreement still runs, it is leaving already, or it moved less than 90 days ago."
        ) from None
    finally:
        database.close()
    later = "leaves: its partners are told, for seven days at most; then everything is erased."
    click.echo(f"{address} {'is erased.' if is_gone else later}")
    click.echo("What stays: its address, the hashes of its log and what partners and the log key signed about them.")
    if last is not None:
        click.echo(f"Evidence of its agreements stays closed until {last}, as the law wants; then it is erased too.")
    click.echo("Backups hold the firm until they are overwritten.")


@main.command("import-hours")
@click.argument("address")
@click.argument("table", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def bring_hours(address: str, table: Path) -> None:
    """Write a firm's free hours from a CSV or XLSX (nummer, woche, stunden): all or none, and twice is once."""
    from app.api.importing import import_hours

    _import_table(import_hours, address, table)


@main.command("import-machines")
@click.argument("address")
@click.argument("table", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def bring_machines(address: str, table: Path) -> None:
    """Write a firm's machines from a CSV or XLSX, as the app's own template has it: all or none, and twice is once."""
    from app.api.importing import import_machines

    _import_table(import_machines, address, table)


def _import_table(bring_in: Callable[["Database", str, Path], str], address: str, table: Path) -> None:
    from app.api.importing import TableRefused
    from app.core.db import Database

    database = Database(_config().database_url)
    try:
        click.echo(bring_in(database, address, table))
    except TableRefused as error:
        raise click.ClickException(str(error)) from None
    finally:
        database.close()


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For a machine that watches.")
def status(as_json: bool) -> None:
    """Say how the node is, in numbers; ends with 1 when somebody should look. No word of a firm is in it."""
    from app.core.db import Database
    from app.operator.health import health_of

    config = _config()
    database = Database(config.database_url)
    try:
        with database.read() as session:
            health = health_of(session, config.data_dir)
    finally:
        database.close()
    facts = asdict(health) | {"warnings": list(health.warnings)}
    click.echo(json.dumps(facts) if as_json else "\n".join(f"{name}: {value}" for name, value in facts.items()))
    sys.exit(1 if health.warnings else 0)


@main.command("link-node")
@click.argument("node")
@click.option("--code", default="", help="What the other operator's command showed; left out, a new one is made.")
def link_with_node(node: str, code: str) -> None:
    """Agree with another node's operator to show each other the directory, for firms that want it."""
    from app.core.db import Database
    from app.core.errors import RuleBroken
    from app.directory.far import link_node
    from app.notary.moved import is_node

    config = _config()
    if not is_node(node) or node == config.node:
        raise click.ClickException("Name the other node as its PUBLIC_URL does: host[:port].")
    database = Database(config.database_url)
    try:
        with database.write() as session:
            made = link_node(session, node, code)
    except RuleBroken:
        raise click.ClickException("This is no code of `link-node`.") from None
    finally:
        database.close()
    click.echo(f"Linked with {node}, as soon as its operator has typed the same code.")
    if not code:
        click.echo(f"There: flask link-node {config.node} --code {made}")


@main.command("unlink-node")
@click.argument("node")
def unlink_from_node(node: str) -> None:
    """Show a linked node nothing any more, and forget what it showed."""
    from app.core.db import Database
    from app.directory.far import unlink_node

    database = Database(_config().database_url)
    try:
        with database.write() as session:
            was_linked = unlink_node(session, node)
    finally:
        database.close()
    if not was_linked:
        raise click.ClickException(f"{node} is not linked.")
    click.echo(f"{node} is not linked any more.")


@main.command("break-glass")
@click.argument("address")
@click.option("--purpose", required=True, help="Why: the firm reads this sentence.")
def break_glass(address: str, purpose: str) -> None:
    """Open the Protokoll and the stuck messages of one firm for support; its managers are told each time."""
    from app.core.db import Database
    from app.core.errors import NotFound, RuleBroken
    from app.operator.glass import note_break_glass, opened_data

    database = Database(_config().database_url)
    try:
        # the row is kept before anything is read: whatever happens to the output, the firm knows
        with database.write() as session:
            firm_id = note_break_glass(session, address, purpose, _user())
        with database.read() as session:
            click.echo(json.dumps(opened_data(session, firm_id), ensure_ascii=False, indent=1))
    except NotFound:
        raise click.ClickException(f"No firm {address} is here.") from None
    except RuleBroken:
        raise click.ClickException("The purpose is a sentence of 10 to 200 characters.") from None
    finally:
        database.close()


def _user() -> str:
    """Who types, also behind sudo; a number where the machine has no name for it."""
    try:
        return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


@main.command("renew-node-key")
def renew_node_key() -> None:
    """Close all keys of this node under a new node key, while the node does not run."""
    from app.core.db import Database
    from app.notary.rotation import rewrap_keys
    from app.push.vapid import rewrap_vapid

    config = _config()
    path = config.node_key_file
    # the new key is on the disk before anything needs it: a run that broke off is finished by the next one
    fresh = path.with_name(f"{path.name}.new")
    new, database = key_in(fresh, "NODE_KEY_FILE"), Database(config.database_url)
    with database.write() as session:
        count = rewrap_keys(session, config.node_key, new)
        rewrap_vapid(session, config.node_key, new)
    database.close()
    fresh.replace(path)
    shutil.rmtree(config.data_dir / "practice", ignore_errors=True)
    click.echo(f"{count} keys lie under the new node key in {path}. Keep a copy of it apart from the backups.")


def create_commands() -> Flask:
    """What `flask backup`, `flask restore` and the like find: without a world, so they need no running node."""
    app = Flask("app", static_folder=None)
    tables = (bring_hours, bring_machines)
    operators = (status, renew_node_key, resume, break_glass, forget, link_with_node, unlink_from_node)
    for command in (backup, restore, export_firm, import_firm, migrate, anchor, *tables, *operators):
        app.cli.add_command(command)
    return app


def _start_worker() -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "app.worker"], cwd=ROOT)


def _start_web(host: str, port: int, processes: int) -> "subprocess.Popen[bytes]":
    command = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--host", host, "--port", str(port),
        "--workers", str(processes), "--blocking-threads", "8", "--no-ws", "--log-level", "error", "wsgi:app",
    ]  # fmt: skip
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})


def _wait_until_well(config: Config, children: "list[subprocess.Popen[bytes]]") -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if any(child.poll() is not None for child in children):
            raise click.ClickException("Werkring could not start; see the lines above.")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{config.port}/healthz", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise click.ClickException(f"Werkring did not answer within {START_S} seconds.")


def _stop(children: "list[subprocess.Popen[bytes]]") -> None:
    for child in children:
        child.terminate()
    for child in children:
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()


if __name__ == "__main__":
    main()
