"""One round trip for one tap: POST /sofort/x does what POST x does, and brings the page that its 303 leads to.

Without JavaScript a form goes to x, and the browser follows the 303 itself: on a slow phone that is half a second more.
"""

from collections.abc import Iterable
from io import BytesIO
from typing import Any
from urllib.parse import unquote, urlsplit

from flask import request
from werkzeug.wrappers import Response

PREFIX = "/sofort"
TAKEN_ALONG = ("CONTENT_TYPE", "CONTENT_LENGTH", "HTTP_HX_REQUEST")
"""What belongs to the form, not to the page after it"""


def at_once_url(url: str) -> str:
    """Where a form of this world posts to, to be answered in one round trip."""
    root = request.script_root
    return f"{root}{PREFIX}{url.removeprefix(root)}"


class AtOnce:
    """The WSGI app around one world's application: the same views, rights and guards answer both ways."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO", "")
        if environ["REQUEST_METHOD"] != "POST" or not path.startswith(PREFIX + "/"):
            return self.app(environ, start_response)  # type: ignore[no-any-return]
        answer = self._ask(environ | {"PATH_INFO": path.removeprefix(PREFIX)})
        if answer.status_code == 303:
            answer = self._follow(environ, answer)
        if 400 <= answer.status_code < 500:
            answer.status_code = 422  # the one refusal that htmx shows: the page in it says what is wrong
        return answer(environ, start_response)

    def _follow(self, environ: dict[str, Any], done: Response) -> Response:
        """The page the 303 leads to, if it is one of this world; the address bar learns of it."""
        target, root = urlsplit(done.location or ""), environ.get("SCRIPT_NAME", "")
        if target.netloc or not target.path.startswith(root + "/"):
            return done
        page = self._ask(
            {name: value for name, value in environ.items() if name not in TAKEN_ALONG}
            | {
                "REQUEST_METHOD": "GET",
                "PATH_INFO": unquote(target.path.removeprefix(root), "latin-1"),
                "QUERY_STRING": target.query,
                "HTTP_COOKIE": _cookies(environ, done),
                "wsgi.input": BytesIO(),
            }
        )
        cookies = [*done.headers.getlist("Set-Cookie"), *page.headers.getlist("Set-Cookie")]
        page.headers.setlist("Set-Cookie", cookies)
        page.headers["HX-Replace-Url"] = f"{target.path}?{target.query}".rstrip("?")
        return page

    def _ask(self, environ: dict[str, Any]) -> Response:
        return Response.from_app(self.app, environ, buffered=True)


def _cookies(environ: dict[str, Any], done: Response) -> str:
    """What the browser would send now; where a name stands twice, the first one counts."""
    fresh = [cookie.split(";")[0] for cookie in done.headers.getlist("Set-Cookie")]
    return "; ".join([*fresh, environ.get("HTTP_COOKIE", "")])
