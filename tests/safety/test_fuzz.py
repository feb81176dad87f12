"""Bad input of every kind: the short form of `python -m tests.long fuzz`."""

from tests.long.fuzz import SHORT_INPUTS, run


def test_bad_input_never_breaks_hangs_or_comes_back_to_life() -> None:
    found = run(is_short=True, seed=1)
    assert found["first_faults"] == []
    assert found["inputs"] == SHORT_INPUTS
    assert found["planted_caught"]
