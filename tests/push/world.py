"""Two firms with phones: what the push tests start from."""

from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy.orm import Session

from app.config import Config, load_config
from app.core import clock
from app.core.db import Database
from app.core.ids import new_id
from app.firms.access import Actor, Role
from app.passkeys.models import SignIn
from app.push.actions import Subscription, save_device
from app.push.vapid import vapid_public_key
from tests.push.service import Phone, PushService, to_text
from tests.world import TestFirm, make_world

REQUEST_ID = "0190a000-0000-7000-8000-000000000001"
REPLY_BY = "2026-11-18T11:00:00+00:00"
"""Wednesday noon in Germany, two days after the frozen Monday"""
VALUES = {
    "name": "Keller",
    "minutes": 40 * 60,
    "free_min": 46 * 60,
    "process": {"de": "Fräsen", "en": "milling"},
    "first_week": "2026-W48",
    "last_week": "2026-W48",
    "version": 1,
    "has_answer": True,
    "reply_by": REPLY_BY,
}


@dataclass
class PushWorld:
    """Database, settings and firms; Brandt is the noise."""

    database: Database
    config: Config
    yilmaz: TestFirm
    brandt: TestFirm

    def foreman(self) -> str:
        return self.yilmaz.people[Role.FOREMAN]


def make_push_world(database: Database, folder: Path, *test_hosts: str) -> PushWorld:
    config = load_config({"DATA_DIR": str(folder), "PUSH_TEST_HOSTS": ",".join(test_hosts)})
    with database.write() as session:
        firms = make_world(session, ("keller", "yilmaz", "brandt"))
    return PushWorld(database, config, firms["yilmaz"], firms["brandt"])


def open_service(world: PushWorld) -> PushService:
    """A push service that the world's settings allow, and that knows the world's key."""
    service = PushService(vapid_public_key(world.database, world.config))
    world.config = replace(world.config, push_test_hosts=(*world.config.push_test_hosts, service.host))
    return service


def sign_in(session: Session, firm: TestFirm, role: Role = Role.FOREMAN) -> Actor:
    """Sign one person of the firm in on a new device."""
    now = clock.now()
    row = SignIn(
        id_hash=new_id(),
        public_id=new_id(),
        firm_id=firm.id,
        person_id=firm.people[role],
        role=role,
        created_at=now,
        last_seen_at=now,
        expires_at=now.replace(year=now.year + 1),
    )
    session.add(row)
    session.flush()
    return replace(firm.actor(role), session_id=row.public_id)


def give_phone(world: PushWorld, service: PushService, name: str, role: Role = Role.FOREMAN) -> tuple[Actor, Phone]:
    """A signed-in phone of a person of Yilmaz that takes messages."""
    phone = service.new_phone(name)
    with world.database.write() as session:
        actor = sign_in(session, world.yilmaz, role)
        save_device(session, actor, subscription_of(phone), world.config.push_test_hosts)
    return actor, phone


def subscription_of(phone: Phone, has_buttons: bool = True) -> Subscription:
    return Subscription(phone.endpoint, phone.p256dh, to_text(phone.auth), has_buttons, "Android-Handy")
