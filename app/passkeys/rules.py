"""Who may invite whom, codes for typing, names for devices, and how long things last."""

import base64
import datetime as dt
import hashlib
import re
from collections.abc import Collection

from app.core.errors import RuleBroken
from app.core.urls import is_local_path as is_local_path
from app.core.words import N_
from app.firms.access import Role
from app.firms.rules import roles_to_invite

CHALLENGE_LIFE = dt.timedelta(minutes=5)
INVITATION_LIFE = dt.timedelta(hours=24)
CODE_LIFE = dt.timedelta(minutes=15)
DRAFT_LIFE = dt.timedelta(days=7)
SIGN_IN_LIFE = dt.timedelta(days=365)
SIGN_IN_REST = dt.timedelta(days=60)
"""A device that was not used for so long is signed out."""
SEEN_STEP = dt.timedelta(minutes=10)
FRESH = dt.timedelta(minutes=10)
"""So long after a sign-in its person counts as being there, and not only the phone."""
CODE_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
CODE_LENGTH = 6
FIRST_VIEW = (Role.MANAGER, Role.FOREMAN, Role.WORKER, Role.ACCOUNTANT, Role.STEWARD)
DEVICES = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", N_("Android-Handy")),
    ("Windows", N_("Windows-Computer")),
    ("Macintosh", "Mac"),
    ("Linux", N_("Linux-Computer")),
)


def check_invitation(own: Collection[Role], roles: Collection[Role]) -> None:
    """Raise RuleBroken unless somebody with `own` roles may invite a person with `roles`."""
    if not roles:
        raise RuleBroken("Wähle mindestens eine Aufgabe aus.", field="roles")
    if not set(roles) <= roles_to_invite(frozenset(own)):
        raise RuleBroken("Diese Aufgabe darf nur die Leitung vergeben.", field="roles")


def vouching_permission(roles: Collection[str]) -> str:
    """What somebody needs who vouches for a device of a person with these roles."""
    if is_worker_only(roles):
        return "people.invite_worker"
    return "people.invite_manager" if Role.MANAGER in roles else "people.edit"


def is_worker_only(roles: Collection[str]) -> bool:
    """A worker may do without a passkey; everybody else needs one."""
    return set(roles) == {Role.WORKER}


def first_view(roles: Collection[Role]) -> Role:
    """The view that a person with several roles starts in."""
    return next(role for role in FIRST_VIEW if role in roles)


def code_of(secret: bytes) -> str:
    """Six letters and digits without lookalikes, made from a secret."""
    number = int.from_bytes(hashlib.sha256(b"code:" + secret).digest()[:8], "big")
    letters = []
    for _ in range(CODE_LENGTH):
        number, place = divmod(number, len(CODE_LETTERS))
        letters.append(CODE_LETTERS[place])
    return "".join(letters)


def cleaned_code(text: str) -> str:
    """A typed code as it was printed: upper case, without spaces and dashes."""
    return re.sub(r"[\s-]", "", text).upper()


def hash_of(secret: str) -> str:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def token_of(secret: bytes) -> str:
    """128 bits as 22 URL-safe characters."""
    return base64.urlsafe_b64encode(secret[:16]).rstrip(b"=").decode()


def device_name(user_agent: str) -> str:
    """A word by which people know their device again."""
    return next((name for mark, name in DEVICES if mark in user_agent), N_("Gerät"))


def is_iphone(user_agent: str) -> bool:
    """Phones on which the app must be installed before the passkey is made."""
    return "iPhone" in user_agent or "iPad" in user_agent
