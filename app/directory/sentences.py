"""Lines of the Protokoll about firms that others do not know yet."""

from flask_babel import lazy_gettext

from app.firms.protocol import add_sentences

add_sentences(
    {
        "entry_listed": ("building-2", lazy_gettext("Der Betrieb steht jetzt im Verzeichnis.")),
        "entry_unlisted": ("building-2", lazy_gettext("Der Betrieb steht nicht mehr im Verzeichnis.")),
        "entry_far": ("building-2", lazy_gettext("Auch Betriebe anderer Server finden euch.")),
        "entry_near": ("building-2", lazy_gettext("Nur Betriebe dieses Servers finden euch.")),
        "profile_published": ("building-2", lazy_gettext("Die öffentliche Seite ist an.")),
        "profile_hidden": ("building-2", lazy_gettext("Die öffentliche Seite ist aus.")),
        "approach_made": ("handshake", lazy_gettext("%(object)s ist gefragt, ob ihr Partner werdet.")),
        "approach_arrived": ("handshake", lazy_gettext("%(object)s fragt, ob ihr Partner werdet.")),
        "approach_accepted": ("handshake", lazy_gettext("Die Antwort an %(object)s ist Ja.")),
        "approach_declined": ("x", lazy_gettext("Die Antwort an %(object)s ist Nein.")),
        "introduction_made": ("users", lazy_gettext("Zwei Partner sind einander vorgestellt: %(object)s.")),
        "introduction_agreed": ("users", lazy_gettext("Beide wollen sich kennenlernen: %(object)s.")),
        "introduction_arrived": ("users", lazy_gettext("%(object)s stellt euch einen Betrieb vor.")),
        "introduction_yes": ("users", lazy_gettext("Ihr wollt den Betrieb kennenlernen, den %(object)s vorstellt.")),
        "introduction_no": ("x", lazy_gettext("Ihr wollt den Betrieb nicht kennenlernen, den %(object)s vorstellt.")),
        "introduction_known": ("users", lazy_gettext("%(object)s will euch auch kennenlernen.")),
    }
)
