"""Every text of three firms on three nodes is one of a kind: what turns up in another house is what was meant for it."""

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
import sqlalchemy as sa
import structlog

from app.core.db import Base
from app.factory import create_app
from app.firms.access import Role
from app.firms.models import Firm
from app.offers.models import Offer
from app.operator import routes
from app.operator.health import health_of
from app.passkeys.sessions import start_sign_in
from app.push.actions import alert_people
from tests.long.canary import CANARY, CODE, LINK
from tests.nodes.apart import nodes_on_disk
from tests.nodes.job import agreement, answer, ask, draft, evidence, plan, sign
from tests.nodes.leaving import open_mouths, operator_page, tell_people, ways_out
from tests.nodes.world import Node, link, settle_all
from tests.push.service import PushService
from tests.safety.canary_columns import WRITTEN

KEYS = ("keller", "yilmaz", "brandt")
CROSSES = {
    "firm.name": "the partner's card, and the name in the contract",
    "firm.short_name": "the name on the partner's lock screen",
    "firm.street": "the address in the contract",
    "firm.town": "the partner's card",
    "person.phone": "whom to ring about the signed contract: the manager who signed it, by role",
    "work_request.title": "what the work is",
    "work_request.note": "what else a foreman has to know",
    "work_request.contact_name": "whom to call, once the contract is signed",
    "work_request.contact_phone": "whom to call, once the contract is signed",
    "request_file.name": "the drawing's name",
    "offer.note": "what the offer says to the requester",
    "machine.name": "the machine that the contract books",
}
"""What one firm tells the other, and why; all else stays at home."""
PARTNERS = {"keller": KEYS, "yilmaz": ("keller", "yilmaz"), "brandt": ("keller", "brandt")}
MOST_LINKS = 40
STRAY = "qBR99999"
WAYS = ("pushes", "mails", "archive", "exports", "strangers", "operator", "log")
Planted = dict[str, str]


@pytest.fixture
def houses(tmp_path: Path) -> Iterator[dict[str, Node]]:
    with nodes_on_disk(tmp_path, [[key] for key in KEYS]) as nodes:
        yield dict(zip(KEYS, nodes, strict=True))


@pytest.fixture
def services() -> Iterator[dict[str, PushService]]:
    found: dict[str, PushService] = {}
    yield found
    for service in found.values():
        service.close()


def test_only_what_was_meant_for_a_partner_leaves_the_house(
    houses: dict[str, Node], capfd: pytest.CaptureFixture[str], tmp_path: Path, services: dict[str, PushService]
) -> None:
    planted: Planted = {}
    for key, node in houses.items():
        services[key] = open_mouths(node, key)
        plant(node, key, planted)
        node.wire = []
    files = play(houses, planted)
    crossed = set()
    for key, node in houses.items():
        assert node.wire
        sent = "\n".join(node.wire)
        places = ways_out(node, key, services[key], tmp_path)
        assert all(CANARY.search(text) for text in places.values()), "a way out that nobody looked at"
        for place, text in {
            "wire": sent, "rows": rows_of(node), "pages": "\n".join(pages_of(node, key)), "evidence": files[key], **places,
        }.items():  # fmt: skip
            words = foreign(key, text)
            owners = {found[1] for found in CANARY.finditer(text)}
            columns = {planted[word] for word in words}
            assert owners <= {CODE[partner] for partner in PARTNERS[key]}, (key, place)
            told = {planted[one]: text[text.index(one) - 100 :][:130] for one in words}
            assert columns <= CROSSES.keys(), {name: (key, place, told[name]) for name in columns - CROSSES.keys()}
            assert words <= foreign(key, sent), (key, place, "what nobody sent")
            crossed |= columns
        assert not CANARY.search(operator_page(node))
    assert crossed == CROSSES.keys(), "the list names what nobody is told"
    logged = capfd.readouterr()
    assert not CANARY.search(logged.out + logged.err)
    one, service = houses["yilmaz"], services["yilmaz"]
    assert ways_that_tell(one, "yilmaz", service, tmp_path, capfd) == set(WAYS)


def ways_that_tell(
    node: Node, key: str, service: PushService, folder: Path, capfd: pytest.CaptureFixture[str]
) -> set[str]:
    """By which ways a word of Brandt's comes out, once it stands in Yilmaz' rows where it has no business."""
    with node.database.write() as session:
        session.get_one(Firm, node.firm_id(key)).name = STRAY
        for role in (Role.MANAGER, Role.FOREMAN):
            person = [node.firms[key].people[role]]
            alert_people(session, node.firm_id(key), person, "partner_end", "", "/partner", {"name": STRAY})
    tell_people(node)
    places = ways_out(node, key, service, folder)
    with patch.object(routes, "health_of", lambda *given: replace(health_of(*given), version=STRAY)):
        places["operator"] = operator_page(node)
    structlog.get_logger().warning("partner away", name=STRAY)
    logged = capfd.readouterr()
    places["log"] = logged.out + logged.err
    return {place for place, text in places.items() if STRAY in foreign(key, text)}


