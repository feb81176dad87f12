"""A site with both worlds, and visitors with browsers of their own that only follow what the pages show."""

import re
from dataclasses import dataclass, field
from typing import Any

from werkzeug.test import Client, TestResponse

from app.config import Config
from app.core.db import Database
from app.practice.games import Game
from app.practice.worlds import Practice

BASE = "http://localhost:8000"
OWN_FORM = {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin", "Accept": "text/html"}


@dataclass
class Visitor:
    """One browser: cookies, the page it sees, and every tap counted."""

    client: Client
    page: str = ""
    path: str = ""
    taps: int = 0
    seen: list[str] = field(default_factory=list)

    def open(self, path: str, status: int = 200, **headers: str) -> TestResponse:
        """Look at a page, wherever it leads."""
        answer = self.client.get(path, base_url=BASE, headers={"Accept": "text/html", **headers})
        for _ in range(5):
            if answer.status_code not in (302, 303):
                break
            path = answer.headers["Location"].split("#")[0]
            answer = self.client.get(path, base_url=BASE, headers={"Accept": "text/html", **headers})
        assert answer.status_code == status, f"{path}: {answer.status_code}, {text_of(answer)[:400]}"
        self.page, self.path = answer.get_data(as_text=True), path
        self.seen.append(path)
        return answer

    def tap(self, path: str, status: int = 303, **form: Any) -> TestResponse:
        """Send a form and look at the page after it."""
        self.taps += 1
        answer = self.client.post(path, data=form, base_url=BASE, headers=OWN_FORM)
        assert answer.status_code == status, f"{path}: {answer.status_code}, {text_of(answer)[:400]}"
        if status == 303:
            self.open(answer.headers["Location"].split("#")[0])
        else:
            self.page = answer.get_data(as_text=True)
        return answer

    def tap_button(self, testid: str) -> None:
        """Tap a button of the page as a browser would: its form with all hidden fields."""
        for form in re.findall(r"<form.*?</form>", self.page, re.S):
            button = re.search(rf'<button[^>]*data-testid="{testid}"[^>]*>', form)
            if button is None:
                continue
            fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
            named = re.search(r'name="([^"]+)" value="([^"]*)"', button.group())
            fields |= {named.group(1): named.group(2)} if named else {}
            action = re.search(r'action="([^"]+)"', form)
            assert action is not None
            self.tap(action.group(1), **fields)
            return
        raise AssertionError(f"no button {testid} on {self.path}")

    def become(self, firm: str, role: str) -> None:
        """Choose a firm and a person by what the pages say."""
        self.open("/uebung/personen")
        found = re.search(rf'href="([^"]+)"><span><strong>{firm}<', self.page)
        assert found is not None, f"{firm} is not to be chosen"
        self.open(found.group(1))
        self.tap_button(f"person-{role}")

    @property
    def words(self) -> str:
        return plain(self.page)

    def game(self, practice: Practice, cookie_name: str = "uebung-spiel") -> Game:
        cookie = self.client.get_cookie(cookie_name, path="/uebung")
        assert cookie is not None
        game = practice.games.find(str(practice._signer.loads(cookie.value)))
        assert game is not None
        return game


@dataclass
class Site:
    """Both worlds of one node."""

    wsgi: Any
    config: Config
    real: Database
    practice: Practice

    def visitor(self) -> Visitor:
        return Visitor(Client(self.wsgi))

    def player(self) -> Visitor:
        """A visitor with a game of their own."""
        visitor = self.visitor()
        visitor.tap("/uebung/ueben")
        return visitor

    def database(self, visitor: Visitor) -> Database:
        return self.practice.database(visitor.game(self.practice))


def text_of(answer: TestResponse) -> str:
    return plain(answer.get_data(as_text=True))


def plain(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)).strip()
