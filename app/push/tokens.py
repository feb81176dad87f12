"""What a message may do without a sign-in: give one non-binding answer, and say that it arrived or was seen."""

import datetime as dt
import hashlib
import hmac

import sqlalchemy as sa
from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy.orm import Session

from app.config import Config
from app.core import clock
from app.core.errors import Conflict, NotFound, RuleBroken
from app.core.ids import new_id, new_secret
from app.core.signing import HMAC_SHA256
from app.firms.access import PERMISSIONS, WITHOUT_PASSKEY
from app.firms.models import Person
from app.firms.queries import roles_of
from app.notary.witnesses import halt_of
from app.passkeys.models import SignIn
from app.passkeys.queries import is_living
from app.push.messages import DONE, translate
from app.push.models import Alert, AnswerToken, PushDevice
from app.web.transaction import ELSEWHERE

ANSWERS, HOURS = "requests.answer", "hours.report"
UNDO_LIFE = dt.timedelta(minutes=10)
OVER = "Die Frist ist vorbei. Öffne die App."


def make_answer_token(
    session: Session, alert: Alert, device_id: str, expires_at: dt.datetime, answers: tuple[str, ...]
) -> str:
    """Make the secret that goes into one message to one device; only its hash stays here."""
    secret = new_secret()
    session.add(
        AnswerToken(
            firm_id=alert.firm_id,
            id=new_id(),
            created_at=clock.now(),
            token_hash=_hash(secret),
            alert_id=alert.id,
            request_id=alert.subject_id,
            request_version=int(alert.values.get("version") or 1),
            proposal_key=str(alert.values.get("proposal_key") or ""),
            person_id=alert.person_id,
            device_id=device_id,
            allows=" ".join(answers),
            expires_at=expires_at,
        )
    )
    return secret


def use_answer_token(session: Session, token: str, sign_in_id: str = "", answer: str = "") -> AnswerToken:
    """Use the token up and return its row: firm_id, person_id, request_id, request_version say what may be answered.

    `sign_in_id` is the session of a cookie that came along ('' for none): it must be the same person's. Raises
    NotFound (unknown, expired, device gone: one voice), Conflict (answered already), RuleBroken (not this answer).
    """
    row = _living_token(session, token, sign_in_id)
    # the alert is the turnstile: one person's two devices cannot both answer
    session.execute(sa.select(Alert.id).where(Alert.firm_id == row.firm_id, Alert.id == row.alert_id).with_for_update())
    if answer and answer not in row.allows.split():
        raise RuleBroken("Das geht nur in der App. Tippe auf die Nachricht.")
    if _is_answered(session, row.firm_id, row.alert_id) or not _use_up(session, row, answer):
        raise Conflict("Du hast schon geantwortet.")
    _note_seen(session, row.firm_id, row.alert_id, row.device_id)
    session.refresh(row)
    return row


def answered_token(session: Session, token: str, sign_in_id: str = "") -> AnswerToken:
    """The token of an answer that may still be taken back: within ten minutes; raises NotFound or Conflict."""
    row = _living_token(session, token, sign_in_id)
    if row.used_at is None:
        raise NotFound(OVER)
    if row.used_at + UNDO_LIFE <= clock.now():
        raise Conflict("Die zehn Minuten sind vorbei. Ruf den Partner an.")
    return row


def receipt_ticket(config: Config, firm_id: str, alert_id: str, device_id: str) -> str:
    """A signed note that lets one device report on one alert and nothing else; it stands in the message's URLs."""
    return str(_signer(config).dumps([firm_id, alert_id, device_id]))


def note_receipt(session: Session, config: Config, ticket: str, is_seen: bool) -> str:
    """The device reports that the message arrived, or was seen; again and again is no fault. Raises NotFound.

    Returns what the device shows instead, in the person's language: '' unless the matter is done meanwhile. A device
    that answered by this message shows its thanks already, and its receipt may come after its answer.
    """
    firm_id, alert_id, device_id = _read_ticket(config, ticket)
    alert = session.get(Alert, (firm_id, alert_id))
    if alert is None or session.get(PushDevice, (firm_id, device_id)) is None:
        raise NotFound
    if is_seen:
        _note_seen(session, firm_id, alert_id, device_id)
    else:
        alert.arrived_at = alert.arrived_at or clock.now()
        _note_device(session, firm_id, device_id)
    if not _is_done(session, alert) or _is_answered(session, firm_id, alert_id, device_id):
        return ""
    return translate(session.get_one(Person, (firm_id, alert.person_id)).language, DONE)


