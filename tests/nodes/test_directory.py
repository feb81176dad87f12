"""The directory across nodes: by consent of both operators and of each firm; who finds one there asks it, and links."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.core.errors import NotFound, RuleBroken
from app.directory.approaching import accept_approach, arrived_approaches
from app.directory.far import FarShop, approach_far_firm, far_shops, link_node, unlink_node
from app.directory.listing import set_far, set_listed
from app.directory.models import Approach, LinkedNode
from app.directory.queries import Search
from app.federation.linking import ask_node, read_link
from app.federation.neighbours import DIRECTORY, exchange_directories, receive_approach
from app.partners.actions import block_firm, propose_far_partnership
from app.partners.queries import own_words
from app.push.models import Alert
from tests.nodes.apart import nodes_on_disk
from tests.nodes.world import Node, partnership, settle_all, sign_framework

KELLER, YILMAZ = "keller@eins.test", "yilmaz@zwei.test"


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[Node]]:
    """Two nodes whose operators linked them, and a third one that stands alone."""
    with nodes_on_disk(tmp_path, [["keller", "nowak"], ["yilmaz"], ["brandt"]]) as made:
        one, two, _three = made
        with one.database.write() as session:
            code = link_node(session, two.config.node)
        with two.database.write() as session:
            assert link_node(session, one.config.node, code) == code
        yield made


def show(node: Node, key: str, *, far: bool) -> None:
    with node.database.write() as session:
        set_listed(session, node.actor(key), True)
        set_far(session, node.actor(key), far)
    settle_all([node])


def exchange(nodes: list[Node]) -> None:
    for node in nodes:
        with node.database.write() as session:
            session.execute(sa.update(LinkedNode).values(asked_at=None))
        exchange_directories(node.database, node.config)


def shops(node: Node, key: str, search: Search | None = None) -> list[FarShop]:
    with node.database.read() as session:
        return far_shops(session, node.firm_id(key), search or Search(), "de")


def ask(node: Node, key: str, entry_id: str) -> None:
    with node.database.write() as session:
        words = "-".join(own_words(session, node.firm_id(key)).split())
        approach_far_firm(
            session, node.actor(key), entry_id, lambda token: f"{node.config.origin}/join/{token}#{words}"
        )  # fmt: skip


def waiting(node: Node, key: str) -> list[Approach]:
    with node.database.read() as session:
        found = list(arrived_approaches(session, node.firm_id(key)))
        session.expunge_all()
        return found


def read_directory(node: Node, code: str) -> int:
    asked = urllib.request.Request(node.config.origin + DIRECTORY, headers={"Authorization": f"Bearer {code}"})
    try:
        with urllib.request.urlopen(asked) as answer:
            json.loads(answer.read())
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_firm_is_found_on_a_linked_node_asked_there_and_becomes_a_partner(nodes: list[Node]) -> None:
    one, two, three = nodes
    show(one, "keller", far=True)
    show(one, "nowak", far=False)
    show(three, "brandt", far=True)
    exchange(nodes)
    # 1. only who wants it is seen, and only on linked nodes
    (keller,) = shops(two, "yilmaz")
    assert (keller.name, keller.node, keller.is_known) != ("", "", True)
    assert keller.node == one.config.node
    assert keller.processes
    assert shops(two, "yilmaz", Search(town="Nirgends")) == []
    assert shops(one, "keller") == shops(three, "brandt") == []
    # 2. Yilmaz asks; Keller's people hear it and say yes by the invitation that came along
    ask(two, "yilmaz", keller.id)
    with pytest.raises(RuleBroken, match="schon gefragt"):
        ask(two, "yilmaz", keller.id)
    exchange(nodes)
    exchange(nodes)
    settle_all(nodes)
    (asked,) = waiting(one, "keller")
    assert (asked.address, asked.node) == (YILMAZ, two.config.node)
    with one.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).where(Alert.kind == "approach")) == 1
    with pytest.raises(NotFound), one.database.write() as session:
        accept_approach(session, one.actor("keller"), asked.id)
    with one.database.write() as session:
        propose_far_partnership(session, one.actor("keller"), ask_node(one.config, read_link(asked.link)))
    assert waiting(one, "keller") == []
    settle_all(nodes)
    sign_framework(two, "yilmaz", KELLER)
    settle_all(nodes)
    sign_framework(one, "keller", YILMAZ)
    settle_all(nodes)
    assert (partnership(one, "keller", YILMAZ).state, partnership(two, "yilmaz", KELLER).state) == ("active",) * 2
    assert shops(two, "yilmaz")[0].is_known
    # 3. whom we block we do not see
    with two.database.write() as session:
        block_firm(session, two.actor("yilmaz"), two.partner_id("yilmaz", KELLER))
    assert shops(two, "yilmaz") == []


def test_nothing_is_shown_without_the_code_and_nothing_any_more_once_one_operator_ends_it(nodes: list[Node]) -> None:
    one, two, three = nodes
    show(one, "keller", far=True)
    exchange(nodes)
    assert len(shops(two, "yilmaz")) == 1
    with one.database.read() as session:
        code = session.scalars(sa.select(LinkedNode.code)).one()
    assert (read_directory(one, code), read_directory(one, code[:-1] + "x"), read_directory(one, "")) == (200, 404, 404)
    assert read_directory(three, code) == 404
    # a linked node speaks for its own firms' invitations only, and to those who want to be found
    forged = {"id": "1", "to": KELLER, "address": YILMAZ, "name": "Y", "town": "", "link": ""}
    for link in ("", f"https://evil.example/join/{'a' * 22}#w", f"http://{one.config.node}/join/{'a' * 22}#w"):
        with pytest.raises(RuleBroken), one.database.write() as session:
            receive_approach(session, f"Bearer {code}", forged | {"link": link})
    good = forged | {"link": f"http://{two.config.node}/join/{'a' * 22}#w"}
    with one.database.write() as session:
        receive_approach(session, f"Bearer {code}", good | {"to": "nowak@eins.test"})
        receive_approach(session, f"Bearer {code}", good)
        receive_approach(session, f"Bearer {code}", good)
    assert (len(waiting(one, "keller")), waiting(one, "nowak")) == (1, [])
    with one.database.write() as session:
        assert unlink_node(session, two.config.node)
    assert read_directory(one, code) == 404
    with two.database.write() as session:
        unlink_node(session, one.config.node)
    assert shops(two, "yilmaz") == []
