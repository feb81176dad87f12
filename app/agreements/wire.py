"""What travels between two firms about an agreement: built field by field, read field by field."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.agreements.documents import CallOffFacts
from app.agreements.rules import REASONS
from app.partners.documents import facts_from
from app.requests.wire import Body, unreadable

MOST_LINES = 200
MOST_SIGNATURES = 3
MOST_TEXT = 60_000
HEX32 = re.compile(r"0x[0-9a-f]{64}")
MEMBERS = {
    "passkey": {"kind", "role", "party", "kid", "keyAt", "authenticatorData", "clientDataJSON", "signature"},
    "seal": {"kind", "role", "party", "address", "signature"},
}


@dataclass(frozen=True)
class Drafted:
    """agreement.drafted: all that the other side needs to render, check and sign the same text."""

    agreement_id: str
    request_id: str
    offer_id: str
    line_ids: tuple[str, ...]
    facts: CallOffFacts
    text: str
    message: dict[str, Any]
    signatures: tuple[dict[str, Any], ...]
    not_before: str
    keys: dict[str, Any]


@dataclass(frozen=True)
class Signed:
    """agreement.signed: the other side's signatures (none when only the proof is returned) and its proof."""

    agreement_id: str
    digest: str
    signatures: tuple[dict[str, Any], ...]
    proof: dict[str, Any]
    contact_phone: str


@dataclass(frozen=True)
class Ended:
    """agreement.declined and agreement.lapsed: which one and why; `note` are somebody's own words."""

    agreement_id: str
    offer_id: str
    digest: str
    reason: str
    note: str = ""


@dataclass(frozen=True)
class Effective:
    """agreement.effective: the record `bundle.effective` with this partner's digest only."""

    agreement_id: str
    text: str
    message: dict[str, Any]
    signatures: tuple[dict[str, Any], ...]
    proof: dict[str, Any]


@dataclass(frozen=True)
class Amended:
    """booking.changed and booking.cancelled; `step` proposed, withdrawn, signed, sealed, proved, declined or lapsed."""

    agreement_id: str
    amendment_id: str
    step: str
    facts: dict[str, Any]
    text: str
    message: dict[str, Any]
    signatures: tuple[dict[str, Any], ...]
    not_before: str
    keys: dict[str, Any]
    proof: dict[str, Any]


AMENDMENT_STEPS = ("proposed", "withdrawn", "signed", "sealed", "proved", "declined", "lapsed")


def body_of(sent: Drafted | Signed | Ended | Effective | Amended) -> dict[str, Any]:
    """The body of a message, as JSON members."""
    body: dict[str, Any] = json.loads(json.dumps(asdict(sent)))
    return body


def read_drafted(body: dict[str, Any]) -> Drafted:
    """Read agreement.drafted; raises RuleBroken for anything unusual in it."""
    given = Given(body)
    drafted = Drafted(
        agreement_id=given.public_id("agreement_id"),
        request_id=given.public_id("request_id"),
        offer_id=given.public_id("offer_id"),
        line_ids=given.ids("line_ids"),
        facts=facts_from(CallOffFacts, given.object("facts")),
        text=given.document("text"),
        message=given.object("message"),
        signatures=given.signatures(),
        not_before=given.document("not_before"),
        keys=given.object("keys"),
    )
    given.finish()
    return drafted


def read_signed(body: dict[str, Any]) -> Signed:
    """Read agreement.signed; raises RuleBroken for anything unusual in it."""
    given = Given(body)
    signed = Signed(
        agreement_id=given.public_id("agreement_id"),
        digest=given.hex32("digest"),
        signatures=given.signatures(least=0),
        proof=given.object("proof"),
        contact_phone=given.text("contact_phone", 40),
    )
    given.finish()
    return signed


def read_ended(body: dict[str, Any]) -> Ended:
    """Read agreement.declined or agreement.lapsed; raises RuleBroken for anything unusual in it."""
    given = Given(body)
    ended = Ended(
        agreement_id=given.public_id("agreement_id"),
        offer_id=given.public_id("offer_id"),
        digest=given.hex32("digest"),
        reason=given.choice("reason", REASONS),
        note=given.text("note", 200),
    )
    given.finish()
    return ended


def read_effective(body: dict[str, Any]) -> Effective:
    """Read agreement.effective; raises RuleBroken for anything unusual in it."""
    given = Given(body)
    effective = Effective(
        agreement_id=given.public_id("agreement_id"),
        text=given.document("text"),
        message=given.object("message"),
        signatures=given.signatures(least=1),
        proof=given.object("proof"),
    )
    given.finish()
    return effective


def read_amended(body: dict[str, Any]) -> Amended:
    """Read booking.changed or booking.cancelled; raises RuleBroken for anything unusual in it."""
    given = Given(body)
    amended = Amended(
        agreement_id=given.public_id("agreement_id"),
        amendment_id=given.public_id("amendment_id"),
        step=given.choice("step", AMENDMENT_STEPS),
        facts=given.object("facts"),
        text=given.document("text"),
        message=given.object("message"),
        signatures=given.signatures(least=0),
        not_before=given.document("not_before"),
        keys=given.object("keys"),
        proof=given.object("proof"),
    )
    given.finish()
    return amended


class Given(Body):
    """A body whose members may be records: their inside is read by the room that proves it."""

    def object(self, name: str) -> dict[str, Any]:
        found = self._take(name)
        if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
            self._refuse(name)
        return dict(found)

    def document(self, name: str) -> str:
        """A contract text: any letters, since only its bytes count and they are compared, never trusted."""
        found = self._take(name)
        if not isinstance(found, str) or not 0 < len(found) <= MOST_TEXT:
            self._refuse(name)
        return str(found)

    def ids(self, name: str) -> tuple[str, ...]:
        found = self._take(name)
        if not isinstance(found, list) or not 0 < len(found) <= MOST_LINES:
            self._refuse(name)
        return tuple(Body({name: one}).public_id(name) for one in found)

    def hex32(self, name: str) -> str:
        found = self.text(name, 66)
        return found if HEX32.fullmatch(found) else str(self._refuse(name))

    def signatures(self, least: int = 2) -> tuple[dict[str, Any], ...]:
        found = self._take("signatures")
        if not isinstance(found, list) or not least <= len(found) <= MOST_SIGNATURES:
            self._refuse("signatures")
        return tuple(_signature(one) for one in found)


def _signature(value: object) -> dict[str, Any]:
    kind = value.get("kind") if isinstance(value, dict) else None
    members = MEMBERS.get(kind) if isinstance(kind, str) else None
    if members is None or not isinstance(value, dict) or value.keys() != members:
        raise unreadable("signatures")
    if any(not isinstance(item, str) for name, item in value.items() if name != "keyAt"):
        raise unreadable("signatures")
    key_at = value.get("keyAt", {"log": "", "seq": 0})
    if not isinstance(key_at, dict) or key_at.keys() != {"log", "seq"}:
        raise unreadable("signatures")
    if not isinstance(key_at["log"], str) or type(key_at["seq"]) is not int or key_at["seq"] < 0:
        raise unreadable("signatures")
    return dict(value)


def roles_of(signatures: Sequence[dict[str, Any]]) -> list[str]:
    """The roles of some signatures, in a fixed order."""
    return sorted(signature["role"] for signature in signatures)
