"""What partners tell us about the partnership itself. Nothing is believed that keys, token or signatures do not prove."""

import datetime as dt
from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import Conflict, NotFound, RuleBroken
from app.core.events import (
    FrameworkArrived,
    PartnershipBegun,
    PartnershipBroken,
    PartnershipDeclined,
    PartnershipRequested,
)
from app.core.ids import new_id
from app.core.outbox import emit
from app.firms.actions import bump_version, note_event
from app.firms.models import Firm
from app.notary.actions import append_entry, check_signature, remember_partner_keys
from app.notary.queries import address, fingerprint_words, genesis_digest, origin, seal_address
from app.partners.documents import FrameworkFacts, facts_from, render_framework
from app.partners.framework import draft_framework, freeze_framework, signed_names
from app.partners.models import Framework, PartnerInvitation, Partnership
from app.partners.queries import (
    address_of,
    find_partnership,
    framework_with,
    is_here,
    locked_partnership,
    open_invitation,
    partner_by_address,
)
from app.partners.record import (
    END,
    END_TYPE,
    LINK,
    LINK_TYPE,
    check_end,
    check_link,
    end_display,
    end_text,
    fingerprint_of,
    known_in,
    known_partner,
    link_display,
    node_in,
)
from app.partners.rows import open_row
from app.partners.rules import LINKED, OPEN, check_step, paused_after, resumed_after, starting_scope
from app.partners.texts import one_line
from app.partners.wire import (
    Card,
    Ended,
    Incoming,
    Joined,
    Proposed,
    Signed,
    read_ended,
    read_joined,
    read_proposed,
    read_scope,
    read_signed,
    read_told,
)

LATE = dt.timedelta(days=7)
"""As long as a message may travel: so late a partner may still say that our signature came too late."""


def receive_accept(session: Session, incoming: Incoming) -> None:
    """A firm used our invitation (`joined`), or signed as the second one (`signed`)."""
    if incoming.body.get("step") == "signed":
        _take_signatures(session, incoming, read_signed(incoming.body))
    else:
        _take_in(session, incoming, read_joined(incoming.body))


def receive_invite(session: Session, incoming: Incoming) -> None:
    """The partner whose invitation we used has signed the framework agreement: rendered here again, checked, kept.

    The same one twice changes nothing. Raises NotFound or RuleBroken for anything that does not hold.
    """
    told = read_proposed(incoming.body)
    partnership = _own_side(session, incoming)
    if partnership.framework_id == told.framework_id and partnership.state != "invited":
        return
    if partnership.we_invited or partnership.state != "invited":
        raise NotFound
    remember_partner_keys(session, incoming.firm_id, incoming.from_id, told.keys)
    digest = _checked_proposal(session, partnership, told)
    framework = _keep_proposal(session, partnership, told, digest)
    check_step(partnership.state, "half")
    partnership.state, partnership.framework_id = "half", framework.id
    # the keys prove who signed; a name corrected since the invitation is the one that the contract holds
    partnership.name = one_line(told.facts.party_a.name)[:120] or partnership.name
    partnership.partner_approved_at = clock.now()
    _note(session, partnership, "framework_arrived")
    emit(session, FrameworkArrived(incoming.firm_id, incoming.from_id))


def receive_pause(session: Session, incoming: Incoming) -> None:
    """The partner lets the partnership rest."""
    partnership = _own_side(session, incoming)
    if partnership.state in LINKED:
        partnership.state, partnership.paused_by = "paused", paused_after(partnership.paused_by, "them")
        _note(session, partnership, "partner_paused_us")


def receive_resumed(session: Session, incoming: Incoming) -> None:
    """The partner's rest is over; our own, if there is one, stays."""
    partnership = _own_side(session, incoming)
    if partnership.state == "paused":
        partnership.paused_by = resumed_after(partnership.paused_by, "them")
        partnership.state = "paused" if partnership.paused_by else "active"
        _note(session, partnership, "partner_resumed_us")


def receive_scoped(session: Session, incoming: Incoming) -> None:
    """The partner says what we may send it, or tells its profile anew."""
    partnership = _own_side(session, incoming)
    if partnership.state not in LINKED:
        raise NotFound
    if "scope" in incoming.body or "profile" not in incoming.body:
        partnership.partner_scope = read_scope(incoming.body)
    if "profile" in incoming.body:
        told = read_told(incoming.body)
        partnership.lat, partnership.lon = told.lat, told.lon
        partnership.profile = partnership.profile | told.profile
    bump_version(session, incoming.firm_id)


def receive_end(session: Session, incoming: Incoming) -> None:
    """The partner said no before both had signed, or ended the partnership by a signed record: kept in our log too.

    One that leaves its node for good signs no more: our side simply ends.
    """
    told = read_ended(incoming.body)
    partnership = _own_side(session, incoming)
    if told.how == "declined":
        _take_no(session, partnership)
    elif told.how == "left":
        _take_farewell(session, partnership)
    elif partnership.state in LINKED:
        _take_end(session, partnership, told)


