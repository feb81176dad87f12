"""The faults that the simulation must find. Nothing of the product imports this."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from app.agreements import sealing
from app.federation import actions, arriving, carrying, judging
from app.federation.models import Message
from app.offers import exchange

PLANTED_SEEDS = 5


@contextmanager
def receiver_forgets() -> Iterator[None]:
    """The receiver knows neither which messages it had nor how far it had read: what comes twice takes effect twice."""
    note = actions._note_arrival

    def note_once(session: Any, arriving_one: Any, state: str) -> None:
        if session.get(Message, (arriving_one.firm_id, arriving_one.id)) is None:
            note(session, arriving_one, state)

    with ExitStack() as stack:
        for room in (actions, arriving, judging):
            stack.enter_context(patch.object(room, "has_arrived", lambda *_: False))
        stack.enter_context(patch.object(judging, "_last_seq", lambda *_: 0))
        stack.enter_context(patch.object(actions, "_note_arrival", note_once))
        yield


@contextmanager
def sender_believes() -> Iterator[None]:
    """What got no answer counts as delivered."""
    alone, together = carrying._hand_over, carrying._hand_over_together

    def believed(outcome: carrying.Outcome) -> carrying.Outcome:
        return carrying.Outcome(outcome.id, "delivered") if outcome.state == "later" else outcome

    async def trusting(*given: Any) -> Any:
        return believed(await alone(*given))

    async def trusting_all(*given: Any) -> Any:
        return [believed(outcome) for outcome in await together(*given) or ()]

    with patch.multiple(carrying, _hand_over=trusting, _hand_over_together=trusting_all):
        yield


@contextmanager
def nobody_keeps_order() -> Iterator[None]:
    """What did not arrive holds up nothing behind it, and the receiver takes what comes."""

    async def carry_all(*given: Any) -> Any:
        return [await carrying._hand_over(*given, parcel) for parcel in given[-1].parcels]

    with patch.object(carrying, "_carry", carry_all), patch.object(judging, "_last_seq", lambda *_: 0):
        yield


@contextmanager
def requester_writes_another_record() -> Iterator[None]:
    """What the requester enters into its log is not what the provider signed into its own."""
    enter = sealing._enter

    def enter_less(session: Any, agreement: Any, proof: Any = None) -> None:
        if agreement.side == "ours":
            agreement.not_before = ""
        enter(session, agreement, proof)

    with patch.object(sealing, "_enter", enter_less):
        yield


@contextmanager
def hours_stay_held() -> Iterator[None]:
    """An offer that ended keeps its hours."""
    with patch.object(exchange, "release_offer", lambda *_: 0):
        yield


_FAULTS = (
    receiver_forgets,
    sender_believes,
    nobody_keeps_order,
    requester_writes_another_record,
    hours_stay_held,
)
PLANTED: dict[str, Callable[[], AbstractContextManager[None]]] = {one.__name__: one for one in _FAULTS}
