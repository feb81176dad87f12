"""One message to one push service: known hosts only, no redirects, seconds instead of hours, small answers."""

import asyncio
import base64
import datetime as dt
import hashlib
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache

import aiohttp
import structlog

from app.core.connections import PublicResolver
from app.core.errors import RuleBroken
from app.push.encryption import encrypt_for
from app.push.payload import Letter
from app.push.rules import Outcome, Result, check_endpoint, origin_of, retry_after_s
from app.push.vapid import VapidHeaders

log = structlog.get_logger()
TIMEOUT = aiohttp.ClientTimeout(total=9, sock_connect=3, sock_read=5)
MOST_AT_ONCE = 64
MOST_PER_ORIGIN = 16
BREAK_AFTER = 8
"""So many faults of one service in one run: the rest of its messages wait instead of queueing up for timeouts"""
MOST_ANSWER_BYTES = 2048
TAKEN = (200, 201, 202)
FORGOTTEN = (404, 410)


@dataclass(frozen=True)
class Answer:
    """What counts of a service's answer."""

    status: int
    retry_after: str | None


class Postman:
    """Sends letters over one keep-alive session. Use inside `postman(...)`."""

    def __init__(self, client: aiohttp.ClientSession, vapid: VapidHeaders, test_hosts: Collection[str]) -> None:
        self._client, self._vapid, self._test_hosts = client, vapid, test_hosts
        self._slots = asyncio.Semaphore(MOST_AT_ONCE)
        self._faults: Counter[str] = Counter()

    async def send_all(self, letters: Sequence[Letter], now: dt.datetime) -> list[Result]:
        """Send them all at once, as far as the limits let; a slow service holds up only its own."""
        waiting: dict[str, deque[tuple[int, Letter]]] = defaultdict(deque)
        results = {place: Result(letter.key, Outcome.REFUSED) for place, letter in enumerate(letters)}
        for place, letter in enumerate(letters):
            if self._is_known(letter.endpoint):
                waiting[origin_of(letter.endpoint)].append((place, letter))
        await asyncio.gather(
            *(
                self._send_waiting(origin, queue, now, results)
                for origin, queue in waiting.items()
                for _ in range(min(len(queue), MOST_PER_ORIGIN))
            )
        )
        return list(results.values())

    def _is_known(self, endpoint: str) -> bool:
        try:
            check_endpoint(endpoint, self._test_hosts)
        except RuleBroken:
            return False
        return True

    async def _send_waiting(
        self, origin: str, queue: deque[tuple[int, Letter]], now: dt.datetime, results: dict[int, Result]
    ) -> None:
        # A few take one letter after the other: a task for every letter would wake up only to wait again.
        while queue:
            async with self._slots:
                if queue:
                    place, letter = queue.popleft()
                    results[place] = await self._send(letter, origin, now)

    async def _send(self, letter: Letter, origin: str, now: dt.datetime) -> Result:
        if self._faults[origin] >= BREAK_AFTER:
            return Result(letter.key, Outcome.LATER, retry_after_s(None, now, letter.attempts))
        result = await self._try(letter, origin, now)
        if result.outcome is Outcome.LATER:
            self._faults[origin] += 1
        elif result.outcome is Outcome.SENT:
            self._faults[origin] = 0
        return result

    async def _try(self, letter: Letter, origin: str, now: dt.datetime) -> Result:
        try:
            answer = await self._post(letter, origin)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.info("push service silent", origin=origin, kind=type(error).__name__)
            return Result(letter.key, Outcome.LATER, retry_after_s(None, now, letter.attempts))
        except ValueError as error:
            log.warning("push not possible", origin=origin, kind=type(error).__name__)
            return Result(letter.key, Outcome.REFUSED)
        return _judge(letter, origin, answer, now)

    async def _post(self, letter: Letter, origin: str) -> Answer:
        headers = {
            "Authorization": self._vapid.header_for(origin),
            "Content-Encoding": "aes128gcm",
            "TTL": str(letter.payload.ttl_s),
            "Urgency": "high" if letter.payload.is_urgent else "normal",
            "Topic": _topic(letter.payload.tag),
        }
        sealed = encrypt_for(letter.p256dh, letter.auth, letter.payload.body)
        async with self._client.post(letter.endpoint, data=sealed, headers=headers, allow_redirects=False) as got:
            if got.status not in TAKEN:
                # a short reason is read, so that the connection stays good; a long one ends with it
                await got.content.read(MOST_ANSWER_BYTES)
            return Answer(got.status, got.headers.get("Retry-After"))


@asynccontextmanager
async def postman(vapid: VapidHeaders, test_hosts: Collection[str]) -> AsyncIterator[Postman]:
    """Open the connections, to public addresses and to hosts named for tests; proxies of the environment are not asked."""
    resolver = PublicResolver({host.partition(":")[0] for host in test_hosts})
    connector = aiohttp.TCPConnector(limit=MOST_AT_ONCE, limit_per_host=MOST_PER_ORIGIN, resolver=resolver)
    async with aiohttp.ClientSession(
        connector=connector, timeout=TIMEOUT, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
    ) as client:
        yield Postman(client, vapid, test_hosts)


def _judge(letter: Letter, origin: str, answer: Answer, now: dt.datetime) -> Result:
    """4xx is about this message or subscription, 5xx and 429 about the moment; a redirect is never followed."""
    if answer.status in TAKEN:
        return Result(letter.key, Outcome.SENT)
    if answer.status in FORGOTTEN:
        return Result(letter.key, Outcome.GONE)
    if answer.status in (408, 429) or answer.status >= 500:
        return Result(letter.key, Outcome.LATER, retry_after_s(answer.retry_after, now, letter.attempts))
    log.warning("push refused", origin=origin, status=answer.status)
    return Result(letter.key, Outcome.REFUSED)


@lru_cache(maxsize=256)
def _topic(tag: str) -> str:
    """At most 32 characters (RFC 8030, section 5.4): the service keeps only the newest message of a topic."""
    return base64.urlsafe_b64encode(hashlib.sha256(tag.encode()).digest()[:24]).decode()
