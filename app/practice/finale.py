"""What the Vorführung ends with: hours and costs of the story, and the proof to take away."""

from typing import Any

from flask import url_for
from sqlalchemy.orm import Session

from app.practice import scenes


def finale_facts(session: Session) -> dict[str, Any]:
    """Minutes alone and together, cost, partners, and the first agreement's id for its evidence file."""
    agreements = [one for one in scenes.agreements_of_story(session) if one.state == "in_force"]
    helped_min = sum(one.minutes for one in agreements)
    alone_min = scenes.ORDER_MIN - scenes.missing_min(session)
    return {
        "order_min": scenes.ORDER_MIN,
        "alone_min": alone_min,
        "together_min": alone_min + helped_min,
        "helped_min": helped_min,
        "cost_cents": sum(one.total_cents for one in agreements),
        "partner_count": len(agreements),
        "evidence_url": _evidence_url(scenes.agreement_of_story(session).id) if agreements else "",
    }


def _evidence_url(agreement_id: str) -> str:
    return url_for("agreements.proof", agreement_id=agreement_id)
