"""The Solidity compiler of e2e/node_modules, with settings that give the same bytes everywhere.

`python -m tests.solidity` writes ledger/anchor/Anchor.json anew after a change of Anchor.sol.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
COMPILER = ROOT / "e2e/node_modules/solc/solc.js"
ANCHOR = ROOT / "ledger/anchor/Anchor.sol"
SETTINGS = {
    # the oldest rules after the merge: runs on chains that lag behind
    "evmVersion": "paris",
    "optimizer": {"enabled": True, "runs": 200},
    "metadata": {"bytecodeHash": "none", "appendCBOR": False},
    "outputSelection": {"*": {"*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]}},
}


def compile_contract(source: Path) -> dict[str, Any]:
    """ABI, creation code and code on the chain of the one contract in a file that bears its name."""
    sources = {source.name: {"content": source.read_text(encoding="utf-8")}}
    asked = {"language": "Solidity", "sources": sources, "settings": SETTINGS}
    done = subprocess.run(
        ["node", str(COMPILER), "--standard-json"],
        input=json.dumps(asked), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    # the first line is a notice of the command itself
    answer = json.loads(done.stdout[done.stdout.index("{") :])
    if "errors" in answer:
        raise ValueError(answer["errors"])
    made = answer["contracts"][source.name][source.stem]
    code = {name: f"0x{made['evm'][part]['object']}" for name, part in CODE.items()}
    return {"abi": made["abi"], **code}


CODE = {"creationCode": "bytecode", "code": "deployedBytecode"}


def write_contract(source: Path) -> str:
    return json.dumps(compile_contract(source), indent=1) + "\n"


if __name__ == "__main__":
    ANCHOR.with_suffix(".json").write_text(write_contract(ANCHOR), encoding="utf-8")
