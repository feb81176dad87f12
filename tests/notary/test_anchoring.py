"""`flask anchor`: what a firm wants on the public chain stands there once and in its ledger once, whatever is killed."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from app.cli import main, migrate_database
from app.config import AnchorConfig
from app.core.db import Database
from app.firms.models import Firm
from app.notary.anchoring import anchor_firm, anchor_firms
from app.notary.models import LedgerAnchor, LedgerCheckpoint, LedgerEntry
from app.notary.queries import derived_secret, evidence, evidence_file, export_log
from app.notary.wallet import (
    AnchorError,
    Wallet,
    check_contract,
    count_sent,
    deploy_contract,
    fees,
    open_wallet,
    send,
    sign,
)
from app.notary.witnesses import RESTORED, halt_log
from ledger.anchor.asking import ask_chain
from ledger.anchor.contract import anchor_call, origin_hash
from ledger.anchor.rpc import ChainError
from ledger.fsck import check_log
from ledger.report import ANCHOR_STEP
from ledger.verify import verify_bundle
from tests.chains import PY_EVM_RICH_KEY, EvmChain, PyEvm, py_evm, running
from tests.notary.world import NODE_KEY, House, append_lapse, found_house
from tests.test_cli import run

ROOT = Path(__file__).parents[2]
SOON_S = 20.0


@pytest.fixture
def node() -> Iterator[PyEvm]:
    with py_evm() as chain:
        yield chain


@pytest.fixture
def wallet(node: PyEvm) -> Wallet:
    return wallet_of(node)


@pytest.fixture
def contract(wallet: Wallet) -> str:
    return deploy_contract(wallet, SOON_S)


@pytest.fixture
def keller(database: Database) -> House:
    """A firm that wants it, and one that does not."""
    return houses(database)


def houses(database: Database) -> House:
    with database.write() as session:
        keller = found_house(session, "keller")
        found_house(session, "nowak")
        session.get_one(Firm, "keller").is_anchored = True
        append_lapse(session, keller, 1)
    return keller


def wallet_of(node: EvmChain, contract: str = "", confirmations: int = 1) -> Wallet:
    return open_wallet(AnchorConfig(node.url, node.chain_id, contract, node.rich_key, confirmations))


def anchor_all(database: Database, wallet: Wallet, contract: str) -> tuple[bool, list[str]]:
    said: list[str] = []
    return anchor_firms(database, wallet, contract, said.append, SOON_S), said


def records_of(database: Database, firm_id: str = "keller") -> list[int]:
    with database.read() as session:
        entries = sa.select(LedgerEntry.seq).where(LedgerEntry.firm_id == firm_id, LedgerEntry.type == "anchor")
        return list(session.scalars(entries.order_by(LedgerEntry.seq)))


def add_entry(database: Database, house: House, number: int) -> None:
    with database.write() as session:
        append_lapse(session, house, number)


@pytest.mark.parametrize("kind", ["py-evm", "anvil"])
def test_the_newest_state_is_anchored_recorded_and_found_by_anybody(database: Database, kind: str) -> None:
    keller = houses(database)
    with running(kind) as node:
        wallet = wallet_of(node)
        contract = deploy_contract(wallet, SOON_S)
        check_contract(wallet, contract)
        assert anchor_all(database, wallet, contract) == (True, ["keller@localhost: 2 entries anchored."])
        add_entry(database, keller, 2)
        assert anchor_all(database, wallet, contract) == (True, ["keller@localhost: 4 entries anchored."])
        assert records_of(database) == [2, 4]
        with database.read() as session:
            messages = [evidence(session, "keller", seq)["message"] for seq in (2, 4)]
            files = [evidence_file(session, "keller", seq) for seq in (2, 4)]
            roots = [session.get_one(LedgerCheckpoint, ("keller", size)).root for size in (2, 4)]
            lines = list(export_log(session, "keller"))
        assert [(one["size"], one["root"][2:], one["chainId"]) for one in messages] == [
            (size, root, node.chain_id) for size, root in zip((2, 4), roots, strict=True)
        ]
        assert messages[0]["salt"] == messages[1]["salt"]
        assert messages[0]["id"] != messages[1]["id"]
        for file in files:
            report = verify_bundle(file, chain=ask_chain(node.url))
            assert (report.holds, report.step(ANCHOR_STEP).verdict) == (True, "ok"), report.text("en", is_plain=False)
        assert check_log(lines).entries == 5


def test_who_does_not_want_it_stands_on_no_chain(
    database: Database, keller: House, wallet: Wallet, contract: str
) -> None:
    anchor_all(database, wallet, contract)
    assert records_of(database, "nowak") == []
    with database.write() as session:
        session.get_one(Firm, "keller").is_anchored = False
    add_entry(database, keller, 2)
    assert anchor_all(database, wallet, contract) == (True, [])


def test_an_anchor_alone_is_no_reason_for_another(
    database: Database, keller: House, node: PyEvm, wallet: Wallet, contract: str
) -> None:
    anchor_all(database, wallet, contract)
    sent = node.asked.count("eth_sendRawTransaction")
    for _ in range(2):
        assert anchor_all(database, wallet, contract) == (True, ["keller@localhost: nothing new."])
    assert (records_of(database), node.asked.count("eth_sendRawTransaction")) == ([2], sent)


def test_the_chain_learns_neither_name_nor_content(
    database: Database, keller: House, node: PyEvm, wallet: Wallet, contract: str
) -> None:
    anchor_all(database, wallet, contract)
    with database.read() as session:
        row = session.scalars(sa.select(LedgerAnchor)).one()
        raw, salt, root = (bytes.fromhex(one.removeprefix("0x")) for one in (row.sent[0]["raw"], row.salt, row.root))
    assert root in raw
    assert salt not in raw
    assert b"keller" not in raw


@pytest.mark.parametrize(
    "method", ["eth_sendRawTransaction", "eth_getTransactionReceipt", "eth_estimateGas", "eth_call"]
)
def test_an_answer_that_is_lost_is_made_good_by_the_next_run(
    database: Database, keller: House, node: PyEvm, wallet: Wallet, contract: str, method: str
) -> None:
    node.lost_answers.add(method)
    is_good, said = anchor_all(database, wallet, contract)
    assert not is_good
    assert f"no usable answer to {method}" in said[0]
    assert anchor_all(database, wallet, contract)[0]
    assert records_of(database) == [2]
    with database.read() as session:
        assert len(session.scalars(sa.select(LedgerAnchor)).one().sent) == 1


def test_a_chain_that_makes_no_blocks_is_waited_for_and_asked_again(
    database: Database, keller: House, node: PyEvm, wallet: Wallet, contract: str
) -> None:
    node.hold()
    for _ in range(2):
        with pytest.raises(AnchorError, match="run this again later"):
            anchor_firm(database, wallet, contract, "keller", 0.1)
    assert records_of(database) == []
    add_entry(database, keller, 2)
    node.mine()
    assert anchor_firm(database, wallet, contract, "keller", SOON_S) == 2
    assert anchor_firm(database, wallet, contract, "keller", SOON_S) == 4
    assert records_of(database) == [3, 4]


def test_a_transaction_that_became_too_cheap_is_replaced_and_nothing_is_anchored_twice(
    database: Database, keller: House, node: PyEvm, wallet: Wallet, contract: str
) -> None:
    node.hold()
    with pytest.raises(AnchorError):
        anchor_firm(database, wallet, contract, "keller", 0.1)
    node.raise_base_fee()
    with pytest.raises(AnchorError):
        anchor_firm(database, wallet, contract, "keller", 0.1)
    with database.read() as session:
        first, second = session.scalars(sa.select(LedgerAnchor)).one().sent
    assert first["nonce"] == second["nonce"]
    assert second["max_fee"] > first["max_fee"] * 11 // 10
    node.mine()
    assert anchor_firm(database, wallet, contract, "keller", SOON_S) == 2
    assert records_of(database) == [2]
    with database.read() as session:
        assert evidence(session, "keller", 2)["message"]["transaction"] == second["hash"]


def test_a_nonce_that_was_used_elsewhere_is_left_and_another_taken(
    database: Database, keller: House, node: PyEvm, wallet: Wallet, contract: str
) -> None:
    node.hold()
    with pytest.raises(AnchorError):
        anchor_firm(database, wallet, contract, "keller", 0.1)
    node.waiting.clear()
    node.mine()
    node.spend_nonce()
    assert anchor_firm(database, wallet, contract, "keller", SOON_S) == 2
    assert records_of(database) == [2]


def anchor_by_hand(database: Database, wallet: Wallet, contract: str, size: int, root: bytes) -> None:
    """What this node anchored for keller before it lost its memory."""
    with database.read() as session:
        hashed = origin_hash(derived_secret(session, "keller", "anchor"), "keller.localhost")
    call = anchor_call(hashed, size, root)
    send(wallet, sign(wallet, contract, call, count_sent(wallet, "latest"), fees(wallet)))


@pytest.mark.parametrize(
    ("size", "why"),
    [(2, "holds another root for 2 entries: this ledger was rewritten"), (5, "knows 5 entries already")],
)
def test_a_log_that_forgot_what_the_chain_knows_is_not_anchored_and_stops_no_other(
    database: Database, keller: House, wallet: Wallet, contract: str, size: int, why: str
) -> None:
    with database.write() as session:
        session.get_one(Firm, "nowak").is_anchored = True
    anchor_by_hand(database, wallet, contract, size, b"\xab" * 32)
    is_good, said = anchor_all(database, wallet, contract)
    assert (is_good, why in said[0], said[1:]) == (False, True, ["nowak@localhost: 1 entries anchored."])
    assert (records_of(database), records_of(database, "nowak")) == ([], [1])


def test_a_ledger_that_rests_is_not_anchored(
    database: Database, keller: House, node: PyEvm, wallet: Wallet, contract: str
) -> None:
    with database.write() as session:
        halt_log(session, "keller", RESTORED)
    del node.asked[:]
    assert anchor_all(database, wallet, contract)[1] == [
        "keller@localhost: not anchored. This ledger rests: it may be an old state or a rewritten one."
    ]
    assert node.asked == []


def test_a_moved_chain_begins_anew_under_the_same_salted_name(
    database: Database, keller: House, wallet: Wallet
) -> None:
    anchor_all(database, wallet, deploy_contract(wallet, SOON_S))
    with py_evm() as other:
        other.spend_nonce()
        elsewhere = wallet_of(other)
        assert anchor_all(database, elsewhere, deploy_contract(elsewhere, SOON_S))[0]
    assert records_of(database) == [2, 3]
    with database.read() as session:
        assert len(set(session.scalars(sa.select(LedgerAnchor.salt)))) == 1


# Blocks that a chain takes back


def test_an_anchor_is_recorded_only_under_enough_blocks(
    database: Database, keller: House, node: PyEvm, contract: str
) -> None:
    wallet = wallet_of(node, contract, confirmations=12)
    assert AnchorConfig("", 1, "", b"").confirmations == 12
    for blocks in (10, 0):
        with pytest.raises(AnchorError, match="not confirmed it by 12 blocks"):
            anchor_firm(database, wallet, contract, "keller", 0.1)
        assert records_of(database) == []
        node.mine_empty(blocks)
    node.mine_empty(1)
    assert anchor_firm(database, wallet, contract, "keller", SOON_S) == 2
    assert records_of(database) == [2]
    assert node.asked.count("eth_sendRawTransaction") == 2, "the contract, and the anchor once"


def test_what_the_chain_took_back_before_it_was_confirmed_is_sent_again(
    database: Database, keller: House, node: PyEvm, contract: str
) -> None:
    wallet, before = wallet_of(node, contract, confirmations=3), node.fork()
    with pytest.raises(AnchorError, match="not confirmed"):
        anchor_firm(database, wallet, contract, "keller", 0.1)
    node.take_back(before)
    node.mine_empty(5)
    with pytest.raises(AnchorError, match="not confirmed"):
        anchor_firm(database, wallet, contract, "keller", 0.1)
    assert records_of(database) == []
    node.mine_empty(2)
    assert anchor_firm(database, wallet, contract, "keller", SOON_S) == 2
    with database.read() as session:
        sent = session.scalars(sa.select(LedgerAnchor)).one().sent
        assert evidence(session, "keller", 2)["message"]["transaction"] == sent[0]["hash"]
    assert len(sent) == 1


def test_what_the_chain_took_back_after_it_was_recorded_is_sent_again_or_told(
    database: Database, keller: House, node: PyEvm, wallet: Wallet, contract: str
) -> None:
    before = node.fork()
    assert anchor_firm(database, wallet, contract, "keller", SOON_S) == 2
    node.take_back(before)
    assert anchor_firm(database, wallet, contract, "keller", SOON_S) is None
    with database.read() as session:
        report = verify_bundle(evidence_file(session, "keller", 2), chain=ask_chain(node.url))
    assert report.step(ANCHOR_STEP).verdict == "ok"
    node.take_back(before)
    node.spend_nonce()
    is_good, said = anchor_all(database, wallet, contract)
    assert (is_good, "took back the anchor of 2 entries" in said[0]) == (False, True), said


# The contract and the account


def test_the_contract_is_deployed_once(node: PyEvm, wallet: Wallet) -> None:
    node.spend_nonce()
    first = deploy_contract(wallet, SOON_S)
    assert deploy_contract(wallet, SOON_S) == first
    check_contract(wallet, first)


def test_a_deployment_that_was_interrupted_is_found_again(node: PyEvm, wallet: Wallet) -> None:
    node.hold()
    with pytest.raises(AnchorError, match="run this again"):
        deploy_contract(wallet, 0.1)
    with pytest.raises(AnchorError, match="still waits"):
        deploy_contract(wallet, 0.1)
    node.mine()
    sent = node.asked.count("eth_sendRawTransaction")
    check_contract(wallet, deploy_contract(wallet, SOON_S))
    assert node.asked.count("eth_sendRawTransaction") == sent == 1


def test_no_other_contract_and_no_other_chain_is_taken(node: PyEvm, wallet: Wallet) -> None:
    with pytest.raises(AnchorError, match="ANCHOR_CONTRACT is missing"):
        check_contract(wallet, "")
    with pytest.raises(AnchorError, match="no contract of this version"):
        check_contract(wallet, "0x" + "11" * 20)
    with pytest.raises(AnchorError, match="ANCHOR_CHAIN_ID"):
        open_wallet(AnchorConfig(node.url, 1, "", node.rich_key))


def test_an_account_without_money_deploys_nothing(node: PyEvm) -> None:
    poor = open_wallet(AnchorConfig(node.url, node.chain_id, "", b"\x07" * 32))
    with pytest.raises(ChainError):
        deploy_contract(poor, SOON_S)


def test_a_chain_that_asks_for_far_too_much_gas_is_not_paid(node: PyEvm, wallet: Wallet) -> None:
    node.gas_factor = 100
    with pytest.raises(AnchorError, match="far more than this takes"):
        deploy_contract(wallet, SOON_S)
    assert "eth_sendRawTransaction" not in node.asked


# The command


@pytest.fixture
def settings(node: PyEvm, contract: str, tmp_path: Path) -> dict[str, str]:
    """A node with one firm that wants it, and the chain."""
    folder = tmp_path / "var"
    folder.mkdir()
    for name, key in (("node.key", NODE_KEY), ("anchor.key", PY_EVM_RICH_KEY)):
        (folder / name).write_text(key.hex())
        (folder / name).chmod(0o600)
    database = database_of(folder)
    migrate_database(database.url)
    houses(database)
    database.close()
    return {
        "DATA_DIR": str(folder), "ANCHOR_RPC_URL": node.url, "ANCHOR_CHAIN_ID": str(node.chain_id),
        "ANCHOR_KEY_FILE": str(folder / "anchor.key"), "ANCHOR_CONTRACT": contract, "ANCHOR_CONFIRMATIONS": "1",
    }  # fmt: skip


def database_of(folder: Path) -> Database:
    return Database(f"sqlite:///{folder / 'werkring.sqlite'}")


def test_the_operator_deploys_once_and_anchors_by_command(
    settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(main, ["anchor", "--deploy"])
    assert (done.exit_code, done.output) == (0, f"ANCHOR_CONTRACT={settings['ANCHOR_CONTRACT']}\n")
    assert run("flask", "anchor", **settings) == (0, "keller@localhost: 2 entries anchored.\n")


def test_a_missing_setting_ends_the_command_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    done = CliRunner().invoke(main, ["anchor"])
    sentence = "Error: Anchoring is off: set ANCHOR_RPC_URL, ANCHOR_CHAIN_ID, ANCHOR_KEY_FILE.\n"
    assert (done.exit_code, done.output) == (1, sentence)


@pytest.mark.parametrize("moment", ["eth_estimateGas", "eth_sendRawTransaction"])
def test_a_killed_run_is_taken_up_by_the_next(node: PyEvm, settings: dict[str, str], moment: str) -> None:
    """SIGKILL while the chain holds its blocks back, as soon as the run has asked for that."""
    node.hold()
    process = start_run(node, settings, moment)
    process.send_signal(signal.SIGKILL)
    process.wait()
    node.mine()
    database = database_of(Path(settings["DATA_DIR"]))
    wallet = wallet_of(node, settings["ANCHOR_CONTRACT"])
    assert anchor_all(database, wallet, settings["ANCHOR_CONTRACT"])[0]
    assert records_of(database) == [2]
    assert anchor_all(database, wallet, settings["ANCHOR_CONTRACT"])[1] == ["keller@localhost: nothing new."]
    database.close()


def test_a_second_run_at_the_same_time_is_refused(
    node: PyEvm, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with (Path(settings["DATA_DIR"]) / "anchor.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = CliRunner().invoke(main, ["anchor"])
    assert (done.exit_code, done.output) == (1, "Error: Another run is anchoring just now.\n")


def start_run(node: PyEvm, settings: dict[str, str], moment: str) -> "subprocess.Popen[bytes]":
    """A run that has just asked the chain for that."""
    del node.asked[:]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "PRACTICE": "off"} | settings
    command = [sys.executable, "-m", "app.cli", "anchor"]
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while moment not in node.asked:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    return process
