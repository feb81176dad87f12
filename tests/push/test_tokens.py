"""What a message may do without a sign-in, and what it may not."""

import datetime as dt
import threading
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from app.core import clock
from app.core.db import Database
from app.core.errors import Conflict, NotFound, RuleBroken, WerkringError
from app.firms.access import Role
from app.firms.models import Person
from app.notary.models import LedgerHead
from app.passkeys.models import SignIn
from app.push.actions import alert_people, answered_token, cancel_alerts, note_receipt, use_answer_token
from app.push.models import Alert, AnswerToken, PushDevice
from app.push.tokens import make_answer_token, receipt_ticket
from tests.conftest import MONDAY
from tests.push.service import PushService
from tests.push.world import REQUEST_ID, VALUES, PushWorld, give_phone, sign_in

DEADLINE = dt.datetime(2026, 11, 18, 11, 0, tzinfo=dt.UTC)


@pytest.fixture
def token(world: PushWorld, service: PushService) -> str:
    """A token on Jonas's phone that may say yes or no."""
    give_phone(world, service, "jonas")
    return new_token(world)


def new_token(world: PushWorld, answers: tuple[str, ...] = ("yes", "no"), values: dict[str, Any] = VALUES) -> str:
    with world.database.write() as session:
        [alert] = alert_people(session, world.yilmaz.id, [world.foreman()], "request", REQUEST_ID, "/x", values)
        device = session.scalars(sa.select(PushDevice.id).order_by(PushDevice.id.desc()).limit(1)).one()
        return make_answer_token(session, alert, device, DEADLINE, answers)


def use(world: PushWorld, token: str, **more: Any) -> tuple[str, str, str, int]:
    with world.database.write() as session:
        row = use_answer_token(session, token, more.get("sign_in_id", ""), more.get("answer", "yes"))
        return row.firm_id, row.person_id, row.request_id, row.request_version


def test_a_tap_answers_for_its_person_without_any_cookie(world: PushWorld, token: str) -> None:
    assert use(world, token) == (world.yilmaz.id, world.foreman(), REQUEST_ID, 1)
    with world.database.read() as session:
        assert session.scalars(sa.select(Alert.seen_at)).one() == MONDAY
        assert session.scalars(sa.select(PushDevice.last_receipt_at)).one() == MONDAY
        assert session.scalars(sa.select(AnswerToken.answer)).one() == "yes"


def test_the_second_use_is_told_so(world: PushWorld, token: str) -> None:
    use(world, token)
    with pytest.raises(Conflict, match="schon geantwortet"):
        use(world, token)


def test_a_refused_answer_leaves_the_token_unused(world: PushWorld, token: str) -> None:
    with pytest.raises(RuntimeError), world.database.write() as session:
        use_answer_token(session, token)
        raise RuntimeError
    assert use(world, token)[2] == REQUEST_ID


@pytest.mark.parametrize(("halt", "said"), [("moved", "umgezogen"), ("copy", "nur eine Kopie")])
def test_a_tap_in_a_firm_that_works_elsewhere_is_refused_plainly(
    world: PushWorld, token: str, halt: str, said: str
) -> None:
    with world.database.write() as session:
        session.merge(LedgerHead(firm_id=world.yilmaz.id, origin="y", frontier=[], root="", key_seqs=[], halt=halt))
    with pytest.raises(Conflict, match=said):
        use(world, token)


@pytest.mark.parametrize("wrong", ["", "x", "A" * 22, "%00", "ü" * 22])
def test_unknown_tokens_and_expired_ones_get_the_same_answer(world: PushWorld, token: str, wrong: str) -> None:
    with pytest.raises(NotFound) as unknown:
        use(world, wrong)
    with clock.frozen(DEADLINE), pytest.raises(NotFound) as expired:
        use(world, token)
    assert (unknown.value.text, unknown.value.status) == (expired.value.text, expired.value.status)


@pytest.mark.parametrize(
    "fate",
    [
        sa.delete(SignIn),
        sa.delete(PushDevice),
        sa.update(PushDevice).values(gone_at=MONDAY),
        sa.update(SignIn).values(expires_at=MONDAY),
        sa.update(Person).values(left_at=MONDAY),
    ],
    ids=["signed out", "removed", "gone", "session over", "person left"],
)
def test_a_device_that_is_no_longer_theirs_answers_nothing(world: PushWorld, token: str, fate: Any) -> None:
    with world.database.write() as session:
        session.execute(fate)
    with pytest.raises(NotFound):
        use(world, token)


def test_a_device_that_somebody_else_signed_in_on_answers_nothing(world: PushWorld, token: str) -> None:
    with world.database.write() as session:
        session.execute(sa.update(PushDevice).values(person_id=world.yilmaz.people[Role.WORKER]))
    with pytest.raises(NotFound):
        use(world, token)


def test_a_cookie_that_comes_along_must_be_the_same_persons(world: PushWorld, token: str) -> None:
    with world.database.write() as session:
        colleague = sign_in(session, world.yilmaz, Role.MANAGER)
        stranger = sign_in(session, world.brandt, Role.FOREMAN)
        own = sign_in(session, world.yilmaz, Role.FOREMAN)
    for actor in (colleague, stranger, replace(own, session_id="unknown")):
        with pytest.raises(NotFound):
            use(world, token, sign_in_id=actor.session_id)
    assert use(world, token, sign_in_id=own.session_id)[1] == world.foreman()


