"""The signed records of a partnership: link.partner and link.end, made again from rows, and whether they still agree."""

import datetime as dt
import hashlib
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from app.core.errors import RuleBroken
from app.firms.queries import firm_of
from app.notary.documents import Display, new_message, to_hex
from app.notary.models import PartnerKeys
from app.notary.moved import home_in
from app.notary.queries import VerificationError, derived_secret, digest, genesis_digest, origin, seal_address
from app.partners.documents import FrameworkFacts, render_framework
from app.partners.models import Framework, Partnership

NO_KEYS = "Die Schlüssel des Partners fehlen. Bitte um eine neue Einladung."
CHANGED = "Der Text hat sich geändert. Bitte prüfe ihn neu."
LINK, LINK_TYPE = "link.partner", "LinkPartner"
END, END_TYPE = "link.end", "LinkEnd"
END_TEMPLATE = "link.end.de/1"


@dataclass(frozen=True)
class Known:
    """What we know of a partner's log: verified when its key document came. Digests and addresses are 0x hex."""

    origin: str
    genesis: str
    seal: str


def known_partner(session: Session, firm_id: str, partner_id: str) -> Known:
    """Log, first record and seal of a partner whose keys we hold; raises RuleBroken when we hold none."""
    row = session.get(PartnerKeys, (firm_id, partner_id))
    if row is None:
        raise RuleBroken(NO_KEYS)
    return known_in(row.document)


def known_in(document: dict[str, Any]) -> Known:
    """The same out of a key document that was verified."""
    first = document["keys"][0]["evidence"]["message"]
    return Known(document["origin"], to_hex(digest("Genesis", first)), first["seal"])


def node_in(document: dict[str, Any]) -> str:
    """Host and port of the node that a verified key document names: where the firm's pages are, or where it moved to."""
    if "moved" in document:
        try:
            return home_in(document["moved"], document).node
        except VerificationError as error:
            raise RuleBroken(NO_KEYS) from error
    first: str = document["keys"][0]["evidence"]["message"]["origins"][0]
    return urlsplit(first).netloc


def link_message(
    session: Session, partnership: Partnership, framework: Framework, facts: FrameworkFacts, expires_at: dt.datetime
) -> dict[str, Any]:
    """The EIP-712 message of a framework that we drafted; the same each time while nothing of it changes."""
    text = render_framework(facts)
    firm_id, own = framework.firm_id, genesis_digest(session, framework.firm_id)
    theirs = known_partner(session, firm_id, partnership.partner_id)
    return new_message(
        LINK,
        firm_of(session, firm_id).address,
        partnership.address,
        text,
        issued_at=framework.created_at,
        expires_at=expires_at,
        record_id=record_id(framework.id),
        salt=to_hex(derived_secret(session, firm_id, f"framework {framework.id} {sha256_hex(text)}")),
        log_from=origin(session, firm_id),
        log_to=theirs.origin,
        genesis_from=own,
        genesis_to=theirs.genesis,
        seal_from=seal_address(session, firm_id),
        seal_to=theirs.seal,
        scope=facts.scopes,
        template=template_of(facts),
        terms_hash="0x" + sha256_hex(text),
        fingerprint=fingerprint_of(own, theirs.genesis),
    )


def fingerprint_of(genesis_from: str, genesis_to: str) -> str:
    """What both managers compared out of band, as the record keeps it: the digests of both first records."""
    return f"{genesis_from} {genesis_to}"


def end_message(
    session: Session, partnership: Partnership, link_digest: str, text: str, now: dt.datetime
) -> dict[str, Any]:
    """The message by which we end a partnership from now on."""
    return new_message(
        END,
        firm_of(session, partnership.firm_id).address,
        partnership.address,
        text,
        issued_at=now,
        link=link_digest,
        ends_at=int(now.timestamp()),
        reason="ended",
    )


def end_text(own_name: str, partner_name: str) -> str:
    """What the manager reads and signs to end a partnership."""
    return (
        f"{own_name} beendet die Partnerschaft mit {partner_name}.\n\n"
        "Ab jetzt gehen keine Nachrichten mehr hin und her. Der Rahmenvertrag gilt nur noch für Aufträge, "
        "die schon unterschrieben sind.\n"
    )


def check_link(message: dict[str, Any], facts: FrameworkFacts) -> bytes:
    """The digest of a link.partner message whose text we rendered ourselves; raises RuleBroken when they do not agree."""
    try:
        found = digest(LINK_TYPE, message)
    except VerificationError:
        raise RuleBroken(CHANGED) from None
    text_hash = "0x" + sha256_hex(render_framework(facts))
    told = (
        message["displayHash"],
        message["termsHash"],
        message["template"],
        list(message["scope"]),
        message["locale"],
    )
    if told != (text_hash, text_hash, template_of(facts), list(facts.scopes), "de"):
        raise RuleBroken(CHANGED)
    return found


def check_end(message: dict[str, Any], text: str) -> bytes:
    """The digest of a link.end message with its text; raises RuleBroken when they do not agree."""
    try:
        found = digest(END_TYPE, message)
    except VerificationError:
        raise RuleBroken(CHANGED) from None
    if message["displayHash"] != "0x" + sha256_hex(text):
        raise RuleBroken(CHANGED)
    return found


def link_display(facts: FrameworkFacts, text: str) -> Display:
    return Display(template_of(facts), "de", text)


def end_display(text: str) -> Display:
    return Display(END_TEMPLATE, "de", text)


def template_of(facts: FrameworkFacts) -> str:
    """Name and version of the template, as record and evidence name it."""
    return f"{facts.template_key}/{facts.version}"


def record_id(public_id: str) -> str:
    """The record's id (0x, 32 bytes) that belongs to a public id."""
    return "0x" + uuid.UUID(public_id).hex.rjust(64, "0")


def sha256_hex(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
