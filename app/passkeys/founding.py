"""Setting a firm up: a draft in one browser, its first passkey, the genesis record, then everything in one transaction."""

from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.config import Config
from app.core import clock
from app.core.errors import NotFound
from app.firms.access import Role
from app.firms.actions import FirmFacts, add_person, check_facts, create_firm
from app.firms.models import Firm
from app.firms.rules import handle_for
from app.notary.actions import forget_recovery_key, open_ledger
from app.notary.documents import LedgerDraft, draft_ledger, founder_signature, origin_for
from app.passkeys.actions import add_passkey
from app.passkeys.ceremony import NewPasskey, open_passkey
from app.passkeys.models import FoundingDraft, Passkey
from app.passkeys.rules import DRAFT_LIFE, hash_of


@dataclass(frozen=True)
class Founder:
    """Who sets the firm up."""

    name: str
    email: str
    language: str = "de"


@dataclass(frozen=True)
class Founded:
    """A firm that exists now, with its first manager."""

    firm_id: str
    person_id: str
    passkey: Passkey


def save_draft(session: Session, browser: str, facts: FirmFacts, founder: Founder, next_url: str = "") -> FoundingDraft:
    """Keep what was typed; a passkey that was made for other facts is forgotten. Raises RuleBroken naming the field."""
    check_facts(facts)
    row = session.get(FoundingDraft, hash_of(browser)) or FoundingDraft(browser_hash=hash_of(browser))
    row.facts = asdict(facts) | {"person_name": founder.name, "email": founder.email, "language": founder.language}
    row.passkey, row.ledger = {}, {}
    row.next_url = next_url or row.next_url or ""
    row.expires_at = clock.now() + DRAFT_LIFE
    session.execute(sa.delete(FoundingDraft).where(FoundingDraft.expires_at <= clock.now()))
    session.add(row)
    session.flush()
    return row


def draft_in(session: Session, browser: str) -> FoundingDraft | None:
    """The firm that this browser is setting up."""
    row = session.get(FoundingDraft, hash_of(browser))
    return None if row is None or row.expires_at <= clock.now() else row


def draft_for(session: Session, browser: str) -> FoundingDraft:
    """The same; raises NotFound when there is none."""
    row = draft_in(session, browser)
    if row is None:
        raise NotFound("Fang bitte noch einmal an. Deine Angaben sind zu alt.")
    return row


def facts_of(draft: FoundingDraft) -> FirmFacts:
    return FirmFacts(**{name: draft.facts[name] for name in FirmFacts.__dataclass_fields__})


def founder_of(draft: FoundingDraft) -> Founder:
    return Founder(draft.facts["person_name"], draft.facts["email"], draft.facts["language"])


def plan_ledger(session: Session, config: Config, facts: FirmFacts, passkey: NewPasskey) -> LedgerDraft:
    """Make the firm's keys and its first record, with the address that is free right now."""
    address = _free_address(session, facts.short_name, config.node_name)
    origin = origin_for(address.split("@")[0], config.node_name, is_practice=config.is_practice)
    text = f"{facts.name}, {facts.town} ({address})\nDas Logbuch beginnt. Alle Schlüssel gelten ab jetzt.\n"
    return draft_ledger(config.node_key, address, origin, text, passkey.public_key, config.rp_id, (config.origin,))


def renew_ledger_if_taken(session: Session, config: Config, draft: FoundingDraft) -> bool:
    """Plan the ledger anew when another firm took the address meanwhile; True when the text changed by that."""
    taken = sa.select(Firm.id).where(Firm.address == draft.ledger["message"]["from"])
    if session.scalar(taken) is None:
        return False
    draft.ledger = plan_ledger(session, config, facts_of(draft), open_passkey(draft.passkey)).to_body()
    return True


def found_firm(
    session: Session,
    config: Config,
    facts: FirmFacts,
    founder: Founder,
    passkey: NewPasskey,
    ledger: LedgerDraft,
    parts: dict[str, bytes],
    device: str,
    *,
    is_demo: bool = False,
) -> Founded:
    """Firm, site, first manager (who is steward too), passkey, keys and genesis record: all or nothing.

    `parts` is the passkey's answer over `ledger.digest`. A firm that took the address meanwhile makes this fail whole.
    """
    firm = create_firm(session, facts, config.node_name, is_demo)
    firm.address = ledger.message["from"]
    session.flush()
    person = add_person(session, firm.id, founder.name, (Role.MANAGER, Role.STEWARD), founder.language, founder.email)
    row = add_passkey(session, firm.id, person.id, passkey, device)
    open_ledger(session, firm.id, ledger, founder_signature(ledger, passkey.public_key, parts))
    row.registered_seq = 0
    session.flush()
    return Founded(firm.id, person.id, row)


def confirm_recovery_sheet(session: Session, firm_id: str) -> None:
    """The recovery key was printed: from now on it exists on paper only, and the firm may sign."""
    firm = session.get_one(Firm, firm_id)
    if firm.recovery_printed_at is None:
        firm.recovery_printed_at = clock.now()
        forget_recovery_key(session, firm_id)


def draft_fields(draft: FoundingDraft | None) -> dict[str, Any]:
    """What was typed, to fill the form again."""
    return {} if draft is None else dict(draft.facts)


def _free_address(session: Session, short_name: str, node_name: str) -> str:
    handle, number = handle_for(short_name), 1
    address = f"{handle}@{node_name}"
    while session.scalar(sa.select(Firm.id).where(Firm.address == address)) is not None:
        number += 1
        address = f"{handle}-{number}@{node_name}"
    return address
