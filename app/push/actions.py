"""Everything that other rooms and the pages do with messages, in one place."""

from app.push.alerts import alert_people, cancel_alerts, erase_alerts, mark_alerts_seen, mark_page_seen
from app.push.devices import (
    Subscription,
    put_off_messages,
    remove_device,
    remove_devices_of_sign_in,
    remove_orphans,
    save_device,
    see_test,
    send_test,
)
from app.push.escalation import escalate_requests, forget_old_rows, remind_people
from app.push.tokens import answered_token, note_receipt, use_answer_token

__all__ = [
    "Subscription",
    "alert_people",
    "answered_token",
    "cancel_alerts",
    "erase_alerts",
    "escalate_requests",
    "forget_old_rows",
    "mark_alerts_seen",
    "mark_page_seen",
    "note_receipt",
    "put_off_messages",
    "remind_people",
    "remove_device",
    "remove_devices_of_sign_in",
    "remove_orphans",
    "save_device",
    "see_test",
    "send_test",
    "use_answer_token",
]
