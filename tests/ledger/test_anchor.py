"""A log's root on a real EVM: what the contract refuses, what a verifier asks, whom it does not believe."""

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from eth_abi import encode
from eth_account import Account

from ledger import records
from ledger.__main__ import main
from ledger.anchor.asking import ask_chain, confirm_on_chain
from ledger.anchor.check import Claim, claim_of, read_receipt
from ledger.anchor.contract import (
    ANCHORED,
    CODE,
    CREATION_CODE,
    anchor_call,
    newest_call,
    origin_hash,
    read_event,
    root_call,
)
from ledger.anchor.rpc import MAX_ANSWER_BYTES, Chain, ChainError, RefusedError, quantity
from ledger.encoding import to_hex
from ledger.errors import VerificationError
from ledger.evidence_file import EvidenceFile, build_file
from ledger.keccak import keccak256
from ledger.merkle import root
from ledger.report import ANCHOR_STEP
from ledger.verify import verify_bundle
from tests.chains import EvmChain, running
from tests.ledger.software_passkey import SoftwarePasskey
from tests.ledger.world import Firm
from tests.solidity import ANCHOR, COMPILER, compile_contract, write_contract

NEEDS_COMPILER = pytest.mark.skipif(
    not COMPILER.exists() or not shutil.which("node"), reason="no Solidity compiler in e2e/node_modules"
)
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SALT = to_hex(sha256(b"salt").digest())
ROOTS = [sha256(bytes([number])).digest() for number in range(4)]


@pytest.fixture(params=["py-evm", "anvil"], scope="module")
def node(request: pytest.FixtureRequest) -> Iterator[EvmChain]:
    with running(request.param) as chain:
        yield chain


@pytest.fixture(scope="module")
def contract(node: EvmChain) -> str:
    return str(pay(node, "", CREATION_CODE)["contractAddress"]).lower()


@pytest.fixture
def log(request: pytest.FixtureRequest) -> bytes:
    """The salted name of a log that no other test uses."""
    return sha256(request.node.name.encode()).digest()


