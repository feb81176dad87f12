"""The tables of the main job."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SQLITE_GUARDS = (
    """CREATE TRIGGER framework_frozen BEFORE UPDATE OF template_key, template_version, clauses, terms, text, text_sha256, digest, frozen_at ON framework
WHEN OLD.frozen_at IS NOT NULL AND (NEW.template_key IS NOT OLD.template_key OR NEW.template_version IS NOT OLD.template_version OR NEW.clauses IS NOT OLD.clauses OR NEW.terms IS NOT OLD.terms OR NEW.text IS NOT OLD.text OR NEW.text_sha256 IS NOT OLD.text_sha256 OR NEW.digest IS NOT OLD.digest OR NEW.frozen_at IS NOT OLD.frozen_at)
BEGIN SELECT RAISE(ABORT, 'a signed framework agreement never changes'); END""",
    """CREATE TRIGGER invoice_frozen BEFORE UPDATE OF side, partner_id, agreement_id, type_code, number, number_no, corrects, reason, subject, seller, buyer, vat_percent, lines_cents, allowance_cents, net_cents, tax_cents, gross_cents, service_from, service_to, issued_on, due_on, issued_at, xml_file_id, pdf_file_id, xml_sha256 ON invoice
WHEN OLD.issued_at IS NOT NULL AND (NEW.side IS NOT OLD.side OR NEW.partner_id IS NOT OLD.partner_id OR NEW.agreement_id IS NOT OLD.agreement_id OR NEW.type_code IS NOT OLD.type_code OR NEW.number IS NOT OLD.number OR NEW.number_no IS NOT OLD.number_no OR NEW.corrects IS NOT OLD.corrects OR NEW.reason IS NOT OLD.reason OR NEW.subject IS NOT OLD.subject OR NEW.seller IS NOT OLD.seller OR NEW.buyer IS NOT OLD.buyer OR NEW.vat_percent IS NOT OLD.vat_percent OR NEW.lines_cents IS NOT OLD.lines_cents OR NEW.allowance_cents IS NOT OLD.allowance_cents OR NEW.net_cents IS NOT OLD.net_cents OR NEW.tax_cents IS NOT OLD.tax_cents OR NEW.gross_cents IS NOT OLD.gross_cents OR NEW.service_from IS NOT OLD.service_from OR NEW.service_to IS NOT OLD.service_to OR NEW.issued_on IS NOT OLD.issued_on OR NEW.due_on IS NOT OLD.due_on OR NEW.issued_at IS NOT OLD.issued_at OR NEW.xml_file_id IS NOT OLD.xml_file_id OR NEW.pdf_file_id IS NOT OLD.pdf_file_id OR NEW.xml_sha256 IS NOT OLD.xml_sha256)
BEGIN SELECT RAISE(ABORT, 'an issued invoice never changes'); END""",
    """CREATE TRIGGER invoice_kept BEFORE DELETE ON invoice WHEN OLD.issued_at IS NOT NULL AND EXISTS (SELECT 1 FROM ledger_head WHERE ledger_head.firm_id = OLD.firm_id AND ledger_head.halt = '')
BEGIN SELECT RAISE(ABORT, 'an issued invoice never changes'); END""",
    """CREATE TRIGGER invoice_line_frozen BEFORE UPDATE ON invoice_line WHEN EXISTS (SELECT 1 FROM invoice WHERE invoice.firm_id = OLD.firm_id AND invoice.id = OLD.invoice_id AND invoice.issued_at IS NOT NULL)
BEGIN SELECT RAISE(ABORT, 'an issued invoice never changes'); END""",
    """CREATE TRIGGER invoice_line_kept BEFORE DELETE ON invoice_line WHEN EXISTS (SELECT 1 FROM invoice WHERE invoice.firm_id = OLD.firm_id AND invoice.id = OLD.invoice_id AND invoice.issued_at IS NOT NULL) AND EXISTS (SELECT 1 FROM ledger_head WHERE ledger_head.firm_id = OLD.firm_id AND ledger_head.halt = '')
BEGIN SELECT RAISE(ABORT, 'an issued invoice never changes'); END""",
)
POSTGRESQL_GUARDS = (
    """CREATE OR REPLACE FUNCTION keep_framework_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'a signed framework agreement never changes' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER framework_frozen BEFORE UPDATE ON framework FOR EACH ROW
WHEN (OLD.frozen_at IS NOT NULL AND (
NEW.template_key::text IS DISTINCT FROM OLD.template_key::text OR NEW.template_version::text IS DISTINCT FROM OLD.template_version::text OR NEW.clauses::text IS DISTINCT FROM OLD.clauses::text OR NEW.terms::text IS DISTINCT FROM OLD.terms::text OR NEW.text::text IS DISTINCT FROM OLD.text::text OR NEW.text_sha256::text IS DISTINCT FROM OLD.text_sha256::text OR NEW.digest::text IS DISTINCT FROM OLD.digest::text OR NEW.frozen_at::text IS DISTINCT FROM OLD.frozen_at::text))
EXECUTE FUNCTION keep_framework_frozen()""",
    """CREATE OR REPLACE FUNCTION keep_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'an issued invoice never changes' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER invoice_frozen BEFORE UPDATE ON invoice FOR EACH ROW
WHEN (OLD.issued_at IS NOT NULL AND (
NEW.side::text IS DISTINCT FROM OLD.side::text OR NEW.partner_id::text IS DISTINCT FROM OLD.partner_id::text OR NEW.agreement_id::text IS DISTINCT FROM OLD.agreement_id::text OR NEW.type_code::text IS DISTINCT FROM OLD.type_code::text OR NEW.number::text IS DISTINCT FROM OLD.number::text OR NEW.number_no::text IS DISTINCT FROM OLD.number_no::text OR NEW.corrects::text IS DISTINCT FROM OLD.corrects::text OR NEW.reason::text IS DISTINCT FROM OLD.reason::text OR NEW.subject::text IS DISTINCT FROM OLD.subject::text OR NEW.seller::text IS DISTINCT FROM OLD.seller::text OR NEW.buyer::text IS DISTINCT FROM OLD.buyer::text OR NEW.vat_percent::text IS DISTINCT FROM OLD.vat_percent::text OR NEW.lines_cents::text IS DISTINCT FROM OLD.lines_cents::text OR NEW.allowance_cents::text IS DISTINCT FROM OLD.allowance_cents::text OR NEW.net_cents::text IS DISTINCT FROM OLD.net_cents::text OR NEW.tax_cents::text IS DISTINCT FROM OLD.tax_cents::text OR NEW.gross_cents::text IS DISTINCT FROM OLD.gross_cents::text OR NEW.service_from::text IS DISTINCT FROM OLD.service_from::text OR NEW.service_to::text IS DISTINCT FROM OLD.service_to::text OR NEW.issued_on::text IS DISTINCT FROM OLD.issued_on::text OR NEW.due_on::text IS DISTINCT FROM OLD.due_on::text OR NEW.issued_at::text IS DISTINCT FROM OLD.issued_at::text OR NEW.xml_file_id::text IS DISTINCT FROM OLD.xml_file_id::text OR NEW.pdf_file_id::text IS DISTINCT FROM OLD.pdf_file_id::text OR NEW.xml_sha256::text IS DISTINCT FROM OLD.xml_sha256::text))
EXECUTE FUNCTION keep_invoice()""",
    """CREATE OR REPLACE FUNCTION keep_issued_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF EXISTS (SELECT 1 FROM ledger_head WHERE ledger_head.firm_id = OLD.firm_id AND ledger_head.halt = '') THEN
RAISE EXCEPTION 'an issued invoice never changes' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN OLD; END $$""",
    """CREATE TRIGGER invoice_kept BEFORE DELETE ON invoice FOR EACH ROW WHEN (OLD.issued_at IS NOT NULL)
EXECUTE FUNCTION keep_issued_invoice()""",
    """CREATE OR REPLACE FUNCTION keep_invoice_line() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF EXISTS (SELECT 1 FROM invoice WHERE invoice.firm_id = OLD.firm_id AND invoice.id = OLD.invoice_id AND invoice.issued_at IS NOT NULL) AND (TG_OP = 'UPDATE' OR EXISTS (SELECT 1 FROM ledger_head WHERE ledger_head.firm_id = OLD.firm_id AND ledger_head.halt = '')) THEN
