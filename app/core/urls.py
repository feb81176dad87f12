"""Addresses that come from outside: which of them lead on inside our own house."""


def is_local_path(path: str) -> bool:
    """True for a path of our own pages; browsers read '//', '/\\' and hidden signs as another site or another header."""
    return path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