def pay(node: EvmChain, to: str, data: bytes, value: int = 0) -> dict[str, Any]:
    """The receipt of a transaction of the rich account, also of one that fails."""
    chain, sender = Chain(node.url), sender_of(node)
    nonce = quantity(chain.ask("eth_getTransactionCount", sender, "latest"))
    wei = quantity(chain.block()["baseFeePerGas"]) * 2 + 1
    transaction = {
        "type": 2, "chainId": node.chain_id, "nonce": nonce, "gas": 1_000_000, "value": value, "data": to_hex(data),
        "to": bytes.fromhex(to[2:]), "maxFeePerGas": wei, "maxPriorityFeePerGas": 1,
    }  # fmt: skip
    signed = Account.sign_transaction(transaction, node.rich_key)
    hashed = chain.ask("eth_sendRawTransaction", to_hex(signed.raw_transaction))
    deadline = time.monotonic() + 20
    while (receipt := chain.receipt(hashed)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return receipt


def sender_of(node: EvmChain) -> str:
    return str(Account.from_key(node.rich_key).address).lower()


def refusal(node: EvmChain, contract: str, data: bytes) -> str:
    """The four bytes of the contract's reason for refusing."""
    with pytest.raises(RefusedError) as refused:
        Chain(node.url).ask("eth_estimateGas", {"from": sender_of(node), "to": contract, "data": to_hex(data)})
    return refused.value.data[:10]


def reason(signature: str) -> str:
    return to_hex(keccak256(signature.encode())[:4])


# The contract


@NEEDS_COMPILER
def test_the_committed_bytecode_is_what_the_source_compiles_to() -> None:
    assert ANCHOR.with_suffix(".json").read_text(encoding="utf-8") == write_contract(ANCHOR)


def test_what_stands_on_the_chain_is_the_committed_code(node: EvmChain, contract: str) -> None:
    assert Chain(node.url).code(contract) == CODE


def test_an_anchor_is_told_as_an_event_and_kept_by_size(node: EvmChain, contract: str, log: bytes) -> None:
    receipts = [pay(node, contract, anchor_call(log, size, ROOTS[size])) for size in (1, 3)]
    assert [one["status"] for one in receipts] == ["0x1", "0x1"]
    event = read_event(receipts[1]["logs"][0])
    assert event is not None
    assert (event.sender, event.origin_hash, event.size, event.root) == (sender_of(node), log, 3, ROOTS[3])
    chain = Chain(node.url)
    held = [chain.call(contract, root_call(sender_of(node), log, size)) for size in (1, 2, 3)]
    assert held == [ROOTS[1], bytes(32), ROOTS[3]]
    assert int.from_bytes(chain.call(contract, newest_call(sender_of(node), log)), "big") == 3


def test_a_second_root_for_the_same_size_is_refused(node: EvmChain, contract: str, log: bytes) -> None:
    pay(node, contract, anchor_call(log, 1, ROOTS[1]))
    pay(node, contract, anchor_call(log, 2, ROOTS[2]))
    for size in (1, 2):
        second = anchor_call(log, size, ROOTS[3])
        assert refusal(node, contract, second) == reason("SecondRoot(uint64,bytes32)")
        assert pay(node, contract, second)["status"] == "0x0"
        assert Chain(node.url).call(contract, root_call(sender_of(node), log, size)) == ROOTS[size]


def test_sizes_only_grow_and_no_root_is_empty(node: EvmChain, contract: str, log: bytes) -> None:
    assert refusal(node, contract, anchor_call(log, 0, ROOTS[1])) == reason("SizeMustGrow(uint64)")
    assert refusal(node, contract, anchor_call(log, 1, bytes(32))) == reason("EmptyRoot()")
    pay(node, contract, anchor_call(log, 2, ROOTS[2]))
    for size, again in ((1, ROOTS[1]), (2, ROOTS[2])):
        assert refusal(node, contract, anchor_call(log, size, again)) == reason("SizeMustGrow(uint64)")


def test_nobody_anchors_for_another_sender_or_log(node: EvmChain, contract: str, log: bytes) -> None:
    pay(node, contract, anchor_call(log, 3, ROOTS[3]))
    assert pay(node, contract, anchor_call(sha256(log).digest(), 1, ROOTS[1]))["status"] == "0x1"
    stranger = "0x" + "11" * 20
    pay(node, stranger, b"", 10**18)
    asked = {"from": stranger, "to": contract, "data": to_hex(anchor_call(log, 1, ROOTS[1]))}
    assert Chain(node.url).ask("eth_call", asked, "latest") == "0x"


def test_the_name_on_the_chain_tells_nobody_whose_log_it_is() -> None:
    salts = [sha256(bytes([number])).digest() for number in (1, 2)]
    hashes = {origin_hash(salt, origin) for salt in salts for origin in ("keller.localhost", "yilmaz.localhost")}
    assert len(hashes) == 4
    assert origin_hash(salts[0], "keller.localhost") == sha256(salts[0] + b"keller.localhost").digest()


# A passkey on the chain: an example for contracts that come later


@NEEDS_COMPILER
def test_a_contract_believes_a_passkey_by_the_p256_precompile() -> None:
    with running("anvil") as node:
        compiled = compile_contract(Path(__file__).parent / "solidity/PasskeyExample.sol")
        example = str(pay(node, "", bytes.fromhex(compiled["creationCode"][2:]))["contractAddress"])
        passkey, digest = SoftwarePasskey(), sha256(b"agreement").digest()
        signed = passkey.sign(digest)
        r, s = decode_dss_signature(signed["signature"])
        low = min(s, P256_ORDER - s)
        data, client = signed["authenticatorData"], signed["clientDataJSON"]
        assert is_signed(node, example, passkey, data, client, (r, low))
        assert not is_signed(node, example, passkey, data, client, (r, P256_ORDER - low))
        assert not is_signed(node, example, passkey, data, client + b" ", (r, low))
        assert not is_signed(node, example, passkey, data[:-1] + b"\xff", client, (r, low))
        assert not is_signed(node, example, SoftwarePasskey(), data, client, (r, low))


def is_signed(
    node: EvmChain, example: str, passkey: SoftwarePasskey, data: bytes, client: bytes, signature: tuple[int, int]
) -> bool:
    key = int.from_bytes(passkey.point[1:33], "big"), int.from_bytes(passkey.point[33:], "big")
    name = keccak256(b"isSigned(bytes,bytes,uint256,uint256,uint256,uint256)")[:4]
    call = name + encode(["bytes", "bytes", *["uint256"] * 4], [data, client, *signature, *key])
    return bool(int.from_bytes(Chain(node.url).call(example, call), "big"))


# The record, and who confirms it


def anchored_firm(node: EvmChain, contract: str, origin: str) -> tuple[Firm, dict[str, Any]]:
    """A firm whose log of three entries was anchored and says so in its fourth; and the receipt."""
    firm = Firm("rennsteig@werkring.example", origin)
    firm.enter_genesis()
    firm.enter_noise(2)
    hashed = origin_hash(bytes.fromhex(SALT[2:]), origin)
    receipt = pay(node, contract, anchor_call(hashed, 3, root(firm.hashes)))
    enter_anchor(firm, node, contract, receipt["transactionHash"])
    return firm, receipt


def enter_anchor(firm: Firm, node: EvmChain, contract: str, transaction: str, /, **changes: Any) -> int:
    record = records.Anchor(
        **{**firm.common(to=firm.address, text="Verankert."), "salt": SALT},
        chain_id=node.chain_id,
        contract=contract,
        transaction=transaction,
        size=3,
        root=to_hex(root(firm.hashes[:3])),
    )
    changed = replace(record, **changes)
    return firm.enter(changed, lambda digest: [firm.sign_by_seal(digest)], text="Verankert.")


def file_of(firm: Firm, seq: int = 3) -> bytes:
    return build_file(EvidenceFile(record=firm.prove(seq), checkpoint=firm.note(), keys=(firm.prove(0),)))


def test_an_anchor_record_is_confirmed_by_the_chain_by_a_receipt_or_not_at_all(node: EvmChain, contract: str) -> None:
    firm, receipt = anchored_firm(node, contract, "werkring.example/confirmed")
    by_chain = verify_bundle(file_of(firm), chain=ask_chain(node.url))
    by_receipt = verify_bundle(file_of(firm), chain=read_receipt(json.dumps({"result": receipt}).encode()))
    offline = verify_bundle(file_of(firm))
    verdicts = [one.step(ANCHOR_STEP).verdict for one in (by_chain, by_receipt, offline)]
    assert verdicts == ["ok", "ok", "not applicable"]
    assert by_chain.holds
    assert by_receipt.holds
    assert offline.holds
    assert f"of chain {node.chain_id}" in by_chain.step(ANCHOR_STEP).detail
    assert "was not asked" in by_receipt.step(ANCHOR_STEP).detail


def test_the_command_asks_a_chain_or_reads_a_receipt_only_when_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, kept = tmp_path / "anchor.json", tmp_path / "receipt.json"
    with running("py-evm") as node:
        firm, receipt = anchored_firm(
            node, pay(node, "", CREATION_CODE)["contractAddress"].lower(), "werkring.example/x"
        )
        file.write_bytes(file_of(firm))
        kept.write_text(json.dumps(receipt))
        assert main(["verify", str(file), "--plain", "--rpc", node.url]) == 0
    assert "Der Stand steht in der öffentlichen Kette." in capsys.readouterr().out
    assert main(["verify", str(file), "--lang", "en", "--receipt", str(kept)]) == 0
    assert "14. The state stands in the public chain. (by the receipt" in capsys.readouterr().out
    assert main(["verify", str(file), "--plain"]) == 0
    assert "Die öffentliche Kette wurde nicht gefragt." in capsys.readouterr().out
    assert main(["verify", str(file), "--plain", "--rpc", node.url]) == 1
    assert "Die öffentliche Kette sagt etwas anderes." in capsys.readouterr().out
    assert main(["verify", str(file), "--rpc", "http://rpc.example"]) == 2


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"size": 2}, "did not anchor this root"),
        ({"root": to_hex(ROOTS[1])}, "did not anchor this root"),
        ({"salt": to_hex(ROOTS[1])}, "did not anchor this root"),
        ({"transaction": to_hex(ROOTS[1])}, "does not know the transaction"),
        ({"chain_id": 1}, "another chain"),
        ({"contract": "0x" + "11" * 20}, "another contract"),
    ],
    ids=["size", "root", "salt", "transaction", "chain", "contract"],
)
def test_a_record_that_says_something_else_than_the_chain_fails(
    node: EvmChain, contract: str, changes: dict[str, Any], why: str
) -> None:
    firm, receipt = anchored_firm(node, contract, f"werkring.example/lie-{next(iter(changes))}")
    seq = enter_anchor(firm, node, contract, receipt["transactionHash"], id=to_hex(ROOTS[0]), **changes)
    report = verify_bundle(file_of(firm, seq), chain=ask_chain(node.url))
    assert report.failed == (ANCHOR_STEP,)
    assert why in report.step(ANCHOR_STEP).detail


