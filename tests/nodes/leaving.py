"""All the ways by which words leave a house beside the wire and its own pages: read as whoever gets them reads them."""

import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa
from flask.testing import FlaskClient

from app.core import clock
from app.directory.listing import set_listed, set_public
from app.factory import create_app
from app.firms.access import Role
from app.moving.exporting import write_archive
from app.passkeys.sessions import start_sign_in
from app.push.actions import save_device
from app.push.delivery import send_due_alerts, send_due_mails
from app.push.models import Alert
from app.push.vapid import vapid_public_key
from tests.nodes.moving import TRANSFER_KEY
from tests.nodes.world import Node
from tests.push.service import PushService
from tests.push.world import sign_in, subscription_of

OPERATOR_KEY = "pine-otter-lamp-seven"
EXPORTS = ("/maschinen/koennen.yaml", "/maschinen/koennen.json")
OPEN_TO_ALL = ("/betrieb/{}", "/.well-known/werkring/{}.json")
"""The profile with its linked data, and the keys"""


def open_mouths(node: Node, key: str) -> PushService:
    """The manager has a phone, the others read mail; strangers see the firm's entry, and the operator has a key."""
    service = PushService(vapid_public_key(node.database, node.config))
    node.config = replace(node.config, push_test_hosts=(service.host,), operator_key=OPERATOR_KEY)
    phone = service.new_phone(key)
    with node.database.write() as session:
        actor = sign_in(session, node.firms[key], Role.MANAGER)
        save_device(session, actor, subscription_of(phone), node.config.push_test_hosts)
        set_listed(session, node.actor(key), True)
        set_public(session, node.actor(key), True)
    return service


def tell_people(node: Node) -> None:
    """Send what people shall hear, and the mails at once instead of half an hour later."""
    with node.database.write() as session:
        session.execute(sa.update(Alert).where(Alert.mail_due_at.is_not(None)).values(mail_due_at=clock.now()))
    send_due_alerts(node.database, node.config)
    send_due_mails(node.database, node.config)


def ways_out(node: Node, key: str, service: PushService, folder: Path) -> dict[str, str]:
    """What left the house, by where one would read it."""
    assert not service.faults
    return {
        "pushes": "\n".join(repr(one.message) for one in service.got),
        "mails": "\n".join(one.read_text() for one in sorted((node.config.data_dir / "mail").glob("*.eml"))),
        "archive": archive_of(node, key, folder),
        "exports": _read(node, EXPORTS, key),
        "strangers": _read(node, [path.format(key) for path in OPEN_TO_ALL]),
    }


def archive_of(node: Node, key: str, folder: Path) -> str:
    """`flask export`: every member of the archive, as text."""
    path = folder / f"{node.name}.tar.gz"
    with path.open("wb") as file:
        write_archive(node.database, node.firm_id(key), file, TRANSFER_KEY, folder, node=node.config.node)
    with tarfile.open(path) as tar:
        read = {member.name: tar.extractfile(member) for member in tar.getmembers()}
        return "\n".join(f"{name}\n{file.read().decode('utf-8', 'replace')}" for name, file in read.items() if file)


def operator_page(node: Node) -> str:
    answer = _client(node).get("/betreiber", base_url=node.config.origin, auth=("", OPERATOR_KEY))
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def _read(node: Node, paths: Sequence[str], key: str = "") -> str:
    answers = [_client(node, key).get(path, base_url=node.config.origin) for path in paths]
    assert [answer.status_code for answer in answers] == [200] * len(paths)
    return "\n".join(answer.get_data(as_text=True) for answer in answers)


def _client(node: Node, key: str = "") -> FlaskClient:
    """The manager's browser, or without a key a stranger's."""
    client = create_app(node.config, node.database).test_client()
    if key:
        firm = node.firms[key]
        with node.database.write() as session:
            found = start_sign_in(session, firm.id, firm.people[Role.MANAGER], "Pixel", has_passkey=True)
        client.set_cookie("werkring", found.secret, domain="localhost")
    return client
