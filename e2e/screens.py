"""Every page of the product: who looks at it, and with which things of full_house.py in its address."""

from dataclasses import dataclass, field

PETRA, JONAS = "keller manager", "yilmaz foreman"
NOBODY = ""
OPERATOR = "operator"
"""Nobody of a firm, with the key of the operator's page"""


@dataclass(frozen=True)
class Screen:
    """One look at a page: the kind of each id in the address (a leading = is a literal), and what follows the ?."""

    who: str = PETRA
    ids: dict[str, str] = field(default_factory=dict)
    query: str = ""
    note: str = ""
    status: int = 200


def _see(who: str = PETRA, query: str = "", note: str = "", status: int = 200, **ids: str) -> Screen:
    return Screen(who, ids, query, note, status)


SCREENS: dict[str, tuple[Screen, ...]] = {
    "agreements.cancel": (_see(agreement_id="agreement"),),
    "agreements.change": (_see(agreement_id="agreement"),),
    "agreements.index": (_see(), _see("keller accountant", note="buero"), _see("yilmaz manager", note="partner")),
    "agreements.erase": (_see(agreement_id="over"),),
    "agreements.show": (
        _see(agreement_id="unsigned", note="S24"),
        _see(agreement_id="half_signed", note="halb"),
        _see(agreement_id="agreement", note="S25"),
        _see(agreement_id="declined", note="abgelehnt"),
        _see("yilmaz manager", agreement_id="half_signed", note="S24-partner"),
        _see("keller accountant", agreement_id="agreement", note="buero"),
    ),
    "agreements.show_amendment": (_see(amendment_id="amendment"),),
    "agreements.start": (_see(), _see("lindner manager", note="ruhig")),
    "api.calendars": (_see(), _see("yilmaz worker", note="mitarbeiter")),
    "api.new_token": (_see(),),
    "api.programs": (_see(), _see("lindner manager", note="partner")),
    "api.show_token": (_see(token_id="api_token"),),
    "api.tables": (_see(), _see("yilmaz worker", note="mitarbeiter")),
    "bookings.index": (_see(), _see("yilmaz manager", note="partner"), _see("lindner manager", note="leer")),
    "bookings.show": (_see("yilmaz worker", booking_id="booking"), _see(JONAS, booking_id="booking", note="meister")),
    "bookings.today": (_see("yilmaz worker"), _see("lindner worker", note="leer")),
    "capacity.calendar": (_see(),),
    "capacity.days": (_see(site_id="site"),),
    "capacity.offer": (_see(JONAS),),
    "capacity.plan": (_see(JONAS), _see(note="leitung")),
    "capacity.preview": (_see(run_id="hours_run"),),
    "capacity.upload": (_see(),),
    "capacity.week": (_see(JONAS, week="=2026-W50", machine_id="machine"),),
    "hours.find_machine": (_see("yilmaz worker"), _see("yilmaz worker", "?code=XXXXX", note="falsch", status=422)),
    "hours.machine": (
        _see("yilmaz worker", code="machine_code"),
        _see("lindner worker", code="machine_code", note="leer"),
    ),
    "hours.stickers": (_see(),),
    "hours.check": (_see(JONAS), _see("lindner foreman", note="leer")),
    "hours.slip": (
        _see(JONAS, report_id="hour_report"),
        _see(JONAS, report_id="slip", note="partner"),
        _see(report_id="hour_report", note="geprueft"),
    ),
    "hours.edit": (_see("yilmaz worker", entry_id="hour_entry"),),
    "hours.mine": (_see("yilmaz worker"), _see("lindner worker", note="leer")),
    "hours.report": (
        _see("yilmaz worker", booking_id="work"),
        _see("yilmaz worker", booking_id="booking", note="spaeter"),
    ),
    "insights.benefit": (_see(), _see("lindner manager", note="leer")),
    "insights.dependency": (_see(), _see("lindner manager", note="leer")),
    "insights.second_plan": (_see(partner_id="partner"),),
    "trouble.index": (_see(), _see("yilmaz foreman", note="bei-uns"), _see("lindner manager", note="leer")),
    "trouble.report": (
        _see("yilmaz worker", booking_id="work", note="gemeldet"),
        _see("keller worker", booking_id="work"),
    ),
    "trouble.show": (
        _see(disruption_id="disruption_new", note="S47"),
        _see(disruption_id="disruption", note="gefragt"),
        _see("keller foreman", disruption_id="disruption_new", note="meister"),
        _see("yilmaz foreman", disruption_id="disruption", note="bei-uns"),
    ),
    "trouble.acceptance": (
        _see(booking_id="booking", note="S49"),
        _see(booking_id="accepted", note="annehmen"),
        _see(JONAS, booking_id="booking", note="partner"),
    ),
    "trouble.defect": (_see(defect_id="defect"), _see(JONAS, defect_id="defect", note="partner")),
    "trouble.provisions": (
        _see(booking_id="booking", note="S48"),
        _see("yilmaz worker", booking_id="booking", note="partner"),
        _see("keller worker", booking_id="work", note="leer"),
    ),
    "invoices.account": (_see("yilmaz accountant"),),
    "invoices.balance": (_see("yilmaz accountant"), _see("lindner manager", note="leer")),
    "invoices.correct": (_see("yilmaz accountant", invoice_id="invoice"),),
    "invoices.credit": (_see("yilmaz accountant", invoice_id="invoice"),),
    "invoices.dispute": (_see("keller accountant", invoice_id="invoice"),),
    "invoices.index": (
        _see("yilmaz accountant"),
        _see(note="leitung"),
        _see("lindner accountant", note="leer"),
    ),
    "invoices.payment": (_see("yilmaz accountant", invoice_id="invoice"),),
    "invoices.setup": (_see("yilmaz accountant"),),
    "invoices.show": (
        _see("yilmaz accountant", invoice_id="draft_invoice", note="S50"),
        _see("yilmaz accountant", invoice_id="invoice", note="gestellt"),
        _see("keller accountant", invoice_id="invoice", note="bekommen"),
    ),
    "invoices.surcharges": (_see("yilmaz accountant", invoice_id="draft_invoice"),),
    "firms.edit": (_see(),),
    "firms.help_page": (_see(), _see("yilmaz worker", note="mitarbeiter")),
    "firms.home": (_see(NOBODY),),
    "firms.legal": tuple(_see(NOBODY, name=f"={name}", note=name) for name in ("impressum", "datenschutz", "nutzung")),
    "firms.log": (_see(),),
    "firms.more": (
        _see(),
        _see("yilmaz foreman", note="meister"),
        _see("yilmaz worker", note="mitarbeiter"),
        _see("keller accountant", note="buero"),
        _see("keller steward", note="betreuung"),
        _see("keller device", note="ohne-schloss"),
    ),
    "firms.person": (_see(person_id="person"),),
    "firms.show": (_see(), _see("keller steward", note="betreuung"), _see(JONAS, note="meister")),
    "firms.stored": (_see(), _see("yilmaz worker", note="mitarbeiter")),
    "firms.tasks": (_see(),),
    "machines.abilities": (_see(machine_id="machine"),),
    "machines.ability": (_see(machine_id="machine", process_key="=milling_5x"),),
    "machines.certificate": (_see(certificate_id="certificate"),),
    "machines.certificate_list": (_see(),),
    "machines.edit": (_see(machine_id="machine"),),
    "machines.edit_certificate": (_see(certificate_id="certificate"),),
    "machines.index": (_see(), _see(JONAS, note="meister")),
    "machines.new": (_see(), _see(query="?typ=mill_5axis", note="fraese")),
    "machines.new_certificate": (_see(),),
    "machines.preview": (_see(run_id="machine_run"),),
    "machines.quick": (_see(),),
    "machines.rate": (_see(machine_id="machine"),),
    "machines.show": (_see(machine_id="machine"), _see(JONAS, machine_id="machine", note="meister")),
    "machines.upload": (_see(),),
    "moving.archive": (_see(export_id="export"),),
    "moving.leave": (_see(),),
    "moving.show": (_see(),),
    "notary.check": (
        _see(NOBODY),
        _see(note="angemeldet"),
        _see(NOBODY, query=f"?zeile=2&eintrag=0x{'ab' * 32}", note="vom-papier"),
    ),
    "offers.index": (_see(JONAS), _see("lindner foreman", note="leer")),
    "offers.part": (_see(JONAS, request_id="waiting"), _see(JONAS, request_id="know_how", note="wissen")),
    "offers.show": (
        _see(JONAS, request_id="waiting"),
        _see(JONAS, request_id="know_how", note="wissen"),
        _see(JONAS, request_id="planless", note="ja"),
        _see("brandt foreman", request_id="planless", note="nein"),
        _see(JONAS, request_id="withdrawn", note="zurueck"),
        _see("yilmaz manager", request_id="waiting", note="leitung"),
    ),
    "offers.why": (_see(JONAS, request_id="waiting"),),
    "federation.enter_link": (_see(),),
    "operator.health": (_see(OPERATOR),),
    "partners.clause": (_see("yilmaz manager", partner_id="new_partner", number="=1"),),
    "partners.contract": (
        _see(partner_id="partner"),
        _see("yilmaz manager", partner_id="new_partner", note="neu"),
    ),
    "directory.index": (
        _see(),
        _see("yilmaz manager", note="fremd"),
        _see(JONAS, note="meister", query="?umkreis=25"),
    ),
    "directory.entry": (_see(), _see("lindner manager", note="an")),
    "directory.public_profile": (_see(NOBODY, handle="=lindner"), _see(handle="=lindner", note="angemeldet")),
    "directory.introductions": (_see(), _see("lindner manager", note="leer")),
    "partners.edit": (_see("yilmaz manager", partner_id="new_partner"),),
    "partners.ending": (_see(partner_id="ending_partner"),),
    "partners.witnesses": (_see(), _see("yilmaz manager", note="neu")),
    "partners.index": (_see(), _see("yilmaz manager", note="neu"), _see(JONAS, note="meister")),
    "partners.invitation": (_see(invitation_id="partner_invitation"),),
    "partners.invite": (_see(),),
    "partners.join": (
        _see("keller manager", token="partner_token"),
        _see(NOBODY, token="keller manager:partner_token", note="fremd"),
        _see(NOBODY, token="=gibtesnicht", note="weg", status=404),
    ),
    "partners.show": (
        _see(partner_id="partner"),
        _see("yilmaz manager", partner_id="new_partner", note="neu"),
        _see("brandt manager", partner_id="new_partner", note="wartet"),
        _see(JONAS, partner_id="partner", note="meister"),
    ),
    "passkeys.approve_key": (_see(passkey_id="passkey"),),
    "passkeys.approve_firm_key": (_see(purpose="=cosign"),),
    "passkeys.firm_keys": (_see(),),
    "passkeys.approve_rule": (_see(change_id="rule_change"),),
    "passkeys.choose_language": (_see(NOBODY, token="keller manager:join_token"),),
    "passkeys.devices": (_see(), _see("yilmaz worker", note="mitarbeiter"), _see("keller steward", note="betreuung")),
    "passkeys.emergency": (_see(NOBODY),),
    "passkeys.enter_code": (_see(NOBODY),),
    "passkeys.install": (_see(),),
    "passkeys.install_first": (_see(NOBODY, token="keller manager:join_token"),),
    "passkeys.invite": (_see(), _see(JONAS, note="meister")),
    "passkeys.new_firm": (_see(NOBODY),),
    "passkeys.not_me": (_see(NOBODY, token="keller manager:join_token"),),
    "passkeys.recovery_sheet": (_see(),),
    "passkeys.set_up": (_see(NOBODY, token="keller manager:join_token"),),
    "passkeys.show_invitation": (_see(invitation_id="join_invitation"),),
    "passkeys.sign_in": (_see(NOBODY),),
    "passkeys.welcome": (
        _see(NOBODY, token="keller manager:join_token"),
        _see(NOBODY, token="=gibtesnicht", note="weg", status=404),
    ),
    "plans.compare": (
        _see(request_id="planned"),
        _see(request_id="planless", note="wartet"),
        _see(request_id="sent", note="leer"),
    ),
    "plans.detail": (_see(plan_id="plan"),),
    "plans.show": (
        _see(request_id="request"),
        _see(request_id="sent", note="gesendet"),
        _see(request_id="planless", note="angebot"),
        _see(request_id="withdrawn", note="zurueck"),
        _see(request_id="know_how", note="wissen"),
    ),
    "push.show": (_see(), _see(JONAS, note="meister")),
    "requests.change": (_see(request_id="sent"),),
    "requests.check": (_see(request_id="draft"),),
    "requests.details": (_see(request_id="draft"),),
    "requests.edit": (_see(request_id="draft"),),
    "requests.know_how": (_see(),),
    "requests.new": (_see(),),
    "requests.questions": (
        _see(request_id="request", partner_id="partner"),
        _see(JONAS, request_id="received", partner_id="partner", note="meister"),
        _see(request_id="planless", partner_id="partner", note="leer"),
    ),
    "requests.time": (_see(), _see(query="?process_key=milling_5x&need=500&delivery_week=2026-W51", note="antwort")),
    "web.offline": (_see(NOBODY),),
}
"""By endpoint. A new page without a row here fails the story."""

