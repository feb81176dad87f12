"""Agreements that do not come about: each end frees the hours, is recorded at both sides, and tells everybody."""

import datetime as dt

import pytest
import sqlalchemy as sa

from app.agreements.actions import approve_agreement, decline_agreement, signable_digest
from app.agreements.wire import Ended, body_of
from app.bookings.models import Booking
from app.capacity.actions import release_offer
from app.core import clock
from app.core.db import Database
from app.core.errors import Conflict
from app.core.ids import new_id
from app.federation.actions import send_message
from app.firms.access import Role
from app.notary.models import LedgerEntry
from app.offers.models import Offer
from app.plans.models import Plan
from app.push.models import Alert
from app.requests.models import WorkRequest
from app.worker import end_what_is_due, run_until_quiet, settle_events
from tests.agreements.world import (
    Deal,
    approval,
    at,
    drafted,
    lock_phone,
    make_deal,
    minutes_of,
    provider_of,
    sign,
    sign_only,
    signed_by_both,
    states,
)
from tests.conftest import MONDAY

AFTER_EXPIRY = MONDAY + dt.timedelta(days=3, minutes=1)


def test_a_partner_declines_and_the_hours_are_free(database: Database) -> None:
    deal = make_deal(database)
    (agreement_id,) = drafted(database, deal)
    sign(database, deal, "keller", agreement_id)
    with database.write() as session:
        decline_agreement(session, deal.actor("yilmaz"), agreement_id, "Maschine steht")
    run_until_quiet(database)
    assert states(database, deal, agreement_id) == ("declined", "declined")
    assert at(database, deal, "keller", agreement_id).note == "Maschine steht"
    assert minutes_of(database, deal, "yilmaz") == (0, 0)
    assert lapse_records(database, deal) == {"keller", "yilmaz"}
    assert told(database, deal, "keller", Role.MANAGER) == {"declined"}
    assert "declined" in told(database, deal, "yilmaz", Role.FOREMAN)


def test_what_nobody_signed_in_time_lapses_at_both_sides(database: Database) -> None:
    deal = make_deal(database)
    (agreement_id,) = drafted(database, deal)
    sign(database, deal, "keller", agreement_id)
    with clock.frozen(AFTER_EXPIRY):
        end_what_is_due(database)
    assert states(database, deal, agreement_id) == ("lapsed", "lapsed")
    assert at(database, deal, "keller", agreement_id).end_reason == "expired"
    assert minutes_of(database, deal, "yilmaz") == (0, 0)
    assert lapse_records(database, deal) == {"keller", "yilmaz"}


def test_a_draft_that_never_left_the_house_frees_the_partners_hours_without_a_record(database: Database) -> None:
    deal = make_deal(database)
    (agreement_id,) = drafted(database, deal)
    assert minutes_of(database, deal, "yilmaz") == (2760, 0)
    with clock.frozen(AFTER_EXPIRY):
        end_what_is_due(database)
    assert at(database, deal, "keller", agreement_id).state == "lapsed"
    assert minutes_of(database, deal, "yilmaz") == (0, 0)
    assert lapse_records(database, deal) == set()


def test_a_late_signature_is_refused_and_nothing_is_kept(database: Database) -> None:
    deal = make_deal(database)
    (agreement_id,) = drafted(database, deal)
    sign(database, deal, "keller", agreement_id)
    with clock.frozen(AFTER_EXPIRY), pytest.raises(Conflict, match="Frist"):
        sign_only(database, deal, "yilmaz", agreement_id)
    assert at(database, deal, "yilmaz", agreement_id).signers == []


@pytest.mark.parametrize("is_noticed_while_signing", [True, False])
def test_hours_that_are_gone_let_the_agreement_lapse_instead_of_selling_them_twice(
    database: Database, is_noticed_while_signing: bool
) -> None:
    deal = make_deal(database)
    (agreement_id,) = drafted(database, deal)
    sign(database, deal, "keller", agreement_id)
    with database.read() as session:
        digest, role = signable_digest(session, deal.actor("yilmaz"), agreement_id)
        signature = approval(session, deal, "yilmaz", digest, role)
    with database.write() as session:
        release_offer(session, deal.firms["yilmaz"].id, deal.offers["yilmaz"])
    with pytest.raises(Conflict, match="nicht mehr frei"):
        sign_only(database, deal, "yilmaz", agreement_id)
    if is_noticed_while_signing:
        with database.write() as session:
            approve_agreement(session, deal.actor("yilmaz"), agreement_id, signature)
        run_until_quiet(database)
    else:
        end_what_is_due(database)
    assert states(database, deal, agreement_id) == ("lapsed", "lapsed")
    assert at(database, deal, "keller", agreement_id).end_reason == "hours_gone"
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Booking)) == 0
        types = session.scalars(sa.select(LedgerEntry.type)).all()
    assert "agreement" not in types
    assert minutes_of(database, deal, "yilmaz") == (0, 0)


