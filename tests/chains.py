"""Real EVM chains on loopback: py-evm behind a small JSON-RPC door (always), Anvil of e2e/node_modules (where it is)."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

import pytest
from eth_account import Account
from eth_tester import EthereumTester, PyEVMBackend
from eth_tester.exceptions import BlockNotFound, TransactionFailed, TransactionNotFound
from eth_utils import keccak

from ledger.anchor.rpc import Chain, ChainError

# py-evm raises it for contracts that call each other a thousand times; ours do not, and other tests mean the usual one
sys.setrecursionlimit(1000)

ANVIL = next(iter((Path(__file__).parents[1] / "e2e/node_modules/@foundry-rs").glob("anvil-*/bin/anvil")), None)
PY_EVM_RICH_KEY = (1).to_bytes(32, "big")
ANVIL_RICH_KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")


class EvmChain(Protocol):
    """A chain with one account full of money."""

    url: str
    chain_id: int
    rich_key: bytes

    def hold(self) -> None:
        """Make no blocks until `mine`."""

    def mine(self) -> None:
        """Make a block of what waits, and go on at once from now on."""


class RefusalError(Exception):
    """What a node answers as an error; `data` is what a contract said."""

    def __init__(self, text: str, data: str = "") -> None:
        super().__init__(text)
        self.data = data


@dataclass
class PyEvm:
    """One chain in this process: a pool of waiting transactions, one for each nonce, and py-evm for the blocks."""

    url: str = ""
    rich_key: bytes = PY_EVM_RICH_KEY
    tester: Any = field(default_factory=lambda: EthereumTester(PyEVMBackend()))
    is_held: bool = False
    waiting: dict[tuple[str, int], str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    lost_answers: set[str] = field(default_factory=set)
    """Methods that are carried out although their answer never arrives."""
    base_fee_factor: int = 1
    gas_factor: int = 1
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def chain_id(self) -> int:
        return int(self.tester.backend.chain.chain_id)

    def hold(self) -> None:
        self.is_held = True

    def mine(self) -> None:
        with self.lock:
            self.is_held = False
            for place in sorted(self.waiting, key=lambda one: one[1]):
                self.tester.send_raw_transaction(self.waiting.pop(place))

    def mine_empty(self, count: int) -> None:
        """Blocks of others, without anything of ours."""
        with self.lock:
            self.tester.mine_blocks(count)

    def fork(self) -> Any:
        """A point to which `take_back` leads."""
        return self.tester.take_snapshot()

    def take_back(self, point: Any) -> None:
        """A longer chain of others: the blocks since that point never were, and nobody kept what was in them."""
        with self.lock:
            self.tester.revert_to_snapshot(point)

    def raise_base_fee(self) -> None:
        """Full blocks of others: gas gets dearer than any waiting transaction bids."""
        self.base_fee_factor *= 4

    def spend_nonce(self) -> None:
        """Some other payment of the rich account."""
        account = self.tester.get_accounts()[0]
        self.tester.send_transaction({"from": account, "to": account, "gas": 21_000, "value": 1})

    def answer(self, method: str, params: list[Any]) -> Any:
        with self.lock:
            self.asked.append(method)
            return getattr(self, method)(*params)

    def eth_chainId(self) -> str:  # noqa: N802
        return hex(self.chain_id)

    def eth_getBlockByNumber(self, number: str, _full: bool) -> Any:  # noqa: N802
        try:
            block = self.tester.get_block_by_number(number if number == "latest" else int(number, 16))
        except BlockNotFound:
            return None
        base = block["base_fee_per_gas"] * self.base_fee_factor
        return {"number": hex(block["number"]), "timestamp": hex(block["timestamp"]), "baseFeePerGas": hex(base)}

    def eth_getTransactionCount(self, account: str, block: str) -> str:  # noqa: N802
        held = sum(sender == account for sender, _ in self.waiting) if block == "pending" else 0
        return hex(self.tester.get_nonce(account) + held)

    def eth_getCode(self, account: str, _block: str) -> str:  # noqa: N802
        return str(self.tester.get_code(account))

    def eth_getBalance(self, account: str, _block: str) -> str:  # noqa: N802
        return hex(self.tester.get_balance(account))

    def eth_maxPriorityFeePerGas(self) -> str:  # noqa: N802
        raise RefusalError("the method eth_maxPriorityFeePerGas does not exist")

    def eth_estimateGas(self, asked: dict[str, str]) -> str:  # noqa: N802
        return hex(_told(lambda: self.tester.estimate_gas(asked)) * self.gas_factor)

    def eth_call(self, asked: dict[str, str], _block: str) -> str:
        return str(_told(lambda: self.tester.call({"from": self.tester.get_accounts()[1], **asked})))

    def eth_sendRawTransaction(self, raw: str) -> str:  # noqa: N802
        sender = Account.recover_transaction(raw).lower()
        transaction = self.tester.backend.chain.get_transaction_builder().decode(bytes.fromhex(raw[2:]))
        self._check_new(sender, transaction, raw)
        self.waiting[sender, transaction.nonce] = raw
        if not self.is_held:
            self.mine()
        return "0x" + transaction.hash.hex()

    def eth_getTransactionByHash(self, hashed: str) -> Any:  # noqa: N802
        try:
            return {"hash": self.tester.get_transaction_by_hash(hashed)["hash"]}
        except TransactionNotFound:
            return {"hash": hashed} if any(_hash_of(raw) == hashed for raw in self.waiting.values()) else None

    def eth_getTransactionReceipt(self, hashed: str) -> Any:  # noqa: N802
        try:
            found = self.tester.get_transaction_receipt(hashed)
        except TransactionNotFound:
            return None
        logs = [{name: entry[name] for name in ("address", "topics", "data")} for entry in found["logs"]]
        return {
            "transactionHash": found["transaction_hash"], "status": hex(found["status"]), "logs": logs,
            "blockNumber": hex(found["block_number"]), "contractAddress": found["contract_address"],
        }  # fmt: skip

    def _check_new(self, sender: str, transaction: Any, raw: str) -> None:
        known = self.waiting.get((sender, transaction.nonce))
        if transaction.nonce < self.tester.get_nonce(sender):
            raise RefusalError("nonce too low")
        if known == raw:
            raise RefusalError("already known")
        if known is not None:
            old = self.tester.backend.chain.get_transaction_builder().decode(bytes.fromhex(known[2:]))
            if transaction.max_fee_per_gas * 10 < old.max_fee_per_gas * 11:
                raise RefusalError("replacement transaction underpriced")


def _told(ask: Any) -> Any:
    try:
        return ask()
    except TransactionFailed as error:
        said = getattr(error.args[0], "args", error.args)[0]
        raise RefusalError("execution reverted", "0x" + said.hex() if isinstance(said, bytes) else "") from error


def _hash_of(raw: str) -> str:
    return "0x" + keccak(hexstr=raw).hex()


@contextmanager
def py_evm() -> Iterator[PyEvm]:
    """A fresh chain in this process, with a door on loopback."""
    chain = PyEvm()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _door_to(chain))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    chain.url = f"http://127.0.0.1:{server.server_port}/"
    try:
        yield chain
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _door_to(chain: PyEvm) -> type[BaseHTTPRequestHandler]:
    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = {"jsonrpc": "2.0", "id": asked["id"]}
            try:
                answer["result"] = chain.answer(asked["method"], asked["params"])
            except RefusalError as error:
                answer["error"] = {"code": 3, "message": str(error), "data": error.data}
            if asked["method"] in chain.lost_answers:
                chain.lost_answers.discard(asked["method"])
                return
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            """Nothing to say."""

    return Door


@dataclass
class Anvil:
    """Foundry's node, with the rules of Osaka: it knows the P-256 precompile."""

    url: str
    chain_id: int = 31_337
    rich_key: bytes = ANVIL_RICH_KEY

    def hold(self) -> None:
        Chain(self.url).ask("evm_setAutomine", False)

    def mine(self) -> None:
        Chain(self.url).ask("evm_setAutomine", True)
        Chain(self.url).ask("evm_mine")


@contextmanager
def anvil() -> Iterator[Anvil]:
    """A fresh chain in a process of its own, ended by its id."""
    chain = Anvil(f"http://127.0.0.1:{_free_port()}/")
    port = chain.url.rpartition(":")[2].rstrip("/")
    # silent: nobody reads what it says, and a full pipe would stop it
    command = [str(ANVIL), "--silent", "--host", "127.0.0.1", "--port", port, "--hardfork", "osaka"]
    # ends with the tests even if they crash
    process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command])
    try:
        _wait_for(chain, process)
        yield chain
    finally:
        process.terminate()
        process.wait(20)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait_for(chain: Anvil, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(400):
        assert process.poll() is None, "Anvil ended by itself"
        try:
            assert Chain(chain.url).chain_id() == chain.chain_id
            return
        except ChainError:
            time.sleep(0.05)
    raise TimeoutError("Anvil does not answer")


@contextmanager
def running(kind: str) -> Iterator[EvmChain]:
    """A fresh chain of a kind: `py-evm` runs everywhere, `anvil` where npm has brought it."""
    if kind == "anvil" and ANVIL is None:
        pytest.skip("no Anvil in e2e/node_modules")
    with anvil() if kind == "anvil" else py_evm() as chain:
        yield chain