def test_the_event_of_another_log_or_of_a_look_alike_contract_proves_nothing(node: EvmChain, contract: str) -> None:
    firm, receipt = anchored_firm(node, contract, "werkring.example/alike")
    claim = claim_of(message_of(firm, 3), "werkring.example/alike")
    assert confirm_on_chain(Chain(node.url), claim)
    for wrong in (claim_of(message_of(firm, 3), "werkring.example/other"), replace(claim, contract="0x" + "11" * 20)):
        with pytest.raises(VerificationError):
            read_receipt(json.dumps(receipt).encode())(wrong)
    # the same code under another address is the same contract, but it holds nothing of this log
    twin = str(pay(node, "", CREATION_CODE)["contractAddress"]).lower()
    with pytest.raises(VerificationError, match="did not anchor"):
        confirm_on_chain(Chain(node.url), replace(claim, contract=twin))


def test_a_transaction_that_failed_anchors_nothing(node: EvmChain, contract: str, log: bytes) -> None:
    pay(node, contract, anchor_call(log, 2, ROOTS[2]))
    failed = pay(node, contract, anchor_call(log, 1, ROOTS[1]))
    claim = Claim(node.chain_id, contract, failed["transactionHash"], log, 1, ROOTS[1])
    with pytest.raises(VerificationError, match="one that failed"):
        confirm_on_chain(Chain(node.url), claim)


