"""Small rules of joining: codes, names of devices, paths that stay at home."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import RuleBroken
from app.firms.access import Role
from app.passkeys.rules import (
    CODE_LENGTH,
    CODE_LETTERS,
    check_invitation,
    cleaned_code,
    code_of,
    device_name,
    first_view,
    is_local_path,
    is_worker_only,
    token_of,
)


@given(st.binary(min_size=32, max_size=32))
def test_a_code_has_six_letters_without_lookalikes_and_survives_typing(secret: bytes) -> None:
    code = code_of(secret)
    assert len(code) == CODE_LENGTH
    assert set(code) <= set(CODE_LETTERS)
    assert not set(code) & set("0O1I")
    assert cleaned_code(f" {code[:3].lower()} - {code[3:]} ") == code


@given(st.binary(min_size=32, max_size=32))
def test_a_token_is_longer_than_any_code(secret: bytes) -> None:
    assert len(token_of(secret)) == 22


@pytest.mark.parametrize(
    ("own", "wanted", "is_allowed"),
    [
        ({Role.FOREMAN}, {Role.WORKER}, True),
        ({Role.FOREMAN}, {Role.FOREMAN}, False),
        ({Role.STEWARD}, {Role.FOREMAN, Role.ACCOUNTANT, Role.STEWARD, Role.WORKER}, True),
        ({Role.STEWARD}, {Role.MANAGER}, False),
        ({Role.MANAGER}, {Role.MANAGER}, True),
        ({Role.WORKER}, {Role.WORKER}, False),
        ({Role.ACCOUNTANT}, {Role.WORKER}, False),
        ({Role.MANAGER}, set(), False),
    ],
)
def test_who_may_invite_whom(own: set[Role], wanted: set[Role], is_allowed: bool) -> None:
    if is_allowed:
        check_invitation(own, wanted)
    else:
        with pytest.raises(RuleBroken):
            check_invitation(own, wanted)


def test_only_a_worker_may_do_without_a_passkey() -> None:
    assert is_worker_only(["worker"])
    assert not is_worker_only(["worker", "foreman"])
    assert not is_worker_only([])


def test_people_with_several_roles_start_as_the_one_who_decides_most() -> None:
    assert first_view({Role.WORKER, Role.STEWARD, Role.MANAGER}) is Role.MANAGER
    assert first_view({Role.STEWARD}) is Role.STEWARD


@pytest.mark.parametrize(
    ("path", "is_ours"),
    [("/geraete", True), ("//evil", False), ("https://evil", False), ("/\\evil", False), ("/a\nb", False), ("", False)],
)
def test_a_path_to_go_on_to_stays_at_home(path: str, is_ours: bool) -> None:
    assert is_local_path(path) is is_ours


def test_devices_get_a_word_that_people_know() -> None:
    assert device_name("Mozilla/5.0 (iPhone; CPU iPhone OS 18_5)") == "iPhone"
    assert device_name("Mozilla/5.0 (Linux; Android 15)") == "Android-Handy"
    assert device_name("curl") == "Gerät"
