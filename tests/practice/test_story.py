"""The Vorführung, as a visitor plays it: few taps, real pages, the same numbers every time."""

import datetime as dt
import json
import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.core import clock
from app.core.db import Base
from app.practice.games import real_now
from app.practice.story import STEPS
from tests.practice.visitors import BASE, Site, Visitor, plain

MOST_TAPS = 30
MOST_WORDS = 12

pytestmark = pytest.mark.usefixtures("running_clock")


def _next(visitor: Visitor) -> None:
    visitor.tap_button("fuehrung-weiter")


def _begin(site: Site) -> Visitor:
    visitor = site.visitor()
    visitor.open("/")
    visitor.tap("/uebung/vorfuehrung")
    return visitor


def test_the_whole_story_is_played_with_one_button(site: Site) -> None:
    visitor = _begin(site)
    assert "Euer Plan ist voll." in visitor.words
    assert "Allein machen" in visitor.words
    acts = [_act(visitor)]
    _next(visitor)
    acts.append(_act(visitor))
    assert "Allein: 180 von 500 Stunden. Auftrag weg." in visitor.words
    assert "Euch fehlen 320 Stunden in" in visitor.words
    assert re.findall(r'<th scope="col">([^<]+)</th>', visitor.page) == ["Woche", "frei bei euch", "fehlt"]
    while 'data-testid="fuehrung-weiter"' in visitor.page:
        assert "VORFÜHRUNG" in visitor.words
        assert "erfundene Betriebe" in visitor.words
        assert len(re.findall(r"<h1", visitor.page)) == 1
        _next(visitor)
        acts.append(_act(visitor))
    assert acts == [step.act for step in STEPS]
    assert visitor.taps <= MOST_TAPS
    assert visitor.path == "/uebung/vorfuehrung/ende"
    assert "500 von 500 Stunden" in visitor.words
    assert "Diese Datei bindet niemanden." in visitor.words


def test_the_story_shows_the_promised_numbers(site: Site) -> None:
    visitor = _begin(site)
    seen = {}
    for step in STEPS:
        seen[step.key] = visitor.words
        if not step.button:
            break
        _next(visitor)
    assert "120 h" in seen["phone"]
    assert "580 von 320 Stunden" in seen["coverage"]
    for hours in ("160 h", "140 h", "120 h", "100 h", "60 h"):
        assert hours in seen["coverage"]
    assert "3 Pläne passen." in seen["plans"]
    assert "40 Prozent" in seen["plans"]
    assert "KW 49" in seen["booked"]
    assert "Montag, KW 47" in seen["booked"]
    assert "Montag, KW 49" in seen["work"]
    assert "Gehäuse für Keller" in seen["work"]
    assert "Ayşe" in seen["work"]
    assert "Stunden fehlen" in seen["help"]
    assert "So geht es weiter" in seen["replan"]
    assert "Prüfe die fünf Punkte" in seen["replace"]
    assert "€" in seen["end"]


def test_the_decisive_taps_work_on_the_real_buttons_too(site: Site) -> None:
    visitor = _begin(site)
    _next(visitor)
    _next(visitor)
    request_id = re.search(r"/suchen/([0-9a-f-]{36})/schritt/3", visitor.path)
    assert request_id is not None
    visitor.tap(f"/uebung/suchen/{request_id.group(1)}/senden")
    assert "Geschafft. Tippe auf „Weiter“." in visitor.words
    _next(visitor)
    assert visitor.path == "/uebung/handy"
    visitor.tap_button("ja")
    assert "Danke. Keller weiß Bescheid." in visitor.words
    assert "Geschafft." in visitor.words
    for _ in range(4):
        _next(visitor)
    assert _step(visitor) == "sign"
    visitor.tap_button("unterschreiben")
    _next(visitor)
    assert _step(visitor) == "countersign"
    visitor.tap_button("unterschreiben")
    _next(visitor)
    assert _step(visitor) == "booked"
    assert visitor.taps <= MOST_TAPS


def test_a_second_tap_on_the_same_step_goes_no_further(site: Site) -> None:
    visitor = _begin(site)
    visitor.tap("/uebung/weiter", step="0")
    assert _step(visitor) == "problem"
    visitor.tap("/uebung/weiter", step="0")
    assert _step(visitor) == "problem"
    visitor.tap("/uebung/weiter", step="seven")
    assert _step(visitor) == "problem"


def test_the_evidence_at_the_end_is_a_file_that_says_practice(site: Site) -> None:
    visitor = _begin(site)
    while 'data-testid="fuehrung-weiter"' in visitor.page:
        _next(visitor)
    link = re.search(r'href="([^"]+beweis[^"]*)"', visitor.page)
    assert link is not None
    answer = visitor.client.get(link.group(1), base_url=BASE)
    assert answer.status_code == 200
    assert '"practice/keller.' in json.dumps(json.loads(answer.data))


def test_the_story_can_be_seen_again_and_is_the_same(site: Site) -> None:
    visitor = _begin(site)
    for _ in range(5):
        _next(visitor)
    assert _step(visitor) == "plans"
    first = re.findall(r"\d+[.,]\d+,?\d* ?€?", visitor.words)
    visitor.tap("/uebung/vorfuehrung")
    assert _step(visitor) == "order"
    for _ in range(5):
        _next(visitor)
    assert re.findall(r"\d+[.,]\d+,?\d* ?€?", visitor.words) == first


