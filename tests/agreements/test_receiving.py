"""A hostile partner: every part of a draft, altered one by one, is refused, and nothing of it stays."""

import copy
import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.agreements.actions import lapse_agreements
from app.agreements.deadlines import plan_counts_until
from app.agreements.lists import risks
from app.agreements.models import Agreement
from app.core import clock
from app.core.db import Database
from app.core.errors import NotFound, RuleBroken
from app.core.ids import new_id
from app.core.units import BERLIN
from app.federation.models import Message
from app.federation.rules import Incoming
from app.firms.access import Role
from app.notary.actions import seal
from app.notary.queries import digest, export_log, key_document
from app.push.models import Alert
from app.reactions import INBOX
from app.worker import deliver_messages, end_what_is_due, run_until_quiet, settle_events
from ledger import canonical
from ledger.fsck import check_log
from tests.agreements.world import (
    Deal,
    approval,
    at,
    drafted,
    evidence_of,
    make_deal,
    minutes_of,
    provider_of,
    sign,
    sign_only,
    signed_by_both,
    states,
    verified,
)
from tests.conftest import MONDAY

Body = dict[str, Any]


def paths(value: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a message that holds a plain value."""
    if isinstance(value, dict):
        return [place for key, inner in value.items() for place in paths(inner, (*prefix, key))]
    if isinstance(value, list):
        return [place for number, inner in enumerate(value) for place in paths(inner, (*prefix, number))]
    return [prefix]


def bend(value: Any) -> Any:
    """Something else of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 15
    return value[:-1] + ("0" if value[-1:] != "0" else "1") if value else "x"


def test_every_field_altered_one_by_one_is_refused(sqlite_database: Database) -> None:
    deal, body = sent_draft(sqlite_database)
    names = [place for place in paths(body) if place[0] != "keys"]
    assert len(names) > 100
    for place in names:
        bent = copy.deepcopy(body)
        inner = bent
        for step in place[:-1]:
            inner = inner[step]
        inner[place[-1]] = bend(inner[place[-1]])
        assert is_refused(sqlite_database, deal, bent), place
    for name in body:
        assert is_refused(sqlite_database, deal, {key: value for key, value in body.items() if key != name}), name
    assert is_refused(sqlite_database, deal, body | {"more": 1})
    assert minutes_of(sqlite_database, deal, "yilmaz") == (2760, 0)
    assert not is_refused(sqlite_database, deal, body)


FORGERIES: dict[str, Callable[[Body], None]] = {
    "a higher price than we offered": lambda body: scale(body, "rate_cents_per_hour", 1),
    "another rate of set-up than we offered": lambda body: terms(body, set_up_rate_cents_per_hour=9000),
    "a surcharge that we left out": lambda body: terms(body, night_surcharge_permille=0),
    "another machine class": lambda body: terms(body, machine_class="CNC-Drehmaschine"),
    "more minutes than we hold": lambda body: scale(body, "minutes", 15),
    "a longer deadline than three weeks": lambda body: body["facts"].update(expires_at=at_day(22)),
    "a deadline that is over": lambda body: body["facts"].update(expires_at=at_day(-1)),
    "another reason": lambda body: body["facts"].update(shortage_reason="Maschine fehlt"),
    "no cancellation fee": lambda body: body["facts"].update(cancellation_steps=[{"days_before": 0, "fee_percent": 0}]),
    "a higher cap": lambda body: body["facts"].update(cap_cents=body["facts"]["cap_cents"] + 100),
    "another part": lambda body: body["facts"].update(part="Welle"),
    "our firm under another name": lambda body: body["facts"]["provider"].update(name="Andere GmbH"),
    "a drawing we never got": lambda body: body["facts"]["drawings"][0].update(sha256="cd" * 32),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_consistent_forgery_with_true_signatures_is_refused_too(sqlite_database: Database, name: str) -> None:
    from app.agreements.documents import CallOffFacts, render_call_off
    from app.agreements.record import record_lines, sha256_hex
    from app.partners.documents import facts_from

    deal, body = sent_draft(sqlite_database)
    FORGERIES[name](body)
    facts = facts_from(CallOffFacts, body["facts"])
    body["text"] = render_call_off(facts)
    body["message"] |= {
        "displayHash": "0x" + sha256_hex(body["text"]),
        "lines": record_lines(facts),
        "totalCents": facts.total_cents,
        "expiresAt": facts.expires_at,
    }
    signed_anew(sqlite_database, deal, body)
    assert is_refused(sqlite_database, deal, body)


@pytest.mark.parametrize("seconds", [-(2**62), 2**40, 2**62])
def test_a_time_that_no_calendar_holds_is_refused_like_any_other(sqlite_database: Database, seconds: int) -> None:
    deal, body = sent_draft(sqlite_database)
    assert is_refused(sqlite_database, deal, body | {"facts": body["facts"] | {"expires_at": seconds}})
    assert is_refused(sqlite_database, deal, body | {"message": body["message"] | {"issuedAt": seconds}})


def test_a_seal_alone_or_a_stranger_binds_nobody(sqlite_database: Database) -> None:
    deal, body = sent_draft(sqlite_database)
    seals = [one for one in body["signatures"] if one["kind"] == "seal"]
    with sqlite_database.read() as session:
        value = digest("Agreement", body["message"])
        nowak = approval(session, deal, "nowak", value)
        keys = key_document(session, deal.firms["nowak"].id)
    passkeys = [one for one in body["signatures"] if one["kind"] == "passkey"]
    for signatures in (seals, passkeys, seals * 2, [*seals, nowak], [nowak, nowak], []):
        assert is_refused(sqlite_database, deal, body | {"signatures": signatures})
    assert is_refused(sqlite_database, deal, body | {"keys": keys})
    assert is_refused(sqlite_database, deal, body | {"keys": {}})


def test_only_the_partner_whose_offer_it_is_gets_anywhere(sqlite_database: Database) -> None:
    deal, body = sent_draft(sqlite_database)
    for key in ("nowak", "brandt"):
        assert is_refused(sqlite_database, deal, body, receiver=key)
    assert is_refused(sqlite_database, deal, body, sender="brandt")
    assert is_refused(sqlite_database, deal, body | {"agreement_id": new_id()})


def test_a_partners_signatures_back_are_proved_too(sqlite_database: Database) -> None:
    deal = make_deal(sqlite_database)
    (agreement_id,) = drafted(sqlite_database, deal)
    sign(sqlite_database, deal, "keller", agreement_id)
    sign_only(sqlite_database, deal, "yilmaz", agreement_id)
    settle_events(sqlite_database)
    with sqlite_database.read() as session:
        body = session.scalars(sa.select(Message.body).where(Message.kind == "agreement.signed")).one()
    altered = [
        body | {"signatures": []},
        body | {"signatures": body["signatures"][:1]},
        body | {"digest": "0x" + "0" * 64},
    ]
    for name in ("leaf", "proof", "checkpoint", "keys"):
        altered.append(body | {"proof": {key: part for key, part in body["proof"].items() if key != name}})
    altered.append(body | {"proof": body["proof"] | {"leaf": body["proof"]["leaf"] | {"seq": 0}}})
    for bent in altered:
        assert is_refused(sqlite_database, deal, bent, "agreement.signed", "keller", "yilmaz")
    assert at(sqlite_database, deal, "keller", agreement_id).state == "signed_one"
    run_until_quiet(sqlite_database)
    assert states(sqlite_database, deal, agreement_id) == ("in_force", "in_force")


def test_a_worker_killed_between_the_two_entries_goes_on_where_it_stopped(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    from app.agreements import sealing

    deal = make_deal(database)
    (agreement_id,) = drafted(database, deal)
    sign(database, deal, "keller", agreement_id)
    sign_only(database, deal, "yilmaz", agreement_id)
    assert states(database, deal, agreement_id) == ("signed_one", "in_force")
    settle_events(database)

    def crash(*_: object) -> None:
        raise OSError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(sealing, "_book", crash)
        deliver_messages(database)
    assert at(database, deal, "keller", agreement_id).state == "signed_one"
    with clock.frozen(MONDAY + dt.timedelta(minutes=20)):
        run_until_quiet(database)
    assert states(database, deal, agreement_id) == ("in_force", "in_force")
    assert verified(evidence_of(database, deal, "keller", agreement_id), tmp_path) == 0


@pytest.mark.parametrize("late_min", [5, 70, 60 * 24 * 3])
def test_a_signature_given_in_time_counts_even_if_its_message_was_slow(
    database: Database, late_min: int, tmp_path: Path
) -> None:
    deal = make_deal(database)
    (agreement_id,) = drafted(database, deal)
    sign(database, deal, "keller", agreement_id)
    with clock.frozen(MONDAY + dt.timedelta(days=3) - dt.timedelta(minutes=1)):
        sign_only(database, deal, "yilmaz", agreement_id)
        settle_events(database)
    with clock.frozen(MONDAY + dt.timedelta(days=3, minutes=late_min)):
        end_what_is_due(database)
    assert states(database, deal, agreement_id) == ("in_force", "in_force")
    for key in ("keller", "yilmaz"):
        assert verified(evidence_of(database, deal, key, agreement_id), tmp_path) == 0
    alone = json.loads(evidence_of(database, deal, "keller", agreement_id))
    alone["counterpart"] |= {"leaf": None, "proof": []}
    assert verified(canonical.dumps(alone), tmp_path) == 1
    with database.read() as session:
        check_log(export_log(session, deal.firms["keller"].id))


def test_a_plan_that_was_whole_in_time_is_in_force_although_its_word_was_slow(database: Database) -> None:
    deal = make_deal(database, ("yilmaz", "brandt"))
    ids = drafted(database, deal)
    signed_by_both(database, deal, ids[:1])
    sign(database, deal, "keller", ids[1])
    with clock.frozen(MONDAY + dt.timedelta(days=3) - dt.timedelta(minutes=1)):
        sign_only(database, deal, provider_of(database, deal, ids[1]), ids[1])
        settle_events(database)
        deliver_messages(database)
        settle_events(database)
    with clock.frozen(MONDAY + dt.timedelta(days=3, hours=8)):
        end_what_is_due(database)
    for agreement_id in ids:
        provider = provider_of(database, deal, agreement_id)
        assert states(database, deal, agreement_id, provider) == ("in_force", "in_force")


@pytest.mark.parametrize(("late", "end"), [(dt.timedelta(hours=20), "in_force"), (dt.timedelta(hours=28), "lapsed")])
def test_a_plan_waits_one_working_day_for_a_signature_given_in_time(
    database: Database, late: dt.timedelta, end: str, tmp_path: Path
) -> None:
    deal = make_deal(database, ("yilmaz", "brandt"))
    ids = drafted(database, deal)
    signed_by_both(database, deal, ids[:1])
    sign(database, deal, "keller", ids[1])
    expiry = MONDAY + dt.timedelta(days=3)
    with clock.frozen(expiry - dt.timedelta(minutes=1)):
        sign_only(database, deal, provider_of(database, deal, ids[1]), ids[1])
        settle_events(database)
    with clock.frozen(expiry + late):
        with database.write() as session:
            lapse_agreements(session, clock.now())
        end_what_is_due(database)
        for agreement_id in ids:
            provider = provider_of(database, deal, agreement_id)
            assert states(database, deal, agreement_id, provider) == (end, end)
            assert minutes_of(database, deal, provider) == (0, 2400 if end == "in_force" else 0)
            for key in ("keller", provider):
                with database.read() as session:
                    check_log(export_log(session, deal.firms[key].id))
    if end == "in_force":
        assert verified(evidence_of(database, deal, "keller", ids[1]), tmp_path) == 0


def test_over_weekends_and_holidays_a_plan_waits_until_the_next_working_day() -> None:
    friday = dt.datetime(2026, 11, 20, 9, tzinfo=BERLIN)
    assert plan_counts_until(friday) == dt.datetime(2026, 11, 23, 9, tzinfo=BERLIN)
    assert plan_counts_until(dt.datetime(2026, 12, 24, 9, tzinfo=BERLIN)).astimezone(BERLIN).day == 28


def test_a_plan_is_over_at_its_deadline_when_somebody_did_not_sign(database: Database) -> None:
    deal = make_deal(database, ("yilmaz", "brandt"))
    ids = drafted(database, deal)
    signed_by_both(database, deal, ids[:1])
    sign(database, deal, "keller", ids[1])
    with clock.frozen(MONDAY + dt.timedelta(days=3, minutes=1)):
        end_what_is_due(database)
    for agreement_id in ids:
        provider = provider_of(database, deal, agreement_id)
        assert states(database, deal, agreement_id, provider) == ("lapsed", "lapsed")


def test_no_deadline_overtakes_a_signature_that_is_on_its_way(database: Database) -> None:
    deal = make_deal(database)
    (agreement_id,) = drafted(database, deal)
    sign(database, deal, "keller", agreement_id)
    with clock.frozen(MONDAY + dt.timedelta(days=3) - dt.timedelta(minutes=1)):
        sign_only(database, deal, "yilmaz", agreement_id)
    with clock.frozen(MONDAY + dt.timedelta(days=9)):
        with database.write() as session:
            lapse_agreements(session, clock.now())
        assert states(database, deal, agreement_id) == ("signed_one", "in_force")
        run_until_quiet(database)
    assert states(database, deal, agreement_id) == ("in_force", "in_force")


def test_no_deadline_overtakes_the_word_that_a_plan_stands(database: Database) -> None:
    deal = make_deal(database, ("yilmaz", "brandt"))
    ids = drafted(database, deal)
    signed_by_both(database, deal, ids[:1])
    sign(database, deal, "keller", ids[1])
    with clock.frozen(MONDAY + dt.timedelta(days=3) - dt.timedelta(minutes=1)):
        sign_only(database, deal, provider_of(database, deal, ids[1]), ids[1])
        settle_events(database)
        deliver_messages(database)
    with clock.frozen(MONDAY + dt.timedelta(days=9)):
        with database.write() as session:
            lapse_agreements(session, clock.now())
        run_until_quiet(database)
    for agreement_id in ids:
        provider = provider_of(database, deal, agreement_id)
        assert states(database, deal, agreement_id, provider) == ("in_force", "in_force")
        assert minutes_of(database, deal, provider) == (0, 2400)


def test_a_word_that_comes_after_nobody_waited_any_more_is_told_to_the_managers_of_both(database: Database) -> None:
    deal = make_deal(database)
    (agreement_id,) = drafted(database, deal)
    sign(database, deal, "keller", agreement_id)
    with clock.frozen(MONDAY + dt.timedelta(days=3) - dt.timedelta(minutes=1)):
        sign_only(database, deal, "yilmaz", agreement_id)
    with clock.frozen(MONDAY + dt.timedelta(days=10, hours=2)):
        with database.write() as session:
            lapse_agreements(session, clock.now())
        run_until_quiet(database)
        assert states(database, deal, agreement_id) == ("lapsed", "in_force")
        for key in ("keller", "yilmaz"):
            with database.read() as session:
                told = sa.select(Alert.kind).where(Alert.person_id == deal.firms[key].people[Role.MANAGER])
                assert "one_sided" in session.scalars(told).all()
                assert [risk.kind for risk in risks(session, deal.actor(key), clock.now())] == ["one_sided"]


def sent_draft(database: Database) -> tuple[Deal, Body]:
    """A draft that Keller signed and sent, not delivered yet."""
    deal = make_deal(database)
    (agreement_id,) = drafted(database, deal)
    sign_only(database, deal, "keller", agreement_id)
    settle_events(database)
    with database.read() as session:
        body = session.scalars(sa.select(Message.body).where(Message.kind == "agreement.drafted")).one()
        return deal, copy.deepcopy(body)


def is_refused(
    database: Database,
    deal: Deal,
    body: Body,
    kind: str = "agreement.drafted",
    receiver: str = "yilmaz",
    sender: str = "keller",
) -> bool:
    """Say whether the message is refused; whatever it would have done is rolled back."""
    incoming = Incoming(deal.firms[receiver].id, deal.firms[sender].id, new_id(), kind, body, clock.now())
    try:
        with database.read() as session:
            session.info["database"] = database
            INBOX.get(kind)(session, incoming)
            if kind == "agreement.drafted":
                kept = sa.select(Agreement.id).where(Agreement.firm_id == incoming.firm_id)
                assert session.scalar(kept) is not None
    except (RuleBroken, NotFound):
        return True
    return False


def signed_anew(database: Database, deal: Deal, body: Body) -> None:
    with database.read() as session:
        value = digest("Agreement", body["message"])
        keller = deal.firms["keller"].id
        body["signatures"] = [approval(session, deal, "keller", value), seal(session, keller, value)]


def scale(body: Body, name: str, more: int) -> None:
    from app.agreements.documents import line_amount_cents

    facts = body["facts"]
    for line in facts["lines"]:
        line[name] += more
        set_up_rate = line["terms"]["set_up_rate_cents_per_hour"]
        line["amount_cents"] = line_amount_cents(
            line["minutes"], line["rate_cents_per_hour"], line["set_up_min"], set_up_rate
        )
    facts["total_cents"] = sum(line["amount_cents"] for line in facts["lines"]) + facts["transport_cents"]
    facts["cap_cents"] = facts["total_cents"] * 2


def terms(body: Body, **changes: object) -> None:
    for line in body["facts"]["lines"]:
        line["terms"] |= changes
    scale(body, "minutes", 0)


def at_day(days: int) -> int:
    return int((MONDAY + dt.timedelta(days=days)).timestamp())
