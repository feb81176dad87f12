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
DIGEST = re.compile(r"0x[0-9a-f]{64}")
ADDRESS = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*@[a-z0-9]+([.-][a-z0-9]+)*")
REGION = re.compile(r"([0-9]{2})?")
LINK = re.compile(r"https?://[A-Za-z0-9.:\[\]-]{1,200}(/uebung)?/join/[A-Za-z0-9_-]{22}#[\w-]{1,200}")
"""A partner's invitation as its own page shows it, with the words to compare"""
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


@dataclass(frozen=True)
class Introduced:
    """A partner proposes a firm to us, without its name."""

    offer_id: str
    processes: list[dict[str, str]]
    region: str


@dataclass(frozen=True)
class Answered:
    """A partner says whether it wants to know the firm that we proposed; `link` invites that firm after a yes."""

    offer_id: str
    answer: str
    link: str


@dataclass(frozen=True)
class Agreed:
    """Both want to know each other: who the other one is, and its invitation."""

    offer_id: str
    name: str
    town: str
    address: str
    link: str


@dataclass(frozen=True)
class Listed:
    """An entry in the directory of a linked node."""

    address: str
    name: str
    town: str
    lat: float | None
    lon: float | None
    processes: list[dict[str, str]]
    certificates: list[dict[str, str]]


@dataclass(frozen=True)
class Asked:
    """A firm of a linked node asks one of ours to become partners; `link` is its invitation."""

    to: str
    address: str
    name: str
    town: str
    link: str


def read_listed(value: Any) -> Listed:
    given = _object(value)
    _check_members(given, {"address", "name", "town", "lat", "lon", "processes", "certificates"})
    address, name, town = (
        one_line(_text(given[key], most)) for key, most in (("address", 120), ("name", 120), ("town", 80))
    )
    if not ADDRESS.fullmatch(address) or not name:
        raise RuleBroken(UNREADABLE)
    return Listed(
        address, name, town, _degree(given["lat"], 90), _degree(given["lon"], 180),
        [_label(one, ("key", "de", "en")) for one in _list(given["processes"])],
        [_label(one, ("key", "name", "valid_to")) for one in _list(given["certificates"])],
    )  # fmt: skip


def read_asked(body: Mapping[str, Any], node: str) -> Asked:
    """`node`: host and port of the node that asks; the invitation is its own."""
    _check_members(body, {"id", "to", "address", "name", "town", "link"})
    link, address, name = (
        _text(body["link"], 500),
        one_line(_text(body["address"], 120)),
        one_line(_text(body["name"], 120)),
    )
    if not LINK.fullmatch(link) or link.split("/")[2] != node or not ADDRESS.fullmatch(address) or not name:
        raise RuleBroken(UNREADABLE)
    return Asked(_text(body["to"], 120), address, name, one_line(_text(body["town"], 80)), link)


def _degree(value: Any, most: int) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not abs(value) <= most:
        raise RuleBroken(UNREADABLE)
    return float(value)


def read_introduced(body: Mapping[str, Any]) -> Introduced:
    _check_members(body, {"offer_id", "processes", "region"})
    processes = [_label(one, ("key", "de", "en")) for one in _list(body["processes"])]
    region = _text(body["region"], 2)
    if not REGION.fullmatch(region):
        raise RuleBroken(UNREADABLE)
    return Introduced(_text(body["offer_id"], 36), processes, region)


def read_answered(body: Mapping[str, Any]) -> Answered:
    _check_members(body, {"step", "offer_id", "answer", "link"})
    answer, link = body["answer"], _text(body["link"], 500)
    if not (answer == "no" and link == "") and not (answer == "yes" and LINK.fullmatch(link)):
        raise RuleBroken(UNREADABLE)
    return Answered(_text(body["offer_id"], 36), answer, link)