def test_a_visitor_who_takes_something_back_by_hand_sees_the_story_from_the_beginning(site: Site) -> None:
    visitor = _begin(site)
    _next(visitor)
    _next(visitor)
    draft = re.search(r"/suchen/([0-9a-f-]{36})/schritt/3", visitor.path)
    assert draft is not None
    visitor.tap(f"/uebung/suchen/{draft.group(1)}/verwerfen")
    _next(visitor)
    assert "Hier ging es nicht weiter. Die Vorführung beginnt neu." in visitor.words
    assert _step(visitor) == "order"
    _next(visitor)
    assert _step(visitor) == "problem"


def test_the_story_does_not_touch_a_game_that_somebody_practises_in(site: Site) -> None:
    visitor = site.player()
    own = visitor.game(site.practice)
    visitor.tap("/uebung/vorfuehrung")
    story = visitor.game(site.practice, "uebung-vorfuehrung")
    assert story.id != own.id
    assert visitor.game(site.practice) == own
    visitor.tap("/uebung/vorfuehrung")
    assert visitor.game(site.practice, "uebung-vorfuehrung").id == story.id


def test_the_story_can_be_ended_at_any_step_and_leads_to_the_door(site: Site) -> None:
    visitor = _begin(site)
    _next(visitor)
    visitor.tap_button("vorfuehrung-ende")
    assert "Das ist der Übungsbetrieb." in visitor.words
    visitor.tap_button("ueben")
    visitor.become("Keller", "manager")
    assert "Person wechseln" in visitor.words
    assert "fuehrung-weiter" not in visitor.page


def test_who_ends_the_story_is_back_in_the_game_that_waited(site: Site) -> None:
    visitor = site.player()
    own = visitor.game(site.practice)
    visitor.tap("/uebung/vorfuehrung")
    assert "Person wechseln" not in visitor.words
    visitor.tap_button("vorfuehrung-ende")
    assert visitor.path == "/uebung/personen"
    visitor.become("Keller", "manager")
    assert "Person wechseln" in visitor.words
    assert visitor.game(site.practice).id == own.id


def test_after_the_story_the_game_that_waited_goes_on(site: Site) -> None:
    visitor = site.player()
    own = visitor.game(site.practice)
    visitor.tap("/uebung/vorfuehrung")
    while 'data-testid="fuehrung-weiter"' in visitor.page:
        _next(visitor)
    visitor.tap_button("selbst-ueben")
    waited = visitor.game(site.practice)
    assert (waited.id, waited.round, waited.shift) == (own.id, own.round, own.shift)
    assert "fuehrung-weiter" not in visitor.page


def test_a_story_that_nobody_watches_any_more_is_over(site: Site) -> None:
    visitor = _begin(site)
    with clock.frozen(real_now() + dt.timedelta(minutes=31)):
        visitor.open("/uebung/plan")
    assert "Das ist der Übungsbetrieb." in visitor.words
    assert "Üben starten" in visitor.words


def test_beside_the_firm_that_asks_stands_the_phone_of_the_partner(site: Site) -> None:
    visitor = _begin(site)
    beside = []
    for _ in range(5):
        beside.append(plain(visitor.page.split('data-testid="nebenan">')[1].split("</aside>")[0]))
        _next(visitor)
    assert beside[0] == "Yilmaz · Kemal Yilmaz Gerade keine Nachricht."
    assert beside[3].startswith("Keller · Petra Keller")
    assert "Keller fragt." in beside[4]


def test_after_the_story_the_visitor_practises_alone_from_the_beginning(site: Site) -> None:
    visitor = _begin(site)
    while 'data-testid="fuehrung-weiter"' in visitor.page:
        _next(visitor)
    assert 'href="/betrieb/neu"' in visitor.page
    visitor.tap_button("selbst-ueben")
    assert visitor.path == "/uebung/personen"
    assert "fuehrung-weiter" not in visitor.page
    visitor.become("Keller", "manager")
    visitor.open("/uebung/suchen")
    assert 'data-testid="band-uebung"' in visitor.page


def test_the_story_leaves_the_real_world_empty(site: Site) -> None:
    visitor = _begin(site)
    while 'data-testid="fuehrung-weiter"' in visitor.page:
        _next(visitor)
    with site.real.read() as session:
        filled = [
            table.name
            for table in Base.metadata.sorted_tables
            if session.scalar(sa.select(sa.func.count()).select_from(table))
        ]
    assert filled in ([], ["rate_limit"])


def test_no_sentence_of_the_bar_is_longer_than_twelve_words() -> None:
    for step in STEPS:
        for sentence in re.split(r"[.!?]\s*", step.text):
            assert len(sentence.split()) <= MOST_WORDS, sentence


def test_nothing_leaves_the_house_while_the_story_runs(site: Site) -> None:
    visitor = _begin(site)
    while 'data-testid="fuehrung-weiter"' in visitor.page:
        _next(visitor)
    folder: Path = site.practice.config.data_dir
    assert not (folder / "tasks.sqlite").exists()
    assert not list(folder.rglob("*.eml"))


def _act(visitor: Visitor) -> int:
    found = re.search(r"(\d) von 6 ·", visitor.words)
    assert found is not None, visitor.words[:300]
    return int(found.group(1))


def _step(visitor: Visitor) -> str:
    found = re.search(r'name="step" value="(\d+)"', visitor.page)
    return STEPS[int(found.group(1))].key if found else "end"
