"""What this room does, under the names by which pages, reactions and inbox find it."""

from app.trouble.defects import accept_work, answer_defect, report_defect, settle_defect
from app.trouble.disrupting import DisruptionDraft, report_disruption, resume_work
from app.trouble.erasing import forget_trouble
from app.trouble.exchange import (
    announce_disruption,
    receive_disruption,
    receive_resumption,
    send_disruption,
    send_resumption,
)
from app.trouble.helping import ask_for_help, ask_plan_partners, give_back_lost, take_plan
from app.trouble.provisions import ProvisionDraft, announce_provision, move_provision
from app.trouble.record_exchange import receive_record, send_record
from app.trouble.records import approve_record, signable_record
from app.trouble.work_exchange import (
    announce_defect,
    announce_step,
    receive_acceptance,
    receive_answered,
    receive_defect,
    receive_provision,
    receive_settled,
    send_acceptance,
    send_answered,
    send_cleaned,
    send_defect,
    send_provision,
    send_settled,
)

__all__ = [
    "DisruptionDraft",
    "ProvisionDraft",
    "accept_work",
    "announce_defect",
    "announce_disruption",
    "announce_provision",
    "announce_step",
    "answer_defect",
    "approve_record",
    "ask_for_help",
    "ask_plan_partners",
    "forget_trouble",
    "give_back_lost",
    "move_provision",
    "receive_acceptance",
    "receive_answered",
    "receive_defect",
    "receive_disruption",
    "receive_provision",
    "receive_record",
    "receive_resumption",
    "receive_settled",
    "report_defect",
    "report_disruption",
    "resume_work",
    "send_acceptance",
    "send_answered",
    "send_cleaned",
    "send_defect",
    "send_disruption",
    "send_provision",
    "send_record",
    "send_resumption",
    "send_settled",
    "settle_defect",
    "signable_record",
    "take_plan",
]
