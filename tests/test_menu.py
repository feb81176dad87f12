"""Every role finds its tabs, each leads to a page that the role may open, and badges count what waits for this person."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.core.db import Database
from app.firms.access import Actor, Role, may
from app.menu import TABS, home_of, tabs_for
from tests.web.tiny import Tiny, open_tiny
from tests.world import TestFirm, make_world


@pytest.fixture
def keller(sqlite_database: Database) -> TestFirm:
    with sqlite_database.write() as session:
        return make_world(session, ("keller", "yilmaz"))["keller"]


@pytest.fixture
def tiny(sqlite_database: Database, tmp_path: Path) -> Tiny:
    return open_tiny(sqlite_database, tmp_path)


def actor_as(firm: TestFirm, role: Role) -> Actor:
    """The manager of the firm in another view: the world has no accountant and no steward."""
    return replace(firm.actor(), role=role, roles=frozenset({role}))


@pytest.mark.parametrize("role", Role)
def test_every_tab_of_a_role_is_a_page_that_it_may_open(tiny: Tiny, role: Role) -> None:
    views = tiny.app.view_functions
    assert [entry.endpoint for entry in TABS[role] if entry.endpoint not in views] == []
    for entry in TABS[role]:
        permission = str(getattr(views[entry.endpoint], "permission", ""))
        holder = Actor("f", "p", frozenset({role}), role, "Ayşe", "s")
        assert permission == "public" or may(holder, permission), entry.endpoint


@pytest.mark.parametrize("role", Role)
def test_a_role_starts_with_its_first_tab_and_has_at_most_four(role: Role) -> None:
    assert home_of(role) == TABS[role][0].endpoint
    assert 2 <= len(TABS[role]) <= 4
    assert TABS[role][-1].endpoint == "firms.more"


@pytest.mark.parametrize("role", Role)
def test_the_bar_shows_every_tab_once_and_marks_where_one_is(tiny: Tiny, keller: TestFirm, role: Role) -> None:
    actor = tiny.acting[0] = actor_as(keller, role)
    with tiny.app.test_request_context("/mehr"):
        tabs = tabs_for(actor)
    assert [tab.icon for tab in tabs] == [entry.icon for entry in TABS[role]]
    assert [tab.url for tab in tabs if tab.is_active] == ["/mehr"]
    assert all(tab.label and tab.badge == 0 for tab in tabs)


@pytest.mark.parametrize("role", Role)
def test_every_tab_answers_when_it_is_tapped(tiny: Tiny, keller: TestFirm, role: Role) -> None:
    actor = tiny.acting[0] = actor_as(keller, role)
    with tiny.app.test_request_context("/"):
        urls = [tab.url for tab in tabs_for(actor)]
    assert [url for url in urls if tiny.client.get(url).status_code != 200] == []


def test_the_badge_counts_what_waits_for_this_firm(tiny: Tiny, keller: TestFirm) -> None:
    tiny.app.extensions["tab_counts"] = {"offers": lambda _session, actor: 3 if actor.firm_id == keller.id else 0}
    with tiny.app.test_request_context("/anfragen"):
        badges = {tab.url: tab.badge for tab in tabs_for(actor_as(keller, Role.FOREMAN))}
    assert badges["/anfragen"] == 3
    assert sum(badges.values()) == 3
