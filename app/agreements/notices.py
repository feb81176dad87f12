"""Short signed notices beside the contracts: that one did not come about, that a whole plan stands."""

from app.agreements.rules import REASONS

LAPSED_TEMPLATE = "agreement.lapsed/1"
EFFECTIVE_TEMPLATE = "bundle.effective/1"
ERASURE_TEMPLATE = "erasure/1"


def lapsed_text(digest: str, reason: str) -> str:
    """The exact German text of the record `agreement.lapsed`."""
    return f"Der Einzelauftrag mit der Prüfsumme {digest} ist nicht zustande gekommen.\nGrund: {REASONS[reason]}\n"


def effective_text(digest: str) -> str:
    """The exact German text of the record `bundle.effective`, as one partner sees it."""
    return (
        "Alle Einzelaufträge dieses Vorhabens sind unterschrieben.\n"
        f"Der Einzelauftrag mit der Prüfsumme {digest} ist ab jetzt wirksam.\n"
    )


def erasure_text(partner_name: str, is_alone: bool) -> str:
    """The exact German text of the record `erasure`."""
    why = "Die Frist zum Aufheben ist vorbei" if is_alone else "Beide Betriebe stimmen zu"
    return (
        f"Der Vertrag mit {partner_name} wird gelöscht: Text, Preise und Unterschriften.\n{why}.\n"
        "Dass es ihn gab, bleibt im Logbuch beweisbar.\n"
    )
