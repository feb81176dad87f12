"""What happened, in the past tense. Each event is an outbox row written in the transaction of the change itself."""

import dataclasses
from typing import Any, ClassVar


@dataclasses.dataclass(frozen=True)
class Event:
    """Something that happened in the house of one firm."""

    kinds: ClassVar[dict[str, type["Event"]]] = {}
    firm_id: str

    def __init_subclass__(cls) -> None:
        Event.kinds[cls.__name__] = cls

    def to_body(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def event_from(kind: str, body: dict[str, Any]) -> Event:
    """Rebuild an event from its outbox row; raises KeyError for an unknown kind."""
    return Event.kinds[kind](**body)


@dataclasses.dataclass(frozen=True)
class PartnershipProposed(Event):
    """We used a partner's invitation: it gets to know us."""

    partner_id: str


@dataclasses.dataclass(frozen=True)
class PartnershipRequested(Event):
    """A firm used our invitation; our manager reads the framework agreement next."""

    partner_id: str


@dataclasses.dataclass(frozen=True)
class FrameworkApproved(Event):
    """Our manager signed the framework agreement first."""

    partner_id: str


@dataclasses.dataclass(frozen=True)
class FrameworkArrived(Event):
    """The partner signed the framework agreement; our manager reads and signs next."""

    partner_id: str


@dataclasses.dataclass(frozen=True)
class FrameworkSealed(Event):
    """Our manager signed as the second one: the partner gets our signatures."""

    partner_id: str


@dataclasses.dataclass(frozen=True)
class PartnershipBegun(Event):
    partner_id: str


@dataclasses.dataclass(frozen=True)
class PartnershipDeclined(Event):
    """We said no before both had signed."""

    partner_id: str


@dataclasses.dataclass(frozen=True)
class PartnershipPaused(Event):
    partner_id: str


@dataclasses.dataclass(frozen=True)
class PartnershipResumed(Event):
    partner_id: str


@dataclasses.dataclass(frozen=True)
class PartnershipScoped(Event):
    partner_id: str


@dataclasses.dataclass(frozen=True)
class PartnershipEnded(Event):
    partner_id: str


@dataclasses.dataclass(frozen=True)
class PartnershipBroken(Event):
    """The partner ended the partnership, or said no."""

    partner_id: str


@dataclasses.dataclass(frozen=True)
class AbilitiesChanged(Event):
    """What our machines can do, or our certificates, changed: partners get the new profile."""


@dataclasses.dataclass(frozen=True)
class EntryOpened(Event):
    """We show ourselves to strangers from now on: the entry gets what we can do."""


@dataclasses.dataclass(frozen=True)
class ApproachMade(Event):
    """We ask a firm of the directory to become partners."""

    approach_id: str


@dataclasses.dataclass(frozen=True)
class ApproachArrived(Event):
    """A firm of the directory asks us."""

    approach_id: str


@dataclasses.dataclass(frozen=True)
class ApproachAnswered(Event):
    """We said yes or no to a firm that asked us."""

    approach_id: str


@dataclasses.dataclass(frozen=True)
class IntroductionMade(Event):
    """We propose two partners to each other."""

    introduction_id: str


@dataclasses.dataclass(frozen=True)
class IntroductionArrived(Event):
    """A partner proposes a firm to us."""

    offer_id: str


@dataclasses.dataclass(frozen=True)
class IntroductionAnswered(Event):
    """We said yes or no to the firm that a partner proposed."""

    offer_id: str


@dataclasses.dataclass(frozen=True)
class IntroductionAgreed(Event):
    """Both of our partners said yes: each may know the other now."""

    introduction_id: str


@dataclasses.dataclass(frozen=True)
class IntroductionKnown(Event):
    """The firm that a partner proposed said yes too: we know who it is."""

    offer_id: str


@dataclasses.dataclass(frozen=True)
class PhotoCleaned(Event):
    """A photo lost what the camera wrote into it, or was no picture and is gone: what waited for it may leave now."""

    file_id: str


@dataclasses.dataclass(frozen=True)
class MessageParked(Event):
    """A message did not reach a partner for seven days, or what was signed is refused there; a person has to look.

    `since`: when it was written, ISO.
    """

    message_id: str
    partner_id: str
    since: str


@dataclasses.dataclass(frozen=True)
class LogHalted(Event):
    """Our log rests. reason: behind or forked (the partner has seen more of it, or another history), or damaged."""

    partner_id: str
    reason: str


@dataclasses.dataclass(frozen=True)
class LogContradicted(Event):
    """A partner's log showed us two histories."""

    partner_id: str


@dataclasses.dataclass(frozen=True)
class LogDoubted(Event):
    """Another partner saw more or other of a partner's log than we did, and the log does not prove that both fit."""

    partner_id: str


@dataclasses.dataclass(frozen=True)
class FirmLeaves(Event):
    """Our firm leaves this node for good: partners are told, and its rows go."""


@dataclasses.dataclass(frozen=True)
class RequestPublished(Event):
    request_id: str


@dataclasses.dataclass(frozen=True)
class RequestChanged(Event):
    request_id: str


@dataclasses.dataclass(frozen=True)
class RequestWithdrawn(Event):
    request_id: str


@dataclasses.dataclass(frozen=True)
class RequestClosed(Event):
    """The request ended without withdrawal: contracted or expired."""

    request_id: str


@dataclasses.dataclass(frozen=True)
class RequestReceived(Event):
    """A partner's request, or its new version, arrived here."""

    request_id: str


@dataclasses.dataclass(frozen=True)
class RequestGone(Event):
    """A partner withdrew, closed or let expire a request that we were asked, or replaced it by a new version."""

    request_id: str


@dataclasses.dataclass(frozen=True)
class RequestMatched(Event):
    request_id: str


@dataclasses.dataclass(frozen=True)
class QuestionAsked(Event):
    question_id: str


@dataclasses.dataclass(frozen=True)
class QuestionAnswered(Event):
    question_id: str


@dataclasses.dataclass(frozen=True)
class QuestionArrived(Event):
    question_id: str


@dataclasses.dataclass(frozen=True)
class OfferMade(Event):
    offer_id: str


@dataclasses.dataclass(frozen=True)
class OfferWithdrawn(Event):
    """Taken back by the provider, or its holds expired."""

    offer_id: str


@dataclasses.dataclass(frozen=True)
class OfferReceived(Event):
    offer_id: str


@dataclasses.dataclass(frozen=True)
class OfferDeclined(Event):
    """The requester chose others; said to the provider without price or rank."""

    offer_id: str


@dataclasses.dataclass(frozen=True)
class OfferSelected(Event):
    offer_id: str


@dataclasses.dataclass(frozen=True)
class PlanChosen(Event):
    plan_id: str


@dataclasses.dataclass(frozen=True)
class AgreementApproved(Event):
    """Our side's rule for signing is met; the other side has not signed yet."""

    agreement_id: str


@dataclasses.dataclass(frozen=True)
class AgreementArrived(Event):
    agreement_id: str


@dataclasses.dataclass(frozen=True)
class AgreementSealed(Event):
    agreement_id: str


@dataclasses.dataclass(frozen=True)
class AgreementDeclined(Event):
    agreement_id: str


@dataclasses.dataclass(frozen=True)
class AgreementLapsed(Event):
    agreement_id: str


@dataclasses.dataclass(frozen=True)
class AgreementEffective(Event):
    """Its bundle is complete: it is in force, and so is each other member by an event of its own."""

    agreement_id: str


@dataclasses.dataclass(frozen=True)
class AgreementErased(Event):
    """What an agreement said is gone here: what stood on it goes too."""

    agreement_id: str


@dataclasses.dataclass(frozen=True)
class BookingAmended(Event):
    """A change or cancellation of an agreement was signed."""

    amendment_id: str


@dataclasses.dataclass(frozen=True)
class BookingsConfirmed(Event):
    """Hours of an agreement are booked for good, on our side."""

    agreement_id: str


@dataclasses.dataclass(frozen=True)
class BookingChanged(Event):
    """A signed change gave a booking other hours, or none."""

    booking_id: str


@dataclasses.dataclass(frozen=True)
class WorkDisrupted(Event):
    """Our people said that a machine stands or somebody is missing: the partner whose hours that costs gets to know."""

    disruption_id: str


@dataclasses.dataclass(frozen=True)
class DisruptionArrived(Event):
    """A partner cannot work hours that we count on."""

    disruption_id: str


@dataclasses.dataclass(frozen=True)
class WorkResumed(Event):
    """It works again: at the provider the partner gets to know, at the requester people do."""

    disruption_id: str


@dataclasses.dataclass(frozen=True)
class DefectReported(Event):
    """Our people say that parts are not right: the partner who made them gets to know."""

    defect_id: str


@dataclasses.dataclass(frozen=True)
class DefectArrived(Event):
    """A partner says that parts of ours are not right."""

    defect_id: str


@dataclasses.dataclass(frozen=True)
class DefectAnswered(Event):
    """Whoever made the parts says what it does about a defect; at the other side people get to know."""

    defect_id: str


@dataclasses.dataclass(frozen=True)
class DefectSettled(Event):
    """The requester says that a defect is mended; at the other side people get to know."""

    defect_id: str


@dataclasses.dataclass(frozen=True)
class WorkAccepted(Event):
    """The requester takes the work of a booking; at the other side people get to know."""

    acceptance_id: str


@dataclasses.dataclass(frozen=True)
class WorkRecorded(Event):
    """Our manager signed an acceptance or a dispute: the partner gets the record."""

    record_id: str


@dataclasses.dataclass(frozen=True)
class ProvisionMoved(Event):
    """Material or tooling was announced, came, or went: the other side gets to know, by photo too."""

    step_id: str


@dataclasses.dataclass(frozen=True)
class ProvisionArrived(Event):
    """The other side told what became of material or tooling."""

    step_id: str


@dataclasses.dataclass(frozen=True)
class HoursChecked(Event):
    """Our foreman closed the week's report of a booking: the partner gets it."""

    report_id: str


@dataclasses.dataclass(frozen=True)
class HoursArrived(Event):
    """A partner's report waits for our yes."""

    report_id: str


@dataclasses.dataclass(frozen=True)
class HoursConfirmed(Event):
    """Both sides stand by the hours of a report, at each side in its own house.

    `side` of the booking: ours, we worked and will write the invoice; theirs, the partner did.
    """

    report_id: str
    booking_id: str
    partner_id: str
    agreement_id: str
    side: str


@dataclasses.dataclass(frozen=True)
class HoursDisputed(Event):
    """One side says that a report does not hold: at the requester the partner gets to know, at the provider people do."""

    report_id: str


@dataclasses.dataclass(frozen=True)
class InvoiceOrdered(Event):
    """Somebody said "Rechnung senden": the worker checks it and gives it a number."""

    invoice_id: str


@dataclasses.dataclass(frozen=True)
class InvoiceIssued(Event):
    """An invoice, correction or credit note of ours has its number: the partner gets it."""

    invoice_id: str


@dataclasses.dataclass(frozen=True)
class InvoiceArrived(Event):
    invoice_id: str


@dataclasses.dataclass(frozen=True)
class InvoiceAnswered(Event):
    """We accepted or disputed a partner's invoice."""

    invoice_id: str


@dataclasses.dataclass(frozen=True)
class InvoiceReminded(Event):
    invoice_id: str


@dataclasses.dataclass(frozen=True)
class InvoicePaid(Event):
    """The money for an invoice of ours is there."""

    invoice_id: str


@dataclasses.dataclass(frozen=True)
class InvoiceNetted(Event):
    """A part of an invoice, of ours or of a partner, is settled by a netting."""

    invoice_id: str


@dataclasses.dataclass(frozen=True)
class NettingSaid(Event):
    """Our word about a netting: asked, agreed, done or declined; the partner gets to know."""

    netting_id: str
    word: str


@dataclasses.dataclass(frozen=True)
class CapacityFreed(Event):
    machine_id: str


@dataclasses.dataclass(frozen=True)
class PersonAlerted(Event):
    """A message for one person was written down; it may now leave by push or mail."""

    alert_id: str


@dataclasses.dataclass(frozen=True)
class PasskeyLocked(Event):
    """A device may sign nothing any more; what it signed and the partner has not signed yet goes back."""

    passkey_id: str


@dataclasses.dataclass(frozen=True)
class SignedOut(Event):
    """A device was signed out, by itself or from afar: what belongs to it (its push subscription) goes too."""

    sign_in_id: str