def read_agreed(body: Mapping[str, Any]) -> Agreed:
    _check_members(body, {"step", "offer_id", "name", "town", "address", "link"})
    link = _text(body["link"], 500)
    if not LINK.fullmatch(link):
        raise RuleBroken(UNREADABLE)
    return Agreed(
        _text(body["offer_id"], 36), one_line(_text(body["name"], 120)), one_line(_text(body["town"], 80)),
        one_line(_text(body["address"], 120)), link,
    )  # fmt: skip


def read_joined(body: Mapping[str, Any]) -> Joined:
    _check_members(body, {"step", "invitation_id", "card", "keys"})
    return Joined(_text(body["invitation_id"], 36), _card(body["card"]), _object(body["keys"]))


def read_proposed(body: Mapping[str, Any]) -> Proposed:
    _check_members(body, {"framework_id", "facts", "message", "signatures", "keys"})
    return Proposed(
        _text(body["framework_id"], 36),
        facts_from(FrameworkFacts, _object(body["facts"])),
        _object(body["message"]),
        _signatures(body["signatures"]),
        _object(body["keys"]),
    )


def read_signed(body: Mapping[str, Any]) -> Signed:
    _check_members(body, {"step", "framework_id", "digest", "signatures", "keys"})
    digest = _text(body["digest"], 66)
    if not DIGEST.fullmatch(digest):
        raise RuleBroken(UNREADABLE)
    return Signed(_text(body["framework_id"], 36), digest, _signatures(body["signatures"]), _object(body["keys"]))


def read_ended(body: Mapping[str, Any]) -> Ended:
    _check_members(body, {"how", "message", "text", "signatures", "keys"})
    if body["how"] not in SIDES:
        raise RuleBroken(UNREADABLE)
    return Ended(
        body["how"], _object(body["message"]), _text(body["text"], 4000), _signatures(body["signatures"]),
        _object(body["keys"]),
    )  # fmt: skip


def read_scope(body: Mapping[str, Any]) -> list[str]:
    """What the partner lets us send; scopes that this version does not know are left out."""
    given = body.get("scope")
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise RuleBroken(UNREADABLE)
    return [scope for scope in SCOPES if scope in given]


def read_told(body: Mapping[str, Any]) -> Told:
    """A partner's profile: every text on one line and short, lists cut to a sane length."""
    given = _object(body.get("profile"))
    lat, lon = given.get("lat_e6"), given.get("lon_e6")
    profile = {
        "processes": [_label(one, ("key", "de", "en")) for one in _list(given.get("processes"))],
        "certificates": [_label(one, ("key", "name", "valid_to")) for one in _list(given.get("certificates"))],
    }
    if type(lat) is not int or type(lon) is not int or abs(lat) > 90 * DEGREE or abs(lon) > 180 * DEGREE:
        return Told(None, None, profile)
    return Told(lat / DEGREE, lon / DEGREE, profile)


def _card(value: Any) -> Card:
    given = _object(value)
    names = {field.name for field in dataclasses.fields(Card)}
    _check_members(given, names)
    card = Card(**{name: one_line(_text(given[name], 120)) for name in names})
    if not card.name or not card.short_name or not card.address or not card.town or len(card.short_name) > 14:
        raise RuleBroken(UNREADABLE)
    return card


def _signatures(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or len(value) > MOST_SIGNATURES:
        raise RuleBroken(UNREADABLE)
    return [_object(one) for one in value]


def _label(value: Any, names: tuple[str, ...]) -> dict[str, str]:
    given = _object(value)
    return {name: one_line(_text(given.get(name, ""), 80)) for name in names}


def _list(value: Any) -> list[Any]:
    return value[:MOST_LIST] if isinstance(value, list) else []


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RuleBroken(UNREADABLE)
    return value


def _text(value: Any, most: int) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise RuleBroken(UNREADABLE)
    return value


def _check_members(body: Mapping[str, Any], names: set[str]) -> None:
    if set(body) != names:
        raise RuleBroken(UNREADABLE)
