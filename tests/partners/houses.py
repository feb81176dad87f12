"""Firms of the named world with ledgers, so that partnerships can be signed; nobody is a partner yet."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.core.db import Database
from app.firms.access import Actor, Role
from app.notary.actions import open_ledger, passkey_approval
from app.notary.documents import draft_ledger, founder_signature, origin_for
from app.notary.keys import use_node_key
from app.partners.actions import invite_partner, propose_partnership
from app.partners.models import Partnership
from app.partners.queries import find_partnership, invitation_token, partnership_with
from app.partners.record import check_end
from app.partners.signing import approve_partnership, end_partnership, prepare_end, proposal_to_sign
from app.worker import run_until_quiet
from ledger.encoding import to_b64url
from tests.passkeys.software import SoftwarePasskey
from tests.remembered import done_once
from tests.world import TestFirm, make_firm

NODE_KEY = bytes(range(32))


@dataclass(frozen=True)
class House:
    """A firm with a ledger and its manager's passkey."""

    firm: TestFirm
    passkey: SoftwarePasskey

    @property
    def id(self) -> str:
        return self.firm.id

    @property
    def manager(self) -> Actor:
        return self.firm.actor(Role.MANAGER)

    def sign(self, session: Session, digest: bytes) -> dict[str, Any]:
        """The manager's approval in the ledger's form."""
        parts = self.passkey.assertion(to_b64url(digest))
        return passkey_approval(session, self.id, "manager", self.passkey.cose, 0, parts)


def build_house(session: Session, key: str) -> House:
    """A firm with people, a machine and a ledger."""
    use_node_key(NODE_KEY)
    firm, passkey = make_firm(session, key), SoftwarePasskey()
    session.flush()
    address = f"{key}@test"
    origin = origin_for(key, "test", is_practice=False)
    draft = draft_ledger(NODE_KEY, address, origin, f"{key} beginnt.", passkey.cose, passkey.rp_id, (passkey.origin,))
    parts = passkey.assertion(to_b64url(draft.digest))
    open_ledger(session, firm.id, draft, founder_signature(draft, passkey.cose, parts))
    return House(firm, passkey)


def three_houses(database: Database) -> tuple[House, House, House]:
    """Keller and Yilmaz, and Nowak as noise."""
    use_node_key(NODE_KEY)
    return done_once(database, "three houses", lambda: _three_built(database))


def _three_built(database: Database) -> tuple[House, House, House]:
    with database.write() as session:
        return build_house(session, "keller"), build_house(session, "yilmaz"), build_house(session, "nowak")


def invitation_of(database: Database, house: House) -> str:
    """The token of a new invitation."""
    with database.write() as session:
        return invitation_token(session, house.id, invite_partner(session, house.manager))


def use_invitation(database: Database, house: House, token: str) -> None:
    with database.write() as session:
        propose_partnership(session, house.manager, token)
    run_until_quiet(database)


def approve(database: Database, house: House, partner: House, signer: House | None = None) -> None:
    """The manager of `house` approves with the passkey of `signer`; then everything that follows happens."""
    with database.write() as session:
        framework_id = partnership_with(session, house.id, partner.id).framework_id or ""
        digest = proposal_to_sign(session, house.id, framework_id).digest
        approval = (signer or house).sign(session, digest)
        approve_partnership(session, house.id, house.manager.person_id, framework_id, approval)
    run_until_quiet(database)


def become_partners(database: Database, one: House, other: House) -> None:
    """The whole way: QR, both approvals, all messages delivered."""
    done_once(database, f"partners {one.id} {other.id}", lambda: _become_partners(database, one, other))


def _become_partners(database: Database, one: House, other: House) -> None:
    use_invitation(database, other, invitation_of(database, one))
    approve(database, one, other)
    approve(database, other, one)


def end(database: Database, house: House, partner: House) -> None:
    """End with passkey and seal; the message has not left yet."""
    with database.write() as session:
        prepare_end(session, house.manager, partner.id)
    with database.write() as session:
        row = partnership_with(session, house.id, partner.id)
        digest = check_end(row.ending["message"], row.ending["text"])
        end_partnership(session, house.id, None, partner.id, house.sign(session, digest))


def state_of(database: Database, house: House, partner: House) -> str:
    with database.read() as session:
        found: Partnership | None = find_partnership(session, house.id, partner.id)
        return found.state if found else ""
