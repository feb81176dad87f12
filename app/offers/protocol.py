"""How the firm's Protokoll tells what happened to answers."""

from flask_babel import lazy_gettext

from app.firms.protocol import add_sentences

add_sentences(
    {
        "offered": ("check", lazy_gettext("Ein Angebot ist gesendet.")),
        "offer_withdrawn": ("undo-2", lazy_gettext("Ein Angebot ist zurückgezogen.")),
        "answered_no": ("x", lazy_gettext("Eine Anfrage ist abgelehnt.")),
        "answer_undone": ("undo-2", lazy_gettext("Eine Antwort ist zurückgenommen.")),
    }
)
