"""Contents that go while the record of their existence stays: one erasure record names what it deletes."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.notary.actions import append_entry, seal
from app.notary.documents import Display
from app.notary.models import LedgerEntry, LedgerEvidence
from app.notary.queries import digest

ERASURE = "erasure"


def erase_evidence(
    session: Session,
    firm_id: str,
    subject_id: str,
    message: dict[str, Any],
    display: Display,
    approval: dict[str, Any],
    digests: Collection[str],
) -> int:
    """Delete body, salt, text and signatures of these records and append the erasure that names them; its position.

    `message` is the erasure's, signed by `approval`; `digests` (0x hex) are those that it names. All or nothing in the
    running transaction. Raises RuleBroken when the approval does not hold.
    """
    named = sa.select(LedgerEntry.evidence_sha256).where(
        LedgerEntry.firm_id == firm_id, LedgerEntry.digest.in_(digests)
    )
    session.execute(
        sa.delete(LedgerEvidence).where(LedgerEvidence.firm_id == firm_id, LedgerEvidence.sha256.in_(named))
    )
    # the partner's proof of the same record holds its leaf only; it is of no use without the content
    session.execute(
        sa.update(LedgerEntry)
        .where(LedgerEntry.firm_id == firm_id, LedgerEntry.digest.in_(digests))
        .values(counterpart=sa.null())
    )
    signatures = [approval, seal(session, firm_id, digest("Erasure", message))]
    return append_entry(session, firm_id, ERASURE, "Erasure", message, display, signatures, subject_id=subject_id)
