"""The second channel: the same text by e-mail, over SMTP where there is a server, else as files in the data folder."""

import datetime as dt
import os
import smtplib
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import unquote, urlsplit

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from app.config import LOOPBACK, Config
from app.core import clock
from app.core.db import Database, each_alone
from app.core.ids import new_id
from app.firms.models import Person
from app.notary.transfer import firms_elsewhere
from app.push.messages import message, translate
from app.push.models import Alert, Mail

log = structlog.get_logger()
TIMEOUT_S = 10
LEASE = dt.timedelta(minutes=10)
RETRIES_S = (60, 300, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600)
MOST_AT_ONCE = 100
FOOTER = (
    "Diese E-Mail kommt, weil die Nachricht auf deinem Handy noch nicht gesehen ist.",
    "Du willst das ändern? Öffne in der App „Mehr“.",
)


def send_due_mails(database: Database, config: Config) -> None:
    """Write the mails of alerts that nobody has seen, then send what waits; each failure is tried again later.

    The practice world sends none.
    """
    if config.is_practice:
        return
    write_due_mails(database, config)
    for mail in _claim(database):
        _send_one(database, config, mail)


def write_due_mails(database: Database, config: Config) -> None:
    """Turn alerts whose half hour is over into mails, each once; people without an address get none."""
    now = clock.now()
    with database.read() as session:
        if session.scalar(sa.select(sa.exists(_unseen(now)))) is not True:
            return
    with database.write() as session:
        unseen = session.execute(_unseen(now)).all()
        each_alone(
            session,
            unseen,
            lambda row: _write_one(session, config, row[0], row[1], now),
            lambda row: _take(session, row[0], now),
        )


def compose(mail: Mail, config: Config) -> EmailMessage:
    """The mail as it travels; raises ValueError for an address that no header can carry."""
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = config.mail_from, mail.to, mail.subject
    letter["Date"] = format_datetime(mail.created_at)
    letter["Message-ID"] = f"<{mail.id}@{config.rp_id}>"
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(mail.text)
    return letter


def _unseen(now: dt.datetime) -> sa.Select[Alert, Person]:
    return (
        sa.select(Alert, Person)
        .join(Person, (Person.firm_id == Alert.firm_id) & (Person.id == Alert.person_id))
        .where(Alert.mail_due_at <= now, Alert.mailed_at.is_(None))
        .where(Alert.seen_at.is_(None), Alert.cancelled_at.is_(None), Alert.firm_id.not_in(firms_elsewhere()))
        .order_by(Alert.mail_due_at, Alert.id)
        .limit(MOST_AT_ONCE)
    )


def _write_one(session: Session, config: Config, alert: Alert, person: Person, now: dt.datetime) -> None:
    if _take(session, alert, now) and person.email and person.left_at is None:
        session.add(_mail(config, alert, person, now))


def _take(session: Session, alert: Alert, now: dt.datetime) -> bool:
    taken = session.execute(
        sa.update(Alert)
        .where(Alert.firm_id == alert.firm_id, Alert.id == alert.id, Alert.mailed_at.is_(None))
        .values(mailed_at=now)
        .returning(Alert.id)
        .execution_options(synchronize_session=False)
    )
    return taken.one_or_none() is not None


def _mail(config: Config, alert: Alert, person: Person, now: dt.datetime) -> Mail:
    said = message(alert.kind, alert.values, person.language)
    lines = (
        said.body,
        "",
        translate(person.language, "Hier geht es weiter:"),
        f"{config.public_url}{alert.url}",
        "",
        "-- ",
        *(translate(person.language, line) for line in FOOTER),
    )
    return Mail(
        firm_id=alert.firm_id,
        id=new_id(),
        created_at=now,
        to=person.email,
        subject=said.title,
        text="\n".join(lines) + "\n",
        next_try_at=now,
    )


def _claim(database: Database) -> Sequence[Mail]:
    """Waiting mails that nobody else is sending; a worker that dies now leaves them for ten minutes."""
    now = clock.now()
    waiting = sa.select(Mail).where(Mail.sent_at.is_(None), Mail.next_try_at <= now).limit(MOST_AT_ONCE)
    with database.read() as session:
        if session.scalar(sa.select(sa.exists(waiting))) is not True:
            return []
    with database.write() as session:
        mails = session.scalars(waiting.order_by(Mail.id).with_for_update(skip_locked=True)).all()
        for mail in mails:
            mail.next_try_at, mail.attempts = now + LEASE, mail.attempts + 1
    return mails


def _send_one(database: Database, config: Config, mail: Mail) -> None:
    try:
        _hand_over(compose(mail, config), mail.id, config)
        is_sent = True
    except (OSError, smtplib.SMTPException, ValueError) as error:
        log.warning("mail not sent", mail_id=mail.id, kind=type(error).__name__)
        is_sent = False
    with database.write() as session:
        row = session.get_one(Mail, (mail.firm_id, mail.id))
        if is_sent:
            row.sent_at = clock.now()
        else:
            row.next_try_at = _next_try(row.attempts, clock.now())


def _next_try(attempts: int, now: dt.datetime) -> dt.datetime:
    """After the last step it rests for good: a day-old message is of no use to anybody."""
    if attempts > len(RETRIES_S):
        return now + dt.timedelta(days=3650)
    return now + dt.timedelta(seconds=RETRIES_S[attempts - 1])


def _hand_over(letter: EmailMessage, mail_id: str, config: Config) -> None:
    if config.smtp_url:
        _send_by_smtp(letter, config.smtp_url)
        return
    folder = config.data_dir / "mail"
    folder.mkdir(mode=0o700, exist_ok=True)
    # written under another name first: whoever reads the folder never sees half a mail
    draft = folder / f".{mail_id}"
    draft.write_bytes(letter.as_bytes())
    os.replace(draft, folder / f"{mail_id}.eml")


def _send_by_smtp(letter: EmailMessage, url: str) -> None:
    """smtps:// speaks TLS from the start; smtp:// turns it on. Only inside one machine may a mail without password do without."""
    parts = urlsplit(url)
    host = parts.hostname or "localhost"
    secure = ssl.create_default_context()
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, parts.port or 465, timeout=TIMEOUT_S, context=secure)
    else:
        server = smtplib.SMTP(host, parts.port or 587, timeout=TIMEOUT_S)
    with server:
        if parts.scheme == "smtp":
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=secure)
            elif parts.username or host not in LOOPBACK:
                raise smtplib.SMTPNotSupportedError("the server offers no encryption")
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(letter)
