"""What travels between firms."""

import datetime as dt
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Incoming:
    """A message as the receiving firm's action sees it: consent, scope, order and repetition are already checked."""

    firm_id: str
    from_id: str
    id: str
    kind: str
    body: dict[str, Any]
    at: dt.datetime
