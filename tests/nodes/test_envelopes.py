"""Hostile envelopes and honest ones against a node that is a process of its own: the short form of
`python -m tests.long envelopes`."""

from tests.long.envelopes import SHORT_HOSTILE, run


def test_a_node_under_attack_holds_what_the_honest_messages_alone_leave() -> None:
    found = run(is_short=True, seed=1)
    assert found["first"] == []
    assert found["same_effects"]
    assert found["connections_inside"] == 0
    assert found["hostile"] == SHORT_HOSTILE
    assert found["planted_caught"]
    assert found["ok"]
