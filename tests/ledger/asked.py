"""What `python -m ledger` says and how it ends, without a process of its own: that needs half a second only to begin."""

import io
import os
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess
from unittest.mock import patch

from ledger.__main__ import main


def ask_ledger(*arguments: str | Path, locale: str = "C.UTF-8") -> "CompletedProcess[str]":
    """That a process does the same is what tests/ledger/test_cli.py looks at."""
    told, out, err = list(map(str, arguments)), io.StringIO(), io.StringIO()
    with patch.dict(os.environ, LC_ALL=locale), redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(told)
        except SystemExit as unusable:
            code = int(unusable.code or 0)
    return CompletedProcess(told, code, out.getvalue(), err.getvalue())