ANSWERS = {"federation.check_link", "passkeys.enter_words"}
"""Pages that nothing but the answer to a form shows: two stories of the walk fill in the forms."""
NO_PAGES = {
    "api.calendar", "api.description", "api.invoice_pdf", "api.invoice_xml",
    "api.list_bookings", "api.list_free_hours", "api.list_hours", "api.list_invoices",
    "api.list_machines", "api.list_offers", "api.list_requests", "api.read_bookings", "api.read_free_hours",
    "api.read_hours", "api.read_invoices", "api.read_machines", "api.read_offers", "api.read_requests", "api.table",
    "api.webhook_key",  # what programs fetch
    "agreements.amendment_proof", "agreements.proof", "agreements.proof_of_existence", "agreements.text",
    "capacity.table", "federation.directory", "federation.download", "hours.proof", "invoices.pdf", "invoices.xml",
    "trouble.evidence", "trouble.proof", "moving.download",
    "federation.file", "federation.public_keys", "machines.aas", "machines.okw", "machines.photo", "machines.table",
    "partners.evidence", "partners.policy",
    "static_files.send", "web.healthz", "web.manifest", "web.service_worker",  # files
    "invoices.state",
    "agreements.state", "capacity.hours", "partners.invitation_state", "partners.state", "plans.coverage", "plans.ready",
    "push.state", "requests.last_weeks",  # parts of a page that htmx fetches
    "firms.come_back", "firms.cross_over",  # ways between the two worlds, which only lead on
}  # fmt: skip
PLAYED = {"passkeys.first_passkey", "passkeys.confirm_firm"}
"""Pages that only stand between two taps: the story of the new firm meets them."""
SAME_PAGE = {"requests.edit": "requests.new", "passkeys.install_first": "passkeys.install"}
"""Two addresses of one page, which may share a title."""

