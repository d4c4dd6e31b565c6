"""Types of option values: each is read from its text once, and wrong values end the command before any work."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from fastgd.data.file_formats import COLUMN_SUFFIXES, TABLE_SUFFIXES, WRITTEN_SUFFIXES
from fastgd.errors import FastgdError


class Value(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """What ``read`` makes of a text; ``expected`` describes it for the message about a text that is none."""

    def __init__(self, name: str, read: Callable[[str], Any], expected: str = "a number") -> None:
        self.name, self.read, self.expected = name, read, expected

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self.read(value)
        except FastgdError:  # a ValueError too, with a message of its own
            raise
        except ValueError:
            self.fail(f"{value!r} is not {self.expected}", param, ctx)


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _number_or_list(text: str) -> float | list[float]:
    return _numbers(text) if "," in text else float(text)


def _auto_or(number: type) -> Callable[[str], Any]:
    return lambda text: text if text == "auto" else number(text)


def _class_weights(text: str) -> str | dict[str, float]:
    pairs = [part.rpartition("=") for part in text.split(",")]
    weights = {label.strip(): float(weight) for label, _, weight in pairs} if text != "balanced" else {}
    if text != "balanced" and (len(weights) < len(pairs) or "" in weights):
        raise ValueError(text)
    return weights or text


def _by_column(read: Callable[[str], Any], text: str) -> Any:
    """One value for all columns, or COLUMN=VALUE with commas between several."""
    if "=" not in text:
        return read(text)
    pairs = [part.rpartition("=") for part in text.split(",")]
    values = {name.strip(): read(value.strip()) for name, _, value in pairs}
    if len(values) < len(pairs) or "" in values:
        raise ValueError(text)
    return values


def _spans(text: str) -> list[list[float]]:
    pairs = [[float(number) for number in part.split(":")] for part in text.split(",")]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError(text)
    return pairs


def _fraction(text: str) -> float:
    if not 0.0 < float(text) < 1.0:
        raise ValueError(text)
    return float(text)


def _number_or_file(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _loss(text: str) -> Any:
    from .own_loss import read_loss

    return read_loss(text)


def _beta(text: str) -> float:
    from fastgd.show.smoothing import check_beta

    check_beta(float(text))
    return float(text)


def _picture(text: str) -> Path:
    from fastgd.show.plots import check_picture

    check_picture(text)
    return Path(text)


def _report(text: str) -> Path:
    from fastgd.show.report import check_report

    check_report(text)
    return Path(text)


def _output(text: str, suffixes: tuple[str, ...] | None = None) -> Path:
    from fastgd.data.writers.outputs import check_writable

    check_writable(text, suffixes)
    return Path(text)


NAMES = Value("names", _names)
NUMBERS = Value("numbers", _number_or_list, "a number, or several with commas between them")
NUMBER_LIST = Value("numbers", _numbers, "a number, or several with commas between them")
AUTO_OR_FLOAT = Value("auto|float", _auto_or(float), "auto or a number")
AUTO_OR_INT = Value("auto|int", _auto_or(int), "auto or a whole number")
CLASS_WEIGHTS = Value(
    "balanced|LABEL=WEIGHT,...", _class_weights, "balanced, or LABEL=WEIGHT with commas between several"
)
WORD_BY_COLUMN = Value(
    "word|COLUMN=WORD,...", partial(_by_column, str), "a word, or COLUMN=WORD with commas between several"
)
INT_BY_COLUMN = Value(
    "int|COLUMN=INT,...", partial(_by_column, int), "a whole number, or COLUMN=NUMBER with commas between several"
)
SPANS = Value("LO:HI", _spans, "LO:HI, two numbers, or several with commas between them")
FRACTION = Value("fraction", _fraction, "a number between 0 and 1")
FRACTION_OR_FILE = Value("fraction|file", _number_or_file)
LOSS = Value("loss", _loss)
BETA = Value("beta", _beta)
PICTURE = Value("file", _picture)
REPORT = Value("file", _report)
COLUMN_FILE = Value("file", partial(_output, suffixes=COLUMN_SUFFIXES))
PREDICTION_FILE = Value("file", partial(_output, suffixes=WRITTEN_SUFFIXES))
TABLE_FILE = Value("file", partial(_output, suffixes=TABLE_SUFFIXES))
OUTPUT_FILE = Value("file", _output)
# The types of files to write.
OUTPUTS = (PICTURE, REPORT, COLUMN_FILE, PREDICTION_FILE, TABLE_FILE, OUTPUT_FILE)
