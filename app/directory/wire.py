"""What partners and linked nodes say about firms that others do not know yet, as typed facts; anything else is refused."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.core.errors import RuleBroken
from app.partners.texts import one_line
from app.partners.wire import ADDRESS, UNREADABLE, check_members, label_of, list_of, object_of, text_of

REGION = re.compile(r"([0-9]{2})?")
LINK = re.compile(r"https?://[A-Za-z0-9.:\[\]-]{1,200}(/uebung)?/join/[A-Za-z0-9_-]{22}#[\w-]{1,200}")
"""A partner's invitation as its own page shows it, with the words to compare"""


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
    given = object_of(value)
    check_members(given, {"address", "name", "town", "lat", "lon", "processes", "certificates"})
    address, name, town = (
        one_line(text_of(given[key], most)) for key, most in (("address", 120), ("name", 120), ("town", 80))
    )
    if not ADDRESS.fullmatch(address) or not name:
        raise RuleBroken(UNREADABLE)
    return Listed(
        address, name, town, _degree(given["lat"], 90), _degree(given["lon"], 180),
        [label_of(one, ("key", "de", "en")) for one in list_of(given["processes"])],
        [label_of(one, ("key", "name", "valid_to")) for one in list_of(given["certificates"])],
    )  # fmt: skip


def read_asked(body: Mapping[str, Any], node: str) -> Asked:
    """`node`: host and port of the node that asks; the invitation is its own."""
    check_members(body, {"id", "to", "address", "name", "town", "link"})
    link, address, name = (
        text_of(body["link"], 500),
        one_line(text_of(body["address"], 120)),
        one_line(text_of(body["name"], 120)),
    )
    if not LINK.fullmatch(link) or link.split("/")[2] != node or not ADDRESS.fullmatch(address) or not name:
        raise RuleBroken(UNREADABLE)
    return Asked(text_of(body["to"], 120), address, name, one_line(text_of(body["town"], 80)), link)


def _degree(value: Any, most: int) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not abs(value) <= most:
        raise RuleBroken(UNREADABLE)
    return float(value)


def read_introduced(body: Mapping[str, Any]) -> Introduced:
    check_members(body, {"offer_id", "processes", "region"})
    processes = [label_of(one, ("key", "de", "en")) for one in list_of(body["processes"])]
    region = text_of(body["region"], 2)
    if not REGION.fullmatch(region):
        raise RuleBroken(UNREADABLE)
    return Introduced(text_of(body["offer_id"], 36), processes, region)


def read_answered(body: Mapping[str, Any]) -> Answered:
    check_members(body, {"step", "offer_id", "answer", "link"})
    answer, link = body["answer"], text_of(body["link"], 500)
    if not (answer == "no" and link == "") and not (answer == "yes" and LINK.fullmatch(link)):
        raise RuleBroken(UNREADABLE)
    return Answered(text_of(body["offer_id"], 36), answer, link)


def read_agreed(body: Mapping[str, Any]) -> Agreed:
    check_members(body, {"step", "offer_id", "name", "town", "address", "link"})
    link = text_of(body["link"], 500)
    if not LINK.fullmatch(link):
        raise RuleBroken(UNREADABLE)
    return Agreed(
        text_of(body["offer_id"], 36), one_line(text_of(body["name"], 120)), one_line(text_of(body["town"], 80)),
        one_line(text_of(body["address"], 120)), link,
    )  # fmt: skip