def test_a_token_gives_only_the_answers_it_was_made_for(world: PushWorld, token: str) -> None:
    only_no = new_token(world, ("no",))
    for answer in ("yes", "part", "sign", "undo"):
        with pytest.raises(RuleBroken):
            use(world, only_no, answer=answer)
    with pytest.raises(RuleBroken):
        use(world, token, answer="part")
    assert use(world, only_no, answer="no")


def test_the_version_of_the_message_travels_with_the_answer(world: PushWorld, token: str) -> None:
    assert use(world, new_token(world, values=VALUES | {"version": 3}))[3] == 3


def test_two_phones_of_one_person_answer_once(world: PushWorld, service: PushService, token: str) -> None:
    give_phone(world, service, "tablet")
    with world.database.write() as session:
        alert = session.scalars(sa.select(Alert)).one()
        other_device = session.scalars(sa.select(PushDevice.id).order_by(PushDevice.created_at.desc())).first()
        other = make_answer_token(session, alert, other_device or "", DEADLINE, ("yes", "no"))
    use(world, token)
    with pytest.raises(Conflict):
        use(world, other)


def test_a_hundred_taps_at_once_are_one_answer(world: PushWorld, token: str) -> None:
    results: list[str] = []

    def tap() -> None:
        database = Database(world.database.url)
        with clock.frozen(MONDAY):
            for _ in range(12):
                try:
                    with database.write() as session:
                        use_answer_token(session, token)
                    results.append("yes")
                except WerkringError as error:
                    results.append(type(error).__name__)
        database.close()

    threads = [threading.Thread(target=tap) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(results) == ["Conflict"] * 95 + ["yes"]


def test_an_answer_can_be_taken_back_for_ten_minutes_by_the_same_token(world: PushWorld, token: str) -> None:
    with world.database.write() as session, pytest.raises(NotFound):
        answered_token(session, token)
    use(world, token)
    with clock.frozen(MONDAY + dt.timedelta(minutes=9)), world.database.write() as session:
        assert answered_token(session, token).request_id == REQUEST_ID
    with clock.frozen(MONDAY + dt.timedelta(minutes=10)), world.database.write() as session, pytest.raises(Conflict):
        answered_token(session, token)


def test_only_the_hash_of_a_token_is_kept(world: PushWorld, token: str) -> None:
    with world.database.read() as session:
        row = session.execute(sa.text("SELECT * FROM answer_token")).one()
    assert token not in [str(value) for value in row]


def test_a_phone_that_comes_late_learns_that_the_matter_is_done(world: PushWorld, token: str) -> None:
    with world.database.read() as session:
        alert_id = session.scalars(sa.select(Alert.id)).one()
        device_id = session.scalars(sa.select(PushDevice.id)).one()
    ticket = receipt_ticket(world.config, world.yilmaz.id, alert_id, device_id)
    with world.database.write() as session:
        assert note_receipt(session, world.config, ticket, is_seen=False) == ""
        cancel_alerts(session, world.yilmaz.id, REQUEST_ID)
        assert note_receipt(session, world.config, ticket, is_seen=False) == "Schon erledigt."
        alert_people(session, world.yilmaz.id, [world.foreman()], "request", REQUEST_ID, "/", VALUES)
        assert note_receipt(session, world.config, ticket, is_seen=False) == ""


def test_the_receipt_of_a_phone_that_answered_at_once_does_not_wipe_its_thanks(
    world: PushWorld, service: PushService, token: str
) -> None:
    with world.database.read() as session:
        alert_id = session.scalars(sa.select(Alert.id)).one()
        device_id = session.scalars(sa.select(PushDevice.id)).one()
    give_phone(world, service, "tablet")
    with world.database.read() as session:
        tablet_id = session.scalars(sa.select(PushDevice.id).where(PushDevice.id != device_id)).one()
    use(world, token)
    with world.database.write() as session:
        cancel_alerts(session, world.yilmaz.id, REQUEST_ID)
        said = [
            note_receipt(session, world.config, receipt_ticket(world.config, world.yilmaz.id, alert_id, device), False)
            for device in (device_id, tablet_id)
        ]
    assert said == ["", "Schon erledigt."]


def test_a_receipt_reports_for_one_alert_and_one_device_and_may_come_twice(world: PushWorld, token: str) -> None:
    with world.database.read() as session:
        alert_id = session.scalars(sa.select(Alert.id)).one()
        device_id = session.scalars(sa.select(PushDevice.id)).one()
    ticket = receipt_ticket(world.config, world.yilmaz.id, alert_id, device_id)
    for _ in range(2):
        with world.database.write() as session:
            note_receipt(session, world.config, ticket, is_seen=False)
    with world.database.read() as session:
        alert = session.scalars(sa.select(Alert)).one()
        assert (alert.arrived_at, alert.seen_at) == (MONDAY, None)
        assert session.scalars(sa.select(PushDevice.last_receipt_at)).one() == MONDAY
    with world.database.write() as session:
        note_receipt(session, world.config, ticket, is_seen=True)
    with world.database.read() as session:
        assert session.scalars(sa.select(Alert.seen_at)).one() == MONDAY


def test_a_forged_receipt_is_not_found(world: PushWorld, token: str) -> None:
    other = replace(world.config, secret_key=b"x" * 32)
    good = receipt_ticket(world.config, world.yilmaz.id, "alert", "device")
    for ticket in ("", "x", good, good[:-1], receipt_ticket(other, world.yilmaz.id, "alert", "device")):
        with world.database.write() as session, pytest.raises(NotFound):
            note_receipt(session, world.config, ticket, is_seen=True)
