"""Files of pictures: what can be written is found out before any work, and they are there whole or not at all."""

from __future__ import annotations

import io
import os
from importlib import import_module
from typing import Any

from ...data.writers.atomic_files import check_writable, write_atomically
from ...errors import FastgdError

PICTURE_SUFFIXES = (".png", ".svg", ".pdf")
DOTS_PER_INCH = 150


def need_matplotlib() -> None:
    """Raises `FastgdError` with the command that installs matplotlib, where it is not there."""
    try:
        for name in ("matplotlib", "matplotlib.figure"):  # a stray folder can pass for the first
            import_module(name)
    except ImportError:
        raise FastgdError("pictures are drawn by matplotlib, which is missing: pip install 'fastgd[plot]'") from None


def check_picture(path: str | os.PathLike[str]) -> None:
    """A picture can be drawn and written there.

    Raises
    ------
    DataError
        When the suffix is not one of ``PICTURE_SUFFIXES``, or there is no folder that may be written.
    FastgdError
        When matplotlib is not installed.
    """
    check_writable(path, PICTURE_SUFFIXES)
    need_matplotlib()


def save(figure: Any, path: str | os.PathLike[str]) -> None:
    """Write a figure as .png, .svg or .pdf, whole or not at all; raises as `check_picture`."""
    check_picture(path)
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    content = io.BytesIO()
    figure.savefig(content, format=suffix[1:], dpi=DOTS_PER_INCH)
    write_atomically(path, content.getvalue())