RAISE EXCEPTION 'an issued invoice never changes' USING ERRCODE = 'integrity_constraint_violation'; END IF;
IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER invoice_line_kept BEFORE UPDATE OR DELETE ON invoice_line FOR EACH ROW
EXECUTE FUNCTION keep_invoice_line()""",
)
"""The text of a frozen framework agreement and an issued invoice never change: the database refuses it too."""


def upgrade() -> None:
    op.create_table(
        "answer_token",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("request_version", sa.BigInteger(), nullable=False),
        sa.Column("proposal_key", sa.String(length=16), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("device_id", sa.String(length=36), nullable=False),
        sa.Column("allows", sa.String(length=10), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.String(length=10), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_answer_token")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_answer_token_token_hash")),
    )
    op.create_index("ix_answer_token_alert", "answer_token", ["firm_id", "alert_id"], unique=False)
    op.create_index(op.f("ix_answer_token_expires_at"), "answer_token", ["expires_at"], unique=False)
    op.create_table(
        "approval",
        sa.Column("document_kind", sa.String(length=30), nullable=False),
        sa.Column("document_id", sa.String(length=36), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("passkey_id", sa.String(length=36), nullable=False),
        sa.Column("digest", sa.String(length=66), nullable=False),
        sa.Column("signature", sa.JSON(), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_approval")),
        sa.UniqueConstraint(
            "firm_id",
            "document_kind",
            "document_id",
            "person_id",
            "digest",
            name=op.f("uq_approval_firm_id_document_kind_document_id_person_id_digest"),
        ),
    )
    op.create_table(
        "audit_event",
        sa.Column("person_id", sa.String(length=36), nullable=True),
        sa.Column("verb", sa.String(length=40), nullable=False),
        sa.Column("object_kind", sa.String(length=30), nullable=False),
        sa.Column("object_id", sa.String(length=36), nullable=False),
        sa.Column("about_firm_id", sa.String(length=36), nullable=True),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("once_key", sa.String(length=120), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_audit_event")),
        sa.UniqueConstraint("firm_id", "once_key", name=op.f("uq_audit_event_firm_id_once_key")),
    )
    op.create_index("ix_audit_event_about", "audit_event", ["firm_id", "about_firm_id"], unique=False)
    op.create_table(
        "blocked_firm",
        sa.Column("address", sa.String(length=120), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_blocked_firm")),
        sa.UniqueConstraint("firm_id", "address", name=op.f("uq_blocked_firm_firm_id_address")),
    )
    op.create_table(
        "booking",
        sa.Column("side", sa.String(length=6), nullable=False),
        sa.Column("is_our_work", sa.Boolean(), nullable=False),
        sa.Column("agreement_id", sa.String(length=36), nullable=False),
        sa.Column("line_no", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("partner_id", sa.String(length=36), nullable=False),
        sa.Column("machine_id", sa.String(length=36), nullable=False),
        sa.Column("machine_name", sa.String(length=60), nullable=False),
        sa.Column("week", sa.String(length=8), nullable=False),
        sa.Column("agreed_min", sa.BigInteger(), nullable=False),
        sa.Column("counted_min", sa.BigInteger(), nullable=False),
        sa.Column("rate_cents_per_hour", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.String(length=80), nullable=False),
        sa.Column("lost_min", sa.BigInteger(), nullable=False),
        sa.Column("back_message_id", sa.String(length=36), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("agreed_min >= 0", name=op.f("ck_booking_not_negative")),
        sa.CheckConstraint("lost_min >= 0 AND lost_min <= agreed_min", name=op.f("ck_booking_lost_of_agreed")),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_booking")),
        sa.UniqueConstraint("firm_id", "agreement_id", "line_no", name=op.f("uq_booking_firm_id_agreement_id_line_no")),
    )
    op.create_index("ix_booking_week", "booking", ["firm_id", "week"], unique=False)
    op.create_table(
        "bundle",
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("plan_id", sa.String(length=36), nullable=False),
        sa.Column("all_or_none", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_bundle")),
    )
    op.create_table(
        "certificate",
        sa.Column("type_key", sa.String(length=40), nullable=False),
        sa.Column("number", sa.String(length=60), nullable=False),
        sa.Column("issuer", sa.String(length=80), nullable=False),
        sa.Column("process_keys", sa.JSON(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=False),
        sa.Column("file_id", sa.String(length=36), nullable=True),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verified_by", sa.String(length=36), nullable=True),
        sa.Column("rejected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rejected_by", sa.String(length=36), nullable=True),
        sa.Column("warned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_certificate")),
        sa.UniqueConstraint("firm_id", "type_key", "number", name=op.f("uq_certificate_firm_id_type_key_number")),
    )
    op.create_table(
        "challenge",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("challenge", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=12), nullable=False),
        sa.Column("browser_hash", sa.String(length=64), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=True),
        sa.Column("person_id", sa.String(length=36), nullable=True),
        sa.Column("document_kind", sa.String(length=30), nullable=False),
        sa.Column("document_id", sa.String(length=36), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_challenge")),
    )
    op.create_index(op.f("ix_challenge_challenge"), "challenge", ["challenge"], unique=False)
    op.create_table(
        "file_grant",
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("file_id", sa.String(length=36), nullable=False),
        sa.Column("to_firm_id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "file_id", "to_firm_id", name=op.f("pk_file_grant")),
    )
    op.create_table(
        "firm",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("address", sa.String(length=120), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("short_name", sa.String(length=14), nullable=False),
        sa.Column("name_in_push", sa.Boolean(), nullable=False),
        sa.Column("legal_form", sa.String(length=40), nullable=False),
        sa.Column("register_court", sa.String(length=80), nullable=False),
        sa.Column("register_no", sa.String(length=40), nullable=False),
        sa.Column("vat_id", sa.String(length=20), nullable=False),
        sa.Column("street", sa.String(length=120), nullable=False),
        sa.Column("postcode", sa.String(length=5), nullable=False),
        sa.Column("town", sa.String(length=80), nullable=False),
        sa.Column("is_demo", sa.Boolean(), nullable=False),
        sa.Column("two_person_above_cents", sa.BigInteger(), nullable=True),
        sa.Column("is_anchored", sa.Boolean(), nullable=False),
        sa.Column("recovery_printed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("witness_quorum", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_firm")),
        sa.UniqueConstraint("address", name=op.f("uq_firm_address")),
    )
    op.create_table(
        "firm_key",
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("purpose", sa.String(length=12), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("next_public", sa.Text(), nullable=False),
        sa.Column("next_wrapped", sa.LargeBinary(), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_by", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "purpose", name=op.f("pk_firm_key")),
    )
    op.create_table(
        "founding_draft",
        sa.Column("browser_hash", sa.String(length=64), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("passkey", sa.JSON(), nullable=False),
        sa.Column("ledger", sa.JSON(), nullable=False),
        sa.Column("next_url", sa.String(length=200), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("browser_hash", name=op.f("pk_founding_draft")),
    )
    op.create_table(
        "framework",
        sa.Column("partner_id", sa.String(length=36), nullable=False),
        sa.Column("template_key", sa.String(length=30), nullable=False),
        sa.Column("template_version", sa.BigInteger(), nullable=False),
        sa.Column("clauses", sa.JSON(), nullable=False),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("text_sha256", sa.String(length=64), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(length=66), nullable=False),
        sa.Column("frozen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sealed_seq", sa.BigInteger(), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(frozen_at IS NULL) = (text = '')", name=op.f("ck_framework_frozen_has_text")),
        sa.CheckConstraint("sealed_seq IS NULL OR frozen_at IS NOT NULL", name=op.f("ck_framework_sealed_is_frozen")),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_framework")),
    )
    op.create_table(
        "idempotency",
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("body_sha256", sa.String(length=64), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "person_id", "key", name=op.f("pk_idempotency")),
    )
    op.create_table(
        "import_run",
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("file_name", sa.String(length=120), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_import_run")),
    )
    op.create_table(
        "join_invitation",
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("code_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("code_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("email", sa.String(length=120), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=True),
        sa.Column("invited_by", sa.String(length=36), nullable=False),
        sa.Column("second_approver", sa.String(length=36), nullable=True),
        sa.Column("needs_second", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_join_invitation")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_join_invitation_token_hash")),
    )
    op.create_index(op.f("ix_join_invitation_code_hash"), "join_invitation", ["code_hash"], unique=False)
    op.create_table(
        "ledger_anchor",
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("contract", sa.String(length=42), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("salt", sa.String(length=66), nullable=False),
        sa.Column("sent", sa.JSON(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_ledger_anchor")),
        sa.UniqueConstraint(
            "firm_id", "chain_id", "contract", "size", name=op.f("uq_ledger_anchor_firm_id_chain_id_contract_size")
        ),
    )
    op.create_table(
        "ledger_checkpoint",
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "size", name=op.f("pk_ledger_checkpoint")),
    )
    op.create_table(
        "agreement_erasure",
        sa.Column("partner_id", sa.String(length=36), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("is_agreed", sa.Boolean(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("message", sa.JSON(), nullable=False),
        sa.Column("approval", sa.JSON(), nullable=False),
        sa.Column("entry_seq", sa.BigInteger(), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_agreement_erasure")),
    )
    op.create_table(
        "ledger_audit",
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("fault_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("firm_id", name=op.f("pk_ledger_audit")),
    )
    op.create_table(
        "ledger_cosignature",
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("partner_id", sa.String(length=36), nullable=False),
        sa.Column("line", sa.String(length=400), nullable=False),
        sa.Column("vkey", sa.String(length=400), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "size", "partner_id", name=op.f("pk_ledger_cosignature")),
    )
    op.create_table(
        "witness",
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("partner_id", sa.String(length=36), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cosigned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("shown_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("firm_id", "partner_id", name=op.f("pk_witness")),
    )
    op.create_table(
        "shown_checkpoint",
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("partner_id", sa.String(length=36), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("firm_id", "partner_id", "size", name=op.f("pk_shown_checkpoint")),
    )
    op.create_table(
        "witnessed_log",
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("partner_id", sa.String(length=36), nullable=False),
        sa.Column("origin", sa.String(length=160), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "partner_id", name=op.f("pk_witnessed_log")),
    )
    op.create_table(
        "ledger_entry",
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("type", sa.String(length=30), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("leaf_hash", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=66), nullable=False),
        sa.Column("evidence_sha256", sa.String(length=64), nullable=False),
        sa.Column("subject_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("counterpart", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("firm_id", "seq", name=op.f("pk_ledger_entry")),
        sa.UniqueConstraint("firm_id", "digest", "type", name=op.f("uq_ledger_entry_firm_id_digest_type")),
    )
    op.create_table(
        "ledger_evidence",
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "sha256", name=op.f("pk_ledger_evidence")),
    )
    op.create_table(
        "ledger_head",
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("origin", sa.String(length=160), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("last_hash", sa.String(length=64), nullable=False),
        sa.Column("frontier", sa.JSON(), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("signed_size", sa.BigInteger(), nullable=False),
        sa.Column("key_seqs", sa.JSON(), nullable=False),
        sa.Column("halt", sa.String(length=12), nullable=False),
        sa.Column("halted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("moved_to", sa.String(length=120), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("keep_until", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("firm_id", name=op.f("pk_ledger_head")),
        sa.UniqueConstraint("origin", name=op.f("uq_ledger_head_origin")),
    )
    op.create_table(
        "mail",
        sa.Column("to", sa.String(length=120), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_mail")),
    )
    op.create_index("ix_mail_waiting", "mail", ["sent_at", "next_try_at"], unique=False)
    op.create_table(
        "message",
        sa.Column("direction", sa.String(length=3), nullable=False),
        sa.Column("peer_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("subject_id", sa.String(length=36), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("waits_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_message")),
        sa.UniqueConstraint(
            "firm_id", "direction", "peer_id", "seq", name=op.f("uq_message_firm_id_direction_peer_id_seq")
        ),
    )
    op.create_index(
        "ix_message_lane",
        "message",
        ["firm_id", "peer_id", "seq"],
        unique=False,
        sqlite_where=sa.text("direction = 'out' AND state = 'waiting'"),
        postgresql_where=sa.text("direction = 'out' AND state = 'waiting'"),
    )
    op.create_index(
        "ix_message_parked",
        "message",
        ["firm_id", "peer_id"],
        unique=False,
        sqlite_where=sa.text("direction = 'out' AND state = 'parked'"),
        postgresql_where=sa.text("direction = 'out' AND state = 'parked'"),
    )
    op.create_index("ix_message_subject", "message", ["firm_id", "subject_id"], unique=False)
    op.create_table(
        "message_refusal",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sender", sa.String(length=120), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("status", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.String(length=36), nullable=False),
        sa.Column("text", sa.String(length=300), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message_refusal")),
    )
    op.create_index("ix_message_refusal_at", "message_refusal", ["at"], unique=False)
    op.create_index(op.f("ix_message_refusal_firm_id"), "message_refusal", ["firm_id"], unique=False)
    op.create_index("ix_message_refusal_message", "message_refusal", ["firm_id", "message_id"], unique=False)
    op.create_table(
        "node_setting",
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_node_setting")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("parked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index(op.f("ix_outbox_firm_id"), "outbox", ["firm_id"], unique=False)
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["next_try_at"],
        unique=False,
        sqlite_where=sa.text("settled_at IS NULL"),
    )
    op.create_table(
        "approach",
        sa.Column("direction", sa.String(length=3), nullable=False),
        sa.Column("peer_id", sa.String(length=36), nullable=False),
        sa.Column("address", sa.String(length=120), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("town", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("node", sa.String(length=120), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_approach")),
    )
    op.create_index("ix_approach_peer", "approach", ["firm_id", "peer_id"])
    op.create_table(
        "directory_entry",
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("is_listed", sa.Boolean(), nullable=False),
        sa.Column("is_far", sa.Boolean(), nullable=False),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.Column("lat", sa.Float(), nullable=True),
        sa.Column("lon", sa.Float(), nullable=True),
        sa.Column("certificates", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", name=op.f("pk_directory_entry")),
    )
    op.create_table(
        "directory_process",
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("process_key", sa.String(length=40), nullable=False),
        sa.Column("de", sa.String(length=80), nullable=False),
        sa.Column("en", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "process_key", name=op.f("pk_directory_process")),
    )
    op.create_index("ix_directory_process_key", "directory_process", ["process_key", "firm_id"])
    op.create_table(
        "linked_node",
        sa.Column("node", sa.String(length=120), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("node", name=op.f("pk_linked_node")),
    )
    op.create_table(
        "far_entry",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("node", sa.String(length=120), nullable=False),
        sa.Column("address", sa.String(length=120), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("town", sa.String(length=80), nullable=False),
        sa.Column("lat", sa.Float(), nullable=True),
        sa.Column("lon", sa.Float(), nullable=True),
        sa.Column("processes", sa.JSON(), nullable=False),
        sa.Column("certificates", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_far_entry")),
        sa.UniqueConstraint("node", "address", name=op.f("uq_far_entry_node_address")),
    )
    op.create_table(
        "introduction",
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("one_id", sa.String(length=36), nullable=False),
        sa.Column("other_id", sa.String(length=36), nullable=False),
        sa.Column("one_offer", sa.String(length=36), nullable=False),
        sa.Column("other_offer", sa.String(length=36), nullable=False),
        sa.Column("one_answer", sa.String(length=3), nullable=False),
        sa.Column("other_answer", sa.String(length=3), nullable=False),
        sa.Column("one_link", sa.Text(), nullable=False),
        sa.Column("other_link", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_introduction")),
    )
    op.create_table(
        "introduction_offer",
        sa.Column("from_id", sa.String(length=36), nullable=False),
        sa.Column("processes", sa.JSON(), nullable=False),
        sa.Column("region", sa.String(length=2), nullable=False),
        sa.Column("answer", sa.String(length=3), nullable=False),
        sa.Column("answered_by", sa.String(length=36), nullable=True),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("town", sa.String(length=80), nullable=False),
        sa.Column("address", sa.String(length=120), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_introduction_offer")),
    )
    op.create_table(
        "partner_invitation",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("invited_by", sa.String(length=36), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_by_firm", sa.String(length=36), nullable=True),
        sa.Column("for_firm", sa.String(length=36), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_partner_invitation")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_partner_invitation_token_hash")),
    )
    op.create_table(
        "partner_keys",
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("partner_id", sa.String(length=36), nullable=False),
        sa.Column("address", sa.String(length=120), nullable=False),
        sa.Column("origin", sa.String(length=160), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "partner_id", name=op.f("pk_partner_keys")),
    )
    op.create_index(op.f("ix_partner_keys_address"), "partner_keys", ["address"], unique=False)
    op.create_table(
        "partnership",
        sa.Column("partner_id", sa.String(length=36), nullable=False),
        sa.Column("address", sa.String(length=120), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("short_name", sa.String(length=14), nullable=False),
        sa.Column("town", sa.String(length=80), nullable=False),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("lon", sa.Double(), nullable=True),
        sa.Column("profile", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("we_invited", sa.Boolean(), nullable=False),
        sa.Column("scope", sa.JSON(), nullable=False),
        sa.Column("partner_scope", sa.JSON(), nullable=False),
        sa.Column("node", sa.String(length=120), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("token", sa.String(length=40), nullable=False),
        sa.Column("own_card", sa.JSON(), nullable=False),
        sa.Column("paused_by", sa.String(length=8), nullable=False),
        sa.Column("framework_id", sa.String(length=36), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("partner_approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ending", sa.JSON(), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_partnership")),
        sa.UniqueConstraint("firm_id", "partner_id", name=op.f("uq_partnership_firm_id_partner_id")),
    )
    op.create_table(
        "person",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("phone", sa.String(length=40), nullable=False),
        sa.Column("email", sa.String(length=120), nullable=False),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("light", sa.String(length=10), nullable=False),
        sa.Column("hand", sa.String(length=12), nullable=False),
        sa.Column("quiet_from", sa.BigInteger(), nullable=False),
        sa.Column("quiet_to", sa.BigInteger(), nullable=False),
        sa.Column("quiet_weekend", sa.Boolean(), nullable=False),
        sa.Column("deputy_id", sa.String(length=36), nullable=True),
        sa.Column("is_absent", sa.Boolean(), nullable=False),
        sa.Column("spending_limit_cents", sa.BigInteger(), nullable=True),
        sa.Column("introduced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_person")),
    )
    op.create_table(
        "rule_change",
        sa.Column("above_cents", sa.BigInteger(), nullable=True),
        sa.Column("asked_by", sa.String(length=36), nullable=False),
        sa.Column("approved_by", sa.String(length=36), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_rule_change")),
    )
    op.create_table(
        "plan_task",
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "request_id", name=op.f("pk_plan_task")),
    )
    op.create_table(
        "rate_limit",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rate_limit")),
    )
    op.create_table(
        "sign_in",
        sa.Column("id_hash", sa.String(length=64), nullable=False),
        sa.Column("public_id", sa.String(length=36), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("role", sa.String(length=12), nullable=False),
        sa.Column("has_passkey", sa.Boolean(), nullable=False),
        sa.Column("device", sa.String(length=80), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_sign_in")),
        sa.UniqueConstraint("public_id", name=op.f("uq_sign_in_public_id")),
    )
    op.create_index(op.f("ix_sign_in_firm_id"), "sign_in", ["firm_id"], unique=False)
    op.create_table(
        "site",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("street", sa.String(length=120), nullable=False),
        sa.Column("postcode", sa.String(length=5), nullable=False),
        sa.Column("town", sa.String(length=80), nullable=False),
        sa.Column("lat", sa.Double(), nullable=False),
        sa.Column("lon", sa.Double(), nullable=False),
        sa.Column("corpus_christi", sa.Boolean(), nullable=False),
        sa.Column("shift_minutes", sa.JSON(), nullable=False),
        sa.Column("unattended_min", sa.BigInteger(), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_site")),
    )
    op.create_table(
        "wanted_file",
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("from_firm_id", sa.String(length=36), nullable=False),
        sa.Column("origin_id", sa.String(length=36), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("media_type", sa.String(length=80), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("firm_id", "from_firm_id", "origin_id", name=op.f("pk_wanted_file")),
    )
    op.create_table(
        "stored_file",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("media_type", sa.String(length=80), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("from_firm_id", sa.String(length=36), nullable=True),
        sa.Column("origin_id", sa.String(length=36), nullable=False),
        sa.Column("is_clean", sa.Boolean(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_stored_file")),
    )
    op.create_index(
        "ix_stored_file_unclean",
        "stored_file",
        ["id"],
        unique=False,
        sqlite_where=sa.text("NOT is_clean"),
        postgresql_where=sa.text("NOT is_clean"),
    )
    op.create_table(
        "work_request",
        sa.Column("side", sa.String(length=6), nullable=False),
        sa.Column("partner_id", sa.String(length=36), nullable=True),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("job_version", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("title", sa.String(length=80), nullable=False),
        sa.Column("pack", sa.String(length=20), nullable=False),
        sa.Column("process_key", sa.String(length=40), nullable=True),
        sa.Column("machine_type_key", sa.String(length=40), nullable=True),
        sa.Column("need_min", sa.BigInteger(), nullable=False),
        sa.Column("agreed_min", sa.BigInteger(), nullable=False),
        sa.Column("first_week", sa.String(length=8), nullable=False),
        sa.Column("last_week", sa.String(length=8), nullable=False),
        sa.Column("delivery_week", sa.String(length=8), nullable=True),
        sa.Column("material", sa.String(length=40), nullable=False),
        sa.Column("material_group", sa.String(length=2), nullable=False),
        sa.Column("part_x_mm", sa.BigInteger(), nullable=True),
        sa.Column("part_y_mm", sa.BigInteger(), nullable=True),
        sa.Column("part_z_mm", sa.BigInteger(), nullable=True),
        sa.Column("part_g", sa.BigInteger(), nullable=True),
        sa.Column("may_turn", sa.Boolean(), nullable=False),
        sa.Column("needed_it", sa.BigInteger(), nullable=True),
        sa.Column("needed_ra_nm", sa.BigInteger(), nullable=True),
        sa.Column("general_tolerance", sa.String(length=40), nullable=False),
        sa.Column("certificates", sa.JSON(), nullable=False),
        sa.Column("needs", sa.JSON(), nullable=False),
        sa.Column("part_count", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.String(length=500), nullable=False),
        sa.Column("shortage_reason", sa.String(length=20), nullable=False),
        sa.Column("radius_km", sa.BigInteger(), nullable=True),
        sa.Column("reply_by", sa.DateTime(timezone=True), nullable=True),
        sa.Column("contact_name", sa.String(length=80), nullable=False),
        sa.Column("contact_phone", sa.String(length=40), nullable=False),
        sa.Column("customer", sa.String(length=80), nullable=False),
        sa.Column("allow_part", sa.Boolean(), nullable=False),
        sa.Column("max_partners", sa.BigInteger(), nullable=True),
        sa.Column("all_or_none", sa.Boolean(), nullable=False),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("lon", sa.Double(), nullable=True),
        sa.Column("draft_step", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=36), nullable=True),
        sa.Column("disruption_id", sa.String(length=36), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("own_free_min", sa.BigInteger(), nullable=True),
        sa.Column("unchosen_erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("last_week >= first_week", name=op.f("ck_work_request_weeks")),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_work_request")),
    )
    op.create_index("ix_work_request_list", "work_request", ["firm_id", "side", "state", "reply_by"], unique=False)
    op.create_table(
        "agreement",
        sa.Column("side", sa.String(length=6), nullable=False),
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("offer_id", sa.String(length=36), nullable=False),
        sa.Column("partner_id", sa.String(length=36), nullable=False),
        sa.Column("framework_id", sa.String(length=36), nullable=True),
        sa.Column("bundle_id", sa.String(length=36), nullable=True),
        sa.Column("template_key", sa.String(length=30), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("message", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(length=66), nullable=False),
        sa.Column("display_sha256", sa.String(length=64), nullable=False),
        sa.Column("signatures", sa.JSON(), nullable=False),
        sa.Column("not_before", sa.Text(), nullable=False),
        sa.Column("total_cents", sa.BigInteger(), nullable=False),
        sa.Column("minutes", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=14), nullable=False),
        sa.Column("is_bundled", sa.Boolean(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("partner_signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("in_force_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.String(length=40), nullable=False),
        sa.Column("entry_seq", sa.BigInteger(), nullable=True),
        sa.Column("pdf_file_id", sa.String(length=36), nullable=True),
        sa.Column("counterpart", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("contact_phone", sa.String(length=40), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("effective_digest", sa.String(length=66), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("signers", sa.JSON(), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "request_id"],
            ["work_request.firm_id", "work_request.id"],
            name=op.f("fk_agreement_firm_id_request_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_agreement")),
    )
    op.create_index("ix_agreement_bundle", "agreement", ["firm_id", "bundle_id"], unique=False)
    op.create_index("ix_agreement_list", "agreement", ["firm_id", "state"], unique=False)
    op.create_table(
        "alert",
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("subject_id", sa.String(length=80), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("url", sa.String(length=200), nullable=False),
        sa.Column("once_key", sa.String(length=160), nullable=False),
        sa.Column("device_id", sa.String(length=36), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mailed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mail_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deputy_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("manager_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("remind_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "person_id"], ["person.firm_id", "person.id"], name=op.f("fk_alert_firm_id_person_id")
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_alert")),
        sa.UniqueConstraint("firm_id", "once_key", name=op.f("uq_alert_firm_id_once_key")),
    )
    op.create_index("ix_alert_due", "alert", ["due_at", "sent_at"], unique=False)
    op.create_index("ix_alert_mail_due", "alert", ["mail_due_at"], unique=False)
    op.create_index("ix_alert_person", "alert", ["firm_id", "person_id", "due_at"], unique=False)
    op.create_index("ix_alert_subject", "alert", ["firm_id", "subject_id"], unique=False)
    op.create_table(
        "closure",
        sa.Column("site_id", sa.String(length=36), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("is_extra", sa.Boolean(), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "site_id"], ["site.firm_id", "site.id"], name=op.f("fk_closure_firm_id_site_id")
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_closure")),
    )
    op.create_table(
        "invitation",
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("partner_id", sa.String(length=36), nullable=False),
        sa.Column("is_chosen", sa.Boolean(), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "request_id"],
            ["work_request.firm_id", "work_request.id"],
            name=op.f("fk_invitation_firm_id_request_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_invitation")),
        sa.UniqueConstraint(
            "firm_id", "request_id", "partner_id", name=op.f("uq_invitation_firm_id_request_id_partner_id")
        ),
    )
    op.create_table(
        "machine",
        sa.Column("site_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("type_key", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("photo_id", sa.String(length=36), nullable=True),
        sa.Column("serial_no", sa.String(length=60), nullable=False),
        sa.Column("year_built", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("min_block_min", sa.BigInteger(), nullable=False),
        sa.Column("set_up_min", sa.BigInteger(), nullable=False),
        sa.Column("lead_time_days", sa.BigInteger(), nullable=False),
        sa.Column("allowance_xy_mm", sa.BigInteger(), nullable=True),
        sa.Column("allowance_z_mm", sa.BigInteger(), nullable=True),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("needs_check", sa.Boolean(), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "site_id"], ["site.firm_id", "site.id"], name=op.f("fk_machine_firm_id_site_id")
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_machine")),
        sa.UniqueConstraint("firm_id", "number", name=op.f("uq_machine_firm_id_number")),
    )
    op.create_table(
        "match_proposal",
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("machine_id", sa.String(length=36), nullable=False),
        sa.Column("week", sa.String(length=8), nullable=False),
        sa.Column("minutes", sa.BigInteger(), nullable=False),
        sa.Column("rate_cents_per_hour", sa.BigInteger(), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "request_id"],
            ["work_request.firm_id", "work_request.id"],
            name=op.f("fk_match_proposal_firm_id_request_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_match_proposal")),
        sa.UniqueConstraint(
            "firm_id",
            "request_id",
            "machine_id",
            "week",
            name=op.f("uq_match_proposal_firm_id_request_id_machine_id_week"),
        ),
    )
    op.create_table(
        "match_verdict",
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("machine_id", sa.String(length=36), nullable=False),
        sa.Column("request_version", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.String(length=8), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("minutes", sa.BigInteger(), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "request_id"],
            ["work_request.firm_id", "work_request.id"],
            name=op.f("fk_match_verdict_firm_id_request_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_match_verdict")),
        sa.UniqueConstraint(
            "firm_id", "request_id", "machine_id", name=op.f("uq_match_verdict_firm_id_request_id_machine_id")
        ),
    )
    op.create_table(
        "membership",
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("role", sa.String(length=12), nullable=False),
        sa.Column("given_by", sa.String(length=36), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "person_id"], ["person.firm_id", "person.id"], name=op.f("fk_membership_firm_id_person_id")
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_membership")),
    )
    op.create_index("ix_membership_person", "membership", ["firm_id", "person_id"], unique=False)
    op.create_table(
        "offer",
        sa.Column("side", sa.String(length=6), nullable=False),
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("partner_id", sa.String(length=36), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("request_version", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.String(length=6), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("transport_cents", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.String(length=300), nullable=False),
        sa.Column("answered_by", sa.String(length=36), nullable=True),
        sa.Column("by_token", sa.Boolean(), nullable=False),
        sa.Column("is_bound", sa.Boolean(), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "request_id"],
            ["work_request.firm_id", "work_request.id"],
            name=op.f("fk_offer_firm_id_request_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_offer")),
    )
    op.create_index("ix_offer_request", "offer", ["firm_id", "request_id", "state"], unique=False)
    op.create_table(
        "passkey",
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("credential_id", sa.String(length=400), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("user_handle", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("is_backed_up", sa.Boolean(), nullable=False),
        sa.Column("origin", sa.String(length=300), nullable=False),
        sa.Column("registered_seq", sa.BigInteger(), nullable=True),
        sa.Column("registered_limit_cents", sa.BigInteger(), nullable=True),
        sa.Column("revoked_seq", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("suspicious_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "person_id"], ["person.firm_id", "person.id"], name=op.f("fk_passkey_firm_id_person_id")
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_passkey")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_passkey_credential_id")),
    )
    op.create_table(
        "plan",
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("goals", sa.JSON(), nullable=False),
        sa.Column("need_min", sa.BigInteger(), nullable=False),
        sa.Column("covered_min", sa.BigInteger(), nullable=False),
        sa.Column("cost_cents", sa.BigInteger(), nullable=False),
        sa.Column("partner_count", sa.BigInteger(), nullable=False),
        sa.Column("last_week", sa.String(length=8), nullable=False),
        sa.Column("largest_share_permille", sa.BigInteger(), nullable=False),
        sa.Column("has_too_few_partners", sa.Boolean(), nullable=False),
        sa.Column("solver_status", sa.String(length=12), nullable=False),
        sa.Column("gap_permille", sa.BigInteger(), nullable=False),
        sa.Column("offers_key", sa.String(length=64), nullable=False),
        sa.Column("chosen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("chosen_by", sa.String(length=36), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "request_id"],
            ["work_request.firm_id", "work_request.id"],
            name=op.f("fk_plan_firm_id_request_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_plan")),
    )
    op.create_index("ix_plan_request", "plan", ["firm_id", "request_id"], unique=False)
    op.create_table(
        "push_device",
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("sign_in_id", sa.String(length=40), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("p256dh", sa.String(length=120), nullable=False),
        sa.Column("auth", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("has_buttons", sa.Boolean(), nullable=False),
        sa.Column("last_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_receipt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("gone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("off_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "person_id"], ["person.firm_id", "person.id"], name=op.f("fk_push_device_firm_id_person_id")
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_push_device")),
        sa.UniqueConstraint("endpoint", name=op.f("uq_push_device_endpoint")),
        sa.UniqueConstraint("sign_in_id", name=op.f("uq_push_device_sign_in_id")),
    )
    op.create_index(op.f("ix_push_device_person_id"), "push_device", ["person_id"], unique=False)
    op.create_table(
        "question",
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("partner_id", sa.String(length=36), nullable=False),
        sa.Column("is_ours", sa.Boolean(), nullable=False),
        sa.Column("text", sa.String(length=1000), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "request_id"],
            ["work_request.firm_id", "work_request.id"],
            name=op.f("fk_question_firm_id_request_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_question")),
    )
    op.create_index("ix_question_thread", "question", ["firm_id", "request_id", "partner_id"], unique=False)
    op.create_table(
        "receipt",
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("read_by", sa.String(length=36), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_by", sa.String(length=36), nullable=True),
        sa.Column("answer", sa.String(length=6), nullable=False),
        sa.Column("escalated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("manager_told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "request_id"],
            ["work_request.firm_id", "work_request.id"],
            name=op.f("fk_receipt_firm_id_request_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_receipt")),
        sa.UniqueConstraint("firm_id", "request_id", name=op.f("uq_receipt_firm_id_request_id")),
    )
    op.create_table(
        "request_file",
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("question_id", sa.String(length=36), nullable=True),
        sa.Column("file_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("index", sa.String(length=20), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("media_type", sa.String(length=80), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("confidentiality", sa.String(length=16), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "request_id"],
            ["work_request.firm_id", "work_request.id"],
            name=op.f("fk_request_file_firm_id_request_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_request_file")),
    )
    op.create_table(
        "agreement_line",
        sa.Column("agreement_id", sa.String(length=36), nullable=False),
        sa.Column("line_no", sa.BigInteger(), nullable=False),
        sa.Column("offer_line_id", sa.String(length=36), nullable=False),
        sa.Column("machine_id", sa.String(length=36), nullable=False),
        sa.Column("machine_name", sa.String(length=60), nullable=False),
        sa.Column("week", sa.String(length=8), nullable=False),
        sa.Column("minutes", sa.BigInteger(), nullable=False),
        sa.Column("rate_cents_per_hour", sa.BigInteger(), nullable=False),
        sa.Column("set_up_min", sa.BigInteger(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "agreement_id"],
            ["agreement.firm_id", "agreement.id"],
            name=op.f("fk_agreement_line_firm_id_agreement_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_agreement_line")),
        sa.UniqueConstraint(
            "firm_id", "agreement_id", "line_no", name=op.f("uq_agreement_line_firm_id_agreement_id_line_no")
        ),
    )
    op.create_table(
        "amendment",
        sa.Column("agreement_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("by_us", sa.Boolean(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("message", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(length=66), nullable=False),
        sa.Column("signatures", sa.JSON(), nullable=False),
        sa.Column("fee_cents", sa.BigInteger(), nullable=False),
        sa.Column("needs_both", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("entry_seq", sa.BigInteger(), nullable=True),
        sa.Column("signers", sa.JSON(), nullable=False),
        sa.Column("not_before", sa.Text(), nullable=False),
        sa.Column("counterpart", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("in_force_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.String(length=40), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "agreement_id"],
            ["agreement.firm_id", "agreement.id"],
            name=op.f("fk_amendment_firm_id_agreement_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_amendment")),
    )
    op.create_table(
        "capability",
        sa.Column("machine_id", sa.String(length=36), nullable=False),
        sa.Column("process_key", sa.String(length=40), nullable=False),
        sa.Column("material_groups", sa.JSON(), nullable=False),
        sa.Column("best_it", sa.BigInteger(), nullable=True),
        sa.Column("best_ra_nm", sa.BigInteger(), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "machine_id"], ["machine.firm_id", "machine.id"], name=op.f("fk_capability_firm_id_machine_id")
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_capability")),
        sa.UniqueConstraint(
            "firm_id", "machine_id", "process_key", name=op.f("uq_capability_firm_id_machine_id_process_key")
        ),
    )
    op.create_index("ix_capability_process", "capability", ["process_key", "firm_id"], unique=False)
    op.create_table(
        "capacity_window",
        sa.Column("machine_id", sa.String(length=36), nullable=False),
        sa.Column("week", sa.String(length=8), nullable=False),
        sa.Column("maximum_min", sa.BigInteger(), nullable=False),
        sa.Column("actual_min", sa.BigInteger(), nullable=False),
        sa.Column("held_min", sa.BigInteger(), nullable=False),
        sa.Column("agreed_min", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_by", sa.String(length=36), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("actual_min <= maximum_min", name=op.f("ck_capacity_window_within_maximum")),
        sa.CheckConstraint("held_min + agreed_min <= actual_min", name=op.f("ck_capacity_window_not_oversold")),
        sa.CheckConstraint("held_min >= 0 AND agreed_min >= 0", name=op.f("ck_capacity_window_not_negative")),
        sa.ForeignKeyConstraint(
            ["firm_id", "machine_id"],
            ["machine.firm_id", "machine.id"],
            name=op.f("fk_capacity_window_firm_id_machine_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_capacity_window")),
        sa.UniqueConstraint("firm_id", "machine_id", "week", name=op.f("uq_capacity_window_firm_id_machine_id_week")),
    )
    op.create_index("ix_capacity_window_week", "capacity_window", ["firm_id", "week", "machine_id"], unique=False)
    op.create_table(
        "hold",
        sa.Column("offer_id", sa.String(length=36), nullable=False),
        sa.Column("offer_line_id", sa.String(length=36), nullable=False),
        sa.Column("machine_id", sa.String(length=36), nullable=False),
        sa.Column("week", sa.String(length=8), nullable=False),
        sa.Column("minutes", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("minutes > 0", name=op.f("ck_hold_positive")),
        sa.ForeignKeyConstraint(
            ["firm_id", "machine_id"], ["machine.firm_id", "machine.id"], name=op.f("fk_hold_firm_id_machine_id")
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_hold")),
        sa.UniqueConstraint("firm_id", "offer_line_id", name=op.f("uq_hold_firm_id_offer_line_id")),
    )
    op.create_index("ix_hold_offer", "hold", ["firm_id", "offer_id"], unique=False)
    op.create_table(
        "hours_change",
        sa.Column("machine_id", sa.String(length=36), nullable=False),
        sa.Column("week", sa.String(length=8), nullable=False),
        sa.Column("before_min", sa.BigInteger(), nullable=False),
        sa.Column("after_min", sa.BigInteger(), nullable=False),
        sa.Column("was_reported", sa.Boolean(), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "machine_id"],
            ["machine.firm_id", "machine.id"],
            name=op.f("fk_hours_change_firm_id_machine_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_hours_change")),
    )
    op.create_index("ix_hours_change_person", "hours_change", ["firm_id", "person_id", "created_at"], unique=False)
    op.create_table(
        "offer_line",
        sa.Column("offer_id", sa.String(length=36), nullable=False),
        sa.Column("machine_id", sa.String(length=36), nullable=False),
        sa.Column("machine_name", sa.String(length=60), nullable=False),
        sa.Column("machine_type_key", sa.String(length=40), nullable=False),
        sa.Column("week", sa.String(length=8), nullable=False),
        sa.Column("offered_min", sa.BigInteger(), nullable=False),
        sa.Column("rate_cents_per_hour", sa.BigInteger(), nullable=False),
        sa.Column("set_up_min", sa.BigInteger(), nullable=False),
        sa.Column("min_block_min", sa.BigInteger(), nullable=False),
        sa.Column("set_up_rate_cents_per_hour", sa.BigInteger(), nullable=True),
        sa.Column("programming_rate_cents_per_hour", sa.BigInteger(), nullable=False),
        sa.Column("night_surcharge_permille", sa.BigInteger(), nullable=False),
        sa.Column("sunday_surcharge_permille", sa.BigInteger(), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("offered_min > 0", name=op.f("ck_offer_line_positive")),
        sa.ForeignKeyConstraint(
            ["firm_id", "offer_id"], ["offer.firm_id", "offer.id"], name=op.f("fk_offer_line_firm_id_offer_id")
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_offer_line")),
    )
    op.create_index(op.f("ix_offer_line_offer_id"), "offer_line", ["offer_id"], unique=False)
    op.create_table(
        "push_delivery",
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("device_id", sa.String(length=36), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "alert_id"], ["alert.firm_id", "alert.id"], name=op.f("fk_push_delivery_firm_id_alert_id")
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_push_delivery")),
        sa.UniqueConstraint(
            "firm_id", "alert_id", "device_id", name=op.f("uq_push_delivery_firm_id_alert_id_device_id")
        ),
    )
    op.create_index("ix_push_delivery_open", "push_delivery", ["done_at", "next_try_at"], unique=False)
    op.create_table(
        "rate_card",
        sa.Column("machine_id", sa.String(length=36), nullable=False),
        sa.Column("rate_cents_per_hour", sa.BigInteger(), nullable=False),
        sa.Column("set_up_rate_cents_per_hour", sa.BigInteger(), nullable=True),
        sa.Column("programming_rate_cents_per_hour", sa.BigInteger(), nullable=False),
        sa.Column("night_surcharge_permille", sa.BigInteger(), nullable=False),
        sa.Column("sunday_surcharge_permille", sa.BigInteger(), nullable=False),
        sa.Column("min_order_min", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "machine_id"], ["machine.firm_id", "machine.id"], name=op.f("fk_rate_card_firm_id_machine_id")
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_rate_card")),
        sa.UniqueConstraint(
            "firm_id", "machine_id", "valid_from", name=op.f("uq_rate_card_firm_id_machine_id_valid_from")
        ),
    )
    op.create_table(
        "plan_line",
        sa.Column("plan_id", sa.String(length=36), nullable=False),
        sa.Column("offer_line_id", sa.String(length=36), nullable=False),
        sa.Column("partner_id", sa.String(length=36), nullable=False),
        sa.Column("minutes", sa.BigInteger(), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "offer_line_id"],
            ["offer_line.firm_id", "offer_line.id"],
            name=op.f("fk_plan_line_firm_id_offer_line_id"),
        ),
        sa.ForeignKeyConstraint(
            ["firm_id", "plan_id"], ["plan.firm_id", "plan.id"], name=op.f("fk_plan_line_firm_id_plan_id")
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_plan_line")),
    )
    op.create_index(op.f("ix_plan_line_plan_id"), "plan_line", ["plan_id"], unique=False)
    op.create_table(
        "disruption",
        sa.Column("side", sa.String(length=6), nullable=False),
        sa.Column("partner_id", sa.String(length=36), nullable=False),
        sa.Column("machine_id", sa.String(length=36), nullable=False),
        sa.Column("machine_name", sa.String(length=60), nullable=False),
        sa.Column("reason", sa.String(length=10), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("back_on", sa.Date(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_disruption")),
    )
    op.create_index("ix_disruption_machine", "disruption", ["firm_id", "machine_id"], unique=False)
    op.create_table(
        "disruption_line",
        sa.Column("disruption_id", sa.String(length=36), nullable=False),
        sa.Column("booking_id", sa.String(length=36), nullable=False),
        sa.Column("agreement_id", sa.String(length=36), nullable=False),
        sa.Column("lost_min", sa.BigInteger(), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("lost_min > 0", name=op.f("ck_disruption_line_positive")),
        sa.ForeignKeyConstraint(
            ["firm_id", "disruption_id"],
            ["disruption.firm_id", "disruption.id"],
            name=op.f("fk_disruption_line_firm_id_disruption_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_disruption_line")),
        sa.UniqueConstraint(
            "firm_id", "disruption_id", "booking_id", name=op.f("uq_disruption_line_firm_id_disruption_id_booking_id")
        ),
    )
    op.create_index("ix_disruption_line_agreement", "disruption_line", ["firm_id", "agreement_id"], unique=False)
    op.create_table(
        "defect",
        sa.Column("side", sa.String(length=6), nullable=False),
        sa.Column("partner_id", sa.String(length=36), nullable=False),
        sa.Column("booking_id", sa.String(length=36), nullable=False),
        sa.Column("agreement_id", sa.String(length=36), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text", sa.String(length=500), nullable=False),
        sa.Column("is_late", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("answer", sa.String(length=500), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_defect")),
    )
    op.create_index("ix_defect_booking", "defect", ["firm_id", "booking_id"], unique=False)
    op.create_index("ix_defect_state", "defect", ["firm_id", "state"], unique=False)
    op.create_table(
        "acceptance",
        sa.Column("side", sa.String(length=6), nullable=False),
        sa.Column("partner_id", sa.String(length=36), nullable=False),
        sa.Column("booking_id", sa.String(length=36), nullable=False),
        sa.Column("agreement_id", sa.String(length=36), nullable=False),
        sa.Column("accepted_min", sa.BigInteger(), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_acceptance")),
        sa.UniqueConstraint("firm_id", "booking_id", name=op.f("uq_acceptance_firm_id_booking_id")),
    )
    op.create_table(
        "provision",
        sa.Column("side", sa.String(length=6), nullable=False),
        sa.Column("partner_id", sa.String(length=36), nullable=False),
        sa.Column("agreement_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("description", sa.String(length=120), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_provision")),
    )
    op.create_index("ix_provision_agreement", "provision", ["firm_id", "agreement_id"], unique=False)
    op.create_table(
        "provision_step",
        sa.Column("provision_id", sa.String(length=36), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "provision_id"],
            ["provision.firm_id", "provision.id"],
            name=op.f("fk_provision_step_firm_id_provision_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_provision_step")),
    )
    op.create_table(
        "trouble_photo",
        sa.Column("subject_id", sa.String(length=36), nullable=False),
        sa.Column("agreement_id", sa.String(length=36), nullable=False),
        sa.Column("file_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("media_type", sa.String(length=80), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_trouble_photo")),
    )
    op.create_index("ix_trouble_photo_subject", "trouble_photo", ["firm_id", "subject_id"], unique=False)
    op.create_index("ix_trouble_photo_file", "trouble_photo", ["firm_id", "file_id"], unique=False)
    op.create_table(
        "hour_report",
        sa.Column("side", sa.String(length=6), nullable=False),
        sa.Column("booking_id", sa.String(length=36), nullable=False),
        sa.Column("agreement_id", sa.String(length=36), nullable=False),
        sa.Column("partner_id", sa.String(length=36), nullable=False),
        sa.Column("week", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=14), nullable=False),
        sa.Column("supersedes", sa.String(length=36), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disputed_entries", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_hour_report")),
    )
    op.create_index("ix_hour_report_booking", "hour_report", ["firm_id", "booking_id"], unique=False)
    op.create_index("ix_hour_report_agreement", "hour_report", ["firm_id", "agreement_id"], unique=False)
    op.create_index("ix_hour_report_state", "hour_report", ["firm_id", "state"], unique=False)
    op.create_table(
        "hour_entry",
        sa.Column("report_id", sa.String(length=36), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("minutes", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("scrap", sa.BigInteger(), nullable=False),
        sa.Column("corrects", sa.String(length=36), nullable=True),
        sa.Column("entry_key", sa.String(length=64), nullable=True),
        sa.Column("phone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_late", sa.Boolean(), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "minutes >= 0 AND minutes <= 1440 AND minutes % 15 = 0", name=op.f("ck_hour_entry_quarter_hours")
        ),
        sa.CheckConstraint("quantity >= 0 AND scrap >= 0", name=op.f("ck_hour_entry_not_negative")),
        sa.ForeignKeyConstraint(
            ["firm_id", "report_id"],
            ["hour_report.firm_id", "hour_report.id"],
            name=op.f("fk_hour_entry_firm_id_report_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_hour_entry")),
        sa.UniqueConstraint("firm_id", "entry_key", name=op.f("uq_hour_entry_firm_id_entry_key")),
    )
    op.create_index("ix_hour_entry_report", "hour_entry", ["firm_id", "report_id"], unique=False)
    op.create_table(
        "hour_author",
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("hidden_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "id"], ["hour_entry.firm_id", "hour_entry.id"], name=op.f("fk_hour_author_firm_id_id")
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_hour_author")),
    )
    op.create_index("ix_hour_author_person", "hour_author", ["firm_id", "person_id"], unique=False)
    op.create_table(
        "hour_record",
        sa.Column("report_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("message", sa.JSON(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=66), nullable=False),
        sa.Column("signatures", sa.JSON(), nullable=False),
        sa.Column("entry_seq", sa.BigInteger(), nullable=False),
        sa.Column("counterpart", sa.JSON(), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "report_id"],
            ["hour_report.firm_id", "hour_report.id"],
            name=op.f("fk_hour_record_firm_id_report_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_hour_record")),
        sa.UniqueConstraint("firm_id", "report_id", "kind", name=op.f("uq_hour_record_firm_id_report_id_kind")),
    )
    op.create_table(
        "invoice_setup",
        sa.Column("tax_no", sa.String(length=20), nullable=False),
        sa.Column("iban", sa.String(length=34), nullable=False),
        sa.Column("is_small_business", sa.Boolean(), nullable=False),
        sa.Column("prefix", sa.String(length=10), nullable=False),
        sa.Column("next_no", sa.BigInteger(), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_invoice_setup")),
        sa.UniqueConstraint("firm_id", name=op.f("uq_invoice_setup_firm_id")),
    )
    op.create_table(
        "invoiced_hours",
        sa.Column("booking_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("confirmed_min", sa.BigInteger(), nullable=False),
        sa.Column("invoiced_min", sa.BigInteger(), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "invoiced_min >= 0 AND invoiced_min <= confirmed_min", name=op.f("ck_invoiced_hours_not_above_confirmed")
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_invoiced_hours")),
        sa.UniqueConstraint("firm_id", "booking_id", "kind", name=op.f("uq_invoiced_hours_firm_id_booking_id_kind")),
    )
    op.create_table(
        "netting",
        sa.Column("partner_id", sa.String(length=36), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("by_us", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("our_cents", sa.BigInteger(), nullable=False),
        sa.Column("their_cents", sa.BigInteger(), nullable=False),
        sa.Column("invoices", sa.JSON(), nullable=False),
        sa.Column("netted_on", sa.Date(), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_netting")),
    )
    op.create_index("ix_netting_open", "netting", ["firm_id", "partner_id", "state"], unique=False)
    op.create_table(
        "payment",
        sa.Column("invoice_id", sa.String(length=36), nullable=True),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.Column("payer", sa.String(length=140), nullable=False),
        sa.Column("entry_key", sa.String(length=64), nullable=True),
        sa.Column("dismissed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_payment_money_came_in")),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_payment")),
        sa.UniqueConstraint("firm_id", "entry_key", name=op.f("uq_payment_firm_id_entry_key")),
    )
    op.create_table(
        "invoice",
        sa.Column("side", sa.String(length=6), nullable=False),
        sa.Column("partner_id", sa.String(length=36), nullable=False),
        sa.Column("agreement_id", sa.String(length=36), nullable=False),
        sa.Column("type_code", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.String(length=30), nullable=False),
        sa.Column("number_no", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("corrects", sa.String(length=36), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("surcharges", sa.JSON(), nullable=False),
        sa.Column("seller", sa.JSON(), nullable=False),
        sa.Column("buyer", sa.JSON(), nullable=False),
        sa.Column("vat_percent", sa.BigInteger(), nullable=False),
        sa.Column("lines_cents", sa.BigInteger(), nullable=False),
        sa.Column("allowance_cents", sa.BigInteger(), nullable=False),
        sa.Column("net_cents", sa.BigInteger(), nullable=False),
        sa.Column("tax_cents", sa.BigInteger(), nullable=False),
        sa.Column("gross_cents", sa.BigInteger(), nullable=False),
        sa.Column("service_from", sa.Date(), nullable=True),
        sa.Column("service_to", sa.Date(), nullable=True),
        sa.Column("issued_on", sa.Date(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("xml_file_id", sa.String(length=36), nullable=True),
        sa.Column("pdf_file_id", sa.String(length=36), nullable=True),
        sa.Column("xml_sha256", sa.String(length=64), nullable=False),
        sa.Column("refusal", sa.JSON(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dispute_reason", sa.String(length=200), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=True),
        sa.Column("netted_cents", sa.BigInteger(), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(issued_at IS NULL) = (number = '')", name=op.f("ck_invoice_issued_has_number")),
        sa.CheckConstraint(
            "netted_cents >= 0 AND netted_cents <= gross_cents", name=op.f("ck_invoice_netted_within_sum")
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_invoice")),
        sa.UniqueConstraint("firm_id", "corrects", name=op.f("uq_invoice_firm_id_corrects")),
        sa.UniqueConstraint("firm_id", "number_no", name=op.f("uq_invoice_firm_id_number_no")),
    )
    op.create_index("ix_invoice_list", "invoice", ["firm_id", "side", "state"], unique=False)
    op.create_index("ix_invoice_due", "invoice", ["state", "due_on"], unique=False)
    op.create_index(
        "ix_invoice_one_draft",
        "invoice",
        ["firm_id", "agreement_id"],
        unique=True,
        sqlite_where=sa.text("side = 'ours' AND type_code = 380 AND state IN ('draft', 'checking')"),
        postgresql_where=sa.text("side = 'ours' AND type_code = 380 AND state IN ('draft', 'checking')"),
    )
    op.create_table(
        "invoice_line",
        sa.Column("invoice_id", sa.String(length=36), nullable=False),
        sa.Column("line_no", sa.BigInteger(), nullable=False),
        sa.Column("booking_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("week", sa.String(length=8), nullable=False),
        sa.Column("machine", sa.String(length=60), nullable=False),
        sa.Column("minutes", sa.BigInteger(), nullable=False),
        sa.Column("rate_cents_per_hour", sa.BigInteger(), nullable=False),
        sa.Column("permille", sa.BigInteger(), nullable=False),
        sa.Column("net_cents", sa.BigInteger(), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "invoice_id"],
            ["invoice.firm_id", "invoice.id"],
            name=op.f("fk_invoice_line_firm_id_invoice_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_invoice_line")),
        sa.UniqueConstraint(
            "firm_id", "invoice_id", "line_no", name=op.f("uq_invoice_line_firm_id_invoice_id_line_no")
        ),
    )
    op.create_table(
        "api_token",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("created_by", sa.String(length=36), nullable=False),
        sa.Column("copied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_on", sa.Date(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_api_token_secret_hash")),
    )
    op.create_table(
        "webhook",
        sa.Column("url", sa.String(length=300), nullable=False),
        sa.Column("failure_count", sa.BigInteger(), nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("off_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_status", sa.BigInteger(), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_webhook")),
        sa.UniqueConstraint("firm_id", name=op.f("uq_webhook_firm_id")),
    )
    op.create_table(
        "api_answer",
        sa.Column("token_id", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("body_sha256", sa.String(length=64), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "token_id"], ["api_token.firm_id", "api_token.id"], name=op.f("fk_api_answer_firm_id_token_id")
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_api_answer")),
        sa.UniqueConstraint("firm_id", "token_id", "key", name=op.f("uq_api_answer_firm_id_token_id_key")),
    )
    op.create_index("ix_api_answer_age", "api_answer", ["created_at"], unique=False)
    op.create_table(
        "webhook_call",
        sa.Column("webhook_id", sa.String(length=36), nullable=False),
        sa.Column("event", sa.String(length=40), nullable=False),
        sa.Column("object_kind", sa.String(length=20), nullable=False),
        sa.Column("object_id", sa.String(length=36), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "webhook_id"],
            ["webhook.firm_id", "webhook.id"],
            name=op.f("fk_webhook_call_firm_id_webhook_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_webhook_call")),
    )
    op.create_index("ix_webhook_call_due", "webhook_call", ["state", "next_try_at"], unique=False)
    op.create_table(
        "calendar_feed",
        sa.Column("person_id", sa.String(length=36), nullable=True),
        sa.Column("machine_id", sa.String(length=36), nullable=True),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("firm_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(person_id IS NULL) <> (machine_id IS NULL)", name=op.f("ck_calendar_feed_one_owner")),
        sa.ForeignKeyConstraint(
            ["firm_id", "machine_id"],
            ["machine.firm_id", "machine.id"],
            name=op.f("fk_calendar_feed_firm_id_machine_id"),
        ),
        sa.ForeignKeyConstraint(
            ["firm_id", "person_id"], ["person.firm_id", "person.id"], name=op.f("fk_calendar_feed_firm_id_person_id")
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_calendar_feed")),
        sa.UniqueConstraint("firm_id", "machine_id", name=op.f("uq_calendar_feed_firm_id_machine_id")),
        sa.UniqueConstraint("firm_id", "person_id", name=op.f("uq_calendar_feed_firm_id_person_id")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_calendar_feed_secret_hash")),
    )
    for statement in SQLITE_GUARDS if op.get_bind().dialect.name == "sqlite" else POSTGRESQL_GUARDS:
        op.execute(statement)
