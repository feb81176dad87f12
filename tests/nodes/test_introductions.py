"""My partner's partner over three nodes: the firm in the middle names nobody before both said yes; then they link."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.directory.introducing import (
    Proposal,
    accept_introduction,
    decline_introduction,
    introduce_partners,
    introductions,
    proposals,
)
from app.federation.linking import ask_node, read_link
from app.partners.actions import propose_far_partnership, set_scope
from app.partners.queries import own_words
from tests.nodes.apart import nodes_on_disk
from tests.nodes.world import Node, link, messages, partnership, settle_all, sign_framework

KELLER, YILMAZ, BRANDT = "keller@eins.test", "yilmaz@zwei.test", "brandt@drei.test"


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[list[Node]]:
    """Keller in the middle of Yilmaz and Brandt, who do not know each other and let Keller introduce firms."""
    with nodes_on_disk(tmp_path, [["keller"], ["yilmaz"], ["brandt"]]) as nodes:
        for node, key in zip(nodes[1:], ("yilmaz", "brandt"), strict=True):
            link(nodes[0], "keller", node, key, nodes)
            with node.database.write() as session:
                set_scope(session, node.actor(key), node.partner_id(key, KELLER), ["requests", "introductions"])
        settle_all(nodes)
        yield nodes


def introduce(nodes: list[Node]) -> None:
    one = nodes[0]
    with one.database.write() as session:
        ids = [one.partner_id("keller", address) for address in (YILMAZ, BRANDT)]
        introduce_partners(session, one.actor("keller"), *ids)
    settle_all(nodes)


def shown(node: Node, key: str) -> Proposal:
    with node.database.read() as session:
        (found,) = proposals(session, node.firm_id(key), "de")
        return found


def say_yes(node: Node, key: str) -> None:
    offer = shown(node, key)
    with node.database.write() as session:
        words = "-".join(own_words(session, node.firm_id(key)).split())
        accept_introduction(
            session, node.actor(key), offer.id, lambda token: f"{node.config.origin}/join/{token}#{words}"
        )  # fmt: skip


def came_to(node: Node) -> str:
    """Everything that messages told this node."""
    return json.dumps([row.body for row in messages(node, "in")])


def test_two_partners_of_a_partner_meet_over_three_nodes_once_both_said_yes(ring: list[Node]) -> None:
    _, two, three = ring
    introduce(ring)
    say_yes(two, "yilmaz")
    settle_all(ring)
    # 1. one yes names nobody to anybody; the one in the middle waits
    assert (shown(two, "yilmaz").name, shown(three, "brandt").name) == ("", "")
    assert "brandt" not in came_to(two)
    assert "yilmaz" not in came_to(three)
    say_yes(three, "brandt")
    settle_all(ring)
    # 2. both did: each knows the other, with an invitation that its own node takes
    offer = shown(two, "yilmaz")
    with three.database.read() as session:
        words = "-".join(own_words(session, three.firm_id("brandt")).split())
    assert offer.link.startswith(f"{three.config.origin}/join/")
    assert offer.link.endswith(f"#{words}")
    with two.database.write() as session:
        propose_far_partnership(session, two.actor("yilmaz"), ask_node(two.config, read_link(offer.link)))
    settle_all(ring)
    sign_framework(three, "brandt", YILMAZ)
    settle_all(ring)
    sign_framework(two, "yilmaz", BRANDT)
    settle_all(ring)
    assert (partnership(two, "yilmaz", BRANDT).state, partnership(three, "brandt", YILMAZ).state) == ("active",) * 2
    assert partnership(two, "yilmaz", BRANDT).node == three.config.node


def test_a_no_stays_in_the_middle(ring: list[Node]) -> None:
    one, two, three = ring
    introduce(ring)
    say_yes(two, "yilmaz")
    offer = shown(three, "brandt")
    with three.database.write() as session:
        decline_introduction(session, three.actor("brandt"), offer.id)
    settle_all(ring)
    with one.database.read() as session:
        assert [row.state for row in introductions(session, one.firm_id("keller"))] == ["over"]
    assert (shown(two, "yilmaz").name, shown(two, "yilmaz").link) == ("", "")
    assert "brandt" not in came_to(two)
    assert "yilmaz" not in came_to(three)
