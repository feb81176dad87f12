"""How the firm's Protokoll tells what happened to requests."""

from flask_babel import lazy_gettext

from app.firms.protocol import add_sentences

add_sentences(
    {
        "published": ("send", lazy_gettext("Eine Anfrage ist gesendet.")),
        "changed": ("pencil", lazy_gettext("Eine Anfrage ist geändert.")),
        "withdrawn": ("undo-2", lazy_gettext("Eine Anfrage ist zurückgezogen.")),
        "unchosen_erased": ("trash-2", lazy_gettext("Was nicht zum Auftrag wurde, ist nach sechs Monaten gelöscht.")),
        "wrote": ("message-circle", lazy_gettext("Eine Rückfrage oder Antwort ist gesendet.")),
    }
)
