"""Messages per second over keep-alive connections, against pywebpush's cryptography alone and its own session."""

import asyncio
import datetime as dt
import json
import multiprocessing
import multiprocessing.connection
import socket
import warnings

import requests
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid02
from pywebpush import WebPusher, webpush

from app.push.payload import Letter, Payload
from app.push.rules import Outcome
from app.push.sending import postman
from app.push.vapid import VapidHeaders
from tests.bench.figure import Figure, alternating_s, figure
from tests.push.service import Phone, to_text, vapid_fault

MESSAGES = 400
GOAL = 0.5
"""Share of the speed of pywebpush's cryptography alone"""
BODY = json.dumps({"web_push": 8030, "notification": {"title": "40 h Fräsen in KW 48?", "body": "x" * 600}}).encode()
NOW = dt.datetime(2026, 11, 16, 7, 0, tzinfo=dt.UTC)


def run() -> list[Figure]:
    """Return one figure: messages a second sent by the postman; floor the cryptography alone, peer pywebpush and requests.

    `ok`: the first message is believed and decrypts, all arrive, and the ratio to the floor reaches the goal.
    """
    key = Vapid02(private_key=ec.generate_private_key(ec.SECP256R1()))
    theirs, ours = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    try:
        phone = Phone(f"http://127.0.0.1:{ours.recv()}", "/push/1")
        is_right = _is_believed(key, phone, ours)
        ours_s, floor_s, peer_s = alternating_s(
            [lambda: _send_all(key, phone), lambda: _encrypt_only(phone), lambda: _send_with_requests(key, phone)]
        )
    finally:
        server.terminate()
        server.join()
    share = floor_s / ours_s
    return [
        figure(
            "push_messages_per_s", MESSAGES / ours_s, floor=MESSAGES / floor_s, peer=MESSAGES / peer_s, ratio=share,
            goal=GOAL, is_good=is_right and share >= GOAL,
        )
    ]  # fmt: skip


def serve(pipe: "multiprocessing.connection.Connection") -> None:
    """A push service that does nothing but answer 201; tells its port, then the first message as (headers, body)."""
    asyncio.run(_serve(pipe))


async def _serve(pipe: "multiprocessing.connection.Connection") -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=200)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Sink(pipe), sock=listener)
    pipe.send(listener.getsockname()[1])
    await server.serve_forever()


class Sink(asyncio.Protocol):
    """Just enough HTTP/1.1 to cost as little as possible beside what is measured."""

    is_first = True

    def __init__(self, pipe: "multiprocessing.connection.Connection") -> None:
        self._pipe, self._buffer = pipe, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            if len(self._buffer) < end + 4 + length:
                return
            if Sink.is_first:
                Sink.is_first = False
                self._pipe.send((self._buffer[:end].decode(), self._buffer[end + 4 : end + 4 + length]))
            self._buffer = self._buffer[end + 4 + length :]
            self._transport.write(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")


def _is_believed(key: Vapid02, phone: Phone, pipe: "multiprocessing.connection.Connection") -> bool:
    _send_all(key, phone, 1)
    head, body = pipe.recv()
    header = next(line for line in head.split("\r\n") if line.lower().startswith("authorization:")).partition(": ")[2]
    return not vapid_fault(header, phone.url, "") and phone.read(body) == json.loads(BODY)


def _encrypt_only(phone: Phone) -> None:
    for _ in range(MESSAGES):
        WebPusher(phone.json()).encode(BODY)


def _send_all(key: Vapid02, phone: Phone, count: int = MESSAGES) -> None:
    letter = Letter(("firm", "1"), phone.endpoint, phone.p256dh, to_text(phone.auth), Payload(BODY, "t", 60, True), 1)

    async def go() -> None:
        headers = VapidHeaders(key, "betrieb@werkring.example")
        async with postman(headers, (phone.url.removeprefix("http://"),)) as post:
            results = await post.send_all([letter] * count, NOW)
        assert all(result.outcome is Outcome.SENT for result in results)

    asyncio.run(go())


def _send_with_requests(key: Vapid02, phone: Phone) -> None:
    with requests.Session() as session, warnings.catch_warnings():
        session.trust_env = False
        for _ in range(MESSAGES):
            claims: dict[str, str | int] = {"sub": "mailto:betrieb@werkring.example"}
            webpush(phone.json(), BODY, key, claims, timeout=5, ttl=60, requests_session=session)  # type: ignore[arg-type]
