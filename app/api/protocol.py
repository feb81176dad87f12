"""How the firm's Protokoll tells what programs were allowed."""

from flask_babel import lazy_gettext

from app.firms.protocol import add_sentences

add_sentences(
    {
        "api_token_made": ("link", lazy_gettext("Das Programm „%(name)s“ hat einen Zugang.")),
        "api_token_revoked": ("ban", lazy_gettext("Der Zugang „%(name)s“ ist gesperrt.")),
        "webhook_set": ("link", lazy_gettext("Meldungen gehen an die Adresse %(url)s.")),
        "webhook_removed": ("ban", lazy_gettext("Meldungen an ein Programm sind abgeschaltet.")),
        "webhook_off": ("triangle-alert", lazy_gettext("Ein Programm antwortet nicht. Meldungen ruhen.")),
        "calendar_renewed": ("calendar-days", lazy_gettext("Ein Kalender hat eine neue Adresse.")),
    }
)
