"""The two-person rule: any manager tightens it, two are needed to loosen it."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import NotFound, RuleBroken
from app.core.ids import new_id
from app.firms.access import Actor, Role
from app.firms.actions import bump_version, note_event
from app.firms.models import Firm, RuleChange
from app.firms.queries import people
from app.firms.rules import covers


def set_two_person_rule(session: Session, actor: Actor, above_cents: int | None) -> bool:
    """Agreements above this sum need two managers; None: never. Needs two managers to be there.

    A wider rule, or none, waits for another manager; returns whether the new one counts already.
    """
    firm = session.get_one(Firm, actor.firm_id, with_for_update=True)
    has_two = len(people(session, actor.firm_id, Role.MANAGER)) >= 2
    if above_cents is not None and not has_two:
        raise RuleBroken("Dafür braucht ihr zwei Leitungen. Lade zuerst eine zweite ein.", "two_person_above")
    session.execute(sa.delete(RuleChange).where(RuleChange.firm_id == firm.id, RuleChange.approved_at.is_(None)))
    if has_two and not covers(firm.two_person_above_cents, above_cents):
        _ask_for_second(session, actor, above_cents)
        return False
    _set_rule(session, actor, firm, above_cents)
    return True


def open_rule_change(session: Session, firm_id: str) -> RuleChange | None:
    """The change that waits for a second manager."""
    return session.scalar(
        sa.select(RuleChange).where(RuleChange.firm_id == firm_id, RuleChange.approved_at.is_(None)).limit(1)
    )


def rule_change_to_approve(session: Session, actor: Actor, change_id: str) -> RuleChange:
    """An open change of another manager; raises NotFound or RuleBroken."""
    change = session.get(RuleChange, (actor.firm_id, change_id))
    if change is None or change.approved_at is not None:
        raise NotFound
    if change.asked_by == actor.person_id:
        raise RuleBroken("Das muss eine andere Leitung bestätigen.")
    return change


def approve_rule_change(session: Session, actor: Actor, change_id: str) -> None:
    """The second manager says yes: the rule counts from now on."""
    change = rule_change_to_approve(session, actor, change_id)
    change.approved_by, change.approved_at = actor.person_id, clock.now()
    _set_rule(session, actor, session.get_one(Firm, actor.firm_id, with_for_update=True), change.above_cents)


def _ask_for_second(session: Session, actor: Actor, above_cents: int | None) -> None:
    session.add(
        RuleChange(
            firm_id=actor.firm_id, id=new_id(), created_at=clock.now(), above_cents=above_cents, asked_by=actor.person_id
        )
    )  # fmt: skip
    note_event(session, actor.firm_id, actor.person_id, "two_person_rule_asked", "firm", actor.firm_id)
    bump_version(session, actor.firm_id)


def _set_rule(session: Session, actor: Actor, firm: Firm, above_cents: int | None) -> None:
    firm.two_person_above_cents = above_cents
    note_event(session, actor.firm_id, actor.person_id, "two_person_rule_set", "firm", actor.firm_id)
