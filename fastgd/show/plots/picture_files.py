"""Image files: checked before any work, and written completely or not at all."""

from __future__ import annotations

import io
import os
from importlib import import_module
from typing import Any

from ...data.writers.outputs import check_writable, write_atomically
from ...errors import FastgdError

PICTURE_SUFFIXES = (".png", ".svg", ".pdf")
DOTS_PER_INCH = 150


def need_matplotlib() -> None:
    """Raises `FastgdError` with the command that installs matplotlib, if it is not installed."""
    try:
        for name in ("matplotlib", "matplotlib.figure"):  # a directory called matplotlib would pass for the first
            import_module(name)
    except ImportError:
        raise FastgdError("plots need matplotlib, which is not installed: pip install 'fastgd[plot]'") from None


def check_picture(path: str | os.PathLike[str]) -> None:
    """Check that a plot can be drawn and written to ``path``.

    Raises
    ------
    DataError
        When the suffix is not one of ``PICTURE_SUFFIXES``, or the folder is missing or not writable.
    FastgdError
        When matplotlib is not installed.
    """
    check_writable(path, PICTURE_SUFFIXES)
    need_matplotlib()


def save(figure: Any, path: str | os.PathLike[str]) -> None:
    """Write a figure as .png, .svg or .pdf, completely or not at all; raises what `check_picture` does."""
    check_picture(path)
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    content = io.BytesIO()
    figure.savefig(content, format=suffix[1:], dpi=DOTS_PER_INCH)
    write_atomically(path, content.getvalue())
