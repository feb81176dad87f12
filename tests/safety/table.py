"""The access matrix: what every route demands and which ids it carries. A route that is missing here fails the build.

One line per route and method: permission, then one case per way to call it: the kind of each id in the address (see
scene.py; a leading = is a literal), the kind of each id in the form or query, and the answers that are right for a
person with the permission who names own things (beside the usual ones).
"""

from dataclasses import dataclass, field

from app.api.tables import SHEETS

Kinds = dict[str, str]


@dataclass(frozen=True)
class Case:
    """One way to call a route."""

    ids: Kinds = field(default_factory=dict)
    fields: Kinds = field(default_factory=dict)
    also: frozenset[int] = frozenset()
    """Further right answers beside those of every GET and POST."""
    is_secret: bool = False
    """The address itself is the right (a token): naming that of another firm is no leak."""


@dataclass(frozen=True)
class Row:
    """What stands in the table for one route and method."""

    permission: str
    cases: tuple[Case, ...]


def _row(permission: str, *cases: Case) -> Row:
    return Row(permission, cases or (Case(),))


def _ids(**ids: str) -> Case:
    return Case(ids)


PUBLIC = "public"
_TOKEN = Case({"token": "join_token"}, is_secret=True, also=frozenset({404, 410}))
_NOT_BEGUN = Case(also=frozenset({404}))
_LOCKED = Case(also=frozenset({401}))
"""A sign-in opens nothing here: only the key of a program does (tests/api asks with one)"""
_RESOURCES = {
    "machines": "machine", "free_hours": "machine", "requests": "request", "offers": "offer", "bookings": "booking",
    "hours": "hour_report", "invoices": "invoice",
}  # fmt: skip
_PAIR = Case({"request_id": "request_of_both", "partner_id": "partner"})
_ONE_SIDE = Case({"disruption_id": "disruption"}, also=frozenset({404}))
"""Who works says that it goes on; who misses hours replans."""

