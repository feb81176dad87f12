"""The net between simulated nodes: it loses, delays, doubles and reorders what is sent, and answers get lost too."""

import datetime as dt
import json
import random
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field, replace

from app.core import clock
from app.core.errors import WerkringError
from app.core.outgoing import Answer, Unreachable
from app.federation.arriving import Knock, Refused, check_signed_get, nonce_of, receive_keys, receive_knock
from app.federation.carrying import INBOX, KEYS, SEVERAL
from app.federation.fetching import FILES
from app.federation.files import granted_file
from app.federation.linking import INVITATIONS, card_for
from tests.long.simulate_world import Place, PowerCut, watched_inbox

FAULTS = {
    "": 76,
    "lost": 4,
    "answer lost": 4,
    "late": 4,
    "doubled": 3,
    "again later": 3,
    "somebody else answers": 2,
    "sender cut before": 1,
    "sender cut after": 1,
    "receiver cut": 2,
}
"""What becomes of a request, in percent"""
LATE_MIN = (1, 2, 4, 30, 300, 3000)
SOMEBODY = Answer(200, {"content-type": "text/html"}, b"<h1>It works!</h1>")


@dataclass(frozen=True)
class Letter:
    """One request on its way."""

    sender: str
    receiver: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def __str__(self) -> str:
        kinds = ""
        for line in self.body.split(b"\n") if self.path in (INBOX, SEVERAL) else ():
            told = json.loads(line)
            kinds += f" {told['kind']} {told['seq']} {told['id'][-6:]} about {told['subject'][-6:]}"
        return f"{self.sender} > {self.receiver} {self.path[:18]}{kinds}"


@dataclass
class Net:
    """Who reaches whom now. Without `luck` nothing ever goes wrong."""

    places: Sequence[Place]
    luck: random.Random | None = None
    now: dt.datetime | None = None
    cut_until: dict[tuple[str, str], dt.datetime] = field(default_factory=dict)
    """Until when the first does not reach the second"""
    late: list[tuple[dt.datetime, int, Letter]] = field(default_factory=list)
    trace: list[tuple[dt.datetime, str, str, object]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    at_work: Place | None = None

    def __post_init__(self) -> None:
        self._by_name = {place.name: place for place in self.places}
        self._inbox = watched_inbox()

    @contextmanager
    def working(self, place: Place) -> Iterator[None]:
        """Within the block this node acts, by its own clock."""
        before, self.at_work = self.at_work, place
        try:
            if self.now is None:
                yield
                return
            with clock.frozen(self.now + place.offset):
                yield
        finally:
            self.at_work = before

    @asynccontextmanager
    async def courier(self, near_nodes: Collection[str] = ()) -> AsyncIterator["Net"]:
        yield self

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        most_bytes: int = 0,
        timeout_s: float | None = None,
    ) -> Answer:
        """What the real courier promises: one request and its whole answer, or Unreachable."""
        receiver, _, path = url.removeprefix("https://").partition("/")
        # a stranger has no worker of ours: linking is asked by people before the simulation begins
        sender = self.at_work.name if self.at_work else ""
        lowered = {name.lower(): value for name, value in headers.items()}
        letter = Letter(sender, receiver, method, f"/{path}", lowered, body or b"")
        if self.luck is None:
            return self._hand_over(letter)
        return self._carry(letter, self.luck)

    def bring_late(self) -> None:
        """Hand over what was held up and is due now; nobody waits for its answers."""
        assert self.now is not None
        due = sorted(one for one in self.late if one[0] <= self.now)
        self.late = [one for one in self.late if one[0] > self.now]
        for _, _, letter in due:
            try:
                self.note(letter.receiver, "late or again", letter)
                self._hand_over(letter)
            except Unreachable:
                self.counts["late lost"] += 1

    def note(self, where: str, what: str, more: object = "") -> None:
        if self.now is not None:
            self.trace.append((self.now, where, what, more))

    def is_cut(self, one: str, other: str) -> bool:
        until = self.cut_until.get((one, other))
        return until is not None and self.now is not None and self.now < until

    def _carry(self, letter: Letter, luck: random.Random) -> Answer:
        assert self.now is not None
        if self.is_cut(letter.sender, letter.receiver) or self._by_name[letter.receiver].off_until:
            self.counts["unreachable"] += 1
            raise Unreachable("simulated")
        fault = luck.choices(list(FAULTS), list(FAULTS.values()))[0]
        self.counts[fault or "carried"] += 1
        self.note(letter.sender, fault or "sends", letter)
        if fault in ("late", "again later"):
            due = self.now + dt.timedelta(minutes=luck.choice(LATE_MIN))
            self.late.append((due, len(self.trace), letter))
        if fault == "sender cut before":
            raise PowerCut
        if fault in ("lost", "late"):
            raise Unreachable("simulated")
        if fault == "receiver cut":
            self._by_name[letter.receiver].house.cut_in = luck.randint(2, 4)
        answer = self._hand_over(letter)
        if fault == "doubled":
            answer = self._hand_over(letter)
        if fault == "sender cut after":
            raise PowerCut
        if fault == "answer lost":
            raise Unreachable("simulated")
        return SOMEBODY if fault == "somebody else answers" else answer

    def _hand_over(self, letter: Letter) -> Answer:
        place = self._by_name[letter.receiver]
        if place.off_until:
            raise Unreachable("simulated")
        try:
            with self.working(place):
                answer = self._answer(place, letter)
        except PowerCut:
            self.note(place.name, "power cut")
            self.counts["power cuts"] += 1
            with self.working(place):
                place.restart()
            raise Unreachable("simulated") from None
        except Exception:
            self.faults.append(f"{letter}: {traceback.format_exc()}")
            raise Unreachable("simulated") from None
        self.note(place.name, f"answers {answer.status}", answer.body[:120] if letter.path in (INBOX, SEVERAL) else "")
        return answer

    def _answer(self, place: Place, letter: Letter) -> Answer:
        """What app/federation/routes_nodes.py does."""
        headers = {"werkring-answer": nonce_of(letter.headers)}
        if letter.path in (INBOX, SEVERAL):
            knock = Knock(
                letter.method,
                letter.path,
                letter.headers,
                len(letter.body),
                lambda most_bytes: letter.body[:most_bytes],
            )
            told = receive_knock(place.database, place.config, self._inbox, knock, lambda: 0)
            self.counts["groups"] += letter.path == SEVERAL
            for one in told.body.get("verdicts", [{"status": told.status, **told.body}]):
                self.counts[f"answered {one['status']} {one.get('reason', one['state'])}"] += 1
            return Answer(told.status, headers, json.dumps(told.body).encode())
        try:
            if letter.path == KEYS:
                told_keys = json.loads(letter.body)
                receive_keys(place.database, told_keys["to"], told_keys["document"])
                return Answer(204, {}, b"")
            if letter.path == INVITATIONS:
                with place.database.read() as session:
                    card = card_for(session, json.loads(letter.body)["token"])
                    return Answer(200, {}, json.dumps(card, default=asdict).encode())
            return replace(self._file(place, letter), headers=headers)
        except WerkringError:
            return Answer(404, {}, b"")

    def _file(self, place: Place, letter: Letter) -> Answer:
        try:
            peer = check_signed_get(place.database, place.config, letter.path, letter.headers)
        except Refused as refused:
            return Answer(refused.status, {}, b"")
        sha256 = letter.path.removeprefix(f"{FILES}/")
        with place.database.read() as session:
            found = granted_file(session, peer.firm_id, peer.partner_id, sha256)
            return Answer(404, {}, b"") if found is None else Answer(200, {}, found.body)
