"""What goes to a push service goes to the service: no name leads into our own house."""

import asyncio
import datetime as dt
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid02

from app.push import sending
from app.push.payload import Letter, Payload
from app.push.rules import Outcome
from app.push.sending import postman
from app.push.vapid import VapidHeaders
from tests.conftest import MONDAY
from tests.nodes.hostile import Listener
from tests.push.service import Phone, to_text

SERVICE = "push.example"


@pytest.fixture
def listener() -> Iterator[Listener]:
    with closing(Listener()) as found:
        yield found


def test_a_push_service_whose_name_leads_into_the_house_is_never_called(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, *more, **named: real("127.0.0.1", *more, **named))
    monkeypatch.setattr(sending, "check_endpoint", lambda *_: None)  # as if the list of services were wrong
    phone = Phone(f"http://{SERVICE}:{listener.port}", "/push/1")
    letter = Letter(("firm", "1"), phone.endpoint, phone.p256dh, to_text(phone.auth), Payload(b"{}", "t", 60, True), 1)
    assert send(letter, MONDAY, ()) is Outcome.LATER
    assert listener.connections == 0
    assert send(letter, MONDAY, (SERVICE,)) is Outcome.LATER
    assert listener.connections > 0


def send(letter: Letter, now: dt.datetime, test_hosts: tuple[str, ...]) -> Outcome:
    async def go() -> Outcome:
        headers = VapidHeaders(Vapid02(private_key=ec.generate_private_key(ec.SECP256R1())), "betrieb@werkring.example")
        async with postman(headers, test_hosts) as post:
            (result,) = await post.send_all([letter], now)
            return result.outcome

    return asyncio.run(go())
