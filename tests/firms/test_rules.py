"""What a firm may write down about itself, and who may invite whom."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config import load_config
from app.core.errors import RuleBroken
from app.factory import create_app
from app.firms.access import Actor, Role, may, require
from app.firms.rules import (
    RESERVED_HANDLES,
    check_limit,
    check_register_no,
    check_vat_id,
    handle_for,
    needs_two_people,
    roles_to_invite,
    short_name_for,
)  # fmt: skip


@pytest.mark.parametrize("text", ["DE136695976", "de 136 695 976", "136695976"])
def test_a_vat_id_is_kept_in_one_form(text: str) -> None:
    assert check_vat_id(text) == "DE136695976"


@pytest.mark.parametrize("text", ["DE136695975", "ATU12345678", "DE12", "x"])
def test_a_wrong_vat_id_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(RuleBroken, match="DE136695976"):
        check_vat_id(text)


def test_a_register_number_needs_its_court() -> None:
    assert check_register_no("hrb  500123", "Jena") == "HRB 500123"
    with pytest.raises(RuleBroken, match="Registergericht"):
        check_register_no("HRB 500123", "")
    with pytest.raises(RuleBroken, match="kennen wir nicht"):
        check_register_no("HRB 500123", "Entenhausen")
    with pytest.raises(RuleBroken, match="HRB 500123"):
        check_register_no("12", "Jena")
    with pytest.raises(RuleBroken, match="HRB 500123"):
        check_register_no("HRB ٥٠٠", "Jena")


@given(st.text(max_size=60))
def test_every_name_gives_an_ascii_handle_and_a_short_name_that_fits(name: str) -> None:
    handle = handle_for(name)
    assert handle.isascii()
    assert 1 <= len(handle) <= 30
    assert not handle.startswith("-")
    assert len(short_name_for(name)) <= 14


def test_a_foreman_invites_workers_and_a_steward_everybody_but_managers() -> None:
    assert roles_to_invite(frozenset({Role.FOREMAN})) == {Role.WORKER}
    assert Role.MANAGER not in roles_to_invite(frozenset({Role.STEWARD, Role.FOREMAN}))
    assert roles_to_invite(frozenset({Role.MANAGER})) == set(Role)
    assert roles_to_invite(frozenset({Role.WORKER, Role.ACCOUNTANT})) == frozenset()


def test_limits_and_the_two_person_rule_look_at_the_sum() -> None:
    assert needs_two_people(100_01, 100_00)
    assert not needs_two_people(100_00, 100_00)
    assert not needs_two_people(10**9, None)
    check_limit(100_00, 100_00)
    with pytest.raises(RuleBroken, match="andere Leitung"):
        check_limit(100_01, 100_00)


def actor(*roles: Role, has_passkey: bool = True) -> Actor:
    return Actor("f", "p", frozenset(roles), roles[0], "Ayşe", "s", has_passkey)


def test_a_phone_without_screen_lock_has_worker_rights_and_nothing_else() -> None:
    ayse = actor(Role.WORKER, Role.MANAGER, has_passkey=False)
    assert may(ayse, "work.see")
    assert not may(ayse, "agreements.sign")
    assert not may(ayse, "requests.answer")


def test_rates_are_for_managers_only() -> None:
    assert may(actor(Role.MANAGER), "rates.see")
    assert not any(may(actor(role), "rates.see") for role in Role if role != Role.MANAGER)
    assert not may(None, "own.use")
    with pytest.raises(KeyError):
        may(actor(Role.MANAGER), "no.such.permission")
    with pytest.raises(Exception, match="Leitung"):
        require(actor(Role.WORKER), "plans.see")


def test_a_firm_never_takes_an_address_that_our_own_pages_use(tmp_path: Path) -> None:
    app = create_app(load_config({"DATA_DIR": str(tmp_path)}))
    rules = [rule.rule.split("/") for rule in app.url_map.iter_rules()]
    words = {parts[2] for parts in rules if len(parts) > 2 and parts[1] == "betrieb" and "<" not in parts[2]}
    assert words == RESERVED_HANDLES
    assert handle_for("Daten") == "daten-betrieb"
