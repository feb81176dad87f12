"""Two firms on two nodes become partners by a QR, and nobody else gets in that way."""

from tests.nodes.world import Node, link, messages, partnership


def test_both_managers_sign_and_both_know_the_other_ones_node(nodes: list[Node]) -> None:
    one, other, _ = nodes
    link(one, "keller", other, "yilmaz")
    ours, theirs = partnership(one, "keller", "yilmaz@zwei.test"), partnership(other, "yilmaz", "keller@eins.test")
    assert (ours.state, theirs.state) == ("active", "active")
    assert (ours.node, theirs.node) == (other.config.node, one.config.node)
    assert not theirs.token
    assert {message.state for node in nodes for message in messages(node)} == {"delivered"}
