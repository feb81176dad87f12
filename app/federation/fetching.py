"""Files of partners on other nodes: fetched by signed request before the message that names them takes effect."""

import asyncio
import hashlib
from dataclasses import dataclass

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from app.config import Config
from app.core import clock
from app.core.db import Database
from app.core.errors import WerkringError
from app.core.ids import new_id
from app.core.outgoing import Courier, Unreachable, courier
from app.core.urls import base_url
from app.federation.files import store_file
from app.federation.http_signatures import sign_request
from app.federation.models import StoredFile, WantedFile
from app.federation.photos import clean_photo
from app.federation.rules import MOST_FILE_BYTES, is_photo
from app.notary.messaging import MessageKey
from app.notary.queries import address, message_key
from app.notary.transfer import firms_elsewhere
from app.partners.queries import find_partnership

log = structlog.get_logger()
FILES = "/federation/files"
LONGEST_S = 300
AT_ONCE = 20
_WANTED = (
    sa.select(WantedFile)
    .where(WantedFile.ended_at.is_(None), WantedFile.firm_id.not_in(firms_elsewhere()))
    .order_by(WantedFile.asked_at)
    .limit(AT_ONCE)
)


@dataclass(frozen=True)
class Errand:
    """One file to fetch, and by whose key."""

    firm_id: str
    from_firm_id: str
    origin_id: str
    sha256: str
    name: str
    media_type: str
    size: int
    url: str
    sender: str
    receiver: str
    key: MessageKey


def fetch_wanted_files(database: Database, config: Config) -> None:
    """Fetch what messages from other nodes named. What cannot be had is noted, so that its message is not held up."""
    if config.is_practice:
        return
    with database.read() as session:
        errands = _errands(session, config)
    if errands:
        asyncio.run(_fetch_all(database, config, errands))


def _errands(session: Session, config: Config) -> list[Errand]:
    rows = session.scalars(_WANTED).all()
    return [errand for row in rows if (errand := _errand(session, config, row)) is not None]


def _errand(session: Session, config: Config, row: WantedFile) -> Errand | None:
    partner = find_partnership(session, row.firm_id, row.from_firm_id)
    if partner is None or not partner.node:
        return None
    return Errand(
        row.firm_id, row.from_firm_id, row.origin_id, row.sha256, row.name, row.media_type, row.size,
        f"{base_url(partner.node, config.federation_test_nodes)}{FILES}/{row.sha256}",
        address(session, row.firm_id), partner.address, message_key(session, row.firm_id),
    )  # fmt: skip


async def _fetch_all(database: Database, config: Config, errands: list[Errand]) -> None:
    async with courier(config.federation_test_nodes) as post:
        await asyncio.gather(*(_fetch(database, post, errand) for errand in errands))


async def _fetch(database: Database, post: Courier, errand: Errand) -> None:
    now_s, nonce = int(clock.now().timestamp()), new_id()
    headers = sign_request("GET", errand.url, errand.sender, errand.receiver, b"", errand.key, nonce, now_s)
    try:
        answer = await post.send(
            "GET", errand.url, headers, most_bytes=min(errand.size, MOST_FILE_BYTES), timeout_s=LONGEST_S
        )
    except Unreachable as error:
        log.info("file out of reach", why=str(error))
        return
    # only the partner's own node can say that it has no such file: others answer on the way, too
    if answer.headers.get("werkring-answer") != nonce or answer.status >= 500 or answer.status in (401, 429):
        return
    body = answer.body if answer.status == 200 and _is_the_one(errand, answer.body) else None
    await asyncio.to_thread(_keep, database, errand, body)


def _is_the_one(errand: Errand, body: bytes) -> bool:
    """The very bytes that the message named; and a photo is one that our own house can draw."""
    if len(body) != errand.size or hashlib.sha256(body).hexdigest() != errand.sha256:
        return False
    return not is_photo(errand.media_type) or clean_photo(body, errand.media_type) is not None


def _keep(database: Database, errand: Errand, body: bytes | None) -> None:
    with database.write() as session:
        row = session.get(WantedFile, (errand.firm_id, errand.from_firm_id, errand.origin_id), with_for_update=True)
        if row is None or row.ended_at is not None or row.sha256 != errand.sha256:
            return
        row.ended_at = clock.now()
        is_here = session.scalar(
            sa.select(StoredFile.id).where(
                StoredFile.firm_id == errand.firm_id,
                StoredFile.from_firm_id == errand.from_firm_id,
                StoredFile.origin_id == errand.origin_id,
            )
        )
        if body is None or is_here is not None:
            return
        try:
            file_id = store_file(
                session, errand.firm_id, errand.name, errand.media_type, body, errand.from_firm_id, errand.origin_id
            )
        except WerkringError:
            return
        # nobody opens it before its message says who may
        session.get_one(StoredFile, (errand.firm_id, file_id)).is_open = False
