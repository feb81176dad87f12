"""What this room does, under the names by which pages, reactions and inbox find it."""

from app.trouble.disrupting import DisruptionDraft, report_disruption, resume_work
from app.trouble.erasing import forget_trouble
from app.trouble.exchange import (
    announce_disruption,
    receive_disruption,
    receive_resumed,
    send_disruption,
    send_resumed,
)
from app.trouble.helping import ask_for_help, give_back_lost, take_plan

__all__ = [
    "DisruptionDraft",
    "announce_disruption",
    "ask_for_help",
    "forget_trouble",
    "give_back_lost",
    "receive_disruption",
    "receive_resumed",
    "report_disruption",
    "resume_work",
    "send_disruption",
    "send_resumed",
    "take_plan",
]
