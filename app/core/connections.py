"""The connections of the one way out (app/core/outgoing.py), by aiohttp."""

import asyncio
import socket
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from app.core.outgoing import MOST_ANSWER_BYTES, Answer, Unreachable, is_public

TIMEOUT = aiohttp.ClientTimeout(total=8, sock_connect=3, sock_read=5)
MOST_CONNECTIONS, MOST_PER_NODE = 64, 8


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


class Connections:
    """Two sets of connections that stay open: out into the world, and to the nodes beside us in tests."""

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
async def connected(near_nodes: Collection[str] = ()) -> AsyncIterator[Connections]:
    """Open both; see `outgoing.courier`."""
    async with _session(PublicResolver()) as far, _session(None) as near:
        yield Connections(far, near, near_nodes)


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
