"""The one way out of the house: https to a public address that was looked up by us, no redirects, seconds, small answers."""

import asyncio
import socket
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

TIMEOUT = aiohttp.ClientTimeout(total=8, sock_connect=3, sock_read=5)
MOST_ANSWER_BYTES = 256 * 1024
NAT64 = IPv6Network("64:ff9b::/96")
MOST_CONNECTIONS, MOST_PER_NODE = 64, 8


class Unreachable(Exception):
    """No answer that counts; the text says why, for the log and never for people."""


@dataclass(frozen=True)
class Answer:
    """A whole answer: status, headers by lower-case name, at most so many bytes as were asked for."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class PublicResolver(AbstractResolver):
    """Looks names up and lets only public addresses through: a name may point into our own house.

    `near` are names that may, for tests.
    """

    def __init__(self, near: Collection[str] = ()) -> None:
        self._near = near

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        if not found or not (host in self._near or all(is_public(str(one[4][0])) for one in found)):
            raise OSError(f"{host} has no public address")
        return [
            ResolveResult(hostname=host, host=str(one[4][0]), port=port, family=one[0], proto=one[2], flags=0)
            for one in found
        ]

    async def close(self) -> None:
        """Nothing is kept open."""


class Courier:
    """Sends to nodes over connections that stay open. Use inside `courier(...)`."""

    def __init__(self, far: aiohttp.ClientSession, near: aiohttp.ClientSession, near_nodes: Collection[str]) -> None:
        self._far, self._near, self._near_nodes = far, near, near_nodes

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
        timeout = TIMEOUT if timeout_s is None else aiohttp.ClientTimeout(timeout_s, sock_connect=3, sock_read=5)
        try:
            async with self._client(url).request(
                method, url, data=body, headers=headers, allow_redirects=False, timeout=timeout
            ) as got:
                return Answer(got.status, _lower(got.headers), await _whole(got, most_bytes))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Unreachable(f"{type(error).__name__}: {error}"[:200]) from error

    def _client(self, url: str) -> aiohttp.ClientSession:
        scheme, _, rest = url.partition("://")
        node = rest.partition("/")[0]
        if (node if scheme == "http" else f"{scheme}://{node}") in self._near_nodes:
            return self._near
        host = node.rpartition(":")[0] if node.rpartition(":")[2].isdigit() else node
        if scheme != "https" or _is_address(host):
            raise Unreachable("only https to a name")
        return self._far


@asynccontextmanager
async def courier(near_nodes: Collection[str] = ()) -> AsyncIterator[Courier]:
    """Open the connections; neither proxies of the environment nor cookies.

    `near_nodes` are loopback hosts of tests: plain, or with https:// in front, where the certificate is checked as anywhere.
    """
    async with _session(PublicResolver()) as far, _session(None) as near:
        yield Courier(far, near, near_nodes)


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


def _session(resolver: AbstractResolver | None) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=MOST_CONNECTIONS, limit_per_host=MOST_PER_NODE, resolver=resolver)
    return aiohttp.ClientSession(
        connector=connector,
        timeout=TIMEOUT,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        # what comes packed counts as it comes: nothing here swells
        headers={"Accept-Encoding": "identity"},
        auto_decompress=False,
    )


async def _whole(got: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in got.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > most_bytes:
            raise ValueError("the answer is too long")
    return bytes(body)


def _lower(headers: Mapping[str, Any]) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in headers.items()}


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
