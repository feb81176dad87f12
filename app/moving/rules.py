"""What goes along when a firm takes everything, and what stays, with the reason."""

import datetime as dt

VERSION = 1
CONFIRMED_FOR = dt.timedelta(hours=1)
"""So long after the passkey a manager sees the words and gets the archive."""
MOVE, COPY = "move", "copy"

LEFT_BEHIND = {
    "api_answer": "remembers what programs sent twice to the old node",
    "api_token": "opens the old address to a program",
    "calendar_feed": "an address of the old node",
    "webhook": "signed by a key that follows from the old row, and switched on where the firm works",
    "webhook_call": "on its way from the old node",
    "answer_token": "opens one answer on a lock screen, under the old address",
    "challenge": "a question to a passkey, five minutes old at most",
    "idempotency": "remembers forms that were sent twice to the old node",
    "ledger_audit": "the new node replays the log by itself",
    "mail": "the old node sends what it has written",
    "outbox": "settled where it happened: a move waits until nothing is open",
    "push_delivery": "on its way to a device of the old node",
    "push_device": "a browser's subscription, bound to the old node's key",
    "sign_in": "a cookie of the old address",
}
"""Tables with rows of a firm that do not go along: each is bound to its node."""

OF_THE_NODE = {
    "far_entry": "what linked nodes show of their firms",
    "founding_draft": "a firm that does not exist yet",
    "linked_node": "whom its operator trusts",
    "node_setting": "of the node",
    "rate_limit": "counts strangers by network",
}
"""Tables without rows of any firm."""

KEPT_COMMITMENTS = {
    "firm": "the address alone: nobody else may ever bear it, all other fields are empty",
    "ledger_checkpoint": "what was signed about the log as a whole",
    "ledger_cosignature": "that partners saw it",
    "ledger_entry": "hashes that say a record existed, and not what it said",
    "ledger_evidence": "closed, until the law wants it no more",
    "ledger_head": "where the log ended, and when its evidence goes",
}
"""What stays at a node of a firm that left it."""

NEEDED_TO_TELL = {
    "blocked_firm": "who hears nothing of us",
    "firm_key": "partners believe a signature only",
    "message": "what is on its way",
    "outbox": "the very event that is at work",
    "partner_keys": "whom it goes to",
    "partnership": "where it goes to",
}
"""What stays until partners have heard that the firm leaves, for seven days at most."""

LOG, README, MANIFEST = "ledger/log.jsonl", "LIESMICH.txt", "manifest.json"


class MovingError(Exception):
    """One plain sentence about what went wrong; nothing was changed."""


def rows_file(table: str) -> str:
    """Where the rows of a table lie in the archive."""
    return f"rows/{table}.jsonl"


def body_file(file_id: str) -> str:
    """Where the bytes of a stored file lie in the archive."""
    return f"files/{file_id}"
