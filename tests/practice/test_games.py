"""The register of games: codes, resets, idle games and the limit of two hundred."""

import datetime as dt
from pathlib import Path

import pytest

from app.core import clock
from app.practice.games import BEGINS_AT, CODE_LENGTH, MOST_GAMES, Games, is_left

MONDAY = dt.datetime(2027, 5, 3, 10, 0, tzinfo=dt.UTC)


@pytest.fixture
def games(tmp_path: Path) -> Games:
    return Games(tmp_path, "v1")


def test_a_game_is_found_by_its_id_and_by_its_code_in_any_spelling(games: Games) -> None:
    game = games.begin()
    assert games.find(game.id) == game
    assert games.by_code(f" {game.code[:3].lower()} {game.code[3:].lower()} ") == game
    assert len(game.code) == CODE_LENGTH
    assert games.by_code("AAAAAA") in (None, game)
    assert games.find("nobody") is None


def test_every_game_begins_on_the_monday_of_week_47_whenever_it_is_played(games: Games) -> None:
    for real in (MONDAY, MONDAY + dt.timedelta(days=400)):
        with clock.frozen(real):
            assert real + games.begin().shift == BEGINS_AT


def test_a_reset_keeps_the_code_and_brings_the_clock_back(games: Games) -> None:
    game = games.begin()
    games.move_clock(game, BEGINS_AT + dt.timedelta(days=14))
    again = games.start_again(game)
    assert (again.id, again.code, again.round) == (game.id, game.code, game.round + 1)
    assert abs(again.shift - game.shift) < dt.timedelta(seconds=5)
    assert again.file_name != game.file_name


def test_games_are_taken_out_after_seven_idle_days(games: Games) -> None:
    with clock.frozen(MONDAY):
        idle, played = games.begin(), games.begin()
    with clock.frozen(MONDAY + dt.timedelta(days=5)):
        games.note_tap(played)
    with clock.frozen(MONDAY + dt.timedelta(days=7)):
        assert [game.id for game in games.take_old()] == [idle.id]
        assert games.find(played.id) is not None


def test_the_oldest_game_goes_when_there_are_more_than_two_hundred(games: Games) -> None:
    begun = []
    for number in range(MOST_GAMES + 2):
        with clock.frozen(MONDAY + dt.timedelta(seconds=number)):
            begun.append(games.begin())
    with clock.frozen(MONDAY + dt.timedelta(hours=1)):
        taken = games.take_old()
    assert {game.id for game in taken} == {game.id for game in begun[:2]}


def test_the_world_is_left_after_half_an_hour_or_at_midnight(games: Games) -> None:
    with clock.frozen(MONDAY):
        game = games.begin()
    assert not is_left(game, MONDAY + dt.timedelta(minutes=30))
    assert is_left(game, MONDAY + dt.timedelta(minutes=31))
    with clock.frozen(late := MONDAY.replace(hour=21, minute=55)):  # 23:55 in Germany
        game = games.begin()
    assert is_left(game, late + dt.timedelta(minutes=10))


def test_the_time_of_a_running_game_does_not_move_the_register(games: Games) -> None:
    game = games.begin()
    with clock.frozen(MONDAY), clock.shifted(dt.timedelta(days=-200)):
        games.note_tap(game)
    found = games.find(game.id)
    assert found is not None
    assert found.seen_at == MONDAY
