"""Every occasion on which a room speaks to people has its words: the kinds are read from the code itself."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import app
from app.push.messages import KINDS

ROOT = Path(app.__file__).parent
KIND_AT = 3
"""The place of `kind` among the arguments of alert_people"""
SAID_AGAIN = {"alert.kind"}
"""An alert that is passed on keeps the kind that it was written with."""


@dataclass(frozen=True)
class Speaker:
    """A function that is told the kind; private ones are known in their own file only."""

    path: Path | None
    name: str
    place: int


def test_every_kind_that_a_room_uses_has_its_words() -> None:
    used = kinds_used()
    assert {"request", "know_how", "plans", "lapsed", "ended", "partner_end", "message_stuck"} <= used
    assert used - set(KINDS) == set()


def kinds_used() -> set[str]:
    """Follow `kind` from alert_people back to the words that callers write, over every function that hands it on."""
    files = {path: ast.parse(path.read_text()) for path in sorted(ROOT.rglob("*.py"))}
    found: set[str] = set()
    known: set[Speaker] = set()
    waiting = [Speaker(None, "alert_people", KIND_AT)]
    while waiting:
        speaker = waiting.pop()
        known.add(speaker)
        for path, tree in files.items():
            if speaker.path in (None, path):
                kinds, speakers = _follow(path, tree, speaker)
                found |= kinds
                waiting += speakers - known
    return found


def _follow(path: Path, tree: ast.Module, speaker: Speaker) -> tuple[set[str], set[Speaker]]:
    kinds: set[str] = set()
    speakers: set[Speaker] = set()
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        parameters = [argument.arg for argument in function.args.args]
        for value in _given(function, speaker):
            if isinstance(value, ast.Name) and value.id in parameters:
                owner = path if function.name.startswith("_") else None
                speakers.add(Speaker(owner, function.name, parameters.index(value.id)))
            else:
                kinds |= set(_words(value, function, tree))
    return kinds, speakers


def _given(function: ast.FunctionDef, speaker: Speaker) -> Iterator[ast.expr]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == speaker.name:
            named = [keyword.value for keyword in node.keywords if keyword.arg == "kind"]
            yield named[0] if named else node.args[speaker.place]


def _words(value: ast.expr, function: ast.FunctionDef, tree: ast.Module) -> Iterator[str]:
    """The words that an expression can be; whoever builds a kind in a way that nobody can read fails here."""
    match value:
        case ast.Constant(value=str(word)):
            yield word
        case ast.IfExp(body=one, orelse=other):
            yield from _words(one, function, tree)
            yield from _words(other, function, tree)
        case ast.Name(id=name):
            yield from _words(_assigned(name, function), function, tree)
        case ast.Call(func=ast.Attribute(value=ast.Name(id=table), attr="get"), args=[_, otherwise]):
            for entry in _table(table, tree).values:
                yield from _words(entry, function, tree)
            yield from _words(otherwise, function, tree)
        case _:
            assert ast.unparse(value) in SAID_AGAIN, ast.unparse(value)


def _assigned(name: str, within: ast.AST) -> ast.expr:
    return next(
        node.value for node in ast.walk(within) if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    )


def _table(name: str, tree: ast.Module) -> ast.Dict:
    found = _assigned(name, tree)
    assert isinstance(found, ast.Dict)
    return found
