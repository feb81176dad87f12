"""Every part of the interface: the same promises in three looks, without the application and without JavaScript."""

import itertools
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from app.core.errors import RuleBroken
from e2e.parts.gallery import LOOKS, PAGES, Facts, Link, Look, Tab, World, environment, render_page

STATIC = Path(__file__).parents[2] / "static"
MACROS = (
    "seite kopf leiste aktionsleiste knopf paar karte fakten stufen kw_wahl chips feld fehlerliste pruefen aufgaben status "
    "hinweis leer quittung balken qr modusband abdeckung datei wahl formular fingerabdruck nachrichten installieren "
    "zeitleiste wochenplan icon marke"
)
VOID = {"meta", "link", "input", "br", "hr", "img"}
EVIL = "<script>x</script>\"'"


class Page(HTMLParser):
    """Elements with their attributes, in order; stops at a tag that is closed wrongly."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == [], self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"doubled attribute in <{tag}>"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]

    def values(self, name: str) -> list[str]:
        return [str(attrs[name]) for _, attrs in self.elements if attrs.get(name)]


def part(source: str, **values: object) -> str:
    """Render one part alone."""
    base = {"look": Look(), "world": World(), "lang": "de", "facts": Facts()}
    return environment().from_string('{% import "parts/ui.html" as ui with context %}' + source).render(base | values)


@pytest.fixture(params=itertools.product(PAGES, LOOKS), ids="-".join)
def page(request: pytest.FixtureRequest) -> Page:
    name, look = request.param
    return Page(render_page(name, LOOKS[look], errors=Facts().faults))


def test_all_parts_have_their_german_names() -> None:
    names = MACROS.split()
    source = "{% for name in names %}{{ 1 if ui[name] is defined else name }}{% endfor %}"
    assert part(source, names=names) == "1" * len(names)


def test_every_page_has_one_heading_one_main_and_a_way_to_skip(page: Page) -> None:
    head = page.text.split("</head>")[0]
    assert len(page.all("h1")) == len(page.all("main")) == head.count("<title>") == 1
    assert page.all("main")[0]["id"] == "inhalt"
    assert page.all("a")[0]["href"] == "#inhalt"


def test_every_page_says_its_language_and_its_look(page: Page) -> None:
    html = page.all("html")[0]
    assert (html["lang"], html["dir"]) == ("de", "ltr")
    assert (html["data-licht"] or "") in ("", "sonne")
    assert (html["data-hand"] or "") in ("", "handschuh")


def test_no_id_stands_twice_and_every_reference_is_kept(page: Page) -> None:
    ids = Counter(page.values("id"))
    assert [name for name, count in ids.items() if count > 1] == []
    wanted = {name for value in page.values("aria-describedby") for name in value.split()} | set(page.values("for"))
    assert wanted <= set(ids)


def test_every_visible_input_has_a_label_and_every_button_a_name(page: Page) -> None:
    labelled = set(page.values("for"))
    fields = [
        field
        for field in page.all("input") + page.all("textarea")
        if field.get("type") not in ("hidden", "radio", "checkbox")
    ]
    assert [field["name"] for field in fields if field["id"] not in labelled] == []
    assert not re.search(r"<button(?![^>]*aria-label)[^>]*>\s*(<svg.*?</svg>)?\s*</button>", page.text)


def test_every_post_form_carries_the_guard_and_the_one_time_key(page: Page) -> None:
    forms = re.findall(r"<form.*?</form>", page.text, re.S)
    assert [form for form in forms if 'name="csrf"' not in form or 'name="once"' not in form] == []


def test_every_icon_used_is_in_the_sheet(page: Page) -> None:
    sprite = set(re.findall(r'<symbol id="([\w-]+)"', (STATIC / "icons" / "sprite.svg").read_text()))
    assert {use["href"].split("#")[1] for use in page.all("use") if use["href"]} <= sprite


def test_no_page_carries_inline_styles_or_scripts(page: Page) -> None:
    assert page.values("style") == []
    assert [script for script in page.all("script") if not script.get("src")] == []
    assert [name for _, attrs in page.elements for name in attrs if name.startswith("on")] == []


def test_a_task_hides_the_tabs_and_shows_its_bar() -> None:
    assert "<nav" not in render_page("antwort", Look())
    assert '<div class="aktion">' in render_page("antwort", Look())
    assert '<nav class="leiste"' in render_page("anfragen", Look())


def test_a_page_with_faults_says_so_first() -> None:
    assert "<title>Fehler: Kapazität suchen" in render_page("formular", Look(), errors=Facts().faults)
    assert "<title>Kapazität suchen" in render_page("formular", Look())


def test_the_practice_world_is_named_in_band_and_title() -> None:
    html = render_page(
        "anfragen", Look(), World(True, "Yilmaz · Meister", root="/uebung", links=(Link("/uebung/wer", "Wechseln"),))
    )
    assert "<title>Übung: Anfragen" in html
    assert html.index("ÜBUNG") < html.index("<h1")
    assert 'data-root="/uebung/"' in html
    assert 'href="/uebung/manifest.webmanifest"' in html


def test_a_receipt_of_the_last_deed_stands_on_the_next_page_with_its_undo() -> None:
    html = render_page("anfragen", Look(), receipt={"text": "Gesendet.", "undo_url": "/u"})
    assert html.index('role="status" data-quittung') < html.index("Wartet auf dich")
    assert 'action="/u"' in html


def test_arabic_runs_from_right_to_left() -> None:
    assert '<html lang="ar" dir="rtl"' in render_page("leer", Look(), lang="ar")


def test_waiting_matters_are_spoken_in_words() -> None:
    one = part("{{ ui.leiste(tabs) }}", tabs=[Tab("/a", "bell", "Anfragen", 1, True), Tab("/b", "list", "Plan")])
    assert "1 wartet" in one
    assert one.count("aria-current") == 1
    assert "2 warten" in part("{{ ui.leiste(tabs) }}", tabs=[Tab("/a", "bell", "Anfragen", 2)])


def test_a_field_keeps_what_was_typed_and_says_what_is_wrong_in_the_same_words() -> None:
    fault = RuleBroken("Höchstens %(most)s Stunden.", "hours", most=24)
    field = part("{{ ui.feld('hours', 'Stunden', 'Mit Komma.', fault, '7,5x', modus='decimal') }}", fault=fault)
    assert 'value="7,5x"' in field
    assert 'aria-describedby="hilfe-hours fehler-hours"' in field
    assert 'aria-invalid="true"' in field
    assert "Höchstens 24 Stunden." in field
    assert '<a href="#feld-hours">Höchstens 24 Stunden.</a>' in part("{{ ui.fehlerliste([fault]) }}", fault=fault)


def test_week_chips_run_over_week_53_into_the_new_year_with_dates() -> None:
    html = part("{{ ui.kw_wahl('week', '2026-W52', 3, '2026-W53') }}")
    assert re.findall(r'value="([\w-]+)"', html) == ["2026-W52", "2026-W53", "2027-W01"]
    assert re.findall(r'value="([\w-]+)" checked', html) == ["2026-W53"]
    assert "28.12.–1.1." in html


def test_the_stepper_sends_plus_and_minus_without_javascript() -> None:
    html = part("{{ ui.stufen('hours', '7,5') }}")
    assert re.findall(r'name="hours_step" value="([-.\d]+)"', html) == ["-0.5", "0.5"]
    assert 'inputmode="decimal"' in html


def test_chips_are_one_choice_or_several() -> None:
    one = part("{{ ui.chips('p', [('a', 'A'), ('b', 'B')], titel='T', wert='b') }}")
    several = part("{{ ui.chips('p', [('a', 'A'), ('b', 'B')], True, 'T', ['a', 'b']) }}")
    assert (one.count('type="radio"'), one.count("checked")) == (2, 1)
    assert (several.count('type="checkbox"'), several.count("checked")) == (2, 2)
    assert one.count("<legend>") == several.count("<legend>") == 1


def test_a_link_is_a_link_and_a_button_sends_its_value() -> None:
    assert part("{{ ui.knopf('Ansehen', url='/a') }}").startswith('<a class="knopf pri" href="/a"')
    html = part("{{ ui.knopf('Ja', 'ja', name='answer', wert='yes', attrs={'hx-post': '/x'}) }}")
    assert all(word in html for word in ('name="answer" value="yes"', 'hx-post="/x"', 'data-testid="answer"'))


@pytest.mark.parametrize(
    ("offered", "words"), [(0, "noch 500 Stunden"), (19200, "noch 180 Stunden"), (30000, "Alles"), (36000, "Alles")]
)
def test_coverage_says_what_is_missing_and_never_draws_over_the_edge(offered: int, words: str) -> None:
    html = part("{{ ui.abdeckung(offered, 30000) }}", offered=offered)
    assert words in html
    assert max(float(width) for width in re.findall(r'width="([\d.]+)%"', html)) <= 100


def test_shares_of_a_coverage_fill_it_side_by_side() -> None:
    html = part("{{ ui.abdeckung(19200, 30000, {}, facts.shares) }}")
    assert re.findall(r'<svg class="stueck" x="([\d.]+)%" width="([\d.]+)%"', html) == [
        ("0", "28.0"),
        ("28.0", "24.0"),
        ("52.0", "12.0"),
    ]
    assert html.count("url(#schraffur)") == 2, "what is only promised is hatched"


def test_a_chart_is_one_sentence_one_picture_and_a_table_with_the_same_numbers() -> None:
    html = part("{{ ui.balken('In KW 47 fehlen 12 Stunden.', facts.weeks) }}")
    assert html.count("In KW 47 fehlen 12 Stunden.") == 3
    assert re.findall(r'<th scope="row">KW 48</th><td>([\d,]+)</td><td>([\d,]+)</td><td>([\d,]+)</td>', html) == [
        ("24", "24", "0")
    ]
    heights = [float(height) for height in re.findall(r'height="([\d.]+)"', html)]
    assert all(0 < height <= 120 for height in heights)


def test_a_chart_can_name_its_bars_and_leave_one_out() -> None:
    html = part("{{ ui.balken('Euch fehlen 24 Stunden.', facts.weeks, ('frei bei euch', 'fehlt', '')) }}")
    assert re.findall(r'<th scope="col">([^<]+)</th>', html) == ["Woche", "frei bei euch", "fehlt"]
    assert re.findall(r'<th scope="row">KW 48</th><td>([\d,]+)</td><td>([\d,]+)</td></tr>', html) == [("24", "24")]
    assert re.findall(r'<span class="probe (\w+)"', html) == ["eigen", "partner"]


def test_a_qr_code_is_drawn_and_can_be_typed() -> None:
    html = part("{{ ui.qr('https://w.example/m/7FQK', 'DMU 50', 'DMU-50 · 7FQK', facts.matrix) }}")
    assert html.count("h1v1h-1z") == sum(sum(row) for row in Facts().matrix)
    assert "DMU-50 · 7FQK" in html


def test_finished_tasks_are_counted() -> None:
    tasks = [{"titel": "A", "url": "/a", "stand": "fertig"}, {"titel": "B", "url": "/b", "stand": "offen"}]
    assert "1 von 2 erledigt" in part("{{ ui.aufgaben(tasks) }}", tasks=tasks)


def test_a_promise_is_never_called_a_contract() -> None:
    assert "zugesagt, ohne Vertrag" in part("{{ ui.status('zugesagt') }}")


def test_no_is_never_red() -> None:
    assert "fehler" not in part("{{ ui.knopf('Diesmal nicht', 'leer') }}{{ ui.status('nein') }}")


@pytest.mark.parametrize(
    "source",
    [
        "{{ ui.karte(x, x, [(x, x)], x, x, x, frist=x) }}",
        "{{ ui.feld('a', x, x, x, x) }}",
        "{{ ui.knopf(x, url=x, attrs={'data-a': x}) }}",
        "{{ ui.chips('a', [(x, x)], titel=x) }}",
        "{{ ui.wahl('a', [(x, x, x)], x) }}",
        "{{ ui.quittung(x, x, x) }}",
        "{{ ui.pruefen([(x, x, x)]) }}",
        "{{ ui.zeitleiste([{'text': x, 'wer': x, 'zeit': x}]) }}",
        "{{ ui.leer(x) }}{{ ui.hinweis(x) }}{{ ui.modusband('uebung', x) }}",
        "{{ ui.abdeckung(60, 60, {}, [{'name': x, 'minutes': 60}]) }}{{ ui.balken(x, facts.weeks) }}{{ ui.qr(x, x, x) }}",
        "{% call ui.formular(x) %}{{ x }}{% endcall %}{% call ui.hinweis() %}{{ x }}{% endcall %}",
        "{{ ui.fingerabdruck('signin', x, x, x) }}{{ ui.stufen('a', x, label=x) }}{{ ui.datei('a', x) }}",
    ],
)
def test_what_people_type_stays_text(source: str) -> None:
    html = part(source, x=EVIL)
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    Page(html)


def test_a_look_changes_colours_and_sizes_and_hides_or_shows_nothing() -> None:
    """So a page whose words and order are good in one look has them good in all: the stories ask axe for them once."""
    rules = re.findall(r"([^{}]*)\{([^{}]*)\}", (STATIC / "css" / "app.css").read_text())
    of_a_look = [body for selector, body in rules if "data-licht" in selector or "data-hand" in selector]
    names = set(re.findall(r"(?:^|;)\s*([\w-]+)\s*:", ";".join(of_a_look)))
    assert len(of_a_look) > 5
    assert {name for name in names if not name.startswith("--")} <= {
        "color-scheme", "fill-opacity", "grid-area", "grid-template-columns", "min-block-size",
    }  # fmt: skip
