"""Consent after both have signed: narrowed, resting, hidden, ended at once; each firm rules its own side only."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from app.core.db import Database
from app.core.errors import NotFound, RuleBroken
from app.federation.actions import send_message
from app.federation.models import Message
from app.notary.models import LedgerEntry
from app.partners.actions import (
    block_firm,
    pause_partnership,
    propose_partnership,
    receive_end,
    resume_partnership,
    set_scope,
    unblock_firm,
)
from app.partners.models import BlockedFirm, Partnership
from app.partners.queries import (
    active_partners,
    blocked_firms,
    may_receive,
    may_send,
    partner_count,
    partners_in,
    partnership_with,
    shown_partnership,
    signed_and_hidden,
    signed_partnership,
    waiting_count,
)
from app.partners.rules import ENDINGS, OWED, SCOPES, STEPS, check_step, lets_through, paused_after, resumed_after
from app.partners.signing import end_partnership
from app.partners.telling import end_body
from app.worker import run_until_quiet
from tests.partners.houses import House, become_partners, end, invitation_of, state_of, three_houses, use_invitation
from tests.partners.test_linking import Told

KINDS = ("request.published", "offer.made", "board.posted", "agreement.drafted", "booking.changed", "partner.end")


@pytest.fixture
def houses(database: Database) -> tuple[House, House, House]:
    keller, yilmaz, nowak = three_houses(database)
    become_partners(database, keller, yilmaz)
    return keller, yilmaz, nowak


def deeds(database: Database, *steps: object) -> None:
    with database.write() as session:
        for step in steps:
            step(session)  # type: ignore[operator]
    run_until_quiet(database)


def passes(database: Database, one: House, other: House, kind: str, asks: str = "hours") -> bool:
    """Whether both sides let a message of this kind through; a request asks for hours or for know_how."""
    body = {"kind": asks}
    with database.read() as session:
        return may_send(session, one.id, other.id, kind, body) and may_receive(session, other.id, one.id, kind, body)


def test_narrowing_counts_at_once_at_the_narrowing_side_and_soon_at_the_other(
    database: Database, houses: tuple[House, House, House]
) -> None:
    keller, yilmaz, _ = houses
    with database.write() as session:
        set_scope(session, yilmaz.manager, keller.id, ["know_how"])
        assert not may_receive(session, yilmaz.id, keller.id, "request.published", {"kind": "hours"})
    run_until_quiet(database)
    with database.read() as session:
        assert [one.name for one in active_partners(session, keller.id)] == []
        assert [one.name for one in active_partners(session, yilmaz.id)] == ["Keller Metallbau"]
    assert not passes(database, keller, yilmaz, "request.published")
    assert passes(database, keller, yilmaz, "request.published", "know_how")
    assert passes(database, yilmaz, keller, "request.published")
    deeds(database, lambda session: set_scope(session, yilmaz.manager, keller.id, ["requests"]))
    assert passes(database, keller, yilmaz, "request.published")
    assert not passes(database, keller, yilmaz, "request.published", "know_how")


def test_a_partner_that_may_ask_nothing_still_answers_and_ends_what_was_asked(
    database: Database, houses: tuple[House, House, House]
) -> None:
    keller, yilmaz, _ = houses
    deeds(database, lambda session: set_scope(session, keller.manager, yilmaz.id, []))
    assert not passes(database, yilmaz, keller, "request.published")
    for kind in ("offer.made", "offer.withdrawn", "request.changed", "request.withdrawn", "request.answered"):
        assert passes(database, yilmaz, keller, kind)


def test_nobody_widens_beyond_what_both_signed(database: Database, houses: tuple[House, House, House]) -> None:
    keller, yilmaz, _ = houses
    with pytest.raises(RuleBroken, match="Rahmenvertrag"), database.write() as session:
        set_scope(session, keller.manager, yilmaz.id, ["requests", "data"])


def test_each_side_ends_its_own_pause_only(database: Database, houses: tuple[House, House, House]) -> None:
    keller, yilmaz, _ = houses
    deeds(database, lambda session: pause_partnership(session, keller.manager, yilmaz.id))
    assert not passes(database, keller, yilmaz, "request.published")
    assert not passes(database, yilmaz, keller, "request.published")
    assert passes(database, yilmaz, keller, "agreement.drafted")
    with pytest.raises(RuleBroken, match="Nur er"), database.write() as session:
        resume_partnership(session, yilmaz.manager, keller.id)
    deeds(database, lambda session: pause_partnership(session, yilmaz.manager, keller.id))
    deeds(database, lambda session: resume_partnership(session, keller.manager, yilmaz.id))
    with database.read() as session:
        assert partnership_with(session, keller.id, yilmaz.id).paused_by == "them"
        assert partnership_with(session, yilmaz.id, keller.id).paused_by == "us"
    deeds(database, lambda session: resume_partnership(session, yilmaz.manager, keller.id))
    assert state_of(database, keller, yilmaz) == state_of(database, yilmaz, keller) == "active"
    assert passes(database, keller, yilmaz, "request.published")


def test_ending_holds_at_once_stops_the_queue_and_stands_in_both_ledgers(
    database: Database, houses: tuple[House, House, House]
) -> None:
    keller, yilmaz, _ = houses
    with database.write() as session:
        send_message(session, keller.id, yilmaz.id, "request.published", {"name": "queued"}, "r1")
    end(database, keller, yilmaz)
    for kind in set(KINDS) - OWED:
        assert not passes(database, keller, yilmaz, kind)
    run_until_quiet(database)
    assert (state_of(database, keller, yilmaz), state_of(database, yilmaz, keller)) == ("ended", "ended")
    with database.read() as session:
        queued = session.scalars(sa.select(Message).where(Message.subject_id == "r1")).all()
        assert [one.state for one in queued] == ["cancelled"]
        entries = session.execute(
            sa.select(LedgerEntry.firm_id, LedgerEntry.evidence_sha256).where(LedgerEntry.type == "link.end")
        ).all()
        assert {row.firm_id for row in entries} == {keller.id, yilmaz.id}
        assert len({row.evidence_sha256 for row in entries}) == 1
    for kind in set(KINDS) - OWED:
        assert not passes(database, yilmaz, keller, kind)


def test_an_end_needs_the_own_managers_passkey_and_a_prepared_text(
    database: Database, houses: tuple[House, House, House]
) -> None:
    keller, yilmaz, nowak = houses
    for house, partner in ((keller, yilmaz), (nowak, keller)):
        with pytest.raises(NotFound), database.write() as session:
            end_partnership(session, house.id, None, partner.id, house.sign(session, b"\0" * 32))
    assert state_of(database, keller, yilmaz) == "active"


def test_a_forged_end_is_refused(database: Database, houses: tuple[House, House, House]) -> None:
    keller, yilmaz, nowak = houses
    end(database, keller, yilmaz)
    with database.write() as session:
        good = end_body(session, partnership_with(session, keller.id, yilmaz.id))
        for forged in (
            good | {"text": good["text"] + " "},
            good | {"message": good["message"] | {"to": "nowak@test"}},
            good | {"message": good["message"] | {"link": "0x" + "11" * 32}},
            good | {"signatures": good["signatures"][1:]},
            good | {"how": "gone"},
        ):
            with pytest.raises(RuleBroken), session.begin_nested():
                receive_end(session, Told(yilmaz.id, keller.id, forged))
        with pytest.raises(NotFound), session.begin_nested():
            receive_end(session, Told(nowak.id, keller.id, good))
        assert partnership_with(session, yilmaz.id, keller.id).state == "active"


def test_a_plain_no_does_not_end_what_both_signed_for_the_side_that_invited(
    database: Database, houses: tuple[House, House, House]
) -> None:
    keller, yilmaz, _ = houses
    no = {"how": "declined", "message": {}, "text": "", "signatures": [], "keys": {}}
    with database.write() as session:
        receive_end(session, Told(keller.id, yilmaz.id, no))
        assert partnership_with(session, keller.id, yilmaz.id).state == "active"


def test_a_blocked_firm_is_hidden_from_us_and_we_from_it_without_a_word(
    database: Database, houses: tuple[House, House, House]
) -> None:
    keller, yilmaz, nowak = houses
    with database.read() as session:
        before = session.scalar(sa.select(sa.func.count()).select_from(Message))
    deeds(database, lambda session: block_firm(session, keller.manager, yilmaz.id))
    for kind in {*KINDS, "partner.invite", "partner.accept"} - OWED:
        assert not passes(database, keller, yilmaz, kind)
        assert not passes(database, yilmaz, keller, kind)
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Message)) == before
        assert list(active_partners(session, keller.id)) == []
        assert list(partners_in(session, keller.id, list(STEPS))) == []
        assert partner_count(session, keller.id) == 0
        assert [one.name for one in blocked_firms(session, keller.id)] == ["Dreherei Yilmaz"]
        with pytest.raises(NotFound):
            shown_partnership(session, keller.id, yilmaz.id)
        assert shown_partnership(session, yilmaz.id, keller.id).state == "active"
        blocked = session.scalars(sa.select(BlockedFirm.id)).one()
    with pytest.raises(NotFound), database.write() as session:
        unblock_firm(session, nowak.manager, blocked)
    deeds(database, lambda session: unblock_firm(session, keller.manager, blocked))
    assert passes(database, keller, yilmaz, "request.published")


@pytest.mark.parametrize("deed", [block_firm, end, pause_partnership])
def test_what_follows_from_a_signature_passes_whatever_becomes_of_the_partnership(
    database: Database, houses: tuple[House, House, House], deed: Callable[..., None]
) -> None:
    keller, yilmaz, nowak = houses
    if deed is end:
        end(database, keller, yilmaz)
    else:
        deeds(database, lambda session: deed(session, keller.manager, yilmaz.id))
    for kind in sorted(OWED):
        assert passes(database, keller, yilmaz, kind)
        assert passes(database, yilmaz, keller, kind)
        assert not passes(database, keller, nowak, kind)


def test_a_signed_end_arrives_at_a_firm_that_hides_from_us(
    database: Database, houses: tuple[House, House, House]
) -> None:
    keller, yilmaz, _ = houses
    deeds(database, lambda session: block_firm(session, keller.manager, yilmaz.id))
    end(database, yilmaz, keller)
    run_until_quiet(database)
    assert state_of(database, keller, yilmaz) == state_of(database, yilmaz, keller) == "ended"


def test_a_signed_contract_stays_readable_with_a_firm_that_we_hide(
    database: Database, houses: tuple[House, House, House]
) -> None:
    keller, yilmaz, nowak = houses
    use_invitation(database, nowak, invitation_of(database, keller))
    for other in (yilmaz, nowak):
        deeds(database, lambda session, other=other: block_firm(session, keller.manager, other.id))
    with database.read() as session:
        assert signed_partnership(session, keller.id, yilmaz.id).state == "active"
        assert list(signed_and_hidden(session, keller.id).values()) == [yilmaz.id]
        with pytest.raises(NotFound):
            signed_partnership(session, keller.id, nowak.id)


def test_an_invitation_from_a_firm_that_blocked_us_looks_like_none(database: Database) -> None:
    keller, yilmaz, _ = three_houses(database)
    use_invitation(database, yilmaz, invitation_of(database, keller))
    deeds(database, lambda session: block_firm(session, keller.manager, yilmaz.id))
    with database.write() as session:
        session.execute(sa.update(Partnership).values(state="lapsed"))
    token = invitation_of(database, keller)
    with pytest.raises(NotFound), database.write() as session:
        propose_partnership(session, yilmaz.manager, token)


def test_the_task_list_counts_partners_and_what_waits(database: Database) -> None:
    keller, yilmaz, nowak = three_houses(database)
    with database.read() as session:
        assert (partner_count(session, keller.id), waiting_count(session, keller.id)) == (0, 0)
    invitation_of(database, keller)
    with database.read() as session:
        assert waiting_count(session, keller.id) == 1
    become_partners(database, keller, yilmaz)
    use_invitation(database, nowak, invitation_of(database, keller))
    with database.read() as session:
        assert (partner_count(session, keller.id), waiting_count(session, keller.id)) == (1, 2)
        assert (partner_count(session, nowak.id), waiting_count(session, nowak.id)) == (0, 1)


@given(st.sampled_from(sorted(STEPS)), st.sampled_from(sorted(STEPS)))
def test_only_the_drawn_steps_exist(now: str, then: str) -> None:
    if then in STEPS[now]:
        check_step(now, then)
    else:
        with pytest.raises(RuleBroken):
            check_step(now, then)


@given(
    st.sampled_from(sorted(STEPS)),
    st.sets(st.sampled_from(SCOPES)),
    st.sampled_from(KINDS),
    st.sampled_from(("hours", "know_how")),
)
def test_business_passes_only_through_an_active_partnership_with_its_scope(
    state: str, scope: set[str], kind: str, asks: str
) -> None:
    if kind in OWED:
        return
    may = lets_through(state, scope, kind, {"kind": asks})
    assert may is False or state in ("active", "paused")
    if kind == "request.published":
        assert may == (state == "active" and ("know_how" if asks == "know_how" else "requests") in scope)
    if kind.startswith("offer."):
        assert may == (state == "active" or (state == "paused" and kind in ENDINGS))


@given(st.lists(st.tuples(st.sampled_from(("us", "them")), st.booleans()), max_size=12))
def test_a_pause_lasts_until_everybody_who_made_it_has_ended_it(steps: list[tuple[str, bool]]) -> None:
    resting: set[str] = set()
    paused_by = ""
    for side, is_pause in steps:
        if is_pause:
            resting.add(side)
            paused_by = paused_after(paused_by, side)
        elif side in resting:
            resting.discard(side)
            paused_by = resumed_after(paused_by, side)
        assert paused_by == ("both" if len(resting) == 2 else next(iter(resting), ""))
