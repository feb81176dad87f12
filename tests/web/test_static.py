"""What we ship to a phone: small, untouched, readable in every light, and no template that the content policy would break."""

import gzip
import hashlib
import re
from pathlib import Path

import pytest

from app.web.static import script
from tests.web.lint_templates import faults

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "static"
CSS = (STATIC / "css" / "app.css").read_text()
SCRIPTS = [*sorted((STATIC / "js").glob("*.js")), STATIC / "sw.js"]
LIGHT, DARK, SONNE, MORE = (
    dict(re.findall(r"--([\w-]+): (#[0-9A-F]{6})", block))
    for block in re.findall(r":root\S* \{\n(.*?--ink:.*?)\n +\}\n", CSS, re.S)
)
LOOKS = {"light": LIGHT, "dark": LIGHT | DARK, "sonne": LIGHT | SONNE}
WHITE_ON_DARKENED = ("pri", "go", "bad", "prac")


def packed(path: Path) -> int:
    """Bytes on the wire."""
    body = script(path).encode() if path.suffix == ".js" else path.read_bytes()
    return len(gzip.compress(body, 9, mtime=0))


def luminance(colour: str) -> float:
    """Relative luminance of #RRGGBB (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast of two colours, 1 to 21 (WCAG 2.2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_style_sheet_stays_below_ten_kilobytes() -> None:
    assert packed(STATIC / "css" / "app.css") <= 10_000


def test_all_scripts_together_stay_below_twenty_five_kilobytes() -> None:
    assert sum(packed(path) for path in STATIC.glob("**/*.js")) <= 25_000


def test_the_icon_sheet_stays_small_and_every_icon_has_a_name_of_its_own() -> None:
    sprite = STATIC / "icons" / "sprite.svg"
    names = re.findall(r'<symbol id="([\w-]+)"', sprite.read_text())
    assert packed(sprite) <= 5_000
    assert len(names) == len(set(names)) >= 45


def test_vendored_files_are_byte_for_byte_what_was_checked() -> None:
    lines = (STATIC / "vendor" / "CHECKSUMS").read_text().split("\n")
    checked = {name: digest for digest, name in (line.split() for line in lines if line)}
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (STATIC / "vendor").glob("*.js")}
    assert found == checked


def test_licences_stand_beside_foreign_work() -> None:
    assert "Zero-Clause BSD" in (STATIC / "vendor" / "LICENSE-htmx.txt").read_text()
    assert "ISC License" in (STATIC / "icons" / "LICENSE-lucide.txt").read_text()


@pytest.mark.parametrize("look", LOOKS)
def test_body_text_is_readable_on_every_ground(look: str) -> None:
    least = 11 if look == "sonne" else 7
    tokens = LOOKS[look]
    for ground in ("paper", "paper2"):
        assert contrast(tokens["ink"], tokens[ground]) >= least
        assert contrast(tokens["ink2"], tokens[ground]) >= least


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", WHITE_ON_DARKENED)
def test_coloured_grounds_and_coloured_words_are_readable(look: str, name: str) -> None:
    tokens = LOOKS[look]
    least = 11 if look == "sonne" else 5.5
    assert contrast(tokens[name], tokens["on"]) >= least
    assert contrast(tokens[name], tokens["paper"]) >= least
    assert contrast(tokens[name], tokens["paper2"]) >= least


@pytest.mark.parametrize("look", LOOKS)
def test_warnings_borders_and_bars_can_be_told_apart(look: str) -> None:
    tokens = LOOKS[look]
    assert contrast(tokens["warn"], tokens["warn-ink"]) >= 11
    assert contrast(tokens["focus"], tokens["ink" if look != "dark" else "on"]) >= 10
    assert contrast(tokens["line"], tokens["paper2"]) >= 4.5
    assert min(contrast(tokens[bar], tokens["paper"]) for bar in ("own", "partner", "free")) >= 5.4


def test_somebody_who_asks_the_phone_for_more_contrast_gets_the_sunlight_colours() -> None:
    assert MORE == SONNE


def test_the_sheet_has_no_shadow_but_the_focus_ring_and_loads_nothing() -> None:
    assert not re.search(r"url\(|@import|text-shadow", CSS)
    shadows = {rule.strip() for rule in re.findall(r"box-shadow: ([^;}]+)", CSS)}
    assert shadows <= {"0 0 0 8px var(--ink)", "inset 0 0 0 12px var(--ink)", "none"}


def test_directions_are_logical_so_that_arabic_can_come() -> None:
    assert not re.search(r"(margin|padding|border)-(left|right)|[{;]\s*(left|right|width|height):", CSS)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_need_no_eval_and_write_no_markup(path: Path) -> None:
    assert not re.search(r"\beval\(|new Function|innerHTML|insertAdjacentHTML|document\.write", path.read_text())


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "templates").rglob("*.html")),
    ids=lambda path: path.relative_to(ROOT / "templates").as_posix(),
)
def test_no_template_breaks_the_content_policy_or_reckons(path: Path) -> None:
    assert faults(path) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<p style='color:red'>", "style attribute"),
        ("<a href={{ url }}>", "attribute without quotes"),
        ('<p class="a"\n id=b>', "attribute without quotes"),
        ('<button hx-on:click="x()">', "hx-on"),
        ('<button onclick="x()">', "inline event handler"),
        ("<p hx-vals='js:{a:1}'>", "js: value"),
        ("<p hx-vals='{\"a\": {{ a }}}'>", "without |tojson"),
        ('<p hx-trigger="click[ctrlKey]">', "filter in hx-trigger"),
        ("{{ name|safe }}", "|safe"),
        ("{% autoescape false %}{{ name }}{% endautoescape %}", "autoescape switched"),
        ("<script>1</script>", "inline script"),
        ('<script type="application/ld+json" id="x">{{ data }}</script>', "inline script"),
        ("{{ minutes / 60 }}", "sum in a template"),
        ("{{ session.scalars(x) }}", "query"),
        ("{% if %}", "Expected an expression"),
    ],
)
def test_the_lint_finds(text: str, reason: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text(text)
    assert any(reason in fault for fault in faults(bad)), faults(bad)


def test_the_lint_leaves_good_templates_alone(tmp_path: Path) -> None:
    good = tmp_path / "good.html"
    good.write_text(
        '<a href="{{ url }}"{% if a > b %} data-x="{{ a }}"{% endif %}{{ attrs|xmlattr }}>{{ _("x > y, z=1") }}</a><p>a=b</p>'
    )
    assert faults(good) == []
