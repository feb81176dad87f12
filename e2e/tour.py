"""A walk through all pages of full_house.py, each as the person who sees it (screens.py)."""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from playwright.sync_api import Browser, Response

from e2e.full_house import House
from e2e.phone import Phone
from e2e.screens import NOBODY, OPERATOR, SAME_PAGE, SCREENS, Screen
from tests.bench.server import serving
from tests.long.race_world import MONDAY

SMALLEST = (320, 568)
OPERATOR_KEY = "ab" * 32


@contextmanager
def touring(browser: Browser, house: House, app: Flask) -> Iterator["Tour"]:
    """The house is served until the block ends; `app` only for its addresses."""
    key = house.folder / "operator.key"
    key.write_text(OPERATOR_KEY)
    key.chmod(0o600)
    with serving(house.folder, CLOCK_START=MONDAY.isoformat(), OPERATOR_KEY_FILE=str(key)) as server:
        walk = Tour(browser, f"http://localhost:{server.port}", house, app)
        yield walk
        walk.end()


def all_screens() -> Iterator[tuple[str, str, Screen]]:
    """Name, endpoint and row of every look at a page."""
    for endpoint, screens in SCREENS.items():
        for screen in screens:
            yield f"{endpoint}-{screen.note}" if screen.note else endpoint, endpoint, screen


class Tour:
    """The phones of everybody who looks at a page, and what was found on the way."""

    def __init__(self, browser: Browser, url: str, house: House, app: Flask) -> None:
        self.browser, self.url, self.house = browser, url, house
        self.addresses = app.url_map.bind("localhost")
        self.phones: dict[str, Phone] = {}
        self.titles: dict[str, str] = {}

    def phone(self, who: str) -> Phone:
        if who not in self.phones:
            phone = self.phones[who] = Phone.pick_up(self.browser, self.url, who, size=SMALLEST)
            if who == OPERATOR:
                told = b64encode(f":{OPERATOR_KEY}".encode()).decode()
                phone.context.set_extra_http_headers({"Authorization": f"Basic {told}"})
            elif who != NOBODY:
                phone.context.add_cookies([{"name": "werkring", "value": self.house.cookie(who), "url": self.url}])
        return self.phones[who]

    def open(self, endpoint: str, screen: Screen) -> tuple[Phone, Response]:
        ids = {name: self._id_of(screen, kind) for name, kind in screen.ids.items()}
        phone = self.phone(screen.who)
        answer = phone.page.goto(self.addresses.build(endpoint, ids) + screen.query)
        assert answer is not None
        return phone, answer

    def judge(self, name: str, phone: Phone, endpoint: str) -> list[str]:
        """Faults of the page in sight; a title may stand on one kind of page only."""
        faults = phone.judge(name)
        owner = SAME_PAGE.get(endpoint, endpoint)
        known = self.titles.setdefault(phone.page.title(), owner)
        return faults if known == owner else [*faults, f"has the title of {known}: {phone.page.title()}"]

    def end(self) -> None:
        for phone in self.phones.values():
            phone.context.close()

    def _id_of(self, screen: Screen, kind: str) -> str:
        """The id of this kind in the house of who looks, or in the house that is named before the colon."""
        if kind.startswith("="):
            return kind[1:]
        who, _, name = kind.rpartition(":")
        return self.house.ids(who or screen.who)[name]
