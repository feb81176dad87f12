"""The framework agreement before it is signed: made from a template, edited by us, frozen by the first approval."""

import datetime as dt
from dataclasses import asdict, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import Conflict, RuleBroken
from app.core.ids import new_id
from app.core.units import BERLIN
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.firms.models import Firm
from app.firms.queries import firm_of
from app.partners.documents import (
    LIMITS,
    Clause,
    FrameworkFacts,
    check_clause_text,
    check_framework,
    facts_from,
    load_template,
    render_framework,
    tidy_clause,
)
from app.partners.models import Framework, Partnership
from app.partners.queries import find_partnership, framework_for, framework_with, partnership_with
from app.partners.record import link_message, sha256_hex
from app.partners.rules import APPROVAL_LIFE, OFFERED_SCOPES, OPEN, check_scope
from app.partners.wire import Card

FROZEN = "Der Vertrag ist schon unterschrieben. Er ändert sich nicht mehr."
DEFAULT_TEMPLATE = "lohnfertigung"


def draft_framework(session: Session, partnership: Partnership) -> Framework:
    """A new draft from the usual template; the partnership will stand on it."""
    template = load_template(DEFAULT_TEMPLATE)
    framework = Framework(
        firm_id=partnership.firm_id,
        id=new_id(),
        created_at=clock.now(),
        partner_id=partnership.partner_id,
        template_key=template.key,
        template_version=template.version,
        clauses=[asdict(clause) for clause in template.clauses],
        terms={"scopes": list(OFFERED_SCOPES)},
        record={},
    )
    session.add(framework)
    session.flush()
    partnership.framework_id = framework.id
    return framework


def editable_framework(session: Session, firm_id: str, framework_id: str) -> Framework:
    """Our draft while nobody has signed; raises NotFound or RuleBroken. Locked, so that no approval comes in between."""
    framework = framework_for(session, firm_id, framework_id)
    session.refresh(framework, with_for_update=True)
    partnership = find_partnership(session, firm_id, framework.partner_id)
    is_open = partnership is not None and partnership.framework_id == framework.id and partnership.state in OPEN
    if framework.frozen_at is not None or not is_open:
        raise RuleBroken(FROZEN)
    return framework


def edit_clause(session: Session, actor: Actor, framework_id: str, number: int, title: str, text: str) -> None:
    """Change one clause of our draft; raises RuleBroken for a text that cannot stand in a contract."""
    framework = editable_framework(session, actor.firm_id, framework_id)
    clauses = clauses_of(framework)
    if number not in {clause.number for clause in clauses}:
        raise RuleBroken("Diese Ziffer gibt es nicht.", "clause")
    changed = tidy_clause(number, title, text)
    check_clause_text(changed)
    framework.clauses = [asdict(changed if one.number == number else one) for one in clauses]
    _note_edit(session, actor, framework)


def choose_template(session: Session, actor: Actor, framework_id: str, template_key: str) -> None:
    """Take the other template: edited clauses of the first one are gone."""
    framework = editable_framework(session, actor.firm_id, framework_id)
    template = load_template(template_key)
    framework.template_key, framework.template_version = template.key, template.version
    framework.clauses = [asdict(clause) for clause in template.clauses]
    _note_edit(session, actor, framework)


def set_terms(session: Session, actor: Actor, framework_id: str, numbers: dict[str, int], scopes: list[str]) -> None:
    """Set periods (days) and percentages by the names of `documents.LIMITS`, and what the cooperation covers."""
    framework = editable_framework(session, actor.firm_id, framework_id)
    if "requests" not in scopes:
        raise RuleBroken("Ohne Anfragen hat die Partnerschaft keinen Sinn. Lass sie an.", "scopes")
    known = {name: value for name, value in numbers.items() if name in LIMITS}
    framework.terms = known | {"scopes": check_scope(scopes, OFFERED_SCOPES)}
    check_framework(replace(_facts(session, framework), scopes=tuple(framework.terms["scopes"])))
    _note_edit(session, actor, framework)


def clauses_of(framework: Framework) -> tuple[Clause, ...]:
    """The clauses as edited so far."""
    return tuple(Clause(**one) for one in framework.clauses)


def facts_of(session: Session, framework: Framework) -> FrameworkFacts:
    """What the text depends on: as both signed it, or as it would be signed right now."""
    if framework.frozen_at is not None:
        return facts_from(FrameworkFacts, framework.record["facts"])
    return _facts(session, framework)


def signed_names(session: Session, partnership: Partnership) -> tuple[str, str]:
    """Our name and the partner's as both signed them: what either corrected since is not known on both sides."""
    facts = facts_of(session, framework_with(session, partnership))
    names = facts.party_a.name, facts.party_b.name
    return names if partnership.we_invited else names[::-1]


def expiry_of(framework: Framework) -> dt.datetime:
    """Until when both must have signed: 48 hours for us, 48 more for the partner."""
    return framework.created_at + 2 * APPROVAL_LIFE


def proposal_of(
    session: Session, partnership: Partnership, framework: Framework
) -> tuple[FrameworkFacts, str, dict[str, Any]]:
    """Facts, exact text and message of our draft; the same each time while nothing of it changes."""
    facts = _facts(session, framework)
    message = link_message(session, partnership, framework, facts, expiry_of(framework))
    return facts, render_framework(facts), message


def freeze_framework(
    session: Session,
    framework: Framework,
    facts: FrameworkFacts,
    text: str,
    digest: bytes,
    record: dict[str, Any],
) -> None:
    """Fix text and digest for ever; raises Conflict when another approval was faster."""
    frozen = session.execute(
        sa.update(Framework)
        .where(Framework.firm_id == framework.firm_id, Framework.id == framework.id, Framework.frozen_at.is_(None))
        .values(
            text=text,
            text_sha256=sha256_hex(text),
            digest=f"0x{digest.hex()}",
            record=record | {"facts": asdict(facts)},
            frozen_at=clock.now(),
        )
        .execution_options(synchronize_session=False)
    )
    if frozen.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict("Eine andere Leitung war schneller. Lade die Seite neu.")
    session.refresh(framework)


def card_of(firm: Firm) -> Card:
    """What a contract may name of our firm."""
    return Card(**{name: getattr(firm, name) for name in Card.__dataclass_fields__})


def card_of_partner(partnership: Partnership) -> Card:
    """The partner as it described itself to us."""
    told = {name: value for name, value in partnership.profile.items() if name in Card.__dataclass_fields__}
    columns = {name: getattr(partnership, name) for name in ("address", "name", "short_name", "town")}
    return Card(**dict.fromkeys(Card.__dataclass_fields__, "") | told | columns)


def _facts(session: Session, framework: Framework) -> FrameworkFacts:
    terms = dict(framework.terms)
    scopes = tuple(terms.pop("scopes", OFFERED_SCOPES))
    partnership = partnership_with(session, framework.firm_id, framework.partner_id)
    return FrameworkFacts(
        template_key=framework.template_key,
        version=framework.template_version,
        party_a=card_of(firm_of(session, framework.firm_id)).party,
        party_b=card_of_partner(partnership).party,
        valid_from=framework.created_at.astimezone(BERLIN).date().isoformat(),
        clauses=clauses_of(framework),
        scopes=scopes,
        **terms,
    )


def _note_edit(session: Session, actor: Actor, framework: Framework) -> None:
    note_event(
        session, actor.firm_id, actor.person_id, "framework_edited", "framework", framework.id, framework.partner_id
    )
    bump_version(session, actor.firm_id)
