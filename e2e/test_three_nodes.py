"""The main job between three nodes run by three operators: one on PostgreSQL, two on SQLite, nothing but https between them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from e2e.acts import (
    BRANDT,
    FREE_WEEKS,
    KELLER,
    PARTNERS_PAGE,
    YILMAZ,
    Shop,
    download_evidence,
    found_firm,
    invite_colleague,
    invite_partner,
    join_firm,
    print_recovery_key,
    sign_framework,
    sign_waiting,
    upload_free_hours,
    wait_for,
    wait_here,
    write_rate,
)
from e2e.nodes import Ring
from e2e.phone import Phone
from e2e.proof import prove_offline
from tests.postgres import PostgresServer
from tests.push.service import PushService


@pytest.fixture
def ring(browser: Browser, tmp_path: Path, push_service: PushService) -> Iterator[Ring]:
    """Keller has its own node on SQLite, Yilmaz is on a hub with PostgreSQL, Brandt on a third node."""
    server = PostgresServer.start(tmp_path)
    running = Ring.start(browser, tmp_path, push_service, ("", server.bare_database(), ""))
    yield running
    running.stop()
    server.stop()


def test_three_nodes_turn_a_shortage_into_bookings_that_each_side_proves(ring: Ring, tmp_path: Path) -> None:
    petra = ring.pick_up(0, "Petra")
    found_firm(petra, KELLER)
    print_recovery_key(petra)
    managers, foremen = {}, {}
    for place, shop in ((1, YILMAZ), (2, BRANDT)):
        managers[shop] = phone = ring.pick_up(place, shop.manager)
        link_nodes(petra, phone, shop)
        write_rate(phone, shop)
        upload_free_hours(phone, dict.fromkeys(FREE_WEEKS, "25"))
        foremen[shop] = bring_foreman(ring, place, shop, phone)
    ask(petra)
    for shop in (YILMAZ, BRANDT):
        message = pushed(ring, shop, 2)
        assert "Keller" in foremen[shop].deliver(message)["body"]
        wait_for(foremen[shop], "5-Achs-Fräsen für Keller")
        foremen[shop].tap("5-Achs-Fräsen für Keller")
        foremen[shop].tap("Ja, das geht")
        foremen[shop].see("Danke. Keller weiß Bescheid.")
    choose_plan(petra)
    for _ in range(2):
        sign_waiting(petra)
    for shop in (YILMAZ, BRANDT):
        sign_waiting(managers[shop])
    wait_for(petra, "Für uns arbeitet", "Mehr", "Gebuchte Stunden", seconds=30)
    phones = (petra, *managers.values())
    for phone in phones[1:]:
        wait_for(phone, "Wir arbeiten für", "Mehr", "Gebuchte Stunden", seconds=30)
    files = [content for phone in phones for content in download_evidence(phone)]
    assert len(files) == 4
    prove_offline(files, tmp_path)
    assert [node.faults() for node in ring.nodes] == [[], [], []]


def link_nodes(petra: Phone, phone: Phone, shop: Shop) -> None:
    """The partner's firm lives on its own node: the QR's page leads there, and there the manager says yes."""
    found_firm(phone, shop)
    print_recovery_key(phone)
    phone.open("/maschinen/schnell")
    phone.tap("5-Achs-Bearbeitungs")
    phone.tap("Fertig")
    link = invite_partner(petra)
    phone.open(link)
    phone.tap("Wir haben einen eigenen Server")
    phone.write("Adresse eures Servers", urlsplit(phone.base).netloc)
    phone.tap("Dort annehmen")
    phone.tap("Weiter zu")
    phone.page.wait_for_url(re.compile(re.escape(phone.base)))
    phone.tap("Weiter")
    phone.see("Die sechs Wörter von Keller")
    phone.tap("Ja, Partner werden")
    phone.see("Angenommen")
    wait_for(petra, "Wartet auf eure Unterschrift", *PARTNERS_PAGE, seconds=30)
    sign_framework(petra, shop)
    wait_for(phone, "Wartet auf eure Unterschrift", *PARTNERS_PAGE, seconds=30)
    sign_framework(phone, KELLER)
    wait_for(phone, "Partner seit", *PARTNERS_PAGE)


def bring_foreman(ring: Ring, place: int, shop: Shop, manager: Phone) -> Phone:
    link = invite_colleague(manager, f"Jonas {shop.short}", "Meister")
    phone = ring.pick_up(place, f"Jonas {shop.short}", push=shop.short.lower())
    join_firm(phone, link)
    phone.see("Anfragen")
    phone.go("Mehr", "Auf diesem Handy")
    phone.tap("Ja, einschalten")
    phone.deliver(pushed(ring, shop, 1))
    return phone


def pushed(ring: Ring, shop: Shop, count: int) -> dict[str, Any]:
    """The message with this number to the phone of the shop's foreman."""

    def found() -> list[dict[str, Any]]:
        return [got.message for got in ring.push_service.got if got.path == f"/push/{shop.short.lower()}"]

    ring.phones[0]._until(lambda: len(found()) >= count, seconds=30)
    return found()[count - 1]


def ask(phone: Phone, hours: str = "400", partners: int = 2) -> None:
    phone.open("/")
    phone.tap("Suchen")
    phone.tap("5-Achs-Fräsen")
    phone.write("Stunden", hours)
    phone.page.locator("fieldset", has_text="Von wann").locator("label", has_text="KW 49").click()
    phone.wait_for_answer()
    last_weeks = phone.page.locator("fieldset", has_text="Bis wann").locator("label")
    last_weeks.filter(has=phone.page.get_by_text("KW 4", exact=True)).click()
    phone.tap("Weiter")
    phone.tap("Keine freie Zeit")
    phone.tap("Weiter")
    phone.tap("Anfrage senden")
    phone.see(f"Gesendet an {partners} Partner")


def choose_plan(phone: Phone, hours: str = "400") -> None:
    wait_here(phone, f"{hours} von {hours} Stunden", seconds=40)
    phone.tap("Pläne vergleichen")
    phone.see("Plan A wählen")
    phone.tap("Plan A wählen")
    phone.tap("Vereinbarung erstellen")
    phone.see("Prüfe die fünf Punkte")
