"""One site for all tests of the room: its template is built once, every test plays games of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.config import load_config
from app.core import clock
from app.core.db import Database
from app.factory import create_site
from app.firms.models import RateLimitRow
from app.practice.template import Template, template_version
from tests.practice.visitors import Site


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, folder_of_the_run: Path) -> Iterator[Site]:
    """Its keys lie where all workers of the run find them, and so does the template, which only the first one builds."""
    shared = folder_of_the_run / "practice"
    load_config({"DATA_DIR": str(shared)})
    keys = {"SECRET_KEY_FILE": str(shared / "secret.key"), "NODE_KEY_FILE": str(shared / "node.key")}
    config = load_config({"DATA_DIR": str(tmp_path_factory.mktemp("site")), **keys})
    real = Database(config.database_url)
    real.create_tables()
    wsgi = create_site(config)
    practice = wsgi.mounts["/uebung"].practice
    practice.template = Template(shared, template_version(practice.config), practice._fill)
    practice.template.path()
    yield Site(wsgi, config, real, practice)
    real.close()


@pytest.fixture(autouse=True)
def fresh_limits(site: Site) -> None:
    """Under a clock that stands still a minute never ends: counters of earlier tests must not count."""
    with site.practice.lobby().write() as session:
        session.execute(sa.delete(RateLimitRow))


@pytest.fixture
def running_clock(frozen_clock: object) -> Iterator[None]:
    """Real time, as a visitor has it: the game's own shift decides what day it is."""
    token = clock._frozen.set(None)
    yield
    clock._frozen.reset(token)
