"""The blueprint that all pages of this room share, and its sentences in the Protokoll."""

from flask import Blueprint
from flask_babel import lazy_gettext

from app.firms.protocol import add_sentences

room = Blueprint("trouble", __name__)
add_sentences(
    {
        "work_disrupted": ("triangle-alert", lazy_gettext("Eine Störung ist gemeldet.")),
        "work_resumed": ("circle-check", lazy_gettext("Eine Störung ist vorbei.")),
        "defect_reported": ("triangle-alert", lazy_gettext("Ein Mangel ist gemeldet.")),
        "defect_answered": ("message-circle", lazy_gettext("Ein Mangel ist beantwortet.")),
        "defect_settled": ("circle-check", lazy_gettext("Ein Mangel ist behoben.")),
        "work_accepted": ("check", lazy_gettext("Arbeit ist abgenommen.")),
        "work_recorded": ("fingerprint", lazy_gettext("Eine Abnahme oder ein Widerspruch ist unterschrieben.")),
        "provision_moved": ("package", lazy_gettext("Neues zu Material oder Werkzeug.")),
    }
)
