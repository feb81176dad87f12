"""A world with a push service for every test of delivery."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.db import Database
from tests.push.service import PushService
from tests.push.world import PushWorld, make_push_world, open_service


@pytest.fixture
def world(database: Database, tmp_path: Path) -> PushWorld:
    return make_push_world(database, tmp_path)


@pytest.fixture
def service(world: PushWorld) -> Iterator[PushService]:
    running = open_service(world)
    yield running
    running.close()
