"""The worker dies between commit and delivery: the short form of `python -m tests.long kill`."""

from tests.long import sign
from tests.long.kill import SHORT_KILLS, run


def test_whatever_the_worker_was_doing_when_it_died_happens_once() -> None:
    found = run(is_short=True, seed=1)
    assert found["first_faults"] == []
    assert found["kills"] >= SHORT_KILLS
    assert found["delivered"] > 10
    assert found["planted_caught"]


def test_whatever_was_being_signed_when_the_process_died_is_kept_once() -> None:
    found = sign.run(is_short=True, seed=1)
    assert found["first_faults"] == []
    assert found["points"] > 100
    assert found["planted_caught"]