TABLE: dict[str, Row] = {
    # firms
    "firms.home GET": _row(PUBLIC),
    "firms.legal GET": _row(PUBLIC, _ids(name="=impressum")),
    "firms.change_view POST": _row(PUBLIC),
    "firms.more GET": _row("own.use"),
    "firms.help_page GET": _row("own.use"),
    "firms.stored GET": _row("own.use"),
    "firms.cross_over GET": _row("own.use"),
    "firms.come_back GET": _row(PUBLIC),
    "firms.save_settings POST": _row("own.use"),
    "firms.show GET": _row("firm.see"),
    "firms.tasks GET": _row("firm.see"),
    "firms.edit GET": _row("firm.edit"),
    "firms.save POST": _row("firm.edit"),
    "firms.person GET": _row("people.edit", _ids(person_id="person")),
    "firms.save_person POST": _row(
        "people.edit",
        Case({"person_id": "person"}, {"deputy": "person"}),
        Case({"person_id": "person"}, {"roles": "=worker", "deputy": "person"}),
    ),
    "firms.remove_person POST": _row("people.edit", _ids(person_id="person")),
    "firms.save_two_person_rule POST": _row("keys.edit"),
    "firms.save_anchoring POST": _row("keys.edit"),
    "firms.log GET": _row("log.see"),
    # notary
    "notary.check GET": _row(PUBLIC),
    "notary.check_file POST": _row(PUBLIC),
    # passkeys
    "passkeys.sign_in GET": _row(PUBLIC),
    "passkeys.begin_sign_in POST": _row(PUBLIC),
    "passkeys.finish_sign_in POST": _row(PUBLIC),
    "passkeys.enter_code GET": _row(PUBLIC),
    "passkeys.check_code POST": _row(PUBLIC),
    "passkeys.install GET": _row(PUBLIC),
    "passkeys.sign_out POST": _row("own.use"),
    "passkeys.switch_role POST": _row("own.use"),
    "passkeys.invite GET": _row("people.invite_worker"),
    "passkeys.save_invitation POST": _row("people.invite_worker"),
    "passkeys.show_invitation GET": _row(
        "own.use", Case({"invitation_id": "join_invitation"}, also=frozenset({403, 404}))
    ),
    "passkeys.withdraw_invitation POST": _row(
        "own.use", Case({"invitation_id": "join_invitation"}, also=frozenset({403, 404}))
    ),
    "passkeys.new_firm GET": _row(PUBLIC),
    "passkeys.save_new_firm POST": _row(PUBLIC),
    "passkeys.first_passkey GET": _row(PUBLIC),
    "passkeys.begin_first_passkey POST": _row(PUBLIC, _NOT_BEGUN),
    "passkeys.finish_first_passkey POST": _row(PUBLIC),
    "passkeys.confirm_firm GET": _row(PUBLIC),
    "passkeys.begin_founding POST": _row(PUBLIC, _NOT_BEGUN),
    "passkeys.finish_founding POST": _row(PUBLIC),
    "passkeys.devices GET": _row("own.use"),
    "passkeys.sign_out_device POST": _row("own.use", Case({"device_id": "sign_in_worker"}, also=frozenset({403, 404}))),
    "passkeys.sign_out_all POST": _row("own.use", Case(fields={"person_id": "person"}, also=frozenset({403}))),
    "passkeys.approve_new_device POST": _row(
        "people.edit", Case({"invitation_id": "join_invitation"}, also=frozenset({404}))
    ),
    "passkeys.new_device POST": _row("own.use", Case(fields={"person_id": "person"}, also=frozenset({403}))),
    "passkeys.begin_adding POST": _row("own.use"),
    "passkeys.finish_adding POST": _row("own.use"),
    "passkeys.approve_key GET": _row("keys.edit", _ids(passkey_id="passkey")),
    "passkeys.approve_firm_key GET": _row("keys.edit", Case({"purpose": "=log"}, also=frozenset({404}))),
    "passkeys.firm_keys GET": _row("keys.edit"),
    "passkeys.keep_firm_key POST": _row("keys.edit", Case({"purpose": "=cosign"})),
    "passkeys.plan_firm_key POST": _row("keys.edit", Case({"purpose": "=cosign"})),
    "passkeys.approve_rule GET": _row("keys.edit", _ids(change_id="rule_change")),
    "passkeys.lock_key POST": _row("own.use", Case({"passkey_id": "passkey"}, also=frozenset({403, 404}))),
    "passkeys.emergency GET": _row(PUBLIC),
    "passkeys.enter_words POST": _row(PUBLIC),
    "passkeys.begin_recovery POST": _row(PUBLIC),
    "passkeys.finish_recovery POST": _row(PUBLIC),
    "passkeys.recovery_sheet GET": _row("keys.edit"),
    "passkeys.confirm_print POST": _row("keys.edit"),
    "passkeys.begin_approval POST": _row(
        "own.use",
        Case({"kind": "=agreement", "document_id": "agreement"}, also=frozenset({403, 404})),
        Case({"kind": "=amendment", "document_id": "amendment"}, also=frozenset({403, 404})),
        Case({"kind": "=key.register", "document_id": "passkey"}, also=frozenset({403, 404})),
        Case({"kind": "=key.revoke", "document_id": "passkey"}, also=frozenset({403, 404})),
        Case({"kind": "=key.rotate", "document_id": "=cosign"}, also=frozenset({403, 404})),
        Case({"kind": "=firm.export", "document_id": "export"}, also=frozenset({403, 404})),
        Case({"kind": "=framework", "document_id": "partner"}, also=frozenset({403, 404})),
        Case({"kind": "=nothing", "document_id": "agreement"}, also=frozenset({403, 404})),
    ),
    "passkeys.finish_approval POST": _row(
        "own.use",
        Case({"kind": "=agreement", "document_id": "agreement"}, also=frozenset({403, 404})),
        Case({"kind": "=amendment", "document_id": "amendment"}, also=frozenset({403, 404})),
        Case({"kind": "=key.revoke", "document_id": "passkey"}, also=frozenset({403, 404})),
        Case({"kind": "=key.rotate", "document_id": "=cosign"}, also=frozenset({403, 404})),
    ),
    "passkeys.welcome GET": _row(PUBLIC, _TOKEN),
    "passkeys.set_up GET": _row(PUBLIC, _TOKEN),
    "passkeys.finish_joining POST": _row(PUBLIC, _TOKEN),
    "passkeys.install_first GET": _row(PUBLIC, _TOKEN),
    "passkeys.renew_code POST": _row(PUBLIC, _TOKEN),
    "passkeys.not_me GET": _row(PUBLIC, _TOKEN),
    "passkeys.join_without POST": _row(PUBLIC, _TOKEN),
    "passkeys.begin_joining POST": _row(PUBLIC, _TOKEN),
    "passkeys.choose_language GET": _row(PUBLIC, _TOKEN),
    "passkeys.save_language POST": _row(PUBLIC, _TOKEN),
    # partners
    "partners.witnesses GET": _row("keys.edit"),
    "partners.save_quorum POST": _row("keys.edit"),
    "partners.policy GET": _row("keys.edit"),
    "partners.index GET": _row("partners.see"),
    "partners.join GET": _row(PUBLIC, _TOKEN),
    "partners.accept POST": _row("partners.edit", _TOKEN),
    "partners.show GET": _row("partners.see", _ids(partner_id="partner")),
    "partners.state GET": _row("partners.see", _ids(partner_id="partner")),
    "partners.evidence GET": _row("partners.edit", Case({"partner_id": "partner"}, also=frozenset({404}))),
    "partners.block POST": _row("partners.edit", _ids(partner_id="partner")),
    "partners.ending GET": _row("partners.edit", Case({"partner_id": "partner"}, also=frozenset({404}))),
    "partners.begin_end POST": _row("partners.edit", _ids(partner_id="partner")),
    "partners.decline POST": _row("partners.edit", _ids(partner_id="partner")),
    "partners.pause POST": _row("partners.edit", _ids(partner_id="partner")),
    "partners.resume POST": _row("partners.edit", _ids(partner_id="partner")),
    "partners.save_scope POST": _row(
        "partners.edit", _ids(partner_id="partner"), Case({"partner_id": "partner"}, {"scope": "=requests"})
    ),
    "partners.contract GET": _row("partners.edit", _ids(partner_id="partner")),
    "partners.edit GET": _row("partners.edit", Case({"partner_id": "partner"}, also=frozenset({422}))),
    "partners.save_terms POST": _row("partners.edit", _ids(partner_id="partner")),
    "partners.save_template POST": _row("partners.edit", _ids(partner_id="partner")),
    "partners.clause GET": _row(
        "partners.edit", Case({"partner_id": "partner", "number": "=1"}, also=frozenset({422}))
    ),
    "partners.save_clause POST": _row(
        "partners.edit",
        _ids(partner_id="partner", number="=1"),
        Case({"partner_id": "partner", "number": "=1"}, {"title": "=Parteien", "text": "=Die Parteien."}),
    ),
    "partners.unblock POST": _row("partners.edit", _ids(blocked_id="blocked")),
    "directory.index GET": _row("partners.see"),
    "directory.public_profile GET": _row(
        PUBLIC, Case({"handle": "=lindner"}), Case({"handle": "=x"}, also=frozenset({404}))
    ),
    "directory.entry GET": _row("partners.edit"),
    "directory.save_entry POST": _row("partners.edit", Case(fields={"is_listed": "=on"})),
    "directory.approach POST": _row("partners.edit", Case({"firm_id": "partner"}, also=frozenset({404}))),
    "directory.approach_far POST": _row("partners.edit", Case({"entry_id": "=x"}, also=frozenset({404}))),
    "directory.accept_approach POST": _row("partners.edit", _ids(approach_id="approach")),
    "directory.block_approach POST": _row("partners.edit", _ids(approach_id="approach")),
    "directory.decline_approach POST": _row("partners.edit", _ids(approach_id="approach")),
    "directory.introductions GET": _row("partners.edit"),
    "directory.introduce POST": _row("partners.edit", Case(fields={"one": "partner", "other": "partner"})),
    "directory.accept_introduction POST": _row("partners.edit", _ids(offer_id="introduced")),
    "directory.decline_introduction POST": _row("partners.edit", _ids(offer_id="introduced")),
    "partners.invite GET": _row("partners.edit"),
    "partners.make_invitation POST": _row("partners.edit"),
    "partners.invitation GET": _row("partners.edit", _ids(invitation_id="partner_invitation")),
    "partners.recall POST": _row("partners.edit", _ids(invitation_id="partner_invitation")),
    "partners.invitation_state GET": _row("partners.edit", _ids(invitation_id="partner_invitation")),
    # federation, push
    "partners.leave_for_own_node POST": _row(
        PUBLIC, Case({"token": "join_token"}, {"node": "=werkring.example"}, also=frozenset({404, 410}), is_secret=True)
    ),
    "federation.enter_link GET": _row("partners.edit"),
    "federation.check_link POST": _row("partners.edit"),
    "federation.accept_link POST": _row("partners.edit"),
    "federation.inbox POST": _row(PUBLIC, Case(also=frozenset({400, 404, 411}))),
    "federation.keys POST": _row(PUBLIC, Case(also=frozenset({404}))),
    "federation.file GET": _row(PUBLIC, Case({"sha256": "=" + "0" * 64}, also=frozenset({400, 404}))),
    "federation.directory GET": _row(PUBLIC, Case(also=frozenset({404}))),
    "federation.approaches POST": _row(PUBLIC, Case(also=frozenset({404}))),
    "federation.invitation POST": _row(PUBLIC, Case(also=frozenset({404}))),
    "federation.public_keys GET": _row(PUBLIC, Case({"handle": "=keller"}, also=frozenset({404}))),
    "federation.resend POST": _row("partners.edit", _ids(partner_id="partner")),
    "federation.download GET": _row("files.open", _ids(file_id="file")),
    "push.show GET": _row("own.use"),
    "push.state GET": _row("own.use"),
    "push.confirm POST": _row("own.use"),
    "push.later POST": _row("own.use"),
    "push.save POST": _row("own.use"),
    "push.remove POST": _row("own.use", Case(fields={"device": "push_device"}, also=frozenset({404}))),
    "push.probe POST": _row("own.use", Case(fields={"device": "push_device"}, also=frozenset({404}))),
    "push.arrived POST": _row(PUBLIC, Case(also=frozenset({404}))),
    "push.seen POST": _row(PUBLIC, Case(also=frozenset({404}))),
    # machines
    "machines.index GET": _row("machines.see"),
    "machines.new GET": _row("machines.edit"),
    "machines.add POST": _row(
        "machines.edit",
        Case(fields={"site_id": "site", "type_key": "=mill_5axis"}),
        Case(fields={"site_id": "site"}, also=frozenset({404})),
    ),
    "machines.quick GET": _row("machines.edit"),
    "machines.save_quick POST": _row("machines.edit", Case(fields={"site_id": "site"})),
    "machines.table GET": _row("capacity.import"),
    "machines.okw GET": _row("partners.edit"),
    "machines.aas GET": _row("partners.edit"),
    "machines.show GET": _row("machines.see", _ids(machine_id="machine")),
    "machines.edit GET": _row("machines.edit", _ids(machine_id="machine")),
    "machines.save POST": _row("machines.edit", Case({"machine_id": "machine"}, {"site_id": "site"})),
    "machines.photo GET": _row("machines.see", Case({"machine_id": "machine"}, also=frozenset({404}))),
    "machines.save_photo POST": _row("machines.edit", _ids(machine_id="machine")),
    "machines.rate GET": _row("rates.edit", _ids(machine_id="machine")),
    "machines.save_rate POST": _row(
        "rates.edit", _ids(machine_id="machine"), Case({"machine_id": "machine"}, {"rate": "=95"})
    ),
    "machines.abilities GET": _row("machines.edit", _ids(machine_id="machine")),
    "machines.ability GET": _row("machines.edit", _ids(machine_id="machine", process_key="=milling_5x")),
    "machines.save_one_ability POST": _row("machines.edit", _ids(machine_id="machine", process_key="=milling_5x")),
    "machines.drop_ability POST": _row("machines.edit", _ids(machine_id="machine", process_key="=milling_5x")),
    "machines.set_state POST": _row("machines.edit", _ids(machine_id="machine", to="=down")),
    "machines.upload GET": _row("capacity.import"),
    "machines.save_upload POST": _row("capacity.import"),
    "machines.preview GET": _row("capacity.import", _ids(run_id="machine_run")),
    "machines.take_over POST": _row("capacity.import", _ids(run_id="machine_run")),
    "machines.certificate_list GET": _row("machines.see"),
    "machines.new_certificate GET": _row("machines.edit"),
    "machines.add_certificate POST": _row("machines.edit"),
    "machines.certificate GET": _row("machines.see", _ids(certificate_id="certificate")),
    "machines.edit_certificate GET": _row("machines.edit", _ids(certificate_id="certificate")),
    "machines.save_one_certificate POST": _row("machines.edit", _ids(certificate_id="certificate")),
    "machines.verify POST": _row("certificates.verify", _ids(certificate_id="certificate")),
    "machines.reject POST": _row("certificates.verify", _ids(certificate_id="certificate")),
    # capacity
    "capacity.offer GET": _row("capacity.offer", Case(fields={"machine": "machine"})),
    "capacity.hours GET": _row("capacity.offer", Case(fields={"machine": "machine"})),
    "capacity.save_offer POST": _row(
        "capacity.offer",
        Case(fields={"machine": "machine"}, also=frozenset({404})),
        Case(fields={"machine": "machine", "week": "=2026-W50", "hours": "=8"}),
    ),
    "capacity.undo POST": _row("capacity.offer", _ids(change_id="hours_change")),
    "capacity.plan GET": _row("capacity.see"),
    "capacity.week GET": _row("capacity.see", _ids(week="=2026-W50", machine_id="machine")),
    "capacity.save_week POST": _row(
        "capacity.offer",
        _ids(week="=2026-W50", machine_id="machine"),
        Case({"week": "=2026-W50", "machine_id": "machine"}, {"hours": "=8"}),
    ),
    "capacity.calendar GET": _row("calendar.edit", Case(fields={"standort": "site"}, also=frozenset({404}))),
    "capacity.save_calendar POST": _row("calendar.edit", _ids(site_id="site")),
    "capacity.days GET": _row("calendar.edit", _ids(site_id="site")),
    "capacity.save_days POST": _row(
        "calendar.edit",
        _ids(site_id="site"),
        Case(
            {"site_id": "site"},
            {"kind": "=shut", "first_day": "=2027-01-04", "last_day": "=2027-01-05", "name": "=Ruhe"},
        ),
    ),
    "capacity.drop_days POST": _row("calendar.edit", _ids(closure_id="closure")),
    "capacity.upload GET": _row("capacity.import"),
    "capacity.save_upload POST": _row("capacity.import"),
    "capacity.preview GET": _row("capacity.import", _ids(run_id="hours_run")),
    "capacity.take_over POST": _row("capacity.import", _ids(run_id="hours_run")),
    "capacity.table GET": _row("capacity.import"),
    # requests
    "requests.new GET": _row("requests.publish"),
    "requests.begin POST": _row("requests.publish"),
    "requests.last_weeks GET": _row("requests.publish"),
    "requests.edit GET": _row("requests.publish", _ids(request_id="draft")),
    "requests.save_need POST": _row("requests.publish", _ids(request_id="draft")),
    "requests.details GET": _row("requests.publish", _ids(request_id="draft")),
    "requests.store_details POST": _row(
        "requests.publish",
        Case({"request_id": "draft"}, {"partners": "partner"}),
        Case(
            {"request_id": "draft"},
            {"shortage_reason": "=capacity", "partners": "partner", "reply_by": "=2026-11-18T11:00:00+00:00"},
        ),
    ),
    "requests.check GET": _row("requests.publish", _ids(request_id="draft")),
    "requests.publish POST": _row("requests.publish", _ids(request_id="draft")),
    "requests.discard POST": _row("requests.publish", _ids(request_id="draft")),
    "requests.remove_file POST": _row("requests.publish", _ids(request_id="draft", file_id="draft_file")),
    "requests.change GET": _row("requests.publish", _ids(request_id="sent")),
    "requests.save_change POST": _row("requests.publish", _ids(request_id="sent")),
    "requests.withdraw POST": _row("requests.publish", _ids(request_id="sent")),
    "requests.again POST": _row("requests.publish", Case({"request_id": "sent"}, also=frozenset({409}))),
    "requests.know_how GET": _row("requests.publish"),
    "requests.save_know_how POST": _row("requests.publish", Case(fields={"partners": "partner"})),
    "requests.time GET": _row("requests.publish"),
    "requests.ask_for_shortage POST": _row("requests.publish"),
    "requests.questions GET": _row("requests.answer", _PAIR),
    "requests.write POST": _row(
        "requests.answer",
        _PAIR,
        Case({"request_id": "request_of_both", "partner_id": "partner"}, {"text": "=Welches Material?"}),
    ),
    # offers
    "offers.index GET": _row("requests.answer"),
    "offers.show GET": _row("requests.answer", _ids(request_id="waiting")),
    "offers.answer POST": _row(
        "requests.answer",
        _ids(request_id="waiting"),
        Case({"request_id": "waiting"}, {"answer": "=yes"}),
        Case({"request_id": "waiting"}, {"answer": "=no"}),
    ),
    "offers.part GET": _row("requests.answer", _ids(request_id="waiting")),
    "offers.offer_part POST": _row(
        "requests.answer",
        Case({"request_id": "waiting"}, {"machines": "machine"}),
        Case({"request_id": "waiting"}, {"machines": "machine", "weeks": "=2026-W50", "hours": "=8", "total": "=8"}),
    ),
    "offers.why GET": _row("requests.answer", _ids(request_id="waiting")),
    "offers.undo POST": _row("requests.answer", _ids(request_id="waiting")),
    "offers.withdraw POST": _row("requests.answer", _ids(offer_id="own_offer")),
    "offers.answer_by_token POST": _row(PUBLIC, Case(also=frozenset({404}))),
    "offers.undo_by_token POST": _row(PUBLIC, Case(also=frozenset({404}))),
    # plans
    "plans.show GET": _row("requests.see", _ids(request_id="request")),
    "plans.coverage GET": _row("requests.see", _ids(request_id="request")),
    "plans.compare GET": _row("plans.see", _ids(request_id="request")),
    "plans.lift POST": _row("requests.publish", _ids(request_id="request")),
    "plans.ready GET": _row("plans.see", _ids(request_id="request")),
    "plans.detail GET": _row("plans.see", _ids(plan_id="plan")),
    # agreements
    "agreements.start GET": _row("requests.see"),
    "agreements.create POST": _row(
        "plans.choose", _ids(plan_id="plan"), Case({"plan_id": "plan"}, {"accepts_part": "=on"})
    ),
    "agreements.index GET": _row("agreements.see"),
    "agreements.erase GET": _row("agreements.sign", Case({"agreement_id": "agreement"}, also=frozenset({404}))),
    "agreements.prepare_to_erase POST": _row("agreements.sign", _ids(agreement_id="agreement")),
    "agreements.keep POST": _row("agreements.sign", Case({"agreement_id": "agreement"}, also=frozenset({404}))),
    "agreements.proof_of_existence GET": _row(
        "agreements.see", Case({"agreement_id": "agreement"}, also=frozenset({404}))
    ),
    "agreements.show GET": _row("agreements.see", _ids(agreement_id="agreement")),
    "agreements.state GET": _row("agreements.see", _ids(agreement_id="agreement")),
    "agreements.text GET": _row("agreements.see", Case({"agreement_id": "agreement"}, also=frozenset({404}))),
    "agreements.proof GET": _row("agreements.see", _ids(agreement_id="agreement")),
    "agreements.decline POST": _row(
        "agreements.sign", _ids(agreement_id="agreement"), Case({"agreement_id": "agreement"}, {"note": "=Zu spät"})
    ),
    "agreements.cancel GET": _row("agreements.sign", _ids(agreement_id="agreement")),
    "agreements.save_cancellation POST": _row(
        "agreements.sign",
        _ids(agreement_id="agreement"),
        Case({"agreement_id": "agreement"}, {"lines": "=1", "reason": "=Weniger"}),
    ),
    "agreements.change GET": _row("agreements.sign", _ids(agreement_id="agreement")),
    "agreements.save_change POST": _row(
        "agreements.sign",
        _ids(agreement_id="agreement"),
        Case({"agreement_id": "agreement"}, {"hours_1": "=1", "reason": "=Weniger"}),
    ),
    "agreements.show_amendment GET": _row("agreements.see", _ids(amendment_id="amendment")),
    "agreements.drop_amendment POST": _row("agreements.sign", _ids(amendment_id="amendment")),
    "agreements.amendment_proof GET": _row(
        "agreements.see", Case({"amendment_id": "amendment"}, also=frozenset({404}))
    ),
    # bookings
    "bookings.today GET": _row("work.see"),
    "bookings.understand POST": _row("work.see"),
    "bookings.show GET": _row("work.see", _ids(booking_id="booking")),
    "bookings.index GET": _row("bookings.see"),
    # hours
    "hours.mine GET": _row("hours.report"),
    "hours.report GET": _row("hours.report", _ids(booking_id="work")),
    "hours.send POST": _row("hours.report", _ids(booking_id="work")),
    "hours.edit GET": _row("hours.report", _ids(entry_id="hour_entry")),
    "hours.correct POST": _row("hours.report", _ids(entry_id="hour_entry")),
    "hours.take POST": _row("hours.report"),
    "hours.send_by_message POST": _row(PUBLIC, Case(also=frozenset({404}))),
    "hours.take_back_by_message POST": _row(PUBLIC, Case(also=frozenset({404}))),
    "hours.check GET": _row("hours.check"),
    "hours.find_machine GET": _row("work.see"),
    "hours.machine GET": _row("work.see", _ids(code="machine_code")),
    "hours.stickers GET": _row("machines.see"),
    "hours.close POST": _row("hours.check", Case({}, {"report": "hour_report"})),
    "hours.slip GET": _row("hours.see", _ids(report_id="hour_report")),
    "hours.confirm POST": _row("hours.check", _ids(report_id="hour_report")),
    "hours.dispute POST": _row("hours.check", Case({"report_id": "hour_report"}, {"reason": "=Nein"})),
    "hours.begin_correction POST": _row("hours.check", _ids(report_id="hour_report")),
    "trouble.index GET": _row("trouble.see"),
    "trouble.report GET": _row("trouble.report", _ids(booking_id="work")),
    "trouble.tell POST": _row("trouble.report", Case({"booking_id": "work"}, {"reason": "=illness"})),
    "trouble.resume POST": _row("trouble.report", _ONE_SIDE),
    "trouble.show GET": _row("trouble.see", _ids(disruption_id="disruption")),
    "trouble.get_help POST": _row("trouble.see", _ONE_SIDE),
    "trouble.take POST": _row(
        "plans.choose", Case({"disruption_id": "disruption", "plan_id": "plan"}, also=frozenset({404}))
    ),
    "trouble.give_back POST": _row("agreements.sign", _ONE_SIDE),
    "trouble.acceptance GET": _row("trouble.see", _ids(booking_id="booking")),
    "trouble.accept POST": _row("trouble.see", Case({"booking_id": "booking"}, also=frozenset({404}))),
    "trouble.complain POST": _row(
        "trouble.see", Case({"booking_id": "booking"}, {"text": "=Zu lang"}, also=frozenset({404}))
    ),
    "trouble.defect GET": _row("trouble.see", _ids(defect_id="defect")),
    "trouble.reply POST": _row(
        "trouble.see", Case({"defect_id": "defect"}, {"answer": "=rework"}, also=frozenset({404}))
    ),
    "trouble.settle POST": _row("trouble.see", Case({"defect_id": "defect"}, also=frozenset({404}))),
    "trouble.provisions GET": _row("trouble.report", _ids(booking_id="booking")),
    "trouble.bring POST": _row(
        "trouble.report",
        Case(
            {"booking_id": "booking"},
            {"kind": "=material", "description": "=Stahl", "quantity": "=1"},
            also=frozenset({404}),
        ),
    ),
    "trouble.move POST": _row(
        "trouble.report",
        Case({"booking_id": "booking", "provision_id": "provision"}, {"to": "=received"}, also=frozenset({404})),
    ),
    "trouble.proof GET": _row("agreements.see", Case({"record_id": "work_record"}, also=frozenset({404}))),
    "trouble.evidence GET": _row("agreements.see", _ids(agreement_id="agreement")),
    "hours.proof GET": _row("hours.see", Case({"report_id": "hour_report", "kind": "=report"}, also=frozenset({404}))),
    # invoices
    "insights.benefit GET": _row("benefit.see"),
    "insights.dependency GET": _row("benefit.see"),
    "insights.second_plan GET": _row("benefit.see", _ids(partner_id="partner")),
    "invoices.index GET": _row("invoices.see"),
    "invoices.setup GET": _row("invoices.send"),
    "invoices.save_setup POST": _row("invoices.send"),
    "invoices.account GET": _row("invoices.see"),
    "invoices.save_statement POST": _row("invoices.send"),
    "invoices.assign POST": _row(
        "invoices.send",
        Case({"payment_id": "payment"}, {"invoice": "invoice"}, also=frozenset({404})),
        Case({"payment_id": "payment"}, {"invoice": "=none"}, also=frozenset({404})),
    ),
    "invoices.balance GET": _row("invoices.see"),
    "invoices.net POST": _row(
        "invoices.send", Case({"partner_id": "partner"}, {"month": "=2026-11"}, also=frozenset({422}))
    ),
    "invoices.answer_net POST": _row(
        "invoices.send", Case({"netting_id": "netting"}, {"answer": "=no"}, also=frozenset({404}))
    ),
    "invoices.show GET": _row("invoices.see", _ids(invoice_id="invoice"), _ids(invoice_id="draft_invoice")),
    "invoices.state GET": _row("invoices.see", _ids(invoice_id="invoice")),
    "invoices.send POST": _row("invoices.send", _ids(invoice_id="invoice")),
    "invoices.surcharges GET": _row("invoices.send", _ids(invoice_id="draft_invoice")),
    "invoices.save_surcharges POST": _row("invoices.send", _ids(invoice_id="draft_invoice")),
    "invoices.pdf GET": _row("invoices.see", _ids(invoice_id="invoice")),
    "invoices.xml GET": _row("invoices.see", _ids(invoice_id="invoice")),
    "invoices.accept POST": _row("invoices.send", _ids(invoice_id="invoice")),
    "invoices.dispute GET": _row("invoices.send", _ids(invoice_id="invoice")),
    "invoices.save_dispute POST": _row("invoices.send", Case({"invoice_id": "invoice"}, {"reason": "=Zu viel"})),
    "invoices.payment GET": _row("invoices.send", _ids(invoice_id="invoice")),
    "invoices.save_payment POST": _row("invoices.send", Case({"invoice_id": "invoice"}, {"paid_on": "=16.11.2026"})),
    "invoices.remind POST": _row("invoices.send", _ids(invoice_id="invoice")),
    "invoices.correct GET": _row("invoices.send", _ids(invoice_id="invoice")),
    "invoices.save_correction POST": _row("invoices.send", Case({"invoice_id": "invoice"}, {"reason": "=Weniger"})),
    "invoices.credit GET": _row("invoices.send", _ids(invoice_id="invoice")),
    "invoices.save_credit POST": _row("invoices.send", Case({"invoice_id": "invoice"}, {"reason": "=Anschrift"})),
    # operator
    "operator.health GET": _row(PUBLIC, Case(also=frozenset({401, 404}))),
    # moving
    "moving.show GET": _row("firm.export"),
    "moving.leave GET": _row("firm.export"),
    "moving.archive GET": _row("firm.export", _ids(export_id="export")),
    "moving.download GET": _row("firm.export", _ids(export_id="export")),
    # api
    "api.programs GET": _row("programs.edit"),
    "api.new_token GET": _row("programs.edit"),
    "api.save_token POST": _row("programs.edit", Case(), Case(fields={"name": "=ERP", "scopes": "=bookings:read"})),
    "api.show_token GET": _row("programs.edit", _ids(token_id="api_token")),
    "api.token_copied POST": _row("programs.edit", _ids(token_id="api_token")),
    "api.lock_token POST": _row("programs.edit", _ids(token_id="api_token")),
    "api.save_hook POST": _row("programs.edit", Case(), Case(fields={"address": "=https://erp.example/neu"})),
    "api.send_probe POST": _row("programs.edit"),
    "api.resume_hook POST": _row("programs.edit"),
    "api.drop_hook POST": _row("programs.edit"),
    "api.tables GET": _row("own.use"),
    "api.table GET": _row(
        "own.use",
        *(
            Case({"name": f"={name}", "ending": f"={ending}"}, also=frozenset({403}))
            for name in sorted(SHEETS)
            for ending in ("csv", "xlsx")
        ),
        Case({"name": "=x", "ending": "=csv"}, also=frozenset({404})),
    ),
    "api.calendars GET": _row("own.use"),
    "api.renew_calendar POST": _row("own.use"),
    "api.remove_calendar POST": _row("own.use", Case(also=frozenset({404}))),
    "api.renew_machine_calendar POST": _row("machine_calendars.see", _ids(machine_id="machine")),
    "api.remove_machine_calendar POST": _row("machine_calendars.see", _ids(machine_id="machine")),
    "api.calendar GET": _row(PUBLIC, Case({"secret": "calendar_secret"}, is_secret=True)),
    "api.description GET": _row(PUBLIC),
    "api.webhook_key GET": _row(PUBLIC, _LOCKED),
    **{
        f"api.invoice_{ending} GET": _row(PUBLIC, Case({"item_id": "invoice"}, also=frozenset({401})))
        for ending in ("xml", "pdf")
    },
    "api.write_free_hours PUT": _row(PUBLIC, _LOCKED),
    **{f"api.list_{name} GET": _row(PUBLIC, _LOCKED) for name in _RESOURCES},
    **{
        f"api.read_{name} GET": _row(PUBLIC, Case({"item_id": kind}, also=frozenset({401})))
        for name, kind in _RESOURCES.items()
    },
    # web
    "web.healthz GET": _row(PUBLIC, Case(also=frozenset({503}))),
    "web.manifest GET": _row(PUBLIC),
    "web.offline GET": _row(PUBLIC),
    "web.service_worker GET": _row(PUBLIC),
    "static_files.send GET": _row(PUBLIC, Case({"version": "=x", "name": "=css/app.css"}, also=frozenset({404}))),
}

PRACTICE: dict[str, str] = {
    "practice.door GET": PUBLIC,
    "practice.begin POST": PUBLIC,
    "practice.people GET": PUBLIC,
    "practice.firm GET": PUBLIC,
    "practice.be_person POST": PUBLIC,
    "practice.phone GET": "own.use",
    "practice.phone_cards GET": "own.use",
    "practice.tap_message POST": "own.use",
    "practice.second_phone GET": PUBLIC,
    "practice.join_page GET": PUBLIC,
    "practice.join POST": PUBLIC,
    "practice.start_again POST": PUBLIC,
    "practice.leave POST": PUBLIC,
    "practice.cross_over GET": PUBLIC,
    "practice.leave_story POST": PUBLIC,
    "practice.sign POST": "own.use",
    "practice.begin_story POST": PUBLIC,
    "practice.next_step POST": PUBLIC,
    "practice.finale GET": PUBLIC,
    "practice.end_story POST": PUBLIC,
}
"""What the practice world has beside all of the above, and the real one never."""
