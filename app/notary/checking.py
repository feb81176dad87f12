"""The page Prüfen: a stranger's file is looked at in memory and forgotten; nothing of it is kept or logged."""

from collections.abc import Callable
from dataclasses import dataclass

from app.core.errors import RuleBroken
from app.core.words import N_
from app.notary.found_seal import find_seal
from app.notary.queries import fingerprint_words
from ledger.encoding import to_hex
from ledger.errors import VerificationError
from ledger.evidence_file import EvidenceFile, parse_file
from ledger.facts import Fact, facts_of
from ledger.pdf import is_pdf, unpacked
from ledger.policy import Policy, parse_policy
from ledger.report import ANSWERS, NO_SEAL, SEAL_STEP, Report, Sentence, Step, make_step
from ledger.verify import verify_bundle

NO_FILE = N_("Wähle eine Datei aus.")
NO_EVIDENCE = N_("Das ist kein Nachweis. Wähle die Datei „beweis“ aus eurem Vertrag.")
NO_EVIDENCE_IN_PDF = N_("In dieser PDF liegt kein Nachweis, oder mehr als einer. Nimm die Datei „beweis“.")
NO_POLICY = N_("Diese Liste ist nicht lesbar. Lass sie weg oder nimm eine andere.")
_TEXT = 7

# The certificate (DER) with which a firm of this node seals, by its address; None for strangers.
CertificateOf = Callable[[str], bytes | None]


@dataclass(frozen=True)
class Uploads:
    """What was chosen: an evidence file or a PDF that holds one, and perhaps the other firm's and a policy."""

    file: bytes
    other: bytes = b""
    policy: bytes = b""


@dataclass(frozen=True)
class Finding:
    """Something that was compared beyond the numbered steps."""

    is_good: bool
    sentence: str


@dataclass(frozen=True)
class Checked:
    """What the check found. `text` is the signed text where it is proved, `keys` names and six words of both firms' logs."""

    report: Report
    facts: tuple[Fact, ...]
    findings: tuple[Finding, ...]
    text: str
    keys: tuple[tuple[str, str], ...]
    is_pdf: bool
    is_pinned: bool

    @property
    def holds(self) -> bool:
        return self.report.holds and all(finding.is_good for finding in self.findings)

    @property
    def paragraphs(self) -> list[list[str]]:
        """The signed text for a page: paragraphs of lines."""
        return [part.split("\n") for part in self.text.strip("\n").split("\n\n")] if self.text else []

    @property
    def answer(self) -> Sentence:
        """The verdict in one sentence."""
        return ANSWERS[self.holds, self.report.is_binding]


def check_files(
    uploads: Uploads, digest: str = "", *, is_practice_allowed: bool, certificate_of: CertificateOf
) -> Checked:
    """Check a file, and compare it with the other firm's and with the `digest` of a printed agreement where given.

    `certificate_of` knows the seals of the firms on this node. Raises RuleBroken with the field for what is no evidence at all.
    """
    policy = _policy(uploads.policy)
    data, report = _verified(uploads.file, "file", policy, is_practice_allowed)
    file = None if 1 in report.failed else parse_file(data)
    findings = []
    if digest and file is not None:
        findings.append(_paper(file, digest))
    if uploads.other:
        findings.append(_other(file, *_verified(uploads.other, "other", policy, is_practice_allowed)))
    if is_pdf(uploads.file):
        report = report.with_step(_seal_step(uploads.file, file, certificate_of))
    return Checked(
        report=report,
        facts=() if file is None else facts_of(file, report),
        findings=tuple(findings),
        text=_text(file, report),
        keys=() if file is None else _keys(file),
        is_pdf=is_pdf(uploads.file),
        is_pinned=policy is not None,
    )


def _verified(upload: bytes, field: str, policy: Policy | None, is_practice_allowed: bool) -> tuple[bytes, Report]:
    if not upload:
        raise RuleBroken(NO_FILE, field)
    try:
        data = unpacked(upload)
    except VerificationError as error:
        raise RuleBroken(NO_EVIDENCE_IN_PDF, field) from error
    try:
        return data, verify_bundle(data, policy, is_practice_allowed=is_practice_allowed)
    except VerificationError as error:
        raise RuleBroken(NO_EVIDENCE, field) from error


def _seal_step(pdf: bytes, file: EvidenceFile | None, certificate_of: CertificateOf) -> Step:
    """15: the seal holds over the whole PDF, and is of a party; pinned where the firm is at home here."""
    try:
        seal = find_seal(pdf)
        if seal is None:
            return Step(SEAL_STEP, "not applicable", NO_SEAL)
        known = certificate_of(seal.address)
        if known is not None and known != seal.certificate:
            raise VerificationError(f"not the seal of {seal.address}")
        evidence = None if file is None else file.record.evidence
        if evidence is not None and seal.address not in (evidence.message["from"], evidence.message["to"]):
            raise VerificationError("sealed by somebody who is no party")
    except VerificationError as error:
        return make_step(SEAL_STEP, "failed", str(error))
    return make_step(SEAL_STEP, "ok", seal.address, is_pinned=known is not None)


def _policy(upload: bytes) -> Policy | None:
    try:
        return parse_policy(upload.decode()) if upload else None
    except (VerificationError, UnicodeDecodeError) as error:
        raise RuleBroken(NO_POLICY, "policy") from error


def _paper(file: EvidenceFile, digest: str) -> Finding:
    if to_hex(file.record.leaf.digest) == digest:
        return Finding(True, N_("Die Datei gehört zu diesem Papier."))
    return Finding(False, N_("Die Datei gehört nicht zu diesem Papier."))


def _other(file: EvidenceFile | None, data: bytes, report: Report) -> Finding:
    if not report.holds:
        return Finding(False, N_("Die Datei des anderen Betriebs stimmt nicht."))
    one, other = (None if file is None else file.record.leaf), parse_file(data).record.leaf
    is_same = one is not None and (one.digest, one.evidence, one.type) == (other.digest, other.evidence, other.type)
    if one is not None and is_same and one.log != other.log:
        return Finding(True, N_("Beide Betriebe haben dasselbe eingetragen."))
    return Finding(False, N_("Die Dateien beweisen nicht dasselbe, oder sind vom selben Betrieb."))


def _text(file: EvidenceFile | None, report: Report) -> str:
    if file is None or file.record.evidence is None or report.step(_TEXT).verdict != "ok":
        return ""
    return file.record.evidence.display.text


def _keys(file: EvidenceFile) -> tuple[tuple[str, str], ...]:
    begun = [record.leaf for record in file.keys if record.leaf.type == "genesis"]
    return tuple((leaf.log, fingerprint_words(to_hex(leaf.digest))) for leaf in begun)
