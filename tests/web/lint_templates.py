"""What no template may contain: anything a strict content policy forbids, unescaped values, sums, queries."""

import re
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, TemplateSyntaxError, nodes

DRAWINGS = "charts.html"
"""The one file that may reckon: a drawing needs coordinates."""
SUMS = (nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow)
QUERIES = {
    "execute",
    "scalars",
    "scalar",
    "query",
    "filter_by",
    "order_by",
    "commit",
    "flush",
    "rollback",
    "all",
    "first",
    "one",
}
TAG = re.compile(r"<[a-zA-Z](?:[^<>\"']|\"[^\"]*\"|'[^']*')*>")
UNQUOTED = re.compile(r"\s[\w:@.-]+\s*=\s*[^\s\"']")
QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
FORBIDDEN = (
    (re.compile(r"\sstyle\s*=", re.I), "style attribute: use a class, or width and height of an svg"),
    (re.compile(r"\s(?:data-)?hx-on\b", re.I), "hx-on: put the behaviour into a file"),
    (re.compile(r"\son[a-z]+\s*=", re.I), "inline event handler"),
    (re.compile(r"[\"'\s](?:js|javascript):", re.I), "js: value"),
    (re.compile(r"hx-trigger\s*=\s*[\"'][^\"']*\[", re.I), "filter in hx-trigger: it would need eval"),
    (re.compile(r"\shx-boost\b", re.I), "hx-boost: pages are pages"),
    (re.compile(r"type\s*=\s*[\"'](?:number|week)[\"']", re.I), "number or week input: use feld or kw_wahl"),
    (re.compile(r"\splaceholder\s*=", re.I), "placeholder: the label stands above the field"),
    (re.compile(r"hx-vals\s*=\s*\"[^\"]*\{\{", re.I), "value inside hx-vals: single quotes and |tojson"),
    (re.compile(r"hx-vals\s*=\s*'(?=[^']*\{\{)(?![^']*\|\s*tojson)", re.I), "value inside hx-vals without |tojson"),
    # linked data is read by machines; a browser runs none of it
    (re.compile(r"<script(?![^>]*\ssrc=)(?! type=\"application/ld\+json\">)", re.I), "inline script"),
    (re.compile(r"<style\b", re.I), "inline style sheet"),
)


def faults(path: Path) -> list[str]:
    """Return what is wrong in one template, as `name:line: reason`; an empty list means clean."""
    text = path.read_text()
    try:
        tree = Environment(extensions=["jinja2.ext.i18n", "jinja2.ext.do"], autoescape=True).parse(text)
    except TemplateSyntaxError as error:
        return [f"{path.name}:{error.lineno}: {error.message}"]
    found = [*_page_faults(text), *_code_faults(tree, may_reckon=path.name == DRAWINGS)]
    return [f"{path.name}:{line}: {reason}" for line, reason in sorted(set(found))]


def _page_faults(text: str) -> Iterator[tuple[int, str]]:
    visible = re.sub(r"\{#.*?#\}", _blank, text, flags=re.S)
    for pattern, reason in FORBIDDEN:
        yield from ((_line(text, match.start()), reason) for match in pattern.finditer(visible))
    plain = re.sub(r"\{%.*?%\}", _blank, re.sub(r"\{\{.*?\}\}", _fill, visible, flags=re.S), flags=re.S)
    for tag in TAG.finditer(plain):
        if UNQUOTED.search(QUOTED.sub('""', tag.group())):
            yield _line(text, tag.start()), "attribute without quotes"


def _code_faults(tree: nodes.Template, may_reckon: bool) -> Iterator[tuple[int, str]]:
    for node in tree.find_all(nodes.Filter):
        if node.name in ("safe", "forceescape"):
            yield node.lineno, f"|{node.name}"
    for scope in tree.find_all(nodes.ScopedEvalContextModifier):
        yield scope.lineno, "autoescape switched"
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Getattr) and call.node.attr in QUERIES:
            yield call.lineno, f"query: .{call.node.attr}()"
    if not may_reckon:
        yield from ((node.lineno, "sum in a template") for node in tree.find_all(SUMS))


def _blank(match: re.Match[str]) -> str:
    """Keep lengths and lines, so that a position in the stripped text is one in the file."""
    return re.sub(r"[^\n]", " ", match.group())


def _fill(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", "x", match.group())


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