def message_of(firm: Firm, seq: int) -> dict[str, Any]:
    evidence = firm.evidence[seq]
    assert evidence is not None
    return dict(json.loads(evidence)["message"])


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"null", b'"x"', b"{}", b'{"result":null}', b'{"result":[]}', b"[" * 100_000, b" " * 1_000_001,
     b'{"transactionHash":1,"status":"0x1"}'],
)  # fmt: skip
def test_what_is_no_receipt_ends_in_a_verification_error(text: bytes) -> None:
    claim = Claim(1, "0x" + "11" * 20, to_hex(ROOTS[0]), ROOTS[1], 1, ROOTS[2])
    with pytest.raises(VerificationError):
        read_receipt(text)(claim)


@pytest.mark.parametrize(
    "entry",
    [{}, {"topics": 1, "data": "0x"}, {"topics": [ANCHORED, "0x", "0x"], "data": "0x"}, {"topics": [], "data": "x"},
     {"topics": [ANCHORED, to_hex(bytes([1] * 32)), to_hex(bytes(32))], "data": to_hex(bytes(64))},
     {"topics": [ANCHORED, to_hex(bytes(32)), to_hex(bytes(32))], "data": to_hex(bytes(63))}],
)  # fmt: skip
def test_a_broken_event_ends_in_a_verification_error(entry: dict[str, Any]) -> None:
    with pytest.raises(VerificationError):
        read_event(entry)


# A node that lies, babbles or sends elsewhere


