"""The second channel: the same text by mail when nobody looked, once, and never from the practice world."""

import datetime as dt
import email
import email.policy
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage

import pytest
import sqlalchemy as sa

from app.core import clock
from app.firms.models import Person
from app.push.actions import alert_people, cancel_alerts, mark_alerts_seen
from app.push.delivery import hand_out, send_due_mails
from app.push.models import Mail
from tests.conftest import MONDAY
from tests.push.world import REQUEST_ID, VALUES, PushWorld

HALF_HOUR = dt.timedelta(minutes=30)


class MailServer(socketserver.ThreadingTCPServer):
    """A mail server of thirty lines; `refuses` many tries before it takes one."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), MailTalk)
        self.url = f"smtp://127.0.0.1:{self.server_address[1]}"
        self.refuses = 0
        self.letters: list[bytes] = []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class MailTalk(socketserver.StreamRequestHandler):
    """The few words of SMTP that smtplib speaks."""

    server: MailServer

    def handle(self) -> None:
        self.say(b"220 ready")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"DATA":
                self.say(b"354 go on")
                self.server.letters.append(b"".join(iter(self.rfile.readline, b".\r\n")))
                self.say(b"250 taken")
            elif word == b"MAIL" and self.server.refuses:
                self.server.refuses -= 1
                self.say(b"451 later")
            elif word == b"QUIT":
                self.say(b"221 bye")
                return
            else:
                self.say(b"250 ok")

    def say(self, text: bytes) -> None:
        self.wfile.write(text + b"\r\n")


@pytest.fixture
def server() -> Iterator[MailServer]:
    running = MailServer()
    yield running
    running.shutdown()
    running.server_close()


def alert(world: PushWorld, kind: str = "request") -> None:
    with world.database.write() as session:
        url = f"/anfragen/{REQUEST_ID}"
        alert_people(session, world.yilmaz.id, [world.foreman()], kind, REQUEST_ID, url, VALUES)


def send(world: PushWorld, after: dt.timedelta = HALF_HOUR) -> None:
    with clock.frozen(MONDAY + after):
        send_due_mails(world.database, world.config)


def letters(world: PushWorld) -> list[EmailMessage]:
    folder = world.config.data_dir / "mail"
    files = sorted(folder.iterdir()) if folder.exists() else []
    assert [file.suffix for file in files] == [".eml"] * len(files)
    found = [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in files]
    return [letter for letter in found if isinstance(letter, EmailMessage)]


def test_a_request_that_nobody_saw_goes_out_by_mail_with_the_same_text_and_a_link(world: PushWorld) -> None:
    alert(world)
    send(world, HALF_HOUR - dt.timedelta(minutes=1))
    assert letters(world) == []
    send(world)
    send(world, HALF_HOUR * 2)
    [letter] = letters(world)
    assert (letter["To"], letter["Subject"]) == ("foreman@yilmaz.example", "40 h Fräsen in KW 48?")
    text = letter.get_content()
    assert "Keller braucht Hilfe. Bei dir sind 46 h frei." in text
    assert f"{world.config.public_url}/anfragen/{REQUEST_ID}\n" in text


def test_who_has_no_phone_gets_the_mail_at_once(world: PushWorld) -> None:
    alert(world)
    hand_out(world.database)
    send(world, dt.timedelta())
    assert len(letters(world)) == 1


def test_what_was_seen_or_settled_sends_no_mail(world: PushWorld) -> None:
    alert(world)
    with world.database.write() as session:
        mark_alerts_seen(session, world.yilmaz.id, world.foreman(), REQUEST_ID)
    send(world)
    alert(world)
    with world.database.write() as session:
        cancel_alerts(session, world.yilmaz.id, REQUEST_ID)
    send(world)
    assert letters(world) == []


def test_people_without_an_address_and_calm_kinds_get_none(world: PushWorld) -> None:
    alert(world, "request_gone")
    with world.database.write() as session:
        session.execute(sa.update(Person).values(email=""))
    alert(world)
    send(world, dt.timedelta(days=1))
    assert letters(world) == []


def test_the_practice_world_writes_no_mail(world: PushWorld) -> None:
    alert(world)
    world.config = replace(world.config, is_practice=True)
    send(world)
    assert letters(world) == []


def test_a_mail_server_that_says_later_is_asked_again(world: PushWorld, server: MailServer) -> None:
    world.config = replace(world.config, smtp_url=server.url)
    server.refuses = 2
    alert(world)
    for minutes in range(30, 60):
        send(world, dt.timedelta(minutes=minutes))
    assert len(server.letters) == 1
    assert b"Subject: 40 h =?utf-8?q?Fr=C3=A4sen?= in KW 48?" in server.letters[0]
    with world.database.read() as session:
        assert session.scalars(sa.select(Mail.attempts)).one() == 3


def test_a_dead_mail_server_is_given_up_after_a_day_and_harms_nothing(world: PushWorld) -> None:
    world.config = replace(world.config, smtp_url="smtp://127.0.0.1:9")
    alert(world)
    for hours in range(1, 60):
        send(world, dt.timedelta(hours=hours))
    with world.database.read() as session:
        assert session.scalars(sa.select(Mail.sent_at)).one() is None
        assert session.scalars(sa.select(Mail.attempts)).one() == 8


def test_a_password_is_never_sent_in_the_clear(world: PushWorld, server: MailServer) -> None:
    world.config = replace(world.config, smtp_url=server.url.replace("//", "//user:secret@"))
    alert(world)
    send(world)
    assert server.letters == []


def test_a_mail_never_leaves_the_machine_in_the_clear(world: PushWorld, server: MailServer) -> None:
    # another name for the same loopback, which the sender takes for a machine elsewhere
    world.config = replace(world.config, smtp_url=server.url.replace("127.0.0.1", "127.1"))
    alert(world)
    send(world)
    assert server.letters == []


def test_an_address_with_a_line_break_reaches_no_header(world: PushWorld) -> None:
    with world.database.write() as session:
        session.execute(sa.update(Person).values(email="a@b.example\r\nBcc: x@evil.example"))
    alert(world)
    send(world)
    assert letters(world) == []