def foreign(key: str, text: str) -> set[str]:
    """The words of other houses in a text that belongs to this one."""
    return {found[0] for found in CANARY.finditer(text) if found[1] != CODE[key]}


def plant(node: Node, key: str, planted: Planted) -> None:
    """A string of its own into every written column of every row."""
    with node.database.write() as session:
        for name in sorted(WRITTEN):
            table = Base.metadata.tables[name.split(".")[0]]
            column = table.c[name.split(".")[1]]
            if isinstance(column.type, sa.JSON):
                continue
            for row in session.execute(sa.select(*table.primary_key)).all():
                same = [one == row[place] for place, one in enumerate(table.primary_key)]
                session.execute(sa.update(table).where(*same).values({column.name: word(planted, key, name)}))


def word(planted: Planted, key: str, column: str) -> str:
    text = f"q{CODE[key]}{len(planted):05d}"
    planted[text] = column
    return text


def play(houses: dict[str, Node], planted: Planted) -> dict[str, str]:
    """From shortage to both signatures with both partners; returns what each house can prove, as text."""
    nodes = list(houses.values())
    one, providers = nodes[0], {key: houses[key] for key in ("yilmaz", "brandt")}
    for key, node in providers.items():
        assert one.wire is not None
        assert node.wire is not None
        before = len(one.wire)
        link(one, "keller", node, key, nodes)
        node.wire += one.wire[before:]  # the card that the invitation showed was fetched, not sent
    ids = {one.partner_id("keller", node.address(key)): key for key, node in providers.items()}
    told = {
        name: word(planted, "keller", f"work_request.{name}")
        for name in ("title", "note", "customer", "contact_name", "contact_phone")
    }
    drawing = word(planted, "keller", "request_file.name")
    request_id = ask(one, list(ids), 200 * 60, name=f"{drawing}.pdf", **told)
    rest(nodes)
    for key, node in providers.items():
        offer_id = answer(node, key, request_id)
        with node.database.write() as session:
            offer = session.get_one(Offer, (node.firm_id(key), offer_id))
            offer.note = word(planted, key, "offer.note")
        rest(nodes)
    files = dict.fromkeys(houses, "")
    for agreement_id in draft(one, plan(one, request_id)):
        key = ids[agreement(one, "keller", agreement_id).partner_id]
        sign(one, "keller", agreement_id)
        rest(nodes)
        sign(houses[key], key, agreement_id)
        rest(nodes)
        files["keller"] += evidence(one, "keller", agreement_id).decode()
        files[key] += evidence(houses[key], key, agreement_id).decode()
    assert all(files.values())
    return files


def rest(nodes: Sequence[Node]) -> None:
    """All that can go goes, to nodes and to people."""
    settle_all(nodes)
    for node in nodes:
        tell_people(node)


def rows_of(node: Node) -> str:
    with node.database.read() as session:
        return "\n".join(
            f"{table.name} {tuple(row)}"
            for table in Base.metadata.sorted_tables
            for row in session.execute(sa.select(table))
        )


def pages_of(node: Node, key: str) -> Iterator[str]:
    """What each person of the house is shown: every page without an id, and links that lead on from there."""
    app = create_app(node.config, node.database)
    firm = node.firms[key]
    for role in (Role.MANAGER, Role.FOREMAN, Role.WORKER):
        with node.database.write() as session:
            signed_in = start_sign_in(session, firm.id, firm.people[role], "Pixel", has_passkey=True)
        client = app.test_client()
        client.set_cookie("werkring", signed_in.secret, domain="localhost")
        waiting = deque(rule.rule for rule in app.url_map.iter_rules() if not rule.arguments and "GET" in rule.methods)
        seen: set[str] = set()
        while waiting and len(seen) < len(app.url_map._rules) + MOST_LINKS:
            path = waiting.popleft().replace("&amp;", "&")
            if path in seen or re.match(r"/(static|abmelden)", path):
                continue
            seen.add(path)
            answer = client.get(path, base_url=node.config.origin)
            yield answer.get_data().decode("utf-8", "replace")
            if answer.mimetype == "text/html":
                waiting.extend(LINK.findall(answer.get_data(as_text=True)))