BROKEN = (
    "api.new_token",
    "requests.new", "requests.details", "requests.change", "requests.know_how", "requests.questions", "requests.time",
    "capacity.offer", "capacity.days", "capacity.upload", "machines.new", "machines.edit", "machines.rate",
    "machines.new_certificate", "machines.upload", "firms.edit", "firms.person", "passkeys.new_firm", "passkeys.invite",
    "passkeys.enter_code", "passkeys.emergency", "partners.clause", "partners.edit", "offers.part", "agreements.change",
    "agreements.cancel", "notary.check", "federation.enter_link", "invoices.setup",
    "invoices.account", "invoices.payment", "invoices.dispute",
    "invoices.credit", "invoices.correct", "trouble.report",
)  # fmt: skip
"""Pages whose first form has errors when it is sent empty."""

REFUSED = {
    "403": ("yilmaz worker", "/suchen", 403),
    "403-ohne-schloss": ("keller device", "/betrieb", 403),
    "404": (PETRA, "/vertraege/gibtesnicht", 404),
    "404-fremd": (NOBODY, "/gibtesnicht", 404),
}

CLOSED = {
    "zu-start": ("/", 200),
    "zu-anmelden": ("/anmelden", 200),
    "zu-einrichten": ("/betrieb/neu", 403),
    "zu-einladung": ("/join/{partner_token}", 200),
}
"""What a visitor meets where no new firm may begin (FIRMS_MAY_JOIN=off)."""

EMPTY = (
    "/notfall/schluessel", "/betrieb/aufgaben", "/start", "/suchen", "/wissen", "/zeit", "/vertraege", "/buchungen",
    "/belege", "/belege/ausgleich", "/nutzen", "/nutzen/kosten",
    "/partner", "/maschinen", "/zertifikate", "/anbieten", "/plan", "/betrieb", "/betrieb/kalender",
    "/protokoll", "/geraete", "/anfragen", "/mehr", "/betrieb/mitnehmen",
    "/betrieb/verlassen",
)  # fmt: skip
"""Lists of a firm that has just begun."""