def test_hours_that_are_gone_before_the_draft_arrives_end_it_at_once(database: Database) -> None:
    deal = make_deal(database)
    (agreement_id,) = drafted(database, deal)
    with database.write() as session:
        release_offer(session, deal.firms["yilmaz"].id, deal.offers["yilmaz"])
    sign(database, deal, "keller", agreement_id)
    agreement = at(database, deal, "keller", agreement_id)
    assert (agreement.state, agreement.end_reason) == ("lapsed", "hours_gone")


def test_one_no_ends_the_whole_plan_of_all_or_none(database: Database) -> None:
    deal = make_deal(database, ("yilmaz", "brandt"))
    ids = drafted(database, deal)
    for agreement_id in ids:
        sign(database, deal, "keller", agreement_id)
    first, second = (provider_of(database, deal, agreement_id) for agreement_id in ids)
    sign(database, deal, first, ids[0])
    assert states(database, deal, ids[0], first) == ("waiting_bundle", "waiting_bundle")
    with database.write() as session:
        decline_agreement(session, deal.actor(second), ids[1])
    run_until_quiet(database)
    assert states(database, deal, ids[0], first) == ("lapsed", "lapsed")
    assert at(database, deal, first, ids[0]).end_reason == "bundle"
    assert minutes_of(database, deal, first) == (0, 0)
    assert minutes_of(database, deal, second) == (0, 0)
    with database.read() as session:
        assert set(session.scalars(sa.select(Booking.state))) == {"released"}
    assert "ended" in told(database, deal, first, Role.FOREMAN)


def test_who_has_accepted_its_part_of_a_plan_cannot_bring_the_whole_plan_down(database: Database) -> None:
    deal = make_deal(database, ("yilmaz", "brandt"))
    ids = drafted(database, deal)
    signed_by_both(database, deal, ids[:1])
    sign(database, deal, "keller", ids[1])
    first, second = (provider_of(database, deal, agreement_id) for agreement_id in ids)
    digest = at(database, deal, first, ids[0]).digest
    with database.write() as session:
        for kind, reason in (("agreement.lapsed", "hours_gone"), ("agreement.declined", "declined")):
            body = body_of(Ended(ids[0], deal.offers[first], digest, reason))
            send_message(session, deal.firms[first].id, deal.firms["keller"].id, kind, body, ids[0])
    run_until_quiet(database)
    assert at(database, deal, "keller", ids[0]).state == "waiting_bundle"
    assert "one_sided" in told(database, deal, "keller", Role.MANAGER)
    sign(database, deal, second, ids[1])
    for agreement_id in ids:
        provider = provider_of(database, deal, agreement_id)
        assert states(database, deal, agreement_id, provider) == ("in_force", "in_force")


def test_a_plan_that_is_not_whole_at_the_deadline_lapses_everywhere(database: Database) -> None:
    deal = make_deal(database, ("yilmaz", "brandt"))
    ids = drafted(database, deal)
    signed_by_both(database, deal, ids[:1])
    first = provider_of(database, deal, ids[0])
    with clock.frozen(AFTER_EXPIRY):
        end_what_is_due(database)
    assert states(database, deal, ids[0], first) == ("lapsed", "lapsed")
    assert minutes_of(database, deal, first) == (0, 0)


def test_without_all_or_none_the_others_stay_in_force(database: Database) -> None:
    deal = make_deal(database, ("yilmaz", "brandt"), all_or_none=False)
    ids = drafted(database, deal)
    signed_by_both(database, deal, ids[:1])
    with database.write() as session:
        decline_agreement(session, deal.actor("keller"), ids[1])
    run_until_quiet(database)
    first = provider_of(database, deal, ids[0])
    assert states(database, deal, ids[0], first) == ("in_force", "in_force")
    # what Nowak offers still stands for the hours that Brandt or Yilmaz will not do
    assert request_state(database, deal) == "quoted"
    with clock.frozen(MONDAY + dt.timedelta(days=8)):
        end_what_is_due(database)
    assert request_state(database, deal) == "contracted"


def test_after_a_plan_fell_through_the_other_offers_count_again(database: Database) -> None:
    deal = make_deal(database)
    (agreement_id,) = drafted(database, deal)
    with database.write() as session:
        decline_agreement(session, deal.actor("keller"), agreement_id)
    run_until_quiet(database)
    assert request_state(database, deal) == "quoted"
    with database.read() as session:
        assert session.get_one(Plan, (deal.firms["keller"].id, deal.plan_id)).chosen_at is None
        kept = session.get_one(Offer, (deal.firms["keller"].id, deal.offers["nowak"]))
        assert kept.state == "submitted"


