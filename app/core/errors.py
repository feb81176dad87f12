"""What can go wrong, in five words; the web turns each into one status and one plain sentence."""


class WerkringError(Exception):
    """Base of all expected errors. `text` is German for the user and a translation key; `values` fill its %(name)s."""

    status = 500

    def __init__(self, text: str = "", field: str = "", **values: object) -> None:
        super().__init__(text % values if values else text)
        self.text = text
        self.field = field
        self.values = values


class RuleBroken(WerkringError):
    """422: the text says what is wrong and what to do, in one sentence. `field` names the form field, if there is one."""

    status = 422


class NotFound(WerkringError):
    """404: not there, or not yours; nobody can tell which."""

    status = 404


class NotAllowed(WerkringError):
    """403: the person's role does not allow it."""

    status = 403


class Conflict(WerkringError):
    """409: somebody was faster, or the same thing was sent twice with different content."""

    status = 409


class TooMany(WerkringError):
    """429: one person did more than people do; the text says when it goes on."""

    status = 429