@contextmanager
def door(answer: Callable[[bytes], tuple[int, dict[str, str], bytes]]) -> Iterator[str]:
    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, headers, body = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:
                self.close_connection = True

        def log_message(self, *_arguments: Any) -> None:
            """Nothing to say."""

    server = HTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    "body",
    [b"", b"hello", b"[]", b"null", b'{"id":2,"result":"0x1"}', b'{"id":1}', b'{"id":1,"result":1}',
     b'{"id":1,"result":"1"}', b'{"id":1,"result":"0x"}', b'{"id":1,"error":"no"}', b"[" * 100_000,
     b" " * (MAX_ANSWER_BYTES + 1)],
)  # fmt: skip
def test_an_answer_that_is_none_ends_in_a_chain_error(body: bytes) -> None:
    with door(lambda _asked: (200, {}, body)) as url, pytest.raises(ChainError):
        Chain(url).chain_id()


def test_a_redirect_is_not_followed() -> None:
    asked: list[bytes] = []

    def catch(body: bytes) -> tuple[int, dict[str, str], bytes]:
        asked.append(body)
        return 200, {}, b'{"id":1,"result":"0x1"}'

    with (
        door(catch) as elsewhere,
        door(lambda _asked: (307, {"Location": elsewhere}, b"")) as url,
        pytest.raises(ChainError),
    ):
        Chain(url).chain_id()
    assert asked == []


def test_nobody_listening_ends_in_a_chain_error() -> None:
    with door(lambda _asked: (200, {}, b"")) as url:
        pass
    with pytest.raises(ChainError):
        Chain(url).chain_id()


@pytest.mark.parametrize(
    "url", ["", "rpc.example", "http://rpc.example", "ftp://localhost", "https://", "https://a:b@rpc.example", "http://[",
            "https://rpc.example:x"]
)  # fmt: skip
def test_a_chain_is_asked_over_tls_unless_it_is_on_this_machine(url: str) -> None:
    with pytest.raises(ChainError):
        Chain(url)


def test_a_lying_node_is_caught_by_the_receipt_or_the_contract() -> None:
    claim = Claim(7, "0x" + "11" * 20, to_hex(ROOTS[0]), ROOTS[1], 5, ROOTS[2])
    topics = [ANCHORED, to_hex(bytes(12) + bytes([1] * 20)), to_hex(ROOTS[1])]
    entry = {"address": claim.contract, "topics": topics, "data": to_hex((5).to_bytes(32, "big") + ROOTS[2])}
    good = {
        "eth_chainId": "0x7",
        "eth_getCode": to_hex(CODE),
        "eth_getTransactionReceipt": {
            "transactionHash": claim.transaction, "status": "0x1", "blockNumber": "0x9", "logs": [entry]
        },
        "eth_call": to_hex(ROOTS[2]),
        "eth_getBlockByNumber": {"timestamp": "0x6aaf0000"},
    }  # fmt: skip
    assert confirmed(good, claim) == "in block 9 of chain 7, 2026-09-19 21:34 UTC"
    receipt: dict[str, Any] = good["eth_getTransactionReceipt"]  # type: ignore[assignment]
    lies: list[dict[str, Any]] = [
        {"eth_chainId": "0x8"}, {"eth_getCode": "0x"}, {"eth_getCode": to_hex(CODE[:-1])}, {"eth_call": to_hex(ROOTS[3])},
        {"eth_call": "0x"}, {"eth_getTransactionReceipt": None}, {"eth_getTransactionReceipt": receipt | {"logs": []}},
        {"eth_getBlockByNumber": None},
        {"eth_getBlockByNumber": {"timestamp": "0xffffffffffffffff"}}, {"eth_getBlockByNumber": {}},
    ]  # fmt: skip
    broken = (
        {"logs": None},
        {"logs": [1]},
        {"status": "0x0"},
        {"blockNumber": None},
        {"transactionHash": to_hex(ROOTS[1])},
    )
    lies += [{"eth_getTransactionReceipt": receipt | one} for one in broken]
    for lie in lies:
        with pytest.raises(VerificationError):
            confirmed(good | lie, claim)


def confirmed(answers: dict[str, Any], claim: Claim) -> str:
    def answer(asked: bytes) -> tuple[int, dict[str, str], bytes]:
        return 200, {}, json.dumps({"id": 1, "result": answers[json.loads(asked)["method"]]}).encode()

    with door(answer) as url:
        return confirm_on_chain(Chain(url), claim)
