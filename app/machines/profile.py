"""What partners may know of our machines: which processes we do and which certificates we hold. Nothing else of them."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.events import AbilitiesChanged, EntryOpened, PartnershipBegun
from app.directory.listing import write_entry
from app.federation.actions import send_message
from app.firms.queries import sites
from app.machines.models import Capability, Machine
from app.machines.queries import certificates
from app.packs.queries import load_pack
from app.partners.queries import find_partnership, partners_in
from app.partners.rules import LINKED

DEGREE = 1_000_000


def send_profile(session: Session, event: PartnershipBegun) -> None:
    """Tell a new partner what we can do; a partnership that is over by now hears nothing."""
    partner = find_partnership(session, event.firm_id, event.partner_id)
    if partner is not None and partner.state in LINKED:
        _send(session, event.firm_id, event.partner_id)


def send_new_profile(session: Session, event: AbilitiesChanged) -> None:
    """Tell all partners after something changed."""
    for partner in partners_in(session, event.firm_id, sorted(LINKED)):
        _send(session, event.firm_id, partner.partner_id)


def refresh_entry(session: Session, event: AbilitiesChanged | EntryOpened) -> None:
    """Bring the firm's entry in the directory, if it wants one, to what its machines can do."""
    write_entry(session, event.firm_id, lambda: profile_of(session, event.firm_id))


def profile_of(session: Session, firm_id: str) -> dict[str, Any]:
    """Processes in words, valid and verified certificates, place in millionths of a degree: plain JSON, no machine."""
    pack = load_pack()
    keys = session.scalars(
        sa.select(Capability.process_key)
        .join(Machine, (Machine.firm_id == Capability.firm_id) & (Machine.id == Capability.machine_id))
        .where(Capability.firm_id == firm_id, Machine.state != "retired")
        .distinct()
    )
    known = sorted(key for key in keys if key in pack.processes)
    place = next(iter(sites(session, firm_id)), None)
    return {
        "processes": [
            {"key": key, "de": pack.process(key).label("de"), "en": pack.process(key).label("en")} for key in known
        ],
        "certificates": [
            {"key": one.type_key, "name": _name(one.type_key), "valid_to": one.valid_to.isoformat()}
            for one in certificates(session, firm_id)
            if one.verified_at is not None and one.valid_to >= clock.today()
        ],
        "lat_e6": round(place.lat * DEGREE) if place else None,
        "lon_e6": round(place.lon * DEGREE) if place else None,
    }


def _send(session: Session, firm_id: str, partner_id: str) -> None:
    body = {"profile": profile_of(session, firm_id)}
    send_message(session, firm_id, partner_id, "partner.scoped", body, partner_id)


def _name(type_key: str) -> str:
    known = load_pack().certificates.get(type_key)
    return known.label("de") if known else type_key
