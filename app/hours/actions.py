"""What this room does, under the names by which pages, reactions, inbox and deadlines find it."""

from app.hours.answering import confirm_report, dispute_report, settle_silent
from app.hours.checking import check_reports, start_correction
from app.hours.erasing import forget_hours
from app.hours.exchange import (
    announce_report,
    receive_confirmed,
    receive_disputed,
    receive_report,
    send_confirmed,
    send_disputed,
    send_report,
)
from app.hours.reminding import remind_of_hours, send_by_token, take_back_by_token
from app.hours.reporting import EntryDraft, correct_entry, hide_authors, own_entry, report_hours

__all__ = [
    "EntryDraft",
    "announce_report",
    "check_reports",
    "confirm_report",
    "correct_entry",
    "dispute_report",
    "forget_hours",
    "hide_authors",
    "own_entry",
    "receive_confirmed",
    "receive_disputed",
    "receive_report",
    "remind_of_hours",
    "report_hours",
    "send_by_token",
    "send_confirmed",
    "send_disputed",
    "send_report",
    "settle_silent",
    "start_correction",
    "take_back_by_token",
]
