"""Sign-in sessions: a random secret in the cookie, one row on the server, and no truth anywhere else."""

import datetime as dt
import secrets
from dataclasses import dataclass

import sqlalchemy as sa
import structlog
from flask import Flask, Request, Response, g, request
from flask.sessions import SecureCookieSession, SessionInterface, SessionMixin
from flask_login import LoginManager, UserMixin
from sqlalchemy.orm import Session, load_only

from app.config import Config
from app.core import clock
from app.core.db import Database, after_commit
from app.core.ids import new_id
from app.firms.access import Actor, Role
from app.firms.models import Firm, Person
from app.firms.queries import roles_of
from app.notary.keys import use_node_key
from app.notary.models import LedgerHead
from app.notary.transfer import ELSEWHERE
from app.passkeys.models import SignIn
from app.passkeys.queries import is_living
from app.passkeys.rules import SEEN_STEP, SIGN_IN_LIFE, first_view, hash_of
from app.web.limits import limiter
from app.web.world import config, world

log = structlog.get_logger()


class SignedIn(UserMixin):  # type: ignore[misc]
    """What Flask-Login's current_user is."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor

    def get_id(self) -> str:
        return self.actor.session_id


class NothingKept(SessionInterface):
    """Flask's own session, which Flask-Login looks into on every answer: always empty, never sent.

    The usual one would add `Vary: Cookie` even to static files; then each receipt makes the phone load them anew.
    """

    def open_session(self, app: Flask, request: Request) -> SessionMixin:
        return SecureCookieSession()

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        pass


@dataclass(frozen=True)
class NewSignIn:
    """A sign-in that was just made: `secret` goes into the cookie and is never seen again."""

    secret: str
    public_id: str


def prepare(app: Flask) -> None:
    """Let Flask-Login ask our rows; it keeps nothing in its own session and no remember cookie."""
    login = LoginManager()
    login.session_protection = None
    login.request_loader(_load_user)
    login.init_app(app)
    app.session_interface = NothingKept()
    limiter.init_app(app)
    use_node_key(app.extensions["world"].config.node_key)


def load_actor() -> Actor | None:
    """The person whose cookie came with this request, asked of the database once per request."""
    if "actor" not in g:
        g.actor = None  # where the database fails, the page that says so is made for a stranger
        secret = request.cookies.get(cookie_name(config()), "")
        g.actor = _actor_of(secret) if secret else None
    found: Actor | None = g.actor
    return found


def start_sign_in(
    session: Session, firm_id: str, person_id: str, device: str, *, has_passkey: bool, role: Role | None = None
) -> NewSignIn:
    """Sign a device in; the caller puts the secret into the cookie with `set_cookie`."""
    now = clock.now()
    secret = secrets.token_urlsafe(32)
    roles = roles_of(session, firm_id, person_id)
    row = SignIn(
        id_hash=hash_of(secret),
        public_id=new_id(),
        firm_id=firm_id,
        person_id=person_id,
        role=role or (first_view(roles) if has_passkey else Role.WORKER),
        has_passkey=has_passkey,
        device=device[:80],
        created_at=now,
        last_seen_at=now,
        expires_at=now + SIGN_IN_LIFE,
    )
    session.add(row)
    session.flush()
    line = {"firm_id": firm_id, "person_id": person_id, "sign_in_id": row.public_id, "has_passkey": has_passkey}
    after_commit(session, lambda _database: log.info("signed in", **line))
    return NewSignIn(secret, row.public_id)


def change_view(session: Session, actor: Actor, role: Role) -> NewSignIn:
    """Go on in another role: the old secret dies, device and age of the sign-in stay."""
    row = session.scalars(sa.select(SignIn).where(SignIn.public_id == actor.session_id)).one()
    secret = secrets.token_urlsafe(32)
    session.execute(
        sa.update(SignIn).where(SignIn.public_id == row.public_id).values(id_hash=hash_of(secret), role=role)
    )
    return NewSignIn(secret, row.public_id)


def cookie_name(settings: Config) -> str:
    """Prefixes make the browser refuse the cookie over plain HTTP or from another host."""
    if settings.is_practice:
        return "__Secure-uebung" if settings.is_secure else "uebung"
    return "__Host-werkring" if settings.is_secure else "werkring"


def set_cookie(response: Response, secret: str) -> Response:
    """Give the sign-in to this browser."""
    settings = config()
    response.set_cookie(
        cookie_name(settings),
        secret,
        max_age=int(SIGN_IN_LIFE.total_seconds()),
        path=_cookie_path(settings),
        secure=settings.is_secure,
        httponly=True,
        samesite="Lax",
    )
    return response


def clear_cookie(response: Response) -> Response:
    """Take the sign-in from this browser, with all that the pages stored there (in the real world)."""
    settings = config()
    response.delete_cookie(
        cookie_name(settings), path=_cookie_path(settings), secure=settings.is_secure, httponly=True, samesite="Lax"
    )
    if not settings.is_practice:
        # the practice world shares the origin: it must never wipe the real one
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def end_own_sign_in(session: Session) -> None:
    """Before a new sign-in in the same browser: the old secret must not live on."""
    secret = request.cookies.get(cookie_name(config()), "")
    if secret:
        session.execute(sa.delete(SignIn).where(SignIn.id_hash == hash_of(secret)))


def _cookie_path(settings: Config) -> str:
    return "/uebung" if settings.is_practice else "/"


def _load_user(_request: object) -> SignedIn | None:
    actor = world().actor()
    return SignedIn(actor) if actor else None


def _actor_of(secret: str) -> Actor | None:
    now = clock.now()
    database = world().database()
    with database.read() as session:
        found = session.execute(_WHO_IS_IT.where(SignIn.id_hash == hash_of(secret), is_living(now))).one_or_none()
        if found is None:
            return None
        row = found.SignIn
        actor, is_due = actor_for(session, row), row.last_seen_at + SEEN_STEP <= now
    if actor is not None and is_due:
        _note_seen(database, secret, now)
    return actor


_WHO_IS_IT = (
    sa.select(SignIn, Person, Firm, LedgerHead)
    .join(Person, (Person.firm_id == SignIn.firm_id) & (Person.id == SignIn.person_id))
    .join(Firm, Firm.id == SignIn.firm_id)
    .outerjoin(LedgerHead, LedgerHead.firm_id == SignIn.firm_id)
    .options(load_only(LedgerHead.halt))
)
"""Person, firm and the end of its log come along, so that `actor_for` finds them in the session: every page asks this"""


def _note_seen(database: Database, secret: str, now: dt.datetime) -> None:
    """A disk that is full keeps nobody from reading."""
    try:
        with database.write() as session:
            session.execute(sa.update(SignIn).where(SignIn.id_hash == hash_of(secret)).values(last_seen_at=now))
    except sa.exc.OperationalError:
        log.warning("last use not noted")


def actor_for(session: Session, row: SignIn) -> Actor | None:
    """The acting person of a sign-in; None when the person left or holds no role any more."""
    person = session.get(Person, (row.firm_id, row.person_id))
    roles = roles_of(session, row.firm_id, row.person_id)
    if not row.has_passkey:
        roles &= {Role.WORKER}
    if person is None or person.left_at is not None or not roles:
        return None
    firm, log_end = session.get_one(Firm, row.firm_id), session.get(LedgerHead, row.firm_id)
    return Actor(
        firm_id=row.firm_id,
        person_id=row.person_id,
        roles=roles,
        role=Role(row.role) if row.role in roles else first_view(roles),
        name=person.name,
        session_id=row.public_id,
        has_passkey=row.has_passkey,
        language=person.language,
        light=person.light,
        hand=person.hand,
        firm_name=firm.name,
        firm_short_name=firm.short_name,
        elsewhere=log_end.halt if log_end is not None and log_end.halt in ELSEWHERE else "",
    )
