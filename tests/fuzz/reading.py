"""Reads damaged files one after another, and prints the number of each; run as a process that may crash.

Arguments: the suffix, a folder to write to, the seed, the first number, and the seconds to go on for.
"""

from __future__ import annotations

import os
import signal
import sys
import time

import numpy as np
from fuzz.mutations import mutated
from fuzz.seeds import seeds

import fastgd
from fastgd.data.file_formats import COLUMN_SUFFIXES
from fastgd.data.readers.open_table import open as open_table
from fastgd.data.readers.read_columns import read_columns
from fastgd.errors import DataError

SECONDS_PER_CASE = 20  # of CPU time: on a busy machine the clock says little; the caller limits the clock time of all
MOST_CHARACTERS = 10_000  # of a message, which may name several columns by names of up to 1,000


def case(suffix: str, seed: int, number: int, files: list[bytes]) -> bytes:
    """The damaged file of this number; the first numbers are the seeds themselves."""
    rng = np.random.default_rng([seed, number])
    return files[number] if number < len(files) else mutated(files[int(rng.integers(len(files)))], suffix, rng)


def read(path: str, suffix: str) -> str:
    """Read the file at every door; empty, or what is wrong with the answer."""
    doors = [open_table] if suffix != ".fastgd" else [_load]
    if suffix in COLUMN_SUFFIXES or suffix.endswith(".csv.gz"):
        doors.append(read_columns)
    for door in doors:
        try:
            _check(door(path))
        except DataError as error:
            message = str(error)
            if not message.startswith(f"{path}: ") or not message.isprintable() or len(message) > MOST_CHARACTERS:
                return f"{door.__name__}: not one clear sentence: {message[:500]!r}"
        except BaseException as error:
            return f"{door.__name__}: {type(error).__name__}: {error}"
    return ""


def _load(path: str):
    model = fastgd.load(path)
    if model.n_features < 10_000 and not isinstance(model.loss, str):  # of a user's own loss a file has only the name
        model.predict(np.zeros((2, model.n_features)))
    return model


def _check(made) -> None:
    if isinstance(made, fastgd.Table):
        values = made.X if isinstance(made.X, np.ndarray) else made.X.data
        assert np.isfinite(values).all()
        assert made.X.shape == (made.n_samples, len(made.feature_names))
        assert made.y is None or len(made.y) == made.n_samples


def main(suffix: str, folder: str, seed: str, first: str, seconds: str) -> None:
    files, path = seeds(suffix), os.path.join(folder, f"case{suffix}")
    end = time.monotonic() + float(seconds)
    number = int(first)
    while time.monotonic() < end:
        content = case(suffix, int(seed), number, files)
        with open(path, "wb") as file:
            file.write(content)
        signal.setitimer(signal.ITIMER_PROF, SECONDS_PER_CASE)
        wrong = read(path, suffix)
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.write(f"{number} {wrong}".replace("\n", " ") + "\n")
        sys.stdout.flush()
        number += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
