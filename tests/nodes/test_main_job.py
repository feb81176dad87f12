"""The main job between firms on three nodes: every ledger holds the evidence, and each side proves it alone."""

import json
from pathlib import Path

from tests.nodes.job import agreement, evidence, play, verified
from tests.nodes.world import Node, link


def test_three_nodes_end_with_the_same_evidence_on_both_sides(nodes: list[Node], tmp_path: Path) -> None:
    one, two, three = nodes
    link(one, "keller", two, "yilmaz", nodes)
    link(one, "keller", three, "brandt", nodes)
    signed = play(nodes, [(two, "yilmaz"), (three, "brandt")], need_min=200 * 60)
    assert len(signed) == 2
    for agreement_id, (node, key) in signed.items():
        assert agreement(one, "keller", agreement_id).state == "in_force"
        assert agreement(node, key, agreement_id).state == "in_force"
        files = evidence(one, "keller", agreement_id), evidence(node, key, agreement_id)
        assert json.loads(files[0])["evidence"] == json.loads(files[1])["evidence"]
        assert [verified(file, tmp_path) for file in files] == [0, 0]
