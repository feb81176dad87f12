"""What follows from what: the whole business on one page.

REACTIONS: an event of our own house -> our actions, in one transaction. INBOX: a message from a partner firm -> our action.
DEADLINES end by themselves, every minute. ERRANDS leave the house or take long: no transaction is open meanwhile.
"""

import datetime as dt
from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from app.agreements import actions as agreements
from app.agreements import printing
from app.api import calling, feeds, hooks, tokens
from app.config import Config
from app.core import events as e
from app.core.db import Database
from app.directory import approaching, introducing
from app.federation import (
    arriving,
    carrying,
    fetching,
    files,
    gossiping,
    introductions,
    neighbours,
    partnerships,
    witnessing,
)
from app.federation.rules import Incoming
from app.hours import actions as hours
from app.invoices import actions as invoices
from app.machines import expiry, profile
from app.matching import actions as matching
from app.moving import forgetting
from app.offers import actions as offers
from app.partners import actions as partners
from app.partners import homes
from app.passkeys import actions as passkeys
from app.plans import actions as plans
from app.push import actions as push
from app.push import delivery, devices, partner_news
from app.requests import actions as requests
from app.trouble import actions as trouble

REACTIONS: dict[type[e.Event], tuple[Callable[[Session, Any], None], ...]] = {
    e.PartnershipProposed: (partnerships.send_joined,),
    e.PartnershipRequested: (partner_news.announce_request,),
    e.FrameworkApproved: (partnerships.send_proposal,),
    e.FrameworkArrived: (partner_news.announce_framework,),
    e.FrameworkSealed: (partnerships.send_signatures,),
    e.PartnershipBegun: (
        profile.send_profile,
        partner_news.announce_partner,
    ),
    e.PartnershipDeclined: (partnerships.send_no,),
    e.PartnershipPaused: (partnerships.send_pause,),
    e.PartnershipResumed: (partnerships.send_resumed,),
    e.PartnershipScoped: (partnerships.send_scope,),
    e.PartnershipEnded: (
        partnerships.send_end,
        requests.close_partner_requests,
        offers.drop_partner_offers,
    ),
    e.PartnershipBroken: (
        partner_news.announce_end,
        requests.close_partner_requests,
        offers.drop_partner_offers,
    ),
    e.AbilitiesChanged: (
        profile.send_new_profile,
        profile.refresh_entry,
    ),
    e.EntryOpened: (profile.refresh_entry,),
    e.ApproachMade: (approaching.deliver_approach,),
    e.ApproachArrived: (partner_news.announce_approach,),
    e.ApproachAnswered: (approaching.deliver_answer,),
    e.IntroductionMade: (introductions.send_introduction,),
    e.IntroductionArrived: (partner_news.announce_introduction,),
    e.IntroductionAnswered: (introductions.send_introduction_answer,),
    e.IntroductionAgreed: (introductions.send_agreed,),
    e.IntroductionKnown: (partner_news.announce_known,),
    e.MessageParked: (partner_news.announce_parked,),
    e.LogHalted: (partner_news.announce_halt,),
    e.LogContradicted: (partner_news.announce_contradiction,),
    e.LogDoubted: (partner_news.announce_doubt,),
    e.FirmLeaves: (forgetting.part_with_partners,),
    e.PhotoCleaned: (
        requests.send_what_waited,
        trouble.send_cleaned,
    ),
    e.RequestPublished: (requests.send_request,),
    e.RequestChanged: (
        requests.send_change,
        plans.replan_request,
    ),
    e.RequestWithdrawn: (requests.send_withdrawal,),
    e.RequestClosed: (requests.send_closed,),
    e.RequestReceived: (
        matching.match_request,
        hooks.tell_program,
    ),
    e.RequestMatched: (matching.announce_match,),
    e.CapacityFreed: (matching.rematch_requests,),
    e.RequestGone: (offers.close_answers,),
    e.QuestionAsked: (requests.send_question,),
    e.QuestionAnswered: (requests.send_answer,),
    e.QuestionArrived: (requests.announce_question,),
    e.OfferMade: (offers.send_offer,),
    e.OfferWithdrawn: (offers.send_withdrawn_offer,),
    e.OfferDeclined: (offers.send_declined,),
    e.OfferSelected: (offers.send_selected,),
    e.OfferReceived: (
        plans.refresh_plans,
        hooks.tell_program,
    ),
    e.AgreementApproved: (agreements.send_draft,),
    e.AgreementArrived: (agreements.announce_agreement,),
    e.AgreementSealed: (agreements.send_signatures,),
    e.AgreementDeclined: (agreements.send_declined,),
    e.AgreementLapsed: (agreements.send_lapsed,),
    e.AgreementEffective: (agreements.send_effective,),
    e.AgreementErased: (
        hours.forget_hours,
        trouble.forget_trouble,
    ),
    e.BookingAmended: (agreements.send_amendment,),
    e.BookingsConfirmed: (hooks.tell_program,),
    e.BookingChanged: (hooks.tell_program,),
    e.WorkDisrupted: (trouble.send_disruption,),
    e.DisruptionArrived: (
        trouble.ask_plan_partners,
        trouble.announce_disruption,
    ),
    e.WorkResumed: (trouble.send_resumption,),
    e.DefectReported: (trouble.send_defect,),
    e.DefectArrived: (trouble.announce_defect,),
    e.DefectAnswered: (trouble.send_answered,),
    e.DefectSettled: (trouble.send_settled,),
    e.WorkAccepted: (trouble.send_acceptance,),
    e.WorkRecorded: (trouble.send_record,),
    e.ProvisionMoved: (trouble.send_provision,),
    e.ProvisionArrived: (trouble.announce_step,),
    e.HoursChecked: (hours.send_report,),
    e.HoursArrived: (
        hours.announce_report,
        hooks.tell_program,
    ),
    e.HoursConfirmed: (
        hours.send_confirmed,
        invoices.draft_invoice,
        hooks.tell_program,
    ),
    e.HoursDisputed: (
        hours.send_disputed,
        invoices.redraft_invoice,
        hooks.tell_program,
    ),
    e.InvoiceIssued: (
        invoices.send_invoice,
        hooks.tell_program,
    ),
    e.InvoiceArrived: (
        invoices.announce_invoice,
        hooks.tell_program,
    ),
    e.InvoiceAnswered: (invoices.send_answer,),
    e.InvoiceReminded: (invoices.send_reminder,),
    e.InvoicePaid: (
        invoices.send_paid,
        hooks.tell_program,
    ),
    e.InvoiceNetted: (hooks.tell_program,),
    e.NettingSaid: (invoices.send_netting,),
    e.PasskeyLocked: (
        agreements.lapse_signed_with,
        agreements.take_back_amendments,
        feeds.close_feed,
    ),
    e.SignedOut: (devices.remove_devices,),
}
INBOX: dict[str, Callable[[Session, Incoming], None]] = {
    "partner.invite": partners.receive_invite,
    "partner.accept": partners.receive_accept,
    "partner.pause": partners.receive_pause,
    "partner.resumed": partners.receive_resumed,
    "partner.scoped": partners.receive_scoped,
    "partner.end": partners.receive_end,
    "firm.moved": homes.receive_moved,
    "file.opened": files.receive_opening,
    "introduction.offered": introducing.receive_introduction,
    "introduction.accepted": introducing.receive_introduction_answer,
    "checkpoint.published": witnessing.receive_checkpoint,
    "checkpoint.cosigned": witnessing.receive_word,
    "checkpoint.seen": gossiping.receive_seen,
    "checkpoint.asked": gossiping.receive_question,
    "checkpoint.proved": gossiping.receive_proof,
    "request.published": requests.receive_request,
    "request.changed": requests.receive_change,
    "request.withdrawn": requests.receive_withdrawal,
    "request.closed": requests.receive_closed,
    "request.asked": requests.receive_question,
    "request.answered": requests.receive_answer,
    "offer.made": offers.receive_offer,
    "offer.withdrawn": offers.receive_offer_withdrawn,
    "offer.declined": offers.receive_declined,
    "offer.selected": offers.receive_selected,
    "agreement.drafted": agreements.receive_draft,
    "agreement.signed": agreements.receive_signatures,
    "agreement.declined": agreements.receive_declined,
    "agreement.effective": agreements.receive_effective,
    "agreement.lapsed": agreements.receive_lapsed,
    "erasure.requested": agreements.receive_erasure_requested,
    "erasure.agreed": agreements.receive_erasure_agreed,
    "erasure.declined": agreements.receive_erasure_declined,
    "booking.changed": agreements.receive_amendment,
    "booking.cancelled": agreements.receive_amendment,
    "booking.disrupted": trouble.receive_disruption,
    "booking.resumed": trouble.receive_resumption,
    "booking.defective": trouble.receive_defect,
    "booking.answered": trouble.receive_answered,
    "booking.settled": trouble.receive_settled,
    "booking.accepted": trouble.receive_acceptance,
    "booking.recorded": trouble.receive_record,
    "booking.provided": trouble.receive_provision,
    "hours.reported": hours.receive_report,
    "hours.corrected": hours.receive_report,
    "hours.confirmed": hours.receive_confirmed,
    "hours.disputed": hours.receive_disputed,
    "invoice.issued": invoices.receive_invoice,
    "invoice.corrected": invoices.receive_invoice,
    "invoice.credited": invoices.receive_invoice,
    "invoice.accepted": invoices.receive_accepted,
    "invoice.disputed": invoices.receive_disputed,
    "invoice.reminded": invoices.receive_reminded,
    "invoice.paid": invoices.receive_paid,
    "invoice.netting_asked": invoices.receive_netting_asked,
    "invoice.netting_agreed": invoices.receive_netting_agreed,
    "invoice.netting_done": invoices.receive_netting_done,
    "invoice.netting_declined": invoices.receive_netting_declined,
}
DEADLINES: tuple[Callable[[Session, dt.datetime], None], ...] = (
    passkeys.clear_expired,
    partners.lapse_invitations,
    requests.expire_requests,
    offers.expire_offers,
    agreements.lapse_agreements,
    agreements.lapse_amendments,
    agreements.erase_unchosen,
    agreements.renew_erasures,
    invoices.find_overdue,
    invoices.settle_paid,
    expiry.warn_of_expiry,
    hours.remind_of_hours,
    hours.settle_silent,
    hours.hide_authors,
    witnessing.ask_witnesses,
    gossiping.show_seen,
    gossiping.ask_again,
    arriving.forget_refusals,
    forgetting.forget_left_firms,
    push.remind_people,
    push.escalate_requests,
    push.forget_old_rows,
    tokens.forget_answers,
    calling.forget_calls,
)
ERRANDS: tuple[Callable[[Database, Config], None], ...] = (
    plans.solve_due_plans,
    fetching.fetch_wanted_files,
    carrying.send_due_messages,
    neighbours.exchange_directories,
    delivery.send_due_alerts,
    delivery.send_due_mails,
    printing.print_agreements,
    forgetting.forget_moved_firms,
    invoices.issue_invoices,
    calling.send_due_calls,
)
