"""`python -m ledger verify FILE…`, `… fsck LOG`, `… proof …`: exit 0 all holds, 1 something does not, 2 unusable input."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import BinaryIO

from ledger.anchor.check import Witness, read_receipt
from ledger.checkpoint import Checkpoint
from ledger.errors import VerificationError
from ledger.evidence_file import MAX_BYTES, parse_file
from ledger.facts import facts_of
from ledger.firm_keys import PRACTICE_PREFIX
from ledger.fsck import Progress, check_log
from ledger.merkle import leaf_hash
from ledger.pdf import is_pdf, unpacked
from ledger.policy import Policy, parse_policy
from ledger.proof import LogProof, format_proof, parse_proof, proof_in_log, proof_of, verify_proof
from ledger.replay import BadPositionError, Totals
from ledger.report import PRACTICE_DE, PRACTICE_EN, REASONS, SEAL_STEP, Report, make_step
from ledger.verify import verify_bundle

HOLDS, FAILED, UNUSABLE = 0, 1, 2
_MAX_LINE_BYTES = 2_000_000


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return _COMMANDS[options.command](options)
    except (VerificationError, OSError, BrokenExecutor) as error:
        print(f"unusable: {error}", file=sys.stderr)
        return UNUSABLE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ledger", description="Check signed records, offline.")
    commands = parser.add_subparsers(dest="command", required=True)
    verify = commands.add_parser("verify", help="check evidence files, or PDFs that hold one, step by step")
    verify.add_argument("files", nargs="+", metavar="FILE")
    verify.add_argument("--policy", help="file that pins log keys, witnesses and a quorum (C2SP tlog-policy)")
    chain = verify.add_mutually_exclusive_group()
    chain.add_argument(
        "--rpc", metavar="URL", help="ask this chain (JSON-RPC, https) about anchor records; else all is offline"
    )
    chain.add_argument(
        "--receipt", metavar="FILE", help="kept answer to eth_getTransactionReceipt for an anchor record"
    )
    verify.add_argument("--json", action="store_true", help="one JSON object per file")
    verify.add_argument("--plain", action="store_true", help="plain words only, without technical reasons")
    fsck = commands.add_parser("fsck", help="replay a whole exported log")
    fsck.add_argument("log", metavar="LOG")
    fsck.add_argument("--seen", nargs="+", metavar="NOTE", default=[], help="checkpoints of this log that others kept")
    fsck.add_argument("--json", action="store_true", help="one JSON object")
    fsck.add_argument("--fast", action="store_true", help="skip the signatures of all but key records")
    fsck.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="processes for the signatures")
    proof = commands.add_parser("proof", help="proof files of other programs (C2SP tlog-proof)")
    kinds = proof.add_subparsers(dest="kind", required=True)
    make = kinds.add_parser("make", help="write the proof file of an entry to the standard output")
    make.add_argument("file", metavar="FILE", help="evidence file, PDF that holds one, or exported log")
    make.add_argument("--entry", type=int, metavar="N", help="position of the entry in an exported log")
    check = kinds.add_parser("check", help="check a proof file against the keys of a policy")
    check.add_argument("file", metavar="PROOF")
    check.add_argument(
        "--policy", required=True, help="file that pins log keys, witnesses and a quorum (C2SP tlog-policy)"
    )
    check.add_argument(
        "--leaf", metavar="FILE", help="the bytes that are proved, where the proof file does not carry them"
    )
    check.add_argument("--json", action="store_true", help="one JSON object")
    check.add_argument("--lang", choices=("de", "en"), default=_language(), help="language of the sentences")
    for command in (verify, fsck):
        command.add_argument("--lang", choices=("de", "en"), default=_language(), help="language of the sentences")
        command.add_argument("--practice", action="store_true", help="accept records of the practice world")
    return parser


def _language() -> str:
    """German, unless the machine speaks another language."""
    told = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "C")
    return "de" if told[:2] in ("C", "C.", "PO", "de") else "en"


def _verify(options: argparse.Namespace) -> int:
    policy = None if options.policy is None else parse_policy(_read_text(options.policy))
    chain = _chain(options)
    return max(_verify_one(Path(name), policy, chain, options) for name in options.files)


def _chain(options: argparse.Namespace) -> Witness | None:
    if options.rpc is not None:
        from ledger.anchor.asking import ask_chain  # with HTTP and TLS, which offline checks never need

        return ask_chain(options.rpc)
    return None if options.receipt is None else read_receipt(_read_bytes(Path(options.receipt)))


def _verify_one(path: Path, policy: Policy | None, chain: Witness | None, options: argparse.Namespace) -> int:
    try:
        file = _read_bytes(path)
        data = unpacked(file)
        report = verify_bundle(data, policy, is_practice_allowed=options.practice, chain=chain)
        if is_pdf(file):
            report = report.with_step(make_step(SEAL_STEP, "not applicable", "only the evidence inside was checked"))
    except (VerificationError, OSError) as error:
        _print_unusable(path, str(error), options)
        return UNUSABLE
    if options.json:
        print(json.dumps({"file": str(path), **report.as_dict()}, ensure_ascii=False))
    else:
        facts = _facts(data, report, options.lang) if options.plain else ""
        print(f"{path}\n{facts}{report.text(options.lang, is_plain=options.plain)}")
    return HOLDS if report.holds else FAILED


def _facts(data: bytes, report: Report, language: str) -> str:
    if 1 in report.failed:
        return ""
    return "".join(f"{fact.text(language)}\n" for fact in facts_of(parse_file(data), report))


def _print_unusable(path: Path, reason: str, options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps({"file": str(path), "holds": False, "unusable": reason}))
    else:
        print(f"{path}: unusable: {reason}", file=sys.stderr)


def _fsck(options: argparse.Namespace) -> int:
    seen = [_read_text(name) for name in options.seen]
    with Path(options.log).open("rb") as lines:
        try:
            totals = check_log(
                _bounded_lines(lines),
                is_signature_check=not options.fast,
                progress=_progress(options.lang),
                seen=seen,
                processes=options.jobs,
            )
        except BadPositionError as error:
            _print_bad(error, options)
            return FAILED
    _print_totals(totals, options)
    is_practice = totals.origin.startswith(PRACTICE_PREFIX)
    return FAILED if is_practice and not options.practice else HOLDS


def _print_bad(error: BadPositionError, options: argparse.Namespace) -> None:
    why = REASONS.get(error.reason)
    if options.json:
        print(json.dumps({"holds": False, "position": error.position, "detail": error.reason}))
    elif options.lang == "de":
        tail = "" if why is None else f" {why.german}"
        print(f"Eintrag {error.position} stimmt nicht ({error.reason}).{tail}")
    else:
        print(f"Entry {error.position} does not hold ({error.reason}).")


def _print_totals(totals: Totals, options: argparse.Namespace) -> None:
    is_practice = totals.origin.startswith(PRACTICE_PREFIX)
    if options.json:
        body = {"origin": totals.origin, "entries": totals.entries, "signatures": totals.signatures}
        more = {"checkpoints": totals.checkpoints, "erased": totals.erased, "root": totals.root.hex()}
        print(json.dumps({"holds": True, "binding": not is_practice, **body, **more}))
        return
    is_german = options.lang == "de"
    words = ("Einträge", "Unterschriften", "Stände") if is_german else ("entries", "signatures", "checkpoints")
    print("Alles stimmt." if is_german else "Everything holds.")
    print(f"{totals.entries} {words[0]}, {totals.signatures} {words[1]}, {totals.checkpoints} {words[2]}")
    if is_practice:
        print(PRACTICE_DE if is_german else PRACTICE_EN)


def _progress(language: str) -> Progress:
    word = "Einträge" if language == "de" else "entries"

    def show(count: int) -> None:
        print(f"{count} {word}", file=sys.stderr)

    return show


def _proof(options: argparse.Namespace) -> int:
    if options.kind == "make":
        print(format_proof(_made_proof(options)), end="")
        return HOLDS
    proof, policy = parse_proof(_read_text(options.file)), parse_policy(_read_text(options.policy))
    leaf = proof.extra if options.leaf is None else _read_bytes(Path(options.leaf))
    if leaf is None:
        raise VerificationError("the proof file does not carry what it proves: name it with --leaf")
    try:
        _print_proved(proof, verify_proof(proof, leaf_hash(leaf), policy), options)
    except VerificationError as error:
        _print_unproved(str(error), options)
        return FAILED
    return HOLDS


def _made_proof(options: argparse.Namespace) -> LogProof:
    if options.entry is not None:
        with Path(options.file).open("rb") as lines:
            return proof_in_log(_bounded_lines(lines), options.entry)
    file = parse_file(unpacked(_read_bytes(Path(options.file))))
    return proof_of(file.record, file.checkpoint)


def _print_proved(proof: LogProof, claim: Checkpoint, options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps({"holds": True, "origin": claim.origin, "position": proof.index, "entries": claim.size}))
    elif options.lang == "de":
        print(f"Alles stimmt. Eintrag {proof.index} von {claim.size} in {claim.origin}.")
    else:
        print(f"Everything holds. Entry {proof.index} of {claim.size} in {claim.origin}.")


def _print_unproved(reason: str, options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps({"holds": False, "detail": reason}))
    else:
        print(f"Etwas stimmt nicht ({reason})." if options.lang == "de" else f"Something does not hold ({reason}).")


def _bounded_lines(lines: BinaryIO) -> Iterator[bytes]:
    # A file without line ends must not be read into memory whole.
    while line := lines.readline(_MAX_LINE_BYTES):
        yield line


def _read_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _read_text(name: str) -> str:
    try:
        return _read_bytes(Path(name)).decode("utf-8")
    except UnicodeDecodeError as error:
        raise VerificationError("not UTF-8") from error


_COMMANDS = {"verify": _verify, "fsck": _fsck, "proof": _proof}

if __name__ == "__main__":
    sys.exit(main())
