"""The worker dies between commit and delivery: the short form of `python -m tests.long kill`."""

from tests.long.kill import SHORT_KILLS, run


def test_whatever_the_worker_was_doing_when_it_died_happens_once() -> None:
    found = run(is_short=True, seed=1)
    assert found["first_faults"] == []
    assert found["kills"] >= SHORT_KILLS
    assert found["delivered"] > 10
    assert found["planted_caught"]
