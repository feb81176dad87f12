"""What this room does, under the names by which pages, reactions, inbox and deadlines find it."""

from app.agreements.amending import (
    approve_amendment,
    decline_amendment,
    lapse_amendments,
    propose_cancellation,
    propose_change,
    propose_return,
    signable_amendment,
    take_back_amendments,
)
from app.agreements.amendment_exchange import receive_amendment, send_amendment
from app.agreements.approving import approve_agreement, signable_digest
from app.agreements.bundles import receive_effective, send_effective
from app.agreements.drafting import draft_agreements
from app.agreements.ending import (
    decline_agreement,
    lapse_agreements,
    lapse_signed_with,
    receive_declined,
    receive_lapsed,
)
from app.agreements.erasing import erase_unchosen
from app.agreements.forgetting import (
    receive_erasure_agreed,
    receive_erasure_declined,
    receive_erasure_requested,
    renew_erasures,
)
from app.agreements.receiving import receive_draft
from app.agreements.sealing import receive_signatures, seal_agreement
from app.agreements.sending import (
    announce_agreement,
    send_declined,
    send_draft,
    send_lapsed,
    send_signatures,
)

__all__ = [
    "announce_agreement",
    "approve_agreement",
    "approve_amendment",
    "decline_agreement",
    "decline_amendment",
    "draft_agreements",
    "erase_unchosen",
    "lapse_agreements",
    "lapse_amendments",
    "lapse_signed_with",
    "propose_cancellation",
    "propose_change",
    "propose_return",
    "receive_amendment",
    "receive_declined",
    "receive_draft",
    "receive_effective",
    "receive_erasure_agreed",
    "receive_erasure_declined",
    "receive_erasure_requested",
    "receive_lapsed",
    "receive_signatures",
    "renew_erasures",
    "seal_agreement",
    "send_amendment",
    "send_declined",
    "send_draft",
    "send_effective",
    "send_lapsed",
    "send_signatures",
    "signable_amendment",
    "signable_digest",
    "take_back_amendments",
]
