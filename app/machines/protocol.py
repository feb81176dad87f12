"""How the firm's Protokoll tells what happened to machines and certificates."""

from flask_babel import lazy_gettext

from app.firms.protocol import add_sentences

add_sentences(
    {
        "machine_added": ("drill", lazy_gettext("Maschine %(name)s ist eingetragen.")),
        "machine_changed": ("pencil", lazy_gettext("Maschine %(name)s ist geändert.")),
        "machine_state": ("wrench", lazy_gettext("Maschine %(name)s hat einen neuen Zustand.")),
        "ability_changed": ("pencil", lazy_gettext("Ein Verfahren von %(name)s ist geändert.")),
        "ability_removed": ("trash-2", lazy_gettext("Ein Verfahren von %(name)s ist entfernt.")),
        "rate_changed": ("euro", lazy_gettext("Der Stundensatz von %(name)s ist geändert.")),
        "certificate_saved": ("shield-check", lazy_gettext("Ein Zertifikat ist eingetragen.")),
        "certificate_verified": ("shield-check", lazy_gettext("Ein Zertifikat ist geprüft.")),
        "certificate_rejected": ("x", lazy_gettext("Ein Zertifikat ist abgelehnt.")),
        "machines_imported": ("upload", lazy_gettext("Aus einer Tabelle kamen %(count)s Maschinen.")),
    }
)
