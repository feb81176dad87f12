"""Words of this room for people: scopes, states, and the lines of the Protokoll."""

from flask_babel import lazy_gettext

from app.firms.protocol import add_sentences

SCOPE_CHIPS = (
    ("requests", lazy_gettext("Anfragen schicken")),
    ("know_how", lazy_gettext("Wissen fragen")),
    ("introductions", lazy_gettext("Betriebe vorstellen")),
)
TEMPLATE_CHIPS = (
    (
        "lohnfertigung",
        lazy_gettext("Lohnfertigung"),
        lazy_gettext("Der Partner fertigt mit eigenen Leuten und schuldet gute Teile."),
    ),
    (
        "maschinennutzung",
        lazy_gettext("Maschine ohne Personal"),
        lazy_gettext("Eigene Leute arbeiten an der Maschine des Partners."),
    ),
)
TERM_FIELDS = (
    ("notice_days", lazy_gettext("Kündigungsfrist"), lazy_gettext("Tage")),
    ("payment_days", lazy_gettext("Zahlungsziel"), lazy_gettext("Tage")),
    ("acceptance_days", lazy_gettext("Zeit für die Abnahme"), lazy_gettext("Arbeitstage")),
    ("silence_days", lazy_gettext("Zeit für Einwände gegen Stunden"), lazy_gettext("Arbeitstage")),
    ("tolerance_percent", lazy_gettext("Mehr Stunden als geplant bis"), "%"),
    ("scrap_percent", lazy_gettext("Erlaubter Ausschuss"), "%"),
)

add_sentences(
    {
        "partner_invited": ("qr-code", lazy_gettext("Ein Partner ist eingeladen.")),
        "partner_uninvited": ("undo-2", lazy_gettext("Eine Einladung ist zurückgezogen.")),
        "partner_proposed": ("handshake", lazy_gettext("Die Einladung von %(object)s ist angenommen.")),
        "partner_asked": ("handshake", lazy_gettext("%(object)s will euer Partner werden.")),
        "partner_began": ("handshake", lazy_gettext("%(object)s ist jetzt euer Partner.")),
        "partner_declined": ("x", lazy_gettext("%(object)s wird nicht euer Partner.")),
        "partner_declined_us": ("x", lazy_gettext("%(object)s möchte kein Partner werden.")),
        "partner_lapsed": ("clock", lazy_gettext("Die Frist mit %(object)s ist vorbei.")),
        "partner_scoped": ("settings", lazy_gettext("%(object)s darf euch jetzt etwas anderes schicken.")),
        "partner_paused": ("clock", lazy_gettext("Die Partnerschaft mit %(object)s macht Pause.")),
        "partner_resumed": ("play", lazy_gettext("Die Pause mit %(object)s ist vorbei.")),
        "partner_left_us": ("send", lazy_gettext("%(object)s hat seinen Server verlassen.")),
        "partner_moved_us": ("send", lazy_gettext("%(object)s ist auf einen anderen Server umgezogen.")),
        "partner_paused_us": ("clock", lazy_gettext("%(object)s macht eine Pause.")),
        "partner_resumed_us": ("play", lazy_gettext("%(object)s hat die Pause beendet.")),
        "partner_ended": ("ban", lazy_gettext("Die Partnerschaft mit %(object)s ist beendet.")),
        "partner_ended_us": ("ban", lazy_gettext("%(object)s hat die Partnerschaft beendet.")),
        "framework_edited": ("pencil", lazy_gettext("Ein Rahmenvertrag ist geändert.")),
        "framework_arrived": ("file-text", lazy_gettext("%(object)s hat den Rahmenvertrag unterschrieben.")),
        "framework_signed": ("file-check-2", lazy_gettext("Der Rahmenvertrag mit %(object)s ist unterschrieben.")),
        "firm_blocked": ("ban", lazy_gettext("%(object)s ist blockiert.")),
        "firm_unblocked": ("undo-2", lazy_gettext("%(object)s ist nicht mehr blockiert.")),
        "message_refused": ("ban", lazy_gettext("Eine fremde Nachricht ist abgewiesen.")),
        "messages_resent": ("send", lazy_gettext("Nachrichten an %(object)s gehen noch einmal hinaus.")),
        "message_parked": ("triangle-alert", lazy_gettext("Eine Nachricht kam sieben Tage lang nicht an.")),
        "file_opened": ("eye", lazy_gettext("Eine Datei eines Partners ist geöffnet.")),
    }
)