def _is_done(session: Session, alert: Alert) -> bool:
    """Settled, and no newer message took its place: that one stands under the same tag."""
    if alert.cancelled_at is None:
        return False
    newer = sa.select(Alert.id).where(Alert.firm_id == alert.firm_id, Alert.person_id == alert.person_id)
    newer = newer.where(Alert.subject_id == alert.subject_id, Alert.cancelled_at.is_(None))
    return session.scalar(newer.limit(1)) is None


def _living_token(session: Session, token: str, sign_in_id: str) -> AnswerToken:
    now = clock.now()
    row = session.scalar(sa.select(AnswerToken).where(AnswerToken.token_hash == _hash(token)))
    if row is None or row.expires_at <= now or not _is_device_there(session, row, now):
        raise NotFound(OVER)
    if sign_in_id and not hmac.compare_digest(_person_of(session, row.firm_id, sign_in_id), row.person_id):
        raise NotFound(OVER)
    halt = halt_of(session, row.firm_id)
    if halt in ELSEWHERE:
        raise Conflict(ELSEWHERE[halt])
    return row


def _is_device_there(session: Session, row: AnswerToken, now: dt.datetime) -> bool:
    """The subscription, its sign-in, the person and its role: a lost phone that was signed out answers nothing."""
    permission = HOURS if row.allows == "send" else ANSWERS
    has_rights = sa.true() if permission in WITHOUT_PASSKEY else SignIn.has_passkey
    found = session.scalar(
        sa.select(PushDevice.id)
        .join(SignIn, SignIn.public_id == PushDevice.sign_in_id)
        .join(Person, (Person.firm_id == PushDevice.firm_id) & (Person.id == PushDevice.person_id))
        .where(PushDevice.firm_id == row.firm_id, PushDevice.id == row.device_id, PushDevice.gone_at.is_(None))
        .where(PushDevice.person_id == row.person_id, SignIn.person_id == row.person_id)
        .where(is_living(now), has_rights, Person.left_at.is_(None))
    )
    return found is not None and bool(PERMISSIONS[permission] & roles_of(session, row.firm_id, row.person_id))


def _person_of(session: Session, firm_id: str, sign_in_id: str) -> str:
    query = sa.select(SignIn.person_id).where(SignIn.public_id == sign_in_id, SignIn.firm_id == firm_id)
    return session.scalar(query) or ""


def _is_answered(session: Session, firm_id: str, alert_id: str, device_id: str = "") -> bool:
    """By any device of the person, or by this one."""
    used = sa.select(AnswerToken.id).where(AnswerToken.firm_id == firm_id, AnswerToken.alert_id == alert_id)
    used = used.where(AnswerToken.used_at.is_not(None))
    if device_id:
        used = used.where(AnswerToken.device_id == device_id)
    return session.scalar(used.limit(1)) is not None


def _use_up(session: Session, row: AnswerToken, answer: str) -> bool:
    result = session.execute(
        sa.update(AnswerToken)
        .where(AnswerToken.firm_id == row.firm_id, AnswerToken.id == row.id, AnswerToken.used_at.is_(None))
        .values(used_at=clock.now(), answer=answer)
        .returning(AnswerToken.id)
        .execution_options(synchronize_session=False)
    )
    return result.one_or_none() is not None


def _note_seen(session: Session, firm_id: str, alert_id: str, device_id: str) -> None:
    now = clock.now()
    alert = session.get_one(Alert, (firm_id, alert_id))
    alert.arrived_at, alert.seen_at = alert.arrived_at or now, alert.seen_at or now
    _note_device(session, firm_id, device_id)


def _note_device(session: Session, firm_id: str, device_id: str) -> None:
    device = session.get(PushDevice, (firm_id, device_id))
    if device is not None:
        device.last_receipt_at = clock.now()


def _read_ticket(config: Config, ticket: str) -> tuple[str, str, str]:
    try:
        firm_id, alert_id, device_id = _signer(config).loads(ticket)
    except (BadData, ValueError, TypeError):
        raise NotFound from None
    return str(firm_id), str(alert_id), str(device_id)


def _signer(config: Config) -> URLSafeSerializer:
    return URLSafeSerializer(config.secret_key, salt="push-receipt", signer_kwargs=HMAC_SHA256)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
