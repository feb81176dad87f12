"""Addresses: which of those from outside lead on inside our own house, and where another node answers."""

from collections.abc import Collection


def is_local_path(path: str) -> bool:
    """True for a path of our own pages; browsers read '//', '/\\' and hidden signs as another site or another header."""
    return path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()


def base_url(node: str, near_nodes: Collection[str]) -> str:
    """Where a node answers: https, but for the loopback hosts of tests that stand there without it."""
    return f"{'http' if node in near_nodes else 'https'}://{node}"
