"""Commands for the operator: serve, migrate, backup, restore."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import click

from app.config import Config, ConfigError, load_config
from app.core.backup import BackupError, make_backup, restore_backup

ROOT = Path(__file__).parents[1]
START_S = 60


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
    migrate_database(_config().database_url)


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
    try:
        counts = make_backup(config.database_url, config.data_dir, target.absolute())
    except BackupError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{target}: {target.stat().st_size} bytes, {sum(counts.values())} rows, restored once and found whole.")


@main.command()
@click.argument("archive", type=click.Path(path_type=Path, exists=True))
def restore(archive: Path) -> None:
    """Fill the empty DATA_DIR from an archive."""
    data_dir = Path(os.environ.get("DATA_DIR", "var")).absolute()
    try:
        counts = restore_backup(archive, data_dir, os.environ.get("DATABASE_URL", ""))
    except BackupError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{data_dir} is restored: {sum(counts.values())} rows. `make run` starts it.")


@main.command()
@click.option("--host", default="127.0.0.1", help="Address to listen on; a proxy with HTTPS stands in front.")
@click.option("--processes", default=1, help="Web processes.")
def serve(host: str, processes: int) -> None:
    """Migrate, then run web and worker until Ctrl-C."""
    config = _config()
    migrate_database(config.database_url)
    if config.clock_start and "@" not in config.clock_start:
        os.environ["CLOCK_START"] = f"{config.clock_start}@{time.time()}"
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


def _start_worker() -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "app.worker"], cwd=ROOT)


def _start_web(host: str, port: int, processes: int) -> "subprocess.Popen[bytes]":
    command = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--host", host, "--port", str(port),
        "--workers", str(processes), "--blocking-threads", "8", "--no-ws", "--log-level", "warning", "wsgi:app",
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
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()


if __name__ == "__main__":
    main()
