"""What two firms tell each other to become partners, as typed facts; anything else is refused before it touches a row."""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from app.core.errors import RuleBroken
from app.partners.documents import FrameworkFacts, Party, facts_from
from app.partners.rules import SCOPES
from app.partners.texts import one_line

UNREADABLE = "Die Nachricht passt nicht zu dieser Version. Bitte den Partner um eine neue."
MOST_LIST = 80
MOST_SIGNATURES = 6
DEGREE = 1_000_000
ADDRESS = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*@[a-z0-9]+([.-][a-z0-9]+)*")
DIGEST = re.compile(r"0x[0-9a-f]{64}")
SIDES = {"ended", "declined", "left"}


class Incoming(Protocol):
    """A message from another firm, as the federation hands it over."""

    @property
    def firm_id(self) -> str: ...
    @property
    def from_id(self) -> str: ...
    @property
    def body(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Card:
    """Who a firm is: what a contract names, and nothing of its machines, hours or rates."""

    address: str
    name: str
    short_name: str
    legal_form: str
    register_court: str
    register_no: str
    vat_id: str
    street: str
    postcode: str
    town: str

    @property
    def party(self) -> Party:
        """The firm as the contract names it."""
        names = [field.name for field in dataclasses.fields(Party) if field.name != "represented_by"]
        return Party(**{name: getattr(self, name) for name in names})


@dataclass(frozen=True)
class Joined:
    """A firm used our invitation."""

    invitation_id: str
    card: Card
    keys: dict[str, Any]


@dataclass(frozen=True)
class Proposed:
    """The partner signed the framework agreement first: its facts, its record and the signatures so far."""

    framework_id: str
    facts: FrameworkFacts
    message: dict[str, Any]
    signatures: list[dict[str, Any]]
    keys: dict[str, Any]


@dataclass(frozen=True)
class Signed:
    """The partner signed as the second one."""

    framework_id: str
    digest: str
    signatures: list[dict[str, Any]]
    keys: dict[str, Any]


@dataclass(frozen=True)
class Ended:
    """The partner said no before both had signed, ended the partnership by a record, or left its node for good."""

    how: str
    message: dict[str, Any]
    text: str
    signatures: list[dict[str, Any]]
    keys: dict[str, Any]


@dataclass(frozen=True)
class Told:
    """What a partner tells of itself: place, processes and certificates in words."""

    lat: float | None
    lon: float | None
    profile: dict[str, Any]


def read_joined(body: Mapping[str, Any]) -> Joined:
    check_members(body, {"step", "invitation_id", "card", "keys"})
    return Joined(text_of(body["invitation_id"], 36), _card(body["card"]), object_of(body["keys"]))


def read_proposed(body: Mapping[str, Any]) -> Proposed:
    check_members(body, {"framework_id", "facts", "message", "signatures", "keys"})
    return Proposed(
        text_of(body["framework_id"], 36),
        facts_from(FrameworkFacts, object_of(body["facts"])),
        object_of(body["message"]),
        _signatures(body["signatures"]),
        object_of(body["keys"]),
    )


def read_signed(body: Mapping[str, Any]) -> Signed:
    check_members(body, {"step", "framework_id", "digest", "signatures", "keys"})
    digest = text_of(body["digest"], 66)
    if not DIGEST.fullmatch(digest):
        raise RuleBroken(UNREADABLE)
    return Signed(text_of(body["framework_id"], 36), digest, _signatures(body["signatures"]), object_of(body["keys"]))


def read_ended(body: Mapping[str, Any]) -> Ended:
    check_members(body, {"how", "message", "text", "signatures", "keys"})
    if body["how"] not in SIDES:
        raise RuleBroken(UNREADABLE)
    return Ended(
        body["how"], object_of(body["message"]), text_of(body["text"], 4000), _signatures(body["signatures"]),
        object_of(body["keys"]),
    )  # fmt: skip


def read_scope(body: Mapping[str, Any]) -> list[str]:
    """What the partner lets us send; scopes that this version does not know are left out."""
    given = body.get("scope")
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise RuleBroken(UNREADABLE)
    return [scope for scope in SCOPES if scope in given]


def read_told(body: Mapping[str, Any]) -> Told:
    """A partner's profile: every text on one line and short, lists cut to a sane length."""
    given = object_of(body.get("profile"))
    lat, lon = given.get("lat_e6"), given.get("lon_e6")
    profile = {
        "processes": [label_of(one, ("key", "de", "en")) for one in list_of(given.get("processes"))],
        "certificates": [label_of(one, ("key", "name", "valid_to")) for one in list_of(given.get("certificates"))],
    }
    if type(lat) is not int or type(lon) is not int or abs(lat) > 90 * DEGREE or abs(lon) > 180 * DEGREE:
        return Told(None, None, profile)
    return Told(lat / DEGREE, lon / DEGREE, profile)


def _card(value: Any) -> Card:
    given = object_of(value)
    names = {field.name for field in dataclasses.fields(Card)}
    check_members(given, names)
    card = Card(**{name: one_line(text_of(given[name], 120)) for name in names})
    if not card.name or not card.short_name or not card.address or not card.town or len(card.short_name) > 14:
        raise RuleBroken(UNREADABLE)
    return card


def _signatures(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or len(value) > MOST_SIGNATURES:
        raise RuleBroken(UNREADABLE)
    return [object_of(one) for one in value]


def label_of(value: Any, names: tuple[str, ...]) -> dict[str, str]:
    given = object_of(value)
    return {name: one_line(text_of(given.get(name, ""), 80)) for name in names}


def list_of(value: Any) -> list[Any]:
    return value[:MOST_LIST] if isinstance(value, list) else []


def object_of(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RuleBroken(UNREADABLE)
    return value


def text_of(value: Any, most: int) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise RuleBroken(UNREADABLE)
    return value


def check_members(body: Mapping[str, Any], names: set[str]) -> None:
    if set(body) != names:
        raise RuleBroken(UNREADABLE)
