"""A contract text piece by piece, for page and print: only looks depend on it, never the words."""

import re

HEADING = re.compile(r"(Ziffer|Clause) \d+  \S")
LIST_LINE = re.compile(r"(–|\d+\.) ")
SMALL_LABEL = re.compile(r"[A-ZÄÖÜ][^.;,()%]{1,60}")


def text_blocks(text: str) -> list[dict[str, str]]:
    """Split by empty lines and say how each piece is set: title, heading, list, label or paragraph."""
    pieces = [piece for piece in text.split("\n\n") if piece.strip()]
    kinds = ["title", *map(_kind_of, pieces[1:])]
    return [{"kind": kind, "text": piece.strip("\n")} for kind, piece in zip(kinds, pieces, strict=False)]


def _kind_of(piece: str) -> str:
    lines = piece.strip("\n").split("\n")
    if len(lines) == 1 and HEADING.match(lines[0]):
        return "heading"
    if all(LIST_LINE.match(line) for line in lines):
        return "list"
    return "label" if len(lines) == 1 and SMALL_LABEL.fullmatch(lines[0]) else "paragraph"
