"""Challenges: rows that work once, for one purpose, person, document and browser, for five minutes."""

import secrets
from typing import Any

import sqlalchemy as sa
from flask import Response
from sqlalchemy.orm import Session
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

from app.core import clock
from app.core.errors import RuleBroken
from app.core.ids import new_id, new_secret
from app.passkeys.models import Challenge
from app.passkeys.rules import CHALLENGE_LIFE, hash_of
from app.web.cookies import keep, kept

BROWSER_COOKIE = "zeremonie"
TOO_LATE = "Das hat zu lange gedauert. Versuch es noch einmal."


def new_challenge(
    session: Session,
    purpose: str,
    browser: str,
    *,
    firm_id: str | None = None,
    person_id: str | None = None,
    document: tuple[str, str] = ("", ""),
    value: bytes | None = None,
    detail: dict[str, Any] | None = None,
) -> bytes:
    """Store a challenge and return its 32 bytes: random, or `value` (the digest of a document)."""
    value = value or secrets.token_bytes(32)
    session.execute(sa.delete(Challenge).where(Challenge.expires_at <= clock.now()))
    session.add(
        Challenge(
            id=new_id(),
            challenge=bytes_to_base64url(value),
            purpose=purpose,
            browser_hash=hash_of(browser),
            firm_id=firm_id,
            person_id=person_id,
            document_kind=document[0],
            document_id=document[1],
            detail=detail or {},
            expires_at=clock.now() + CHALLENGE_LIFE,
        )
    )
    return value


def take_challenge(
    session: Session,
    purpose: str,
    browser: str,
    value: bytes,
    *,
    firm_id: str | None = None,
    person_id: str | None = None,
    document: tuple[str, str] = ("", ""),
) -> dict[str, Any]:
    """Consume the challenge and return its detail; raises RuleBroken when there is none that fits in every respect."""
    taken = session.execute(
        sa.delete(Challenge)
        .where(
            Challenge.challenge == bytes_to_base64url(value),
            Challenge.purpose == purpose,
            Challenge.browser_hash == hash_of(browser),
            Challenge.firm_id.is_(None) if firm_id is None else Challenge.firm_id == firm_id,
            Challenge.person_id.is_(None) if person_id is None else Challenge.person_id == person_id,
            Challenge.document_kind == document[0],
            Challenge.document_id == document[1],
            Challenge.expires_at > clock.now(),
        )
        .returning(Challenge.detail)
    ).all()
    if not taken:
        raise RuleBroken(TOO_LATE)
    detail: dict[str, Any] = taken[-1].detail
    return detail


def browser_secret() -> str:
    """What this browser was given when its ceremony began, or a new secret."""
    return kept(BROWSER_COOKIE) or new_secret()


def set_browser_cookie(response: Response, secret: str) -> Response:
    """Bind the ceremony to this browser."""
    keep(response, BROWSER_COOKIE, secret, 7 * 86400)
    return response


def challenge_in(credential: dict[str, Any]) -> bytes:
    """The challenge that a credential claims to answer; only its row decides what it was for."""
    import json

    try:
        client = json.loads(base64url_to_bytes(credential["response"]["clientDataJSON"]))
        return base64url_to_bytes(client["challenge"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RuleBroken(TOO_LATE) from error
