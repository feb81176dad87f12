"""News on its way to firms' own programs: claimed by one worker, signed, sent by the one way out, and what became of it."""

import asyncio
import datetime as dt
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.api.hooks import private_key_of
from app.api.models import Webhook, WebhookCall
from app.api.rules import CALLS_KEPT, is_hopeless, retry_at
from app.config import Config
from app.core import clock
from app.core.db import Database, each_alone
from app.core.outgoing import Courier, Unreachable, courier
from app.core.turns import Turns
from app.federation.http_signatures import sign_request
from app.firms.actions import note_event
from app.notary.queries import address
from app.notary.transfer import firms_elsewhere

TAG = "werkring-webhook"
LEASE = dt.timedelta(minutes=2)
MOST_AT_ONCE, MOST_PER_HOOK, MOST_ROUNDS = 64, 8, 5
TIMEOUT_S = 5.0
MOST_ANSWER_BYTES = 16 * 1024
NOBODY, GONE = 0, 410
_turns = Turns()


@dataclass(frozen=True)
class Parcel:
    """One call, signed and ready to go."""

    key: tuple[str, str]
    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Outcome:
    """What one try came to: the status of the answer, 0 for none."""

    key: tuple[str, str]
    status: int


def send_due_calls(database: Database, config: Config) -> None:
    """Send everything that is due. The practice world sends nothing, ever.

    A crash after sending repeats a call under the same id.
    """
    if not config.is_practice:
        _turns.run(database.url, lambda: _run(database, config))


def forget_calls(session: Session, now: dt.datetime) -> None:
    """What arrived or was given up a month ago, nobody asks about."""
    session.execute(
        sa.delete(WebhookCall)
        .where(WebhookCall.state != "waiting", WebhookCall.created_at < now - CALLS_KEPT)
        .execution_options(synchronize_session=False)
    )


def claim_calls(database: Database, config: Config) -> list[Parcel]:
    """Take what is due, of each address a few: whoever moves `next_try_at` has it for two minutes."""
    now = clock.now()
    with database.read() as session:
        if session.scalar(sa.select(sa.exists(_due(now)))) is not True:
            return []
    with database.write() as session:
        taken: list[WebhookCall] = []
        per_hook: Counter[str] = Counter()
        for call in session.scalars(_due(now).limit(10 * MOST_AT_ONCE).with_for_update(skip_locked=True)):
            per_hook[call.webhook_id] += 1
            if per_hook[call.webhook_id] <= MOST_PER_HOOK and len(taken) < MOST_AT_ONCE:
                call.next_try_at = now + LEASE
                taken.append(call)
        parcels: list[Parcel] = []
        each_alone(
            session,
            taken,
            lambda call: parcels.append(_parcel(session, config, call, now)),
            lambda call: _end(call, "failed", now),
        )
        return parcels


def note_outcomes(database: Database, outcomes: Sequence[Outcome]) -> None:
    """Write down what became of each try, and what follows for the address."""
    with database.write() as session:
        for outcome in outcomes:
            call = session.get(WebhookCall, outcome.key, with_for_update=True)
            hook = session.get(Webhook, (call.firm_id, call.webhook_id), with_for_update=True) if call else None
            if call is not None and hook is not None and call.state == "waiting":
                _note(session, hook, call, outcome.status, clock.now())


def _run(database: Database, config: Config) -> None:
    for _ in range(MOST_ROUNDS):
        parcels = claim_calls(database, config)
        if not parcels:
            return
        note_outcomes(database, asyncio.run(_send_all(config, parcels)))


async def _send_all(config: Config, parcels: list[Parcel]) -> list[Outcome]:
    async with courier(config.federation_test_nodes) as post:
        return await asyncio.gather(*(_send(post, parcel) for parcel in parcels))


async def _send(post: Courier, parcel: Parcel) -> Outcome:
    try:
        answer = await post.send("POST", parcel.url, parcel.headers, parcel.body, MOST_ANSWER_BYTES, TIMEOUT_S)
    except Unreachable:
        return Outcome(parcel.key, NOBODY)
    return Outcome(parcel.key, answer.status)


def _due(now: dt.datetime) -> sa.Select[WebhookCall]:
    return (
        sa.select(WebhookCall)
        .where(WebhookCall.state == "waiting", WebhookCall.next_try_at <= now)
        .where(WebhookCall.firm_id.not_in(firms_elsewhere()))
        .order_by(WebhookCall.next_try_at, WebhookCall.id)
    )


def _parcel(session: Session, config: Config, call: WebhookCall, now: dt.datetime) -> Parcel:
    hook = session.get_one(Webhook, (call.firm_id, call.webhook_id))
    link = f"/api/v1/{call.object_kind}/{call.object_id}" if call.object_id else "/api/v1/openapi.json"
    said = {
        "id": call.id, "event": call.event, "at": call.created_at.isoformat(), "object": call.object_kind,
        "object_id": call.object_id, "link": config.public_url + link,
    }  # fmt: skip
    body = json.dumps(said).encode()
    headers = sign_request(
        "POST", hook.url, address(session, call.firm_id), urlsplit(hook.url).netloc, body,
        private_key_of(session, hook), call.id, int(now.timestamp()), tag=TAG,
    )  # fmt: skip
    return Parcel((call.firm_id, call.id), hook.url, headers | {"content-type": "application/json"}, body)


def _note(session: Session, hook: Webhook, call: WebhookCall, status: int, now: dt.datetime) -> None:
    call.attempts += 1
    hook.last_tried_at, hook.last_status = now, status
    if 200 <= status < 300:
        _end(call, "delivered", now)
        hook.failure_count, hook.failing_since = 0, None
        return
    hook.failure_count += 1
    hook.failing_since = hook.failing_since or now
    again_at = retry_at(call.attempts, now)
    if again_at is None:
        _end(call, "failed", now)
    else:
        call.next_try_at = again_at
    if status == GONE or is_hopeless(hook.failure_count, hook.failing_since, now):
        _switch_off(session, hook, now)


def _end(call: WebhookCall, state: str, now: dt.datetime) -> None:
    call.state, call.done_at = state, now


def _switch_off(session: Session, hook: Webhook, now: dt.datetime) -> None:
    if hook.off_at is not None:
        return
    hook.off_at = now
    session.flush()
    session.execute(
        sa.update(WebhookCall)
        .where(WebhookCall.firm_id == hook.firm_id, WebhookCall.state == "waiting")
        .values(state="failed", done_at=now)
    )
    note_event(session, hook.firm_id, None, "webhook_off", "webhook", hook.id)
