"""Everything that other rooms, the worker and the pages do with invoices, in one place."""

from app.invoices.drafting import (
    change_setup,
    correct_invoice,
    credit_invoice,
    draft_invoice,
    order_invoice,
    redraft_invoice,
    set_surcharges,
)
from app.invoices.exchange import (
    announce_invoice,
    answer_invoice,
    receive_accepted,
    receive_disputed,
    receive_invoice,
    receive_paid,
    receive_reminded,
    send_answer,
    send_invoice,
    send_paid,
    send_reminder,
)
from app.invoices.issuing import issue_invoices
from app.invoices.paying import (
    Imported,
    assign_payment,
    dismiss_payment,
    find_overdue,
    import_statement,
    mark_paid,
    remind_invoice,
)
from app.invoices.settling import settle_paid

__all__ = [
    "Imported",
    "announce_invoice",
    "answer_invoice",
    "assign_payment",
    "change_setup",
    "correct_invoice",
    "credit_invoice",
    "dismiss_payment",
    "draft_invoice",
    "find_overdue",
    "import_statement",
    "issue_invoices",
    "mark_paid",
    "order_invoice",
    "receive_accepted",
    "receive_disputed",
    "receive_invoice",
    "receive_paid",
    "receive_reminded",
    "redraft_invoice",
    "remind_invoice",
    "send_answer",
    "send_invoice",
    "send_paid",
    "send_reminder",
    "set_surcharges",
    "settle_paid",
]
