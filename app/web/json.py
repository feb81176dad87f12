"""JSON from outside: nesting is bounded before the parser sees it, for CPython's own can be crashed by deep brackets."""

from typing import Any

from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import BadRequest

MOST_DEPTH = 32


class BoundedJson(DefaultJSONProvider):
    """Flask's reader and writer, refusing what is nested deeper than 32; every request body passes here."""

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Raises BadRequest for deep nesting, ValueError for what is no JSON."""
        if depth_of(s if isinstance(s, bytes) else s.encode("utf-8", "surrogatepass")) > MOST_DEPTH:
            raise BadRequest
        return super().loads(s, **kwargs)


def depth_of(text: bytes) -> int:
    """How deep brackets nest, at most; brackets inside strings do not count."""
    depth = deepest = 0
    is_string = is_escaped = False
    for byte in text:
        if is_string:
            is_string = is_escaped or byte != 0x22
            is_escaped = byte == 0x5C and not is_escaped
        elif byte == 0x22:
            is_string = True
        elif byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest
