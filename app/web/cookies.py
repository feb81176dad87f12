"""Small cookies beside the sign-in: all of one form, under names that browsers take from this host alone and over TLS."""

from flask import Response, request

from app.web.world import config


def kept(name: str) -> str:
    """What this browser keeps under a name in this world; '' for nothing."""
    return request.cookies.get(_full_name(name), "")


def kept_look(name: str) -> str:
    """The same for language and look: what the real world knows holds in the practice world until it is changed there."""
    return kept(name) or request.cookies.get(f"__Host-{name}", "")


def keep(response: Response, name: str, value: str, max_age_s: int | None = None) -> None:
    """Let this browser keep a value; without an age until it is closed."""
    response.set_cookie(
        _full_name(name), value, max_age_s, path=_path(), secure=config().is_secure, httponly=True, samesite="Lax"
    )


def forget(response: Response, name: str) -> None:
    """Take it from this browser; a prefix asks for Secure here too."""
    response.delete_cookie(_full_name(name), path=_path(), secure=config().is_secure, httponly=True, samesite="Lax")


def _full_name(name: str) -> str:
    """`__Host-` needs the path `/`, which the practice world must not have."""
    if not config().is_secure:
        return name
    return f"__Secure-{name}" if config().is_practice else f"__Host-{name}"


def _path() -> str:
    return request.script_root + "/"
