"""How the firm's Protokoll tells what happened to free hours."""

from flask_babel import lazy_gettext

from app.firms.protocol import add_sentences

add_sentences(
    {
        "hours_offered": ("clock", lazy_gettext("%(machine)s: freie Zeit in %(week)s ist gemeldet.")),
        "hours_undone": ("undo-2", lazy_gettext("%(machine)s: freie Zeit in %(week)s ist zurückgenommen.")),
        "hours_written": ("upload", lazy_gettext("„%(name)s“ hat %(count)s freie Zeiten eingetragen.")),
        "hours_imported": ("upload", lazy_gettext("Aus einer Tabelle kamen freie Stunden.")),
    }
)