def _take_in(session: Session, incoming: Incoming, told: Joined) -> None:
    """Numbered as federation.md asks: token, keys, then what they say."""
    # 1. the invitation is ours, and this firm used it up
    invitation = session.get(PartnerInvitation, (incoming.firm_id, told.invitation_id), with_for_update=True)
    if invitation is None or invitation.used_at is None or invitation.used_by_firm != incoming.from_id:
        raise NotFound
    # 2. used once: a copy of the message opens nothing again
    if invitation.answered_at is not None:
        return
    # 3. the keys prove the firm that the card names, and that firm is the sender
    if address_of(session, incoming.firm_id, incoming.from_id) != told.card.address:
        raise NotFound
    remember_partner_keys(session, incoming.firm_id, incoming.from_id, told.keys)
    if told.keys.get("address") != told.card.address:
        raise NotFound
    invitation.answered_at = clock.now()
    known = find_partnership(session, incoming.firm_id, incoming.from_id)
    if known is not None and (known.state in LINKED or not _we_draft(session, known)):
        return
    words = fingerprint_words(known_in(told.keys).genesis)
    node = "" if is_here(session, incoming.firm_id, incoming.from_id) else node_in(told.keys)
    partnership = open_row(session, incoming.firm_id, incoming.from_id, told.card, words, we_invited=True, node=node)
    partnership.we_invited = True
    draft_framework(session, partnership)
    _note(session, partnership, "partner_asked")
    emit(session, PartnershipRequested(incoming.firm_id, incoming.from_id))


def take_stranger(session: Session, firm_id: str, token: str, keys: dict[str, object]) -> str:
    """A firm of another node uses our invitation: use it up for this firm, keep its keys; returns the id it gets here.

    The message that brought the token is read afterwards, like any other. Raises NotFound, Conflict or RuleBroken.
    """
    invitation = open_invitation(session, token)
    if invitation.firm_id != firm_id:
        raise NotFound
    known = partner_by_address(session, firm_id, str(keys.get("address")))
    partner_id = known.partner_id if known is not None else new_id()
    remember_partner_keys(session, firm_id, partner_id, keys)
    use_invitation(session, invitation, partner_id)
    return partner_id


def use_invitation(session: Session, invitation: PartnerInvitation, firm_id: str) -> None:
    """One conditional update: of two firms with the same QR one gets in."""
    used = session.execute(
        sa.update(PartnerInvitation)
        .where(
            PartnerInvitation.firm_id == invitation.firm_id,
            PartnerInvitation.id == invitation.id,
            PartnerInvitation.used_at.is_(None),
            PartnerInvitation.expires_at > clock.now(),
        )
        .values(used_at=clock.now(), used_by_firm=firm_id)
        .execution_options(synchronize_session="fetch")
    )
    if used.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict("Diese Einladung gilt nicht mehr. Bitte um eine neue.")


def _we_draft(session: Session, known: Partnership) -> bool:
    """Both used each other's invitation at the same time: one of them drafts, and both agree which one."""
    if known.state not in OPEN:
        return True
    return known.framework_id is None and address(session, known.firm_id) < known.address


def _checked_proposal(session: Session, partnership: Partnership, told: Proposed) -> bytes:
    """The digest, if it is about these two firms as we know them and both signatures hold."""
    digest = check_link(told.message, told.facts)
    theirs, own = known_partner(session, partnership.firm_id, partnership.partner_id), partnership.firm_id
    said = told.message
    if (said["from"], said["to"]) != (partnership.address, address(session, own)):
        raise RuleBroken("Der Vertrag nennt einen anderen Betrieb.")
    if (said["logFrom"], said["logTo"]) != (theirs.origin, origin(session, own)):
        raise RuleBroken("Der Vertrag nennt einen anderen Betrieb.")
    known = (theirs.genesis, genesis_digest(session, own), theirs.seal, seal_address(session, own))
    if (said["genesisFrom"], said["genesisTo"], said["sealFrom"], said["sealTo"]) != known:
        raise RuleBroken("Der Vertrag nennt einen anderen Betrieb.")
    if said["fingerprint"] != fingerprint_of(*known[:2]):
        raise RuleBroken("Der Vertrag nennt einen anderen Betrieb.")
    if told.facts.party_b != Card(**partnership.own_card).party:
        raise RuleBroken("Der Vertrag nennt einen anderen Betrieb.")
    _check_signatures(session, partnership, digest, told.signatures)
    return digest


def _keep_proposal(session: Session, partnership: Partnership, told: Proposed, digest: bytes) -> Framework:
    facts = told.facts
    framework = Framework(
        firm_id=partnership.firm_id,
        id=told.framework_id,
        created_at=clock.now(),
        partner_id=partnership.partner_id,
        template_key=facts.template_key,
        template_version=facts.version,
        clauses=[asdict(clause) for clause in facts.clauses],
        record={},
    )
    session.add(framework)
    session.flush()
    record = {"message": told.message, "signatures": told.signatures}
    freeze_framework(session, framework, facts, render_framework(facts), digest, record)
    return framework


