"""Whether messages leave the house at all just now: what push services and the mail server made of this firm's own."""

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.push.models import Mail, PushDevice

PATIENCE = dt.timedelta(minutes=10)
"""A service that rests for a moment is nothing to tell people about"""
TRIED = 2
"""Tries are counted before they begin: a second one means that the first failed"""
LONGEST = dt.timedelta(days=2)


@dataclass(frozen=True)
class Silence:
    """Since when nothing gets through to phones and to mailboxes; None: it does, or nothing was tried."""

    push_since: dt.datetime | None
    mail_since: dt.datetime | None

    def __bool__(self) -> bool:
        return self.push_since is not None or self.mail_since is not None


def silence_of(session: Session, firm_id: str, now: dt.datetime) -> Silence:
    """What the firm's people cannot count on now. One message that got through ends the silence of its way."""
    return Silence(_lasting(_push_since(session, firm_id), now), _lasting(_mail_since(session, firm_id, now), now))


def _push_since(session: Session, firm_id: str) -> dt.datetime | None:
    devices = session.execute(
        sa.select(PushDevice.failed_at, PushDevice.last_sent_at).where(
            PushDevice.firm_id == firm_id, PushDevice.gone_at.is_(None), PushDevice.off_at.is_(None)
        )
    ).all()
    return _first_after([one.failed_at for one in devices], [one.last_sent_at for one in devices])


def _mail_since(session: Session, firm_id: str, now: dt.datetime) -> dt.datetime | None:
    own = sa.select(Mail.created_at, Mail.sent_at).where(Mail.firm_id == firm_id, Mail.created_at > now - LONGEST)
    mails = session.execute(own.where(sa.or_(Mail.sent_at.is_not(None), Mail.attempts >= TRIED))).all()
    return _first_after([one.created_at for one in mails if one.sent_at is None], [one.sent_at for one in mails])


def _first_after(failures: list[dt.datetime | None], successes: list[dt.datetime | None]) -> dt.datetime | None:
    """The first failure after the last success: an older one is about one phone or one address."""
    last = max((one for one in successes if one is not None), default=None)
    return min((one for one in failures if one is not None and (last is None or one > last)), default=None)


def _lasting(since: dt.datetime | None, now: dt.datetime) -> dt.datetime | None:
    return since if since is not None and now - since >= PATIENCE else None
