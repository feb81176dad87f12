"""News to a firm's own program: with ids only, signed so that anybody checks it, sent again until it is there, off at last."""

import base64
import datetime as dt
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver, algorithms
from http_message_signatures.exceptions import InvalidSignature
from jsonschema import validate

from app.api.calling import TAG, forget_calls, send_due_calls
from app.api.document import EVENT
from app.api.hooks import hook_of, public_key_of, set_hook, try_hook, wake_hook
from app.api.models import Webhook, WebhookCall
from app.api.rules import CALLS_KEPT, MOST_FAILURES, RETRIES_S
from app.config import Config, load_config
from app.core import clock
from app.core.db import Database
from app.core.errors import Conflict
from app.federation.http_signatures import Signed, digest_of
from app.notary.models import FirmKey
from tests.agreements.world import drafted, make_deal, signed_by_both
from tests.invoices.world import IBAN, Job, confirm, issue, make_job
from tests.world import has_number


@dataclass
class Program:
    """An ERP that listens: what came, and what it answers."""

    server: http.server.ThreadingHTTPServer
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    status: int = 204

    @property
    def node(self) -> str:
        return f"localhost:{self.server.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.node}/neu?von=werkring"

    def news(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _headers, body in self.came]


@pytest.fixture
def program() -> Iterator[Program]:
    class Ear(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.came.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(heard.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ear)
    heard = Program(server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield heard
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def config(tmp_path: Path, program: Program) -> Config:
    return load_config({"DATA_DIR": str(tmp_path), "FEDERATION_TEST_NODES": program.node})


def _listen(database: Database, job: Job, config: Config, program: Program, key: str = "yilmaz") -> None:
    with database.write() as session:
        set_hook(session, job.actor(key), program.url, config.federation_test_nodes)


def _hook(database: Database, job: Job) -> Webhook:
    with database.read() as session:
        hook = hook_of(session, job.firm_id("yilmaz"))
        assert hook is not None
        session.expunge(hook)
    return hook


def test_what_happens_is_told_with_ids_and_nothing_of_the_partner(
    database: Database, config: Config, program: Program
) -> None:
    job = make_job(database)
    _listen(database, job, config, program)
    confirm(database, job, 1, 600)
    issue(database, job, config)
    send_due_calls(database, config)
    assert sorted(one["event"] for one in program.news()) == ["hours.confirmed", "invoice.issued"]
    for one in program.news():
        validate(one, EVENT)
        assert one["link"] == f"http://localhost:8000/api/v1/{one['object']}/{one['object_id']}"
    raw = str(program.came)
    for word in ("Keller", IBAN, "R-0000"):
        assert word not in raw
    assert not has_number(raw, "9500")
    program.came.clear()
    send_due_calls(database, config)
    assert program.came == []
    with database.write() as session:
        forget_calls(session, clock.now() + CALLS_KEPT * 2)
        assert session.scalar(sa.select(sa.func.count()).select_from(WebhookCall)) == 0


def test_a_signed_agreement_tells_each_booking(sqlite_database: Database, config: Config, program: Program) -> None:
    deal = make_deal(sqlite_database)
    with sqlite_database.write() as session:
        set_hook(session, deal.actor("yilmaz"), program.url, config.federation_test_nodes)
    signed_by_both(sqlite_database, deal, drafted(sqlite_database, deal))
    send_due_calls(sqlite_database, config)
    assert [one["event"] for one in program.news()] == ["booking.confirmed"] * 4
    assert len({one["object_id"] for one in program.news()}) == 4


class _Known(HTTPSignatureKeyResolver):
    def __init__(self, key: Ed25519PublicKey) -> None:
        self.key = key

    def resolve_public_key(self, key_id: str) -> Any:
        return self.key


def test_anybody_with_the_public_key_checks_who_sent_it(
    sqlite_database: Database, config: Config, program: Program
) -> None:
    job = make_job(sqlite_database)
    _listen(sqlite_database, job, config, program)
    with sqlite_database.write() as session:
        hook = hook_of(session, job.firm_id("yilmaz"))
        assert hook is not None
        key = Ed25519PublicKey.from_public_bytes(public_key_of(session, hook).raw)
        try_hook(session, job.actor("yilmaz"))
    send_due_calls(sqlite_database, config)
    ((headers, body),) = program.came
    assert headers["content-digest"] == digest_of(body)
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.ED25519, key_resolver=_Known(key))
    verifier.validate_created_and_expires = lambda *_args, **_more: None  # the test's clock stands still
    (result,) = verifier.verify(Signed("POST", program.url, headers), expect_tag=TAG)
    assert result.parameters["nonce"] == json.loads(body)["id"]
    assert base64.b64decode(headers["signature"].split(":")[1])
    other = Signed("POST", program.url, headers | {"content-digest": digest_of(b"{}")})
    with pytest.raises(InvalidSignature):
        verifier.verify(other, expect_tag=TAG)


def test_what_did_not_arrive_goes_again_under_the_same_id_and_then_no_more(
    sqlite_database: Database, config: Config, program: Program
) -> None:
    job = make_job(sqlite_database)
    _listen(sqlite_database, job, config, program)
    with sqlite_database.write() as session:
        try_hook(session, job.actor("yilmaz"))
    program.status = 500
    now = clock.now()
    for pause in (0, *RETRIES_S):
        now += dt.timedelta(seconds=pause)
        with clock.frozen(now):
            send_due_calls(sqlite_database, config)
            send_due_calls(sqlite_database, config)
    assert len(program.came) == len(RETRIES_S) + 1
    assert len({one["id"] for one in program.news()}) == 1
    with sqlite_database.read() as session:
        call = session.scalars(sa.select(WebhookCall)).one()
        assert (call.state, call.attempts) == ("failed", len(RETRIES_S) + 1)
    assert _hook(sqlite_database, job).off_at is None
    assert _hook(sqlite_database, job).last_status == 500


def test_an_address_that_fails_too_often_is_switched_off_and_on_again(
    sqlite_database: Database, config: Config, program: Program
) -> None:
    job = make_job(sqlite_database)
    _listen(sqlite_database, job, config, program)
    program.status = 503

    def _ring(times: int) -> None:
        with sqlite_database.write() as session:
            for _ in range(times):
                try_hook(session, job.actor("yilmaz"))
        send_due_calls(sqlite_database, config)

    _ring(MOST_FAILURES)
    assert _hook(sqlite_database, job).failure_count == MOST_FAILURES
    assert _hook(sqlite_database, job).off_at is None
    with clock.frozen(clock.now() + dt.timedelta(days=1)):
        _ring(1)
        hook = _hook(sqlite_database, job)
        assert hook.off_at is not None
        with sqlite_database.write() as session:
            with pytest.raises(Conflict):
                try_hook(session, job.actor("yilmaz"))
            wake_hook(session, job.actor("yilmaz"))
        program.status, program.came = 200, []
        _ring(1)
    assert len(program.came) == 1
    assert _hook(sqlite_database, job).failure_count == 0


def test_an_address_that_says_gone_is_off_at_once_and_redirects_lead_nowhere(
    sqlite_database: Database, config: Config, program: Program
) -> None:
    job = make_job(sqlite_database)
    _listen(sqlite_database, job, config, program)
    for status, is_off in ((302, False), (410, True)):
        program.status = status
        with sqlite_database.write() as session:
            try_hook(session, job.actor("yilmaz"))
        send_due_calls(sqlite_database, config)
        assert (_hook(sqlite_database, job).off_at is not None) is is_off
    confirm(sqlite_database, job, 1, 600)
    with sqlite_database.read() as session:
        waiting = session.scalars(sa.select(WebhookCall).where(WebhookCall.state == "waiting")).all()
    assert waiting == []


def test_a_firm_whose_keys_do_not_open_holds_up_nobody_else(
    sqlite_database: Database, config: Config, program: Program
) -> None:
    job = make_job(sqlite_database)
    for key in ("keller", "yilmaz"):
        _listen(sqlite_database, job, config, program, key)
    with sqlite_database.write() as session:
        session.execute(
            sa.update(FirmKey)
            .where(FirmKey.firm_id == job.firm_id("keller"), FirmKey.purpose == "derive")
            .values(wrapped=b"broken")
        )
        for key in ("keller", "yilmaz"):
            try_hook(session, job.actor(key))
    send_due_calls(sqlite_database, config)
    assert [headers["werkring-from"] for headers, _body in program.came] == ["yilmaz@test"]
    with sqlite_database.read() as session:
        states = sa.select(WebhookCall.state).order_by(WebhookCall.state)
        assert session.scalars(states).all() == ["delivered", "failed"]


def test_an_address_inside_the_house_is_never_asked(
    sqlite_database: Database, tmp_path: Path, config: Config, program: Program
) -> None:
    job = make_job(sqlite_database)
    _listen(sqlite_database, job, config, program)
    with sqlite_database.write() as session:
        try_hook(session, job.actor("yilmaz"))
    send_due_calls(sqlite_database, load_config({"DATA_DIR": str(tmp_path)}))
    assert program.came == []
    assert _hook(sqlite_database, job).last_status == 0