def _take_signatures(session: Session, incoming: Incoming, told: Signed) -> None:
    """The second signature is there: the same evidence goes into our log."""
    partnership = _own_side(session, incoming)
    framework = framework_with(session, partnership)
    if framework.id != told.framework_id or framework.digest != told.digest or not partnership.we_invited:
        raise NotFound
    if framework.sealed_seq is not None:
        return
    if partnership.state != "half":
        # too late: our side is over; the partner's must not stay open alone
        emit(session, PartnershipDeclined(incoming.firm_id, incoming.from_id))
        return
    remember_partner_keys(session, incoming.firm_id, incoming.from_id, told.keys)
    _check_signatures(session, partnership, bytes.fromhex(told.digest[2:]), told.signatures)
    facts = facts_from(FrameworkFacts, framework.record["facts"])
    signatures = [*framework.record["signatures"], *told.signatures]
    framework.sealed_seq = append_entry(
        session, incoming.firm_id, LINK, LINK_TYPE, framework.record["message"], link_display(facts, framework.text),
        signatures, subject_id=incoming.from_id,
    )  # fmt: skip
    framework.record = framework.record | {"signatures": signatures}
    partnership.partner_approved_at = clock.now()
    begin_partnership(session, partnership, facts)


def begin_partnership(session: Session, partnership: Partnership, facts: FrameworkFacts) -> None:
    """Both have signed and it stands in our log: from now on messages pass."""
    check_step(partnership.state, "active")
    partnership.state, partnership.since = "active", clock.now()
    partnership.scope, partnership.partner_scope = starting_scope(facts.scopes), starting_scope(facts.scopes)
    partnership.expires_at = None
    _note(session, partnership, "partner_began")
    emit(session, PartnershipBegun(partnership.firm_id, partnership.partner_id))


def _take_no(session: Session, partnership: Partnership) -> None:
    is_fresh = partnership.since is not None and clock.now() - partnership.since < LATE
    if partnership.state in OPEN:
        partnership.state = "declined"
    elif partnership.state in LINKED and is_fresh and not partnership.we_invited:
        partnership.state = "ended"
    else:
        return
    partnership.ended_at = clock.now()
    _note(session, partnership, "partner_declined_us")
    emit(session, PartnershipBroken(partnership.firm_id, partnership.partner_id))


def _take_farewell(session: Session, partnership: Partnership) -> None:
    if partnership.state not in LINKED | OPEN:
        return
    partnership.state, partnership.ended_at, partnership.paused_by = "ended", clock.now(), ""
    _note(session, partnership, "partner_left_us")
    emit(session, PartnershipBroken(partnership.firm_id, partnership.partner_id))


def _take_end(session: Session, partnership: Partnership, told: Ended) -> None:
    framework = framework_with(session, partnership)
    firm = session.get_one(Firm, partnership.firm_id)
    remember_partner_keys(session, partnership.firm_id, partnership.partner_id, told.keys)
    digest = check_end(told.message, told.text)
    own_name, their_name = signed_names(session, partnership)
    if (told.message["from"], told.message["to"]) != (partnership.address, firm.address):
        raise RuleBroken("Die Nachricht nennt einen anderen Betrieb.")
    if told.message["link"] != framework.digest or told.text != end_text(their_name, own_name):
        raise RuleBroken("Die Nachricht nennt eine andere Partnerschaft.")
    _check_signatures(session, partnership, digest, told.signatures)
    append_entry(
        session, partnership.firm_id, END, END_TYPE, told.message, end_display(told.text), told.signatures,
        subject_id=partnership.partner_id,
    )  # fmt: skip
    partnership.state, partnership.ended_at, partnership.paused_by = "ended", clock.now(), ""
    _note(session, partnership, "partner_ended_us")
    emit(session, PartnershipBroken(partnership.firm_id, partnership.partner_id))


def _check_signatures(
    session: Session, partnership: Partnership, digest: bytes, signatures: list[dict[str, object]]
) -> None:
    """Exactly a manager's passkey and the seal, both of this partner."""
    if sorted(str(one.get("role")) for one in signatures) != ["firm", "manager"]:
        raise RuleBroken("Eine Unterschrift fehlt. Bitte den Partner um eine neue.")
    for signature in signatures:
        check_signature(session, partnership.firm_id, partnership.partner_id, digest, signature)


def _own_side(session: Session, incoming: Incoming) -> Partnership:
    return locked_partnership(session, incoming.firm_id, incoming.from_id)


def _note(session: Session, partnership: Partnership, verb: str) -> None:
    partner_id = partnership.partner_id
    named = {"object": partnership.name}
    note_event(session, partnership.firm_id, None, verb, "partner", partner_id, partner_id, named)
    bump_version(session, partnership.firm_id)
