"""My partner's partner: the firm in the middle proposes two partners to each other, and names nobody before both said yes."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import Conflict, NotFound, RuleBroken
from app.core.events import (
    IntroductionAgreed,
    IntroductionAnswered,
    IntroductionArrived,
    IntroductionKnown,
    IntroductionMade,
)
from app.core.ids import new_id
from app.core.outbox import emit
from app.directory.models import Introduction, IntroductionOffer
from app.directory.rules import INTRODUCTION_LIFE, MOST_INTRODUCTIONS_A_DAY, NO_HOLDS
from app.directory.wire import Agreed, Answered, read_agreed, read_answered, read_introduced
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.firms.models import Firm
from app.partners.actions import invite_partner
from app.partners.models import Partnership
from app.partners.queries import active_partners, find_partnership, invitation_token, is_blocked, partners_in
from app.partners.rules import LINKED, OPEN
from app.partners.wire import Incoming

A_DAY = dt.timedelta(days=1)
MOST_SHOWN = 20


@dataclass(frozen=True)
class Proposal:
    """A firm that a partner proposes to us, as our page shows it; name and link stay '' until both said yes."""

    id: str
    from_name: str
    processes: tuple[str, ...]
    region: str
    answer: str
    name: str
    town: str
    link: str


@dataclass(frozen=True)
class Running:
    """An introduction of ours: whom, and open, agreed or over. Who said no stays with us alone."""

    one: str
    other: str
    state: str


def introduce_partners(session: Session, actor: Actor, one_id: str, other_id: str) -> str:
    """Propose two partners to each other; returns the introduction's id.

    Raises NotFound unless both let us introduce, RuleBroken for the same one twice or a pair proposed within 90 days.
    """
    allowed = {one.partner_id: one for one in introducible(session, actor.firm_id)}
    if not {one_id, other_id} <= allowed.keys():
        raise NotFound
    if one_id == other_id:
        raise RuleBroken("Wähle zwei verschiedene Partner.", "other")
    session.execute(sa.select(Firm.id).where(Firm.id == actor.firm_id).with_for_update())
    _check_pair(session, actor.firm_id, one_id, other_id)
    row = Introduction(
        firm_id=actor.firm_id, id=new_id(), created_at=clock.now(), person_id=actor.person_id, one_id=one_id,
        other_id=other_id, one_offer=new_id(), other_offer=new_id(), expires_at=clock.now() + INTRODUCTION_LIFE,
    )  # fmt: skip
    session.add(row)
    session.flush()
    _note(session, actor.firm_id, actor.person_id, "introduction_made", row.id, _names(session, row))
    emit(session, IntroductionMade(actor.firm_id, row.id))
    return row.id


def receive_introduction(session: Session, incoming: Incoming) -> None:
    """A partner proposes a firm: a manager says yes or no."""
    told = read_introduced(incoming.body)
    if session.get(IntroductionOffer, (incoming.firm_id, told.offer_id)) is not None:
        return
    session.add(
        IntroductionOffer(
            firm_id=incoming.firm_id, id=told.offer_id, created_at=clock.now(), from_id=incoming.from_id,
            processes=list(told.processes), region=told.region, expires_at=clock.now() + INTRODUCTION_LIFE,
        )
    )  # fmt: skip
    session.flush()
    middle = _middle_name(session, incoming.firm_id, incoming.from_id)
    _note(session, incoming.firm_id, None, "introduction_arrived", told.offer_id, middle)
    emit(session, IntroductionArrived(incoming.firm_id, told.offer_id))


def accept_introduction(session: Session, actor: Actor, offer_id: str, link_of: Callable[[str], str]) -> None:
    """We want to know that firm: an invitation goes along, which it gets only if it said yes too.

    `link_of`: the address of our page behind an invitation's token.
    """
    offer = _answer(session, actor, offer_id, "yes")
    invitation_id = invite_partner(session, actor, life=INTRODUCTION_LIFE)
    offer.link = link_of(invitation_token(session, actor.firm_id, invitation_id))
    emit(session, IntroductionAnswered(actor.firm_id, offer.id))


def decline_introduction(session: Session, actor: Actor, offer_id: str) -> None:
    """We do not; the other firm never hears that it was us."""
    offer = _answer(session, actor, offer_id, "no")
    emit(session, IntroductionAnswered(actor.firm_id, offer.id))


def receive_introduction_answer(session: Session, incoming: Incoming) -> None:
    """In the middle: what one of the two said (`answered`). At each of the two: that both said yes (`agreed`)."""
    if incoming.body.get("step") == "agreed":
        _take_agreed(session, incoming, read_agreed(incoming.body))
    else:
        _take_answer(session, incoming, read_answered(incoming.body))


def introducible(session: Session, firm_id: str) -> Sequence[Partnership]:
    """Partners that let us propose firms to them, by name."""
    return active_partners(session, firm_id, "introductions")


def proposals(session: Session, firm_id: str, language: str) -> list[Proposal]:
    """What partners propose to us and is still open, the oldest first; nothing of who is no partner any more or hidden."""
    names = {one.partner_id: one.name for one in partners_in(session, firm_id, sorted(LINKED))}
    offers = session.scalars(
        sa.select(IntroductionOffer)
        .where(IntroductionOffer.firm_id == firm_id, IntroductionOffer.from_id.in_(names))
        .where(IntroductionOffer.answer != "no", IntroductionOffer.expires_at > clock.now())
        .order_by(IntroductionOffer.created_at, IntroductionOffer.id)
    )
    return [_proposal(one, names[one.from_id], language) for one in offers if not _is_over(session, one)]


def introductions(session: Session, firm_id: str) -> list[Running]:
    """Our own introductions, the newest first."""
    rows = session.scalars(
        sa.select(Introduction)
        .where(Introduction.firm_id == firm_id)
        .order_by(Introduction.created_at.desc(), Introduction.id.desc())
        .limit(MOST_SHOWN)
    )
    return [Running(*_both_names(session, row), _state(row)) for row in rows]


def _take_answer(session: Session, incoming: Incoming, told: Answered) -> None:
    row = session.scalar(
        sa.select(Introduction)
        .where(Introduction.firm_id == incoming.firm_id, Introduction.expires_at > clock.now())
        .where(
            sa.or_(
                sa.and_(Introduction.one_offer == told.offer_id, Introduction.one_id == incoming.from_id),
                sa.and_(Introduction.other_offer == told.offer_id, Introduction.other_id == incoming.from_id),
            )
        )
        .with_for_update()
    )
    if row is None:
        raise NotFound
    side = "one" if row.one_offer == told.offer_id else "other"
    if getattr(row, f"{side}_answer"):
        return
    setattr(row, f"{side}_answer", told.answer)
    setattr(row, f"{side}_link", told.link)
    bump_version(session, row.firm_id)
    if row.one_answer == row.other_answer == "yes":
        _note(session, row.firm_id, None, "introduction_agreed", row.id, _names(session, row))
        emit(session, IntroductionAgreed(row.firm_id, row.id))


def _take_agreed(session: Session, incoming: Incoming, told: Agreed) -> None:
    offer = session.get(IntroductionOffer, (incoming.firm_id, told.offer_id), with_for_update=True)
    if offer is None or offer.from_id != incoming.from_id or offer.answer != "yes":
        raise NotFound
    if offer.name:
        return
    offer.name, offer.town, offer.address, offer.link = told.name, told.town, told.address, told.link
    session.flush()
    if _is_over(session, offer):
        # hidden from, or a partner already: nothing of it stays
        offer.name = offer.town = offer.address = offer.link = ""
        offer.expires_at = clock.now()
        return
    _note(session, offer.firm_id, None, "introduction_known", offer.id, offer.name)
    emit(session, IntroductionKnown(offer.firm_id, offer.id))


def _answer(session: Session, actor: Actor, offer_id: str, answer: str) -> IntroductionOffer:
    offer = session.get(IntroductionOffer, (actor.firm_id, offer_id), with_for_update=True, populate_existing=True)
    known = find_partnership(session, actor.firm_id, offer.from_id) if offer is not None else None
    if offer is None or known is None or is_blocked(session, actor.firm_id, known.address):
        raise NotFound
    if known.state != "active":
        raise RuleBroken("Eure Partnerschaft macht gerade Pause.")
    if offer.answer or offer.expires_at <= clock.now():
        raise Conflict("Das ist schon vorbei.")
    offer.answer, offer.answered_by = answer, actor.person_id
    _note(session, actor.firm_id, actor.person_id, f"introduction_{answer}", offer.id, known.name)
    return offer


def _check_pair(session: Session, firm_id: str, one_id: str, other_id: str) -> None:
    made = sa.select(sa.func.count()).select_from(Introduction).where(Introduction.firm_id == firm_id)
    if (session.scalar(made.where(Introduction.created_at > clock.now() - A_DAY)) or 0) >= MOST_INTRODUCTIONS_A_DAY:
        raise RuleBroken("Das waren heute viele. Versuch es morgen wieder.")
    pair = Introduction.one_id.in_((one_id, other_id)), Introduction.other_id.in_((one_id, other_id))
    if session.scalar(made.where(*pair, Introduction.created_at > clock.now() - NO_HOLDS)):
        raise RuleBroken("Diese beiden hast du schon vorgestellt.")


def _is_over(session: Session, offer: IntroductionOffer) -> bool:
    """The firm behind it is known by now: hidden, or a partner, or about to be."""
    if not offer.address:
        return False
    known = sa.select(Partnership.id).where(
        Partnership.firm_id == offer.firm_id,
        Partnership.address == offer.address,
        Partnership.state.in_(sorted(LINKED | OPEN)),
    )
    return is_blocked(session, offer.firm_id, offer.address) or session.scalar(known) is not None


def _proposal(offer: IntroductionOffer, from_name: str, language: str) -> Proposal:
    return Proposal(
        id=offer.id,
        from_name=from_name,
        processes=tuple(one.get(language) or one["de"] for one in offer.processes),
        region=offer.region,
        answer=offer.answer,
        name=offer.name,
        town=offer.town,
        link=offer.link if offer.name else "",
    )


def _state(row: Introduction) -> str:
    if row.one_answer == row.other_answer == "yes":
        return "agreed"
    return "over" if "no" in (row.one_answer, row.other_answer) or row.expires_at <= clock.now() else "open"


def _both_names(session: Session, row: Introduction) -> tuple[str, str]:
    found = (find_partnership(session, row.firm_id, partner_id) for partner_id in (row.one_id, row.other_id))
    one, other = (partner.name if partner is not None else "" for partner in found)
    return one, other


def _names(session: Session, row: Introduction) -> str:
    return ", ".join(_both_names(session, row))


def _middle_name(session: Session, firm_id: str, partner_id: str) -> str:
    middle = find_partnership(session, firm_id, partner_id)
    return middle.name if middle is not None else ""


def _note(session: Session, firm_id: str, person_id: str | None, verb: str, subject_id: str, name: str) -> None:
    note_event(session, firm_id, person_id, verb, "introduction", subject_id, detail={"object": name})
    bump_version(session, firm_id)
