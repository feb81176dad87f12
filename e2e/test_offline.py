"""J3 without a net: what a worker reports in a steel hall arrives once, whatever happens to net and phone."""

import datetime as dt

from playwright.sync_api import Browser, expect

from e2e.full_house import House
from e2e.net import Net
from e2e.phone import Phone
from tests.bench.server import free_port, serving
from tests.long.offline import COPIED, FRIDAY, SHORT_SENDS, entries, send_hours


def test_hours_reported_offline_arrive_once_after_the_page_was_killed(browser: Browser, house: House) -> None:
    port, inner = free_port(), free_port()
    before = entries(house)
    with serving(house.folder, port=inner, CLOCK_START=FRIDAY.isoformat(), PUBLIC_URL=f"http://localhost:{port}"):
        net, url = Net(port, inner), f"http://localhost:{port}"
        phone = Phone.pick_up(browser, url, "Ayşe")
        phone.context.clock.set_fixed_time(FRIDAY)
        phone.context.add_cookies([{"name": "werkring", "value": house.cookie("yilmaz worker"), "url": url}])
        phone.open("/heute")
        phone.page.wait_for_function("() => navigator.serviceWorker.controller !== null")
        phone.page.reload()
        path = f"/auftrag/{house.ids('yilmaz worker')['work']}/stunden"
        assert phone.page.evaluate(COPIED, path)
        net.cut()
        phone.page.reload()
        expect(phone.page.get_by_test_id("band-offline")).to_contain_text("Stand")
        phone.count_from_here()
        phone.tap("Stunden melden")
        phone.page.get_by_test_id("hours-mehr").click()
        phone.tap("Senden")
        assert phone.counted()["taps"] <= 3
        phone.see("Deine Stunden sind auf dem Handy gespeichert.")
        phone.see("1 Eintrag ist noch nicht gesendet.")
        assert phone.judge("S10-ohne-netz") == []
        phone.page.get_by_test_id("ungesendet").get_by_role("textbox").fill("6,5")
        phone.tap("Ändern")
        phone.see("1 Eintrag ist noch nicht gesendet.")
        phone.page.close()
        net.mend()
        phone.page = phone.context.new_page()
        phone.open("/mehr")
        expect(phone.page.get_by_test_id("ungesendet")).to_be_hidden()
        phone.open("/stunden")
        expect(phone.page.get_by_text("6,5 h")).to_have_count(1)
        phone.context.close()
        net.close()
    assert entries(house) - before == {}


def test_a_person_who_signs_out_is_asked_first_and_nobody_else_sees_what_waits(browser: Browser, house: House) -> None:
    port, inner = free_port(), free_port()
    with serving(house.folder, port=inner, CLOCK_START=FRIDAY.isoformat(), PUBLIC_URL=f"http://localhost:{port}"):
        net, url = Net(port, inner), f"http://localhost:{port}"
        phone = Phone.pick_up(browser, url, "Ayşe")
        phone.context.clock.set_fixed_time(FRIDAY + dt.timedelta(minutes=5))
        phone.context.add_cookies([{"name": "werkring", "value": house.cookie("yilmaz worker"), "url": url}])
        phone.open("/mehr")
        phone.page.evaluate(
            """async () => {
              await import(document.querySelector('script[type=module]').src.replace('app.js', 'hours.js'));
              const person = document.querySelector('meta[name=person]').content;
              const body = { hours: '99', day: '2026-11-20', booking_id: 'x' };
              await self.waiting.keep({ person, url: '/stunden/senden', title: 'Gehäuse', body });
              await self.waiting.sendAll(person);
            }"""
        )
        phone.see("1 Eintrag ist noch nicht gesendet.")
        phone.see("Trotzdem abmelden")
        assert phone.judge("Mehr-ungesendet") == []
        phone.context.clear_cookies()
        phone.context.add_cookies([{"name": "werkring", "value": house.cookie("yilmaz foreman"), "url": url}])
        phone.open("/mehr")
        phone.see_not("noch nicht gesendet")
        phone.see_not("Trotzdem abmelden")
        phone.context.close()
        net.close()


def test_a_net_that_tears_loses_and_doubles_nothing(browser: Browser, house: House) -> None:
    """The short form of `python -m tests.long offline`."""
    found = send_hours(browser, house, SHORT_SENDS, seed=1)
    assert found == {"ok": True, "sends": SHORT_SENDS, "lost": 0, "doubled": 0, "unsent": 0}
