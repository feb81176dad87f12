"""What a log says of its own earlier records: each must stand there, be of the right kind and not contradict."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from ledger import records, typed
from ledger.encoding import to_hex
from ledger.leaf import parse_leaf
from ledger.replay import BadPositionError, verify_entries
from tests.ledger.logbook import by_manager, by_seal, fixed_firm
from tests.ledger.world import CONTRACT_TEXT, NOW, Firm, enter_for_both, enter_link, make_agreement

UNKNOWN = "0x" + "ab" * 32


class Book:
    """A requester's log with a link (entry 1) and an agreement of a bundle (entry 2); a stranger's key is known, too."""

    def __init__(self, *, is_bundled: bool = True, is_entered: bool = True) -> None:
        self.own, self.partner, self.stranger = (fixed_firm(word) for word in ("rennsteig", "saale", "ilm"))
        for firm in (self.own, self.partner, self.stranger):
            firm.enter_genesis()
        self.link = self.digest_at(enter_link(self.own, self.partner))
        self.agreement = make_agreement(self.own, self.partner, bundled=is_bundled)
        self.named = to_hex(typed.digest("Agreement", self.agreement.message()))
        if is_entered:
            self.agree(self.agreement)

    def digest_at(self, seq: int) -> str:
        return to_hex(parse_leaf(self.own.leaves[seq]).digest)

    def agree(self, agreement: records.Agreement) -> int:
        return enter_for_both(self.own, self.partner, agreement, CONTRACT_TEXT)[0]

    def lapse(self, named: str, to: Firm | None = None) -> int:
        return self._by_seal(records.AgreementLapsed, "lapse", to, agreement=named, reason="expired")

    def effective(self, *named: str, to: Firm | None = None) -> int:
        return self._by_seal(records.BundleEffective, "effective", to, agreements=named)

    def end(self, named: str, to: Firm | None = None) -> int:
        text = f"end {len(self.own.leaves)}"
        common = self.own.common(to=(to or self.partner).address, text=text)
        record = records.LinkEnd(**common, link=named, ends_at=NOW, reason="ended")
        return self.own.enter(record, by_manager(self.own), text)

    def cancel(self, named: str, to: Firm | None = None) -> int:
        text = f"cancel {len(self.own.leaves)}"
        record = records.Cancellation(
            **self.own.common(to=(to or self.partner).address, text=text), agreement=named, basis="§ 22",
            line_numbers=(0,), currency="EUR", fee_cents=0, reason="entfallen",
        )  # fmt: skip
        return self.own.enter(record, by_manager(self.own), text)

    def _by_seal(self, kind: Any, text: str, to: Firm | None, **fields: Any) -> int:
        text = f"{text} {len(self.own.leaves)}"
        record = kind(**self.own.common(to=(to or self.partner).address, text=text), **fields)
        return self.own.enter(record, by_seal(self.own), text)

    def check(self) -> int:
        known = [(firm.prove(0), firm.note()) for firm in (self.partner, self.stranger)]
        return verify_entries(self.own.entries(), self.own.origin, known).entries


HONEST: dict[str, Callable[[Book], object]] = {
    "the plan stands": lambda book: book.effective(book.named),
    "the plan stands, and the partnership ends": lambda book: (book.effective(book.named), book.end(book.link)),
    "the plan fails": lambda book: book.lapse(book.named),
    "it is told twice that the plan failed": lambda book: (book.lapse(book.named), book.lapse(book.named)),
    "what only one side had signed lapses": lambda book: book.lapse(UNKNOWN),
    "a signed line is cancelled": lambda book: (book.effective(book.named), book.cancel(book.named)),
    "an agreement arrives that was accepted before the end": lambda book: (
        book.end(book.link), book.agree(replace(book.agreement, id=UNKNOWN)),
    ),
}  # fmt: skip
CONTRADICTIONS: dict[str, tuple[Callable[[Book], object], str]] = {
    "in force without an agreement": (lambda book: book.effective(UNKNOWN), "names no earlier record"),
    "a plan of nothing": (lambda book: book.effective(), "without agreements"),
    "a framework in force": (lambda book: book.effective(book.link), "names no earlier record"),
    "in force twice": (lambda book: (book.effective(book.named), book.effective(book.named)), "in force before"),
    "in force twice in one record": (lambda book: book.effective(book.named, book.named), "in force before"),
    "in force after it lapsed": (lambda book: (book.lapse(book.named), book.effective(book.named)), "had lapsed"),
    "in force with a stranger": (lambda book: book.effective(book.named, to=book.stranger), "something else"),
    "lapsed after it was in force": (lambda book: (book.effective(book.named), book.lapse(book.named)), "in force"),
    "lapsed with a stranger": (lambda book: book.lapse(book.named, to=book.stranger), "something else"),
    "the end of nothing": (lambda book: book.end(UNKNOWN), "names no earlier record"),
    "an agreement ended as if it were a partnership": (lambda book: book.end(book.named), "names no earlier record"),
    "a partnership ended with a stranger": (lambda book: book.end(book.link, to=book.stranger), "something else"),
    "a cancellation of nothing": (lambda book: book.cancel(UNKNOWN), "names no earlier record"),
    "a cancellation with a stranger": (lambda book: book.cancel(book.named, to=book.stranger), "something else"),
    "an agreement without a framework": (
        lambda book: book.agree(replace(book.agreement, id=UNKNOWN, framework=UNKNOWN)), "names no earlier record",
    ),
    "an agreement under another agreement": (
        lambda book: book.agree(replace(book.agreement, id=UNKNOWN, framework=book.named)), "names no earlier record",
    ),
}  # fmt: skip


@contextmanager
def bad_at_the_end(book: Book, reason: str) -> Iterator[None]:
    yield
    with pytest.raises(BadPositionError) as found:
        book.check()
    assert (found.value.position, reason in found.value.reason) == (len(book.own.leaves) - 1, True), found.value


@pytest.mark.parametrize("name", HONEST)
def test_what_firms_may_do_is_no_fault(name: str) -> None:
    book = Book()
    HONEST[name](book)
    assert book.check() == len(book.own.leaves)


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_record_that_contradicts_the_log_is_named(name: str) -> None:
    book, (enter, reason) = Book(), CONTRADICTIONS[name]
    with bad_at_the_end(book, reason):
        enter(book)


def test_what_needs_no_plan_neither_waits_for_one_nor_lapses_once_it_is_signed() -> None:
    for enter in (lambda book: book.effective(book.named), lambda book: book.lapse(book.named)):
        book = Book(is_bundled=False)
        with bad_at_the_end(book, "something else"):
            enter(book)


def test_an_agreement_that_had_lapsed_does_not_come_about_later() -> None:
    book = Book(is_entered=False)
    book.lapse(book.named)
    with bad_at_the_end(book, "lapsed before"):
        book.agree(book.agreement)


def test_the_partner_does_not_put_our_plan_in_force() -> None:
    book = Book()
    common = book.partner.common(to=book.own.address, text="effective")
    record = records.BundleEffective(**common, agreements=(book.named,))
    at_partner = book.partner.enter(record, by_seal(book.partner), "effective")
    evidence = book.partner.evidence[at_partner]
    assert evidence is not None
    with bad_at_the_end(book, "something else"):
        book.own.append(evidence, "BundleEffective", typed.digest("BundleEffective", record.message()))


def test_a_link_with_a_stranger_is_no_framework_for_the_partner() -> None:
    book = Book()
    other = book.digest_at(enter_link(book.own, book.stranger))
    with bad_at_the_end(book, "something else"):
        book.agree(replace(book.agreement, id=UNKNOWN, framework=other))


def test_of_an_erased_agreement_only_that_it_was_one_is_known() -> None:
    book = Book()
    book.effective(book.named)
    book.own.evidence[2] = None
    text = "erasure"
    record = records.Erasure(**book.own.common(text=text), erased=(book.named,), legal_basis="Art. 17 DSGVO")
    book.own.enter(record, by_manager(book.own), text)
    assert book.check() == 5
