"""Firms with ledgers, made without any page: for tests of records."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import Database
from app.firms.models import Firm
from app.notary.actions import append_entry, open_ledger, passkey_approval, seal
from app.notary.documents import Display, draft_ledger, new_message, origin_for, passkey_kid
from app.notary.keys import use_node_key
from app.notary.queries import digest
from ledger.encoding import to_b64url
from ledger.evidence import passkey_signature
from tests.passkeys.software import SoftwarePasskey

NODE_KEY = bytes(range(32))
EXPIRY = dt.timedelta(days=3)


@dataclass(frozen=True)
class House:
    """A firm with a ledger and its manager's passkey."""

    firm_id: str
    address: str
    passkey: SoftwarePasskey


def found_house(session: Session, handle: str, *, is_practice: bool = False) -> House:
    """Begin a firm and its log."""
    use_node_key(NODE_KEY)
    passkey, address = SoftwarePasskey(), f"{handle}@localhost"
    origin = origin_for(handle, "localhost", is_practice=is_practice)
    session.add(
        Firm(
            id=handle, address=address, name=handle.title(), short_name=handle[:14], postcode="99084", town="Erfurt",
            created_at=clock.now(),
        )
    )  # fmt: skip
    session.flush()
    origins = (passkey.origin,)
    draft = draft_ledger(NODE_KEY, address, origin, f"{handle} beginnt.", passkey.cose, passkey.rp_id, origins)
    parts = passkey.assertion(to_b64url(draft.digest))
    open_ledger(
        session, handle, draft, passkey_signature("manager", address, passkey_kid(passkey.cose), (origin, 0), parts)
    )
    return House(handle, address, passkey)


def append_lapse(session: Session, house: House, number: int) -> int:
    """One small record by the firm's seal alone."""
    return append_sealed(session, house, number, *sealed_lapse(session, house, number))


def sealed_lapse(session: Session, house: House, number: int) -> tuple[dict[str, Any], Display, dict[str, Any]]:
    """Message, text and seal of the record."""
    text = f"Vereinbarung {number} ist verfallen."
    message = new_message(
        "agreement.lapsed", house.address, house.address, text, agreement=f"0x{number:064x}", reason="expired"
    )
    return message, Display("lapsed.de.1", "de", text), seal(session, house.firm_id, digest("AgreementLapsed", message))


def append_sealed(
    session: Session, house: House, number: int, message: dict[str, Any], display: Display, sealed: dict[str, Any]
) -> int:
    return append_entry(
        session, house.firm_id, "agreement.lapsed", "AgreementLapsed", message, display, [sealed], (), f"a{number}"
    )


def approve(session: Session, house: House, digest_bytes: bytes, role: str = "manager") -> dict[str, object]:
    """The manager's passkey signature over a digest."""
    parts = house.passkey.assertion(to_b64url(digest_bytes))
    return passkey_approval(session, house.firm_id, role, house.passkey.cose, 0, parts)


def two_houses(database: Database) -> tuple[House, House]:
    with database.write() as session:
        keller, yilmaz = found_house(session, "keller"), found_house(session, "yilmaz")
        found_house(session, "nowak")
    return keller, yilmaz
