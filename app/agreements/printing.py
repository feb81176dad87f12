"""The PDF/A of agreements in force: made beside the pages, kept as a file, made on demand where it is missing."""

import segno
import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from app.agreements.documents import call_off_title, english_reading_aid
from app.agreements.models import Agreement
from app.agreements.pdf import AgreementDocument, PrintedParty, SignatureFact, agreement_pdf
from app.agreements.queries import agreement_for
from app.agreements.record import facts_of
from app.agreements.texts import phrase
from app.config import Config
from app.core.db import Database
from app.core.units import BERLIN
from app.federation.actions import store_file
from app.federation.queries import file_for
from app.notary.keys import PdfKey, pdf_key
from app.notary.pdf_seal import seal_pdf
from app.notary.queries import evidence_file, origin
from app.notary.rules import check_link
from app.partners.documents import party_text

log = structlog.get_logger()
MOST_AT_ONCE = 20
ROLES = {"manager": "Leitung", "second": "zweite Leitung", "firm": "Betrieb"}
KINDS = {"passkey": "Passkey", "seal": "Firmensiegel"}


def print_agreements(database: Database, config: Config) -> None:
    """Print what came into force and has no PDF yet. No transaction is open while a document is set."""
    with database.read() as session:
        waiting = session.execute(
            sa.select(Agreement.firm_id, Agreement.id)
            .where(Agreement.state == "in_force", Agreement.pdf_file_id.is_(None))
            .order_by(Agreement.firm_id, Agreement.id)
        ).all()
    printed = 0
    for firm_id, agreement_id in waiting:
        try:
            _print_one(database, config.origin, firm_id, agreement_id)
            printed += 1
        except Exception:
            # the page makes it on demand and says what is wrong; the others are printed all the same
            log.exception("agreement not printed", firm_id=firm_id, agreement_id=agreement_id)
        if printed == MOST_AT_ONCE:
            return


def _print_one(database: Database, root: str, firm_id: str, agreement_id: str) -> None:
    with database.read() as session:
        document = document_of(session, agreement_for(session, firm_id, agreement_id), root)
        key = pdf_key(session, firm_id)
    body = _sealed(document, key)
    with database.write() as session:
        agreement = session.get_one(Agreement, (firm_id, agreement_id), with_for_update=True)
        if agreement.pdf_file_id is None:
            agreement.pdf_file_id = store_file(session, firm_id, file_name(agreement), "application/pdf", body)


def pdf_of(session: Session, agreement: Agreement, root: str) -> bytes:
    """The kept PDF, or a new one that says how the agreement stands now; `root` is the address that its QR leads to."""
    if agreement.pdf_file_id is not None:
        return file_for(session, agreement.firm_id, agreement.pdf_file_id).body
    return _sealed(document_of(session, agreement, root), pdf_key(session, agreement.firm_id))


def document_of(session: Session, agreement: Agreement, root: str) -> AgreementDocument:
    """All that is printed of one agreement: text, signatures, reading aid, and the evidence once there is some."""
    facts = facts_of(agreement)
    evidence = _evidence(session, agreement)
    return AgreementDocument(
        kind="Vereinbarung",
        title=call_off_title(facts),
        subject=facts.part,
        status=_status(agreement),
        parties=tuple(
            PrintedParty(phrase(f"label_{facts.template_key}_{side}", "de"), party_text(party))
            for side, party in (("requester", facts.requester), ("provider", facts.provider))
        ),
        text=agreement.text,
        reading_aid=english_reading_aid(facts),
        digest_hex=agreement.digest,
        signatures=tuple(_signature(agreement, one) for one in agreement.signatures),
        qr_svg=_qr(check_link(root, agreement.digest)) if evidence else "",
        qr_caption="Nachweis prüfen",
        is_practice=origin(session, agreement.firm_id).startswith("practice/"),
        created_at=int((agreement.in_force_at or agreement.created_at).timestamp()),
        evidence=evidence,
    )


def file_name(agreement: Agreement) -> str:
    """A name that tells its agreement apart in a folder."""
    return f"vereinbarung-{agreement.id[-12:]}.pdf"


def _sealed(document: AgreementDocument, key: PdfKey) -> bytes:
    """What stands in no ledger yet bears no seal."""
    pdf = agreement_pdf(document)
    return seal_pdf(pdf, key) if document.evidence else pdf


def _evidence(session: Session, agreement: Agreement) -> str:
    if agreement.entry_seq is None:
        return ""
    return evidence_file(session, agreement.firm_id, agreement.entry_seq, agreement.counterpart).decode()


def _qr(link: str) -> str:
    return str(segno.make(link, error="m", micro=False).svg_inline(scale=4))


def _status(agreement: Agreement) -> str:
    if agreement.in_force_at is None:
        return "Noch nicht wirksam"
    return f"Wirksam seit {agreement.in_force_at.astimezone(BERLIN):%d.%m.%Y}"


def _signature(agreement: Agreement, signature: dict[str, str]) -> SignatureFact:
    facts = facts_of(agreement)
    is_requester = signature["party"] == agreement.message["from"]
    is_own = is_requester is (agreement.side == "ours")
    at = (agreement.signed_at if is_own else agreement.partner_signed_at) or agreement.created_at
    return SignatureFact(
        firm=(facts.requester if is_requester else facts.provider).name,
        role=ROLES[signature["role"]],
        kind=KINDS[signature["kind"]],
        at=int(at.timestamp()),
        key_id=signature.get("kid") or signature["address"],
    )