def test_nobody_declines_after_signing(database: Database) -> None:
    deal = make_deal(database)
    (agreement_id,) = drafted(database, deal)
    sign(database, deal, "keller", agreement_id)
    with pytest.raises(Conflict), database.write() as session:
        decline_agreement(session, deal.actor("keller"), agreement_id)


def test_declining_twice_says_it_once(database: Database) -> None:
    deal = make_deal(database)
    (agreement_id,) = drafted(database, deal)
    sign(database, deal, "keller", agreement_id)
    for _ in range(2):
        with database.write() as session:
            decline_agreement(session, deal.actor("yilmaz"), agreement_id)
    run_until_quiet(database)
    with database.read() as session:
        entries = sa.select(sa.func.count()).select_from(LedgerEntry).where(LedgerEntry.type == "agreement.lapsed")
        assert session.scalar(entries) == 2


@pytest.mark.parametrize("kind", ["agreement.lapsed", "request.withdrawn"])
@pytest.mark.parametrize("has_signed", [True, False])
def test_a_requester_cannot_take_the_hours_out_of_an_agreement_that_stands(
    database: Database, kind: str, has_signed: bool
) -> None:
    deal = make_deal(database, ("yilmaz", "brandt"))
    for agreement_id in drafted(database, deal):
        sign(database, deal, "keller", agreement_id)
        if has_signed and provider_of(database, deal, agreement_id) == "yilmaz":
            sign(database, deal, "yilmaz", agreement_id)
    body = {
        "agreement.lapsed": {
            "agreement_id": new_id(),
            "offer_id": deal.offers["yilmaz"],
            "digest": "0x" + "0" * 64,
            "reason": "expired",
            "note": "",
        },
        "request.withdrawn": {"request_id": deal.request_id},
    }[kind]
    with database.write() as session:
        send_message(session, deal.firms["keller"].id, deal.firms["yilmaz"].id, kind, body)
    run_until_quiet(database)
    with clock.frozen(MONDAY + dt.timedelta(days=2)):
        end_what_is_due(database)
    assert minutes_of(database, deal, "yilmaz") == (2400, 0)
    with clock.frozen(AFTER_EXPIRY + dt.timedelta(hours=2)):
        end_what_is_due(database)
    assert minutes_of(database, deal, "yilmaz") == (0, 0)


def test_what_a_locked_key_signed_goes_back_until_the_partner_has_signed_too(database: Database) -> None:
    deal = make_deal(database, ("yilmaz", "brandt"), all_or_none=False)
    ids = drafted(database, deal)
    signed_by_both(database, deal, ids[:1])
    sign(database, deal, "keller", ids[1])
    first, second = (provider_of(database, deal, agreement_id) for agreement_id in ids)
    lock_phone(database, deal, "keller")
    run_until_quiet(database)
    assert states(database, deal, ids[0], first) == ("in_force", "in_force")
    assert states(database, deal, ids[1], second) == ("lapsed", "lapsed")
    assert at(database, deal, second, ids[1]).end_reason == "locked"
    assert minutes_of(database, deal, second) == (0, 0)


def test_what_a_locked_key_signed_stands_where_the_partner_was_faster(database: Database) -> None:
    deal = make_deal(database)
    (agreement_id,) = drafted(database, deal)
    sign(database, deal, "keller", agreement_id)
    sign_only(database, deal, "yilmaz", agreement_id)
    lock_phone(database, deal, "keller")
    run_until_quiet(database)
    assert states(database, deal, agreement_id) == ("in_force", "in_force")
    assert "one_sided" not in told(database, deal, "yilmaz", Role.MANAGER)


def test_a_draft_that_is_still_on_its_way_when_its_key_is_locked_comes_back(database: Database) -> None:
    deal = make_deal(database)
    (agreement_id,) = drafted(database, deal)
    sign_only(database, deal, "keller", agreement_id)
    settle_events(database)
    lock_phone(database, deal, "keller")
    run_until_quiet(database)
    assert states(database, deal, agreement_id) == ("lapsed", "lapsed")
    assert minutes_of(database, deal, "yilmaz") == (0, 0)


def request_state(database: Database, deal: Deal) -> str:
    with database.read() as session:
        return session.get_one(WorkRequest, (deal.firms["keller"].id, deal.request_id)).state


def lapse_records(database: Database, deal: Deal) -> set[str]:
    with database.read() as session:
        found = session.scalars(sa.select(LedgerEntry.firm_id).where(LedgerEntry.type == "agreement.lapsed")).all()
    return {key for key, firm in deal.firms.items() if firm.id in found}


def told(database: Database, deal: Deal, key: str, role: Role) -> set[str]:
    with database.read() as session:
        kinds = sa.select(Alert.kind).where(Alert.person_id == deal.firms[key].people[role], Alert.kind != "plans")
        return set(session.scalars(kinds))
