"""What must hold when all is quiet: nothing lost, nothing twice, the same on both sides, no minute sold twice."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.models import Agreement, Amendment
from app.bookings.models import Booking
from app.capacity.models import Hold
from app.core.outbox import OutboxRow
from app.federation.models import Message
from app.firms.models import AuditEvent
from app.notary.models import LedgerEntry, LedgerEvidence, LedgerHead
from app.notary.queries import export_log
from app.offers.models import Offer
from app.partners.models import Partnership
from app.push.models import Alert
from app.requests.models import WorkRequest
from ledger.errors import VerificationError
from ledger.fsck import check_log
from tests.long.race_check import BALANCE
from tests.long.simulate_world import Effect, Place

OPEN = ("frozen", "signed_one", "waiting_bundle")
CAME_INTO_FORCE = ("in_force", "terminated")
OVER = ("lapsed", "declined", "superseded")
LIVE_REQUEST = ("open", "quoted", "planned", "contracting")


class House:
    """All rows of one node that matter here, read once."""

    def __init__(self, place: Place, session: Session, effects: Sequence[Effect]) -> None:
        self.name, self.firm_id, self.effects = place.name, place.firm_id(place.key), effects
        self.messages = self._rows(session, Message)
        self.agreements = self._rows(session, Agreement)
        self.amendments = self._rows(session, Amendment)
        self.bookings = self._rows(session, Booking)
        self.holds = self._rows(session, Hold)
        self.offers = self._rows(session, Offer)
        self.requests = self._rows(session, WorkRequest)
        self.partners = {row.address.partition("@")[2]: row for row in self._rows(session, Partnership).values()}
        self.told = self._told(session)
        self.entries = {
            row.seq: (row.digest, row.body)
            for row in session.execute(
                sa.select(LedgerEntry.seq, LedgerEntry.digest, LedgerEvidence.body)
                .outerjoin(
                    LedgerEvidence,
                    (LedgerEvidence.firm_id == LedgerEntry.firm_id)
                    & (LedgerEvidence.sha256 == LedgerEntry.evidence_sha256),
                )
                .where(LedgerEntry.firm_id == self.firm_id)
            )
        }

    def id_of(self, other: "House") -> str:
        """Under which id this house knows the other firm."""
        return str(self.partners[other.name].partner_id)

    def sent(self, to: "House", *states: str) -> list[Any]:
        """What went to that house and ended so, in the order of its numbers."""
        found = [
            one
            for one in self.messages.values()
            if (one.direction, one.peer_id) == ("out", self.id_of(to)) and one.state in states
        ]
        return sorted(found, key=lambda one: one.seq)

    def bound(self, agreement_ids: set[str]) -> set[str]:
        """The offers that these agreements stand on."""
        return {row.offer_id for row in self.agreements.values() if row.id in agreement_ids}

    def _told(self, session: Session) -> set[str]:
        """What stands here alone after seven days of silence, and people know: a signed word that came too late."""
        once_silent = set(
            session.scalars(sa.select(AuditEvent.about_firm_id).where(AuditEvent.verb == "message_parked"))
        )
        heard = {
            row.body["message_id"]
            for row in session.scalars(sa.select(OutboxRow).where(OutboxRow.kind == "MessageParked"))
        }
        late = [
            row
            for row in self.messages.values()
            if row.id in heard and row.state == "refused" and row.peer_id in once_silent
        ]
        alone = set(session.scalars(sa.select(Alert.subject_id).where(Alert.kind == "one_sided")))
        told = {row.subject_id for row in late} | (alone if once_silent else set())
        return told | {self.amendments[one].agreement_id for one in told if one in self.amendments}

    def _rows(self, session: Session, table: Any) -> dict[str, Any]:
        return {row.id: row for row in session.scalars(sa.select(table).where(table.firm_id == self.firm_id))}


def faults_of(places: Sequence[Place]) -> list[str]:
    """One sentence for each thing that does not hold; empty when all is well."""
    houses, faults = [], []
    for place in places:
        with place.database.read() as session:
            house = House(place, session, [*place.effects, *place.house.effects])
            houses.append(house)
            faults += [f"{place.name}: {fault}" for fault in _inside(session, house)]
            session.expunge_all()
    for one, other in combinations(houses, 2):
        faults += [*_carried(one, other), *_carried(other, one), *_shared(one, other)]
    return faults


def unheard(place: Place) -> list[str]:
    """Lanes that rest although nobody in the house was told."""
    with place.database.read() as session:
        told = set(session.scalars(sa.select(AuditEvent.about_firm_id).where(AuditEvent.verb == "message_parked")))
        parked = set(session.scalars(sa.select(Message.peer_id).where(Message.state == "parked")))
    return [f"{place.name}: messages rest and nobody was told" for _ in parked - told]


def one_sided_of(places: Sequence[Place]) -> int:
    """How many agreements stand at one side alone, with both managers asked to talk."""
    count = 0
    for place in places:
        with place.database.read() as session:
            count += session.scalar(sa.select(sa.func.count()).where(Alert.kind == "one_sided")) or 0
    return count


def _inside(session: Session, house: House) -> Iterator[str]:
    for held, agreed, actual, maximum, held_rows, agreed_rows in session.execute(BALANCE):
        if max(held + agreed, held_rows + agreed_rows) > actual or actual > maximum:
            yield f"oversold: {held} held and {agreed} agreed of {actual}"
        if (held, agreed) != (held_rows, agreed_rows):
            yield f"counters {held}, {agreed} and rows {held_rows}, {agreed_rows} differ"
    for row in session.scalars(sa.select(OutboxRow).where(OutboxRow.settled_at.is_(None))):
        yield f"{row.kind} is not settled: {row.error}"
    yield from _hours(house)
    yield from _offers(house)
    yield from _left_open(house)
    yield from _log(session, house)


def _hours(house: House) -> Iterator[str]:
    """Agreed hours are those that are booked; hours are held only for what is still open."""
    booked, agreed = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for one in house.bookings.values():
        if one.side == "ours" and one.state == "confirmed":
            booked[one.machine_id, one.week] += one.agreed_min
    for hold in house.holds.values():
        if hold.state == "agreed":
            agreed[hold.machine_id, hold.week] += hold.minutes
        offer = house.offers.get(hold.offer_id)
        if hold.state == "held" and (offer is None or offer.state not in ("submitted", "selected", "partly_selected")):
            yield f"hours are held for an offer that is {offer and offer.state}"
    if +booked != +agreed:
        yield f"booked {dict(booked)} and agreed {dict(agreed)} differ"


def _offers(house: House) -> Iterator[str]:
    """An offer is accepted where its agreement came into force in the same house, and only there."""
    in_force = house.bound({one.id for one in house.agreements.values() if one.state in CAME_INTO_FORCE})
    for offer in house.offers.values():
        if (offer.state == "accepted") != (offer.id in in_force):
            yield f"offer {offer.id} is {offer.state} and its agreement {'is' if offer.id in in_force else 'is not'} in force"


def _left_open(house: House) -> Iterator[str]:
    for row in house.messages.values():
        if row.direction == "out" and row.state in ("waiting", "parked"):
            yield f"{row.kind} {row.id} is still {row.state}: {row.error}"
    for agreement in house.agreements.values():
        if agreement.state in OPEN:
            yield f"agreement {agreement.id} is still {agreement.state}"
    for amendment in house.amendments.values():
        if amendment.state in ("frozen", "signed_one"):
            yield f"{amendment.kind} {amendment.id} is still {amendment.state}"


def _log(session: Session, house: House) -> Iterator[str]:
    head = session.get_one(LedgerHead, house.firm_id)
    if head.halt or head.signed_size != head.size or len(house.entries) != head.size:
        yield f"the log of {head.size} entries is signed up to {head.signed_size} and halted '{head.halt}'"
    try:
        check_log(b"".join(export_log(session, house.firm_id)).splitlines(keepends=True))
    except VerificationError as error:
        yield f"the log does not replay: {error}"


def _carried(one: House, other: House) -> Iterator[str]:
    """What left as delivered stands at the receiver once, had its effect once, and in its order."""
    sent = one.sent(other, "delivered")
    arrived = {
        row.id: row for row in other.messages.values() if (row.direction, row.peer_id) == ("in", other.id_of(one))
    }
    effects = [effect[2] for effect in other.effects if effect[:2] == (other.firm_id, other.id_of(one))]
    for row in sent:
        if row.id not in arrived:
            yield f"{row.kind} {row.id} from {one.name} is lost at {other.name}"
        elif (arrived[row.id].body, arrived[row.id].seq) != (row.body, row.seq):
            yield f"{row.kind} {row.id} says something else at {other.name}"
    for message_id, count in Counter(effects).items():
        if count > 1:
            yield f"{message_id} from {one.name} took effect {count} times at {other.name}"
    told = {row.id: row.seq for row in one.messages.values()}
    numbers = [told.get(message_id, 0) for message_id in effects]
    if numbers != sorted(numbers):
        yield f"{other.name} heard {one.name} out of order: {numbers}"
    for message_id in set(effects) | set(arrived):
        row = one.messages.get(message_id)
        if row is None or not (row.state == "delivered" or _is_in_doubt(row)):
            yield f"{message_id} took effect at {other.name} and is {row and (row.kind, row.state, row.error)} at {one.name}"
    for row in sent:
        if row.id in arrived and arrived[row.id].state == "done" and row.id not in effects:
            yield f"{row.kind} {row.id} from {one.name} came to {other.name} without effect"


def _is_in_doubt(row: Any) -> bool:
    """Its answer was lost, and before the next try the partnership came to rest: nobody asks for it any more."""
    return row.state == "cancelled" or (row.state == "refused" and row.error == "consent")


def _shared(one: House, other: House) -> Iterator[str]:
    """What two firms share stands the same in both houses."""
    yield from _agreements(one, other)
    yield from _amendments(one, other)
    yield from _bookings(one, other)
    yield from _requests(one, other)
    ours, theirs = one.partners[other.name].paused_by, other.partners[one.name].paused_by
    if ours != {"us": "them", "them": "us"}.get(theirs, theirs):
        yield f"{one.name} rests '{ours}', {other.name} '{theirs}'"


def _agreements(one: House, other: House) -> Iterator[str]:
    for ours, theirs in _pairs(one.agreements, other.agreements, one, other):
        yield from _evidence(one, other, ours, theirs)
        if (ours or theirs).id in one.told | other.told:
            continue
        if _kind(ours) != _kind(theirs):
            both = f"{_state(ours)} at {one.name} and {_state(theirs)} at {other.name}"
            yield f"agreement {(ours or theirs).id} is {both}"
        elif ours and theirs and ours.state in CAME_INTO_FORCE:
            if (ours.minutes, ours.total_cents) != (theirs.minutes, theirs.total_cents):
                yield f"agreement {ours.id} stands differently in both houses"
            if ours.counterpart is None or theirs.counterpart is None:
                yield f"agreement {ours.id} lacks the other side's proof"


def _amendments(one: House, other: House) -> Iterator[str]:
    for ours, theirs in _pairs(one.amendments, other.amendments, one, other):
        yield from _evidence(one, other, ours, theirs)
        row = ours or theirs
        if row.id in one.told | other.told:
            continue
        if _kind(ours) != _kind(theirs):
            both = f"{_state(ours)} at {one.name} and {_state(theirs)} at {other.name}"
            yield f"{row.kind} {row.id} is {both}"


def _evidence(one: House, other: House, ours: Any, theirs: Any) -> Iterator[str]:
    if ours is None or theirs is None or ours.entry_seq is None or theirs.entry_seq is None:
        return
    if one.entries[ours.entry_seq] != other.entries[theirs.entry_seq]:
        yield f"the evidence of {ours.id} differs"


def _bookings(one: House, other: House) -> Iterator[str]:
    found: list[dict[Any, Any]] = []
    for house, partner in ((one, other), (other, one)):
        rows = [row for row in house.bookings.values() if row.partner_id == house.id_of(partner)]
        found.append(
            {
                (row.agreement_id, row.line_no): (row.agreed_min, row.week, row.rate_cents_per_hour)
                for row in rows
                if row.state == "confirmed" and row.agreement_id not in one.told | other.told
            }
        )
    if found[0] != found[1]:
        yield f"bookings differ: {sorted(found[0].items() ^ found[1].items())}"


def _requests(one: House, other: House) -> Iterator[str]:
    alone = one.told | other.told
    for house, partner in ((one, other), (other, one)):
        for row in house.requests.values():
            theirs = partner.requests.get(row.id)
            if row.side != "ours" or theirs is None or theirs.side == "ours":
                continue
            if row.state not in LIVE_REQUEST and theirs.state in LIVE_REQUEST:
                yield f"request {row.id} is {row.state} at {house.name} and {theirs.state} at {partner.name}"
        for offer in house.offers.values():
            theirs = partner.offers.get(offer.id)
            is_shared = theirs is not None and offer.side == "ours"
            if not is_shared or offer.id in house.bound(alone) | partner.bound(alone):
                continue
            if "accepted" in (offer.state, theirs.state) and offer.state != theirs.state:
                yield f"offer {offer.id} is {offer.state} at {house.name} and {theirs.state} at {partner.name}"


def _pairs(ours: dict[str, Any], theirs: dict[str, Any], one: House, other: House) -> Iterator[tuple[Any, Any]]:
    """Rows of both houses under the same id, None where one has none; what is shared with a third house is not theirs."""
    shared = defaultdict[str, list[Any]](lambda: [None, None])
    for place, (rows, partner) in enumerate(((ours, other), (theirs, one))):
        house = one if place == 0 else other
        partner_id = house.id_of(partner)
        for row in rows.values():
            about = row if hasattr(row, "partner_id") else house.agreements[row.agreement_id]
            if about.partner_id == partner_id:
                shared[row.id][place] = row
    for pair in shared.values():
        yield pair[0], pair[1]


def _kind(row: Any) -> str:
    """What did not come about is the same as what never arrived, whoever gave it up."""
    return "over" if row is None or row.state in OVER else str(row.state)


def _state(row: Any) -> str:
    return f"{row.state} ({row.end_reason})" if row else "unknown"
