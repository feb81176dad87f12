"""Where evidence is checked."""

CHECK_PATH = "/pruefen"
CHECK_COMMAND = "python -m ledger verify --plain"


def check_link(root: str, digest: str) -> str:
    """The address that a printed agreement leads to: the page Prüfen and the record's digest, which tells nothing."""
    return f"{root}{CHECK_PATH}?eintrag={digest}"
