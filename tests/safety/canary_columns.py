"""Every column of text, sorted: what people wrote, and what is a key, a state, a hash or a signed document."""

_WRITTEN = """
agreement.contact_phone agreement.note api_token.name agreement_line.machine_name approach.name approach.town
audit_event.detail blocked_firm.name
booking.machine_name booking.title certificate.issuer certificate.number closure.name firm.name firm.short_name
firm.street firm.town invoice.dispute_reason
import_run.file_name introduction_offer.name introduction_offer.town far_entry.name far_entry.town
join_invitation.email join_invitation.name
disruption.machine_name disruption.note defect.answer defect.text provision.description provision_step.note trouble_photo.name
hour_report.reason machine.name machine.number machine.serial_no offer.note offer_line.machine_name partnership.name
partnership.short_name partnership.town passkey.name payment.payer payment.reference
person.email person.name person.phone push_device.name question.text request_file.name sign_in.device site.name
site.street site.town stored_file.name wanted_file.name work_request.contact_name work_request.contact_phone work_request.customer
work_request.note work_request.title
"""
_CODES = """
api_answer.answer api_answer.body_sha256 api_answer.key api_answer.token_id api_token.created_by api_token.scopes
api_token.secret_hash calendar_feed.machine_id calendar_feed.person_id calendar_feed.secret_hash webhook.url
webhook_call.event webhook_call.object_id webhook_call.object_kind webhook_call.state webhook_call.webhook_id
agreement_erasure.approval agreement_erasure.message agreement_erasure.partner_id agreement_erasure.state
agreement_erasure.text
agreement.bundle_id agreement.counterpart agreement.digest agreement.display_sha256 agreement.effective_digest
agreement.end_reason agreement.facts agreement.framework_id agreement.message agreement.not_before agreement.offer_id
agreement.partner_id agreement.pdf_file_id agreement.request_id agreement.side agreement.signatures
agreement.signers agreement.state agreement.template_key agreement.text agreement_line.agreement_id
agreement_line.machine_id agreement_line.offer_line_id agreement_line.week alert.device_id alert.kind alert.once_key
alert.person_id alert.subject_id alert.url alert.values amendment.agreement_id amendment.counterpart
amendment.digest amendment.end_reason amendment.facts amendment.kind amendment.message amendment.not_before
amendment.signatures
amendment.signers amendment.state amendment.text answer_token.alert_id answer_token.allows answer_token.answer
answer_token.device_id answer_token.person_id answer_token.proposal_key answer_token.request_id answer_token.token_hash
approach.address approach.direction approach.link approach.node approach.peer_id approach.person_id approach.state
approval.digest approval.document_id approval.document_kind approval.passkey_id approval.person_id approval.signature
audit_event.about_firm_id audit_event.object_id audit_event.object_kind audit_event.once_key audit_event.person_id
audit_event.verb blocked_firm.address booking.agreement_id booking.machine_id booking.partner_id booking.request_id
booking.back_message_id booking.side booking.state booking.week
work_record.agreement_id work_record.counterpart work_record.digest work_record.kind work_record.message
work_record.signatures work_record.subject_id work_record.text
acceptance.agreement_id acceptance.booking_id acceptance.partner_id acceptance.side defect.agreement_id
defect.booking_id defect.partner_id defect.side defect.state provision.agreement_id provision.kind
provision.partner_id provision.side provision.state provision_step.provision_id provision_step.state
trouble_photo.agreement_id trouble_photo.file_id trouble_photo.media_type trouble_photo.sha256 trouble_photo.subject_id
disruption.machine_id disruption.partner_id disruption.reason disruption.side disruption_line.agreement_id
disruption_line.booking_id disruption_line.disruption_id work_request.disruption_id
bundle.plan_id bundle.request_id bundle.state capability.machine_id
capability.material_groups capability.process_key capacity_window.confirmed_by capacity_window.machine_id
capacity_window.week certificate.file_id certificate.process_keys certificate.rejected_by certificate.type_key
certificate.verified_by challenge.browser_hash challenge.challenge challenge.detail challenge.document_id challenge.document_kind
challenge.person_id challenge.purpose closure.site_id directory_entry.certificates
far_entry.address far_entry.certificates far_entry.node far_entry.processes linked_node.code linked_node.node
directory_process.de directory_process.en directory_process.process_key file_grant.file_id file_grant.to_firm_id
firm.address firm.legal_form firm.postcode firm.register_court
firm.register_no firm.vat_id firm_key.next_by firm_key.next_public
firm_key.public_key firm_key.purpose founding_draft.browser_hash founding_draft.facts
founding_draft.ledger founding_draft.next_url founding_draft.passkey framework.clauses framework.digest
framework.partner_id framework.record framework.template_key framework.terms framework.text framework.text_sha256
hour_author.person_id hour_entry.corrects hour_entry.entry_key hour_entry.kind hour_entry.report_id
hour_record.counterpart hour_record.digest hour_record.kind hour_record.message hour_record.report_id
hour_record.signatures hour_record.text hour_report.agreement_id hour_report.booking_id
hour_report.disputed_entries hour_report.partner_id hour_report.side hour_report.state hour_report.supersedes
hour_report.week
hold.machine_id hold.offer_id hold.offer_line_id hold.state hold.week hours_change.machine_id hours_change.person_id
hours_change.week idempotency.body_sha256 idempotency.key idempotency.location idempotency.person_id import_run.kind
import_run.person_id import_run.sha256
introduction.one_answer introduction.one_id introduction.one_link introduction.one_offer introduction.other_answer
introduction.other_id introduction.other_link introduction.other_offer introduction.person_id
introduction_offer.address introduction_offer.answer introduction_offer.answered_by introduction_offer.from_id
introduction_offer.link introduction_offer.processes introduction_offer.region
invoice.agreement_id invoice.buyer invoice.corrects invoice.number invoice.partner_id invoice.pdf_file_id
invoice.reason invoice.subject invoice_line.machine invoice.refusal
invoice.seller invoice.side invoice.state invoice.surcharges invoice.xml_file_id invoice.xml_sha256
invoice_line.booking_id invoice_line.invoice_id invoice_line.kind invoice_line.week invoice_setup.iban
invoice_setup.prefix invoice_setup.tax_no invoiced_hours.booking_id invoiced_hours.kind
payment.entry_key payment.invoice_id netting.invoices netting.month netting.partner_id netting.state
invitation.partner_id invitation.request_id join_invitation.code_hash
join_invitation.invited_by join_invitation.kind join_invitation.person_id join_invitation.roles
join_invitation.second_approver join_invitation.token_hash ledger_anchor.contract ledger_anchor.root ledger_anchor.salt
ledger_anchor.sent ledger_checkpoint.note ledger_checkpoint.root
ledger_entry.counterpart ledger_entry.digest ledger_entry.evidence_sha256 ledger_entry.leaf_hash ledger_entry.subject_id
ledger_entry.type ledger_cosignature.line ledger_cosignature.partner_id ledger_cosignature.vkey ledger_head.halt
ledger_head.moved_to
wanted_file.from_firm_id wanted_file.media_type wanted_file.origin_id
wanted_file.sha256 witness.partner_id shown_checkpoint.note shown_checkpoint.partner_id
witnessed_log.note witnessed_log.origin witnessed_log.partner_id
ledger_evidence.sha256 ledger_head.frontier ledger_head.key_seqs ledger_head.last_hash ledger_head.origin
ledger_head.root machine.parameters machine.photo_id machine.site_id machine.state machine.type_key mail.subject
mail.text mail.to match_proposal.machine_id match_proposal.request_id match_proposal.week match_verdict.answer
match_verdict.machine_id match_verdict.reasons match_verdict.request_id membership.given_by membership.person_id membership.role
message.body message.direction message.error message.kind message.peer_id message.state message.subject_id
message_refusal.message_id message_refusal.text message_refusal.reason message_refusal.sender
node_setting.key node_setting.value offer.answer offer.answered_by offer.partner_id offer.request_id offer.side
offer.state offer_line.machine_id offer_line.machine_type_key offer_line.offer_id offer_line.week outbox.body
outbox.error outbox.kind partner_invitation.for_firm
partner_invitation.invited_by partner_invitation.token_hash partner_invitation.used_by_firm
partner_keys.address partner_keys.document partner_keys.origin partner_keys.partner_id partnership.address
partnership.ending
partnership.node partnership.token partnership.framework_id partnership.own_card partnership.partner_id partnership.partner_scope
partnership.paused_by partnership.profile partnership.scope partnership.state passkey.credential_id passkey.origin
passkey.person_id
passkey.user_handle person.deputy_id person.hand person.language person.light plan.chosen_by plan.goals plan.last_week
plan.offers_key plan.request_id plan.solver_status plan_line.offer_line_id plan_line.partner_id plan_line.plan_id
plan_task.request_id push_delivery.alert_id push_delivery.device_id push_delivery.outcome push_device.auth
push_device.endpoint push_device.p256dh push_device.person_id push_device.sign_in_id question.partner_id
question.request_id rate_card.machine_id rate_limit.key receipt.answer receipt.answered_by receipt.read_by
receipt.request_id request_file.confidentiality request_file.file_id request_file.index request_file.media_type
request_file.question_id request_file.request_id request_file.sha256 rule_change.approved_by
rule_change.asked_by sign_in.id_hash sign_in.person_id
sign_in.public_id sign_in.role site.postcode site.shift_minutes stored_file.from_firm_id stored_file.media_type
stored_file.origin_id stored_file.sha256 work_request.certificates work_request.created_by work_request.delivery_week
work_request.first_week work_request.general_tolerance work_request.kind work_request.last_week
work_request.machine_type_key work_request.material work_request.material_group work_request.needs work_request.pack
work_request.partner_id work_request.process_key work_request.shortage_reason work_request.side work_request.state
"""

WRITTEN = frozenset(_WRITTEN.split())
"""A unique string goes into every row of these."""

CODES = frozenset(_CODES.split())
"""The rest. A new column fails the build until it stands in one of the two."""
