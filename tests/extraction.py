"""Finds every text for people, and keeps the English catalogue in step with it.

`python -m tests.extraction` writes messages.po anew: new texts stand there without English, old ones are gone.
"""

import ast
import io
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import IO, Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

Found = tuple[int, str | None, str | tuple[str, ...], list[str]]

ROOT = Path(__file__).parents[1]
ENGLISH = ROOT / "app/translations/en/LC_MESSAGES/messages.po"
HEADER = """# English for Werkring. The German text is the key; plain English, at most 12 words a sentence, 14 for managers.
msgid ""
msgstr ""
"Language: en\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""
TEXT_AT = {
    "_": 0,
    "N_": 0,
    "gettext": 0,
    "lazy_gettext": 0,
    "RuleBroken": 0,
    "Conflict": 0,
    "TooMany": 0,
    "NotAllowed": 0,
    "NotFound": 0,
    "said": 0,
    "go_to": 1,
    "_fail": 1,
    "next_answer": 2,
    "Reason": 2,
}
"""Which argument of a call is a text."""
READER_TEXT_AT = dict.fromkeys(("text", "long_text", "hours", "euro", "week", "day", "mail"), 1) | {
    "choice": 2,
    "choices": 2,
    "whole": 3,
}
"""The same for the readers of a form: the sentence for a missing value."""
TEXT_KEYWORDS = {"receipt", "missing"}
WORDED = re.compile(r"[A-ZÄÖÜ]|[äöüß]| ")


@cache
def extracted() -> Catalog:
    """What people can read today, by the same settings that pybabel uses; reading it all takes seconds."""
    mappings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["babel"]["mappings"]
    methods = [(pattern, one["method"]) for one in mappings for pattern in one["pattern"]]
    catalog = Catalog()
    for folder in ("app", "templates"):
        for name, line, text, _comments, _context in extract_from_dir(str(ROOT / folder), methods):
            catalog.add(text, locations=[(f"{folder}/{name}", line)])
    return catalog


def english() -> Catalog:
    """The catalogue as it is stored."""
    with ENGLISH.open("rb") as file:
        return read_po(file, locale="en")


def texts(catalog: Catalog) -> Iterator[Message]:
    """Every message but the header."""
    return (message for message in catalog if message.id)


def update_english() -> list[str]:
    """Write the catalogue anew, sorted by file and text; return what still lacks English."""
    said, known, fresh = extracted(), english(), Catalog(locale="en")
    for message in sorted(texts(said), key=lambda one: (min(name for name, _line in one.locations), str(one.id))):
        old = known.get(message.id)
        places = sorted({(name, 1) for name, _line in message.locations})
        fresh.add(message.id, old.string if old else "", locations=places, flags=message.flags)
    file = io.BytesIO()
    write_po(file, fresh, width=0, omit_header=True, include_lineno=False)
    ENGLISH.write_text(HEADER + file.getvalue().decode(), encoding="utf-8")
    return [str(message.id) for message in texts(fresh) if not any(message.string)]


def extract(file: IO[bytes], keywords: Any, comment_tags: Any, options: Any) -> Iterator[Found]:
    """What babel calls for one file: yields (line, function, text or plural pair, comments)."""
    yield from sorted(texts_in(file.read().decode("utf-8")), key=lambda found: found[0])


def texts_in(source: str) -> Iterator[Found]:
    """All texts of one module, also those that stand in a constant of the same module and are passed by its name."""
    tree = ast.parse(source)
    constants = _constants(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _of_call(node, constants)
        elif isinstance(node, ast.FunctionDef):
            for default in _missing_defaults(node):
                yield from _of_value(default, {})


def _of_call(call: ast.Call, constants: dict[str, list[ast.expr]]) -> Iterator[Found]:
    name = _name_of(call.func)
    if name == "ngettext":
        one, many = (argument for argument in call.args[:2] if isinstance(argument, ast.Constant))
        yield call.lineno, "ngettext", (str(one.value), str(many.value)), []
    places = READER_TEXT_AT if isinstance(call.func, ast.Attribute) else {}
    place = TEXT_AT.get(name, places.get(name))
    if place is not None and any(isinstance(argument, ast.Starred) for argument in call.args):
        yield from _of_value(call.args[-1], constants)
    elif place is not None and place < len(call.args):
        yield from _of_value(call.args[place], constants)
    for keyword in call.keywords:
        if keyword.arg in TEXT_KEYWORDS:
            yield from _of_value(keyword.value, constants)


def _of_value(value: ast.expr, constants: dict[str, list[ast.expr]]) -> Iterator[Found]:
    match value:
        case ast.Constant(value=str(text)) if text:
            yield value.lineno, None, text, []
        case ast.IfExp():
            yield from _of_value(value.body, constants)
            yield from _of_value(value.orelse, constants)
        case ast.BoolOp():
            for part in value.values:
                yield from _of_value(part, constants)
        case ast.Subscript() | ast.Attribute():
            yield from _of_value(value.value, constants)
        case ast.Call(func=ast.Attribute(value=ast.Name() as holder, attr="get")):
            yield from _of_value(holder, constants)
        case ast.Name() if value.id in constants:
            for constant in constants[value.id]:
                yield from _worded(constant)


def _worded(constant: ast.expr) -> Iterator[Found]:
    """The texts of a constant; keys, endpoints and icons are no texts."""
    if isinstance(constant, ast.Dict):
        for value in constant.values:
            yield from _worded(value)
    elif isinstance(constant, ast.Tuple | ast.List):
        for value in constant.elts:
            yield from _worded(value)
    elif isinstance(constant, ast.IfExp):
        yield from _worded(constant.body)
        yield from _worded(constant.orelse)
    elif isinstance(constant, ast.Constant) and isinstance(constant.value, str) and WORDED.search(constant.value):
        yield constant.lineno, None, constant.value, []


def _constants(tree: ast.Module) -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(node.value)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            found.setdefault(node.target.id, []).append(node.value)
    return found


def _missing_defaults(function: ast.FunctionDef) -> Iterator[ast.expr]:
    named = function.args.args[len(function.args.args) - len(function.args.defaults) :]
    for argument, default in zip(named, function.args.defaults, strict=True):
        if argument.arg in TEXT_KEYWORDS:
            yield default


def _name_of(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


if __name__ == "__main__":
    for text in update_english():
        print("without English:", text)
