"""The signed record of a call-off: its message from the facts, and whether text, message and digest still agree."""

import datetime as dt
import hashlib
import uuid
from dataclasses import dataclass
from typing import Any

from app.agreements.call_off import Terms
from app.agreements.documents import CallOffFacts, render_call_off
from app.agreements.models import Agreement
from app.core.errors import RuleBroken
from app.core.words import N_
from app.notary.documents import ZERO32, Display, new_message
from app.notary.queries import VerificationError, digest
from app.partners.documents import facts_from

CHANGED = N_("Der Text hat sich geändert. Bitte prüfe ihn neu.")


@dataclass(frozen=True, slots=True)
class Parties:
    """Addresses and logs of both firms, the requester first."""

    requester: str
    provider: str
    requester_log: str
    provider_log: str


def agreement_message(
    agreement_id: str,
    parties: Parties,
    terms: Terms,
    facts: CallOffFacts,
    text: str,
    *,
    bundle_id: str | None = None,
    salt: str = "",
    issued_at: dt.datetime | None = None,
    blinded: str = ZERO32,
) -> dict[str, Any]:
    """The EIP-712 message of the record `agreement`. With `bundle_id` its value is blinded with the message's salt."""
    message = new_message(
        "agreement",
        parties.requester,
        parties.provider,
        text,
        expires_at=dt.datetime.fromtimestamp(facts.expires_at, dt.UTC),
        issued_at=issued_at,
        record_id=record_id(agreement_id),
        salt=salt,
        template=template_of(facts),
        terms_hash="0x" + terms.text_sha256,
        framework=terms.digest,
        log_from=parties.requester_log,
        log_to=parties.provider_log,
        currency=facts.currency,
        total_cents=facts.total_cents,
        transport_cents=facts.transport_cents,
        bundled=facts.is_bundled,
        bundle=blinded,
        lines=tuple(record_lines(facts)),
    )
    return message if bundle_id is None else message | {"bundle": blind(message["salt"], bundle_id)}


def record_lines(facts: CallOffFacts) -> list[dict[str, Any]]:
    """The lines as the record holds them: one booking each."""
    return [
        {
            "machine": line.machine_id,
            "week": line.week,
            "minutes": line.minutes,
            "rateCentsPerHour": line.rate_cents_per_hour,
            "setUpMin": line.set_up_min,
            "amountCents": line.amount_cents,
        }
        for line in facts.lines
    ]


def record_id(public_id: str) -> str:
    """The record's id (0x, 32 bytes) that belongs to a public id, so that one names the other."""
    return "0x" + uuid.UUID(public_id).hex.rjust(64, "0")


def blind(salt: str, bundle_id: str) -> str:
    """SHA-256(salt of this agreement ‖ bundle id): two partners cannot find each other by comparing."""
    return "0x" + hashlib.sha256(bytes.fromhex(salt[2:]) + uuid.UUID(bundle_id).bytes).hexdigest()


def template_of(facts: CallOffFacts) -> str:
    """Name and version of the template, as record and evidence name it."""
    return f"{facts.template_key}/{facts.version}"


def display_of(agreement: Agreement) -> Display:
    """The exact text as the evidence keeps it."""
    return Display(agreement.message["template"], "de", agreement.text)


def facts_of(agreement: Agreement) -> CallOffFacts:
    """The facts that the text was rendered from."""
    return facts_from(CallOffFacts, agreement.facts)


def digest_of(agreement: Agreement) -> bytes:
    """The 32 bytes that are signed, reckoned anew; raises RuleBroken when text, facts or message no longer agree."""
    try:
        found = digest("Agreement", agreement.message)
        is_same = render_call_off(facts_of(agreement)) == agreement.text
    except (VerificationError, RuleBroken):
        raise RuleBroken(CHANGED) from None
    is_shown = agreement.message["displayHash"] == "0x" + sha256_hex(agreement.text)
    if not is_same or not is_shown or "0x" + found.hex() != agreement.digest:
        raise RuleBroken(CHANGED)
    return found


def sha256_hex(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
