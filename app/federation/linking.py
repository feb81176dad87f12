"""Invitations across nodes: what a token's bearer is told, and what the invited firm's own node makes of it."""

import asyncio
import json
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.config import Config
from app.core import clock
from app.core.errors import NotFound, RuleBroken
from app.core.outgoing import Unreachable, courier
from app.core.urls import base_url
from app.firms.models import Firm
from app.firms.queries import firm_of
from app.notary.queries import VerificationError, fingerprint_words, key_document, sender_key
from app.notary.transfer import has_gone
from app.partners.actions import FarInvitation
from app.partners.framework import card_of
from app.partners.queries import open_invitation
from app.partners.record import known_in
from app.partners.wire import read_joined

INVITATIONS = "/federation/invitations"
MOST_ANSWER_BYTES = 512 * 1024
NO_LINK = "Das ist kein Einladungs-Link. Kopiere ihn ganz."
SILENT = "Der andere Betrieb ist gerade nicht zu erreichen. Versuch es später."
GONE = "Diese Einladung gilt nicht mehr. Bitte um eine neue."


@dataclass(frozen=True)
class Link:
    """An invitation as it stands in a QR: the node, the token, and the words that both managers compare."""

    node: str
    token: str
    words: str


def read_link(text: str) -> Link:
    """The parts of `https://node/join/<token>#<words>`; raises RuleBroken."""
    try:
        parts = urlsplit(text.strip())
        _ = parts.port
    except ValueError:
        raise RuleBroken(NO_LINK, "link") from None
    before, _, token = parts.path.rpartition("/")
    is_good = parts.scheme in ("https", "http") and parts.hostname and before.endswith("/join") and parts.query == ""
    if not is_good or not 0 < len(token) <= 64 or parts.username is not None or len(text) > 600:
        raise RuleBroken(NO_LINK, "link")
    return Link(parts.netloc.lower(), token, parts.fragment.replace("-", " "))


def ask_node(config: Config, link: Link) -> FarInvitation:
    """Ask the inviting node whose invitation this is, and check that its keys are those that the QR's words name.

    Raises RuleBroken with a sentence for people. Nothing is stored.
    """
    if link.node == config.node:
        raise RuleBroken("Diese Einladung ist von hier. Öffne ihren Link direkt.", "link")
    told = asyncio.run(_ask(config, link))
    try:
        joined = read_joined(
            {"step": "", "invitation_id": told["invitation_id"]} | {n: told[n] for n in ("card", "keys")}
        )
        sender_key(joined.keys)
        words = fingerprint_words(known_in(joined.keys).genesis)
    except (VerificationError, KeyError, TypeError, AttributeError):
        raise RuleBroken(GONE, "link") from None
    if link.words and link.words != words:
        raise RuleBroken("Der Link passt nicht zu diesem Betrieb. Bitte um eine neue Einladung.", "link")
    return FarInvitation(link.node, link.token, joined.invitation_id, joined.card, joined.keys, words)


def card_for(session: Session, token: str) -> dict[str, Any]:
    """Who invites with this token: what the inviting page shows, and the keys to prove it. Raises NotFound."""
    row = open_invitation(session, token)
    card = card_of(firm_of(session, row.firm_id))
    return {"invitation_id": row.id, "card": asdict(card), "keys": key_document(session, row.firm_id)}


def public_document(session: Session, name: str, node_name: str) -> dict[str, Any]:
    """A firm's public keys by purpose, and where its pages and its log are; raises NotFound.

    `name`: its handle; one that moved in from another node has kept its whole address.
    """
    address = name if "@" in name else f"{name}@{node_name}"
    firm = session.scalar(sa.select(Firm).where(Firm.address == address))
    if firm is None or has_gone(session, firm.id, clock.now()):
        raise NotFound
    return key_document(session, firm.id)


async def _ask(config: Config, link: Link) -> dict[str, Any]:
    url = base_url(link.node, config.federation_test_nodes) + INVITATIONS
    body = json.dumps({"token": link.token}).encode()
    try:
        async with courier(config.federation_test_nodes) as post:
            answer = await post.send(
                "POST", url, {"content-type": "application/json"}, body, most_bytes=MOST_ANSWER_BYTES
            )
    except Unreachable:
        raise RuleBroken(SILENT, "link") from None
    if answer.status == 404:
        raise RuleBroken(GONE, "link")
    try:
        told = json.loads(answer.body) if answer.status == 200 else None
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise RuleBroken(SILENT, "link")
    return told
