"""Runs the command line within the test's own process, where kernels are compiled once."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest import mock

from fastgd_cli.main import main


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


def fastgd(*words: object, out: io.TextIOWrapper | None = None, err: io.StringIO | None = None) -> Ran:
    """Run ``fastgd`` with these words and streams; what it printed, and its exit code."""
    given, out = out, out or io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    err = err or io.StringIO()
    with mock.patch.object(sys, "argv", ["fastgd", *map(str, words)]), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
    return Ran(code, "" if given else out.buffer.getvalue().decode(), err.getvalue())
