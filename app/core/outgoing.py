"""The one way out of the house: https to a public address that was looked up by us, no redirects, seconds, small answers."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Protocol

MOST_ANSWER_BYTES = 256 * 1024
NAT64 = IPv6Network("64:ff9b::/96")


class Unreachable(Exception):
    """No answer that counts; the text says why, for the log and never for people."""


@dataclass(frozen=True)
class Answer:
    """A whole answer: status, headers by lower-case name, at most so many bytes as were asked for."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Courier(Protocol):
    """Sends to nodes over connections that stay open. Use inside `courier(...)`."""

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        most_bytes: int = MOST_ANSWER_BYTES,
        timeout_s: float | None = None,
    ) -> Answer:
        """One request and its whole answer; raises Unreachable for anything that is none."""


@asynccontextmanager
async def courier(near_nodes: Collection[str] = ()) -> AsyncIterator[Courier]:
    """Open the connections; neither proxies of the environment nor cookies.

    `near_nodes` are loopback hosts of tests: plain, or with https:// in front, where the certificate is checked as anywhere.
    """
    from app.core.connections import connected  # with aiohttp, which the web never needs: a tenth of its start

    async with connected(near_nodes) as found:
        yield found


def is_public(address: str) -> bool:
    """Say whether an IP address lies out in the world."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and (inner := _inner_address(found)) is not None:
        return is_public(str(inner))
    return found.is_global and not found.is_multicast


def _inner_address(found: IPv6Address) -> IPv4Address | None:
    """The old address inside a new one: mapped, or behind a translator, which would lead there."""
    if found in NAT64:
        return IPv4Address(int(found) & 0xFFFFFFFF)
    return found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
