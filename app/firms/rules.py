"""Firms and people: what may be written down, who may invite whom."""

import re
from collections.abc import Collection, Sequence

from stdnum.de import handelsregisternummer, vat
from stdnum.exceptions import ValidationError

from app.core.errors import RuleBroken
from app.firms.access import Role

LEGAL_FORMS = (
    "GmbH",
    "UG (haftungsbeschränkt)",
    "GmbH & Co. KG",
    "KG",
    "OHG",
    "AG",
    "e. K.",
    "Einzelunternehmen",
    "GbR",
    "eG",
)
MOST_SHORT = 14
RESERVED_HANDLES = frozenset(
    {
        "aufgaben",
        "daten",
        "einladen",
        "kalender",
        "leute",
        "mitnehmen",
        "nachweis",
        "neu",
        "schluessel",
        "verlassen",
        "zwei-leitungen",
    }
)
"""Words that follow /betrieb/ in addresses of our own: a firm's public page stands there too."""
INVITES: dict[Role, frozenset[Role]] = {
    Role.MANAGER: frozenset(Role),
    Role.STEWARD: frozenset(Role) - {Role.MANAGER},
    Role.FOREMAN: frozenset({Role.WORKER}),
}


def roles_to_invite(roles: frozenset[Role]) -> frozenset[Role]:
    """The roles that somebody with these roles may hand out."""
    return frozenset().union(*(INVITES.get(role, frozenset()) for role in roles))


def check_reachable(roles: Collection[Role], email: str) -> None:
    """Raise RuleBroken for a manager without e-mail: it is the second way to reach them."""
    if Role.MANAGER in roles and not email:
        raise RuleBroken("Eine Leitung braucht eine E-Mail-Adresse.", "email")


def check_vat_id(text: str, field: str = "vat_id") -> str:
    """Return a German VAT id in its compact form; '' stays ''. Raises RuleBroken."""
    if not text.strip():
        return ""
    try:
        return "DE" + str(vat.validate(text)).removeprefix("DE")
    except ValidationError:
        raise RuleBroken("Die USt-IdNr. stimmt nicht. Sie sieht so aus: DE136695976.", field) from None


def check_register_no(text: str, court: str, field: str = "register_no") -> str:
    """Return 'HRB 12345' for a commercial register number of a known form; '' stays ''. Raises RuleBroken."""
    cleaned = " ".join(text.upper().split())
    if not cleaned:
        return ""
    found = re.fullmatch(r"(HRA|HRB|GNR|PR|VR|GSR)\s?([0-9]{1,6})( ?[A-Z]{1,2})?", cleaned)
    if not found:
        raise RuleBroken("Die Registernummer sieht so aus: HRB 500123.", field)
    if not court.strip():
        raise RuleBroken("Schreib das Registergericht dazu, zum Beispiel Jena.", "register_court")
    try:
        handelsregisternummer.validate(f"{court} {found[1]} {found[2]}")
    except ValidationError:
        raise RuleBroken("Dieses Registergericht kennen wir nicht. Prüfe es bitte.", "register_court") from None
    return f"{found[1]} {found[2]}{(found[3] or '').rstrip()}"


def short_name_for(name: str) -> str:
    """A first suggestion of at most 14 characters: the longest run of whole words that fits, else the cut name."""
    words = name.split()
    for count in range(len(words), 0, -1):
        joined = " ".join(words[:count])
        if len(joined) <= MOST_SHORT:
            return joined
    return name[:MOST_SHORT].strip()


def handle_for(name: str) -> str:
    """The part before the @ of a firm's address: ASCII letters, digits and hyphens, at most 30."""
    plain = name.lower()
    for letter, ascii_letters in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss")):
        plain = plain.replace(letter, ascii_letters)
    handle = re.sub(r"[^a-z0-9]+", "-", plain.encode("ascii", "ignore").decode()).strip("-")[:30].strip("-")
    return f"{handle}-betrieb" if handle in RESERVED_HANDLES else handle or "betrieb"


def needs_two_people(total_cents: int, above_cents: int | None) -> bool:
    """Say whether an agreement of this sum needs a second manager."""
    return above_cents is not None and total_cents > above_cents


def covers(own_cents: int | None, other_cents: int | None) -> bool:
    """Say whether one limit is at least as wide as another; None: no limit."""
    return own_cents is None or (other_cents is not None and other_cents <= own_cents)


def effective_limit(own_cents: int | None, stood_in_for: Sequence[int | None]) -> int | None:
    """The limit of a manager who also stands in for others: the highest; None: no limit."""
    limits = [own_cents, *stood_in_for]
    return None if None in limits else max(limit for limit in limits if limit is not None)


def check_limit(total_cents: int, limit_cents: int | None) -> None:
    """Raise RuleBroken when a manager's own spending limit is below the sum."""
    if limit_cents is not None and total_cents > limit_cents:
        raise RuleBroken("Diese Summe liegt über deiner Grenze. Eine andere Leitung muss unterschreiben.")
