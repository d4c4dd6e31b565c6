"""Pipes and devices in place of data and models: one sentence at once, where reading would never end."""

from __future__ import annotations

import os

import pytest
from helpers.command_line import fastgd as command

import fastgd
from fastgd import DataError
from fastgd.data.readers.open_table import open as open_table
from fastgd.data.readers.read_columns import read_columns

SENTENCE = "is a pipe or a device, not a file; write its content to a file first"
SUFFIXES = ("csv", "csv.gz", "tsv", "svm", "npy", "npz", "arrow", "feather", "parquet")


def pipe(path):
    os.mkfifo(path)


def device(path):
    path.symlink_to("/dev/zero")


@pytest.fixture(params=[pipe, device])
def make(request):
    return request.param


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_pipe_or_device_as_data_is_refused(suffix, make, tmp_path):
    path = tmp_path / f"data.{suffix}"
    make(path)
    for door in (open_table, read_columns):
        if door is open_table or suffix not in ("svm", "npz"):
            with pytest.raises(DataError) as caught:
                door(path)
            assert str(caught.value) == f"{path}: {SENTENCE}"


def test_a_pipe_or_device_as_a_model_is_refused(make, tmp_path):
    path = tmp_path / "model.fastgd"
    make(path)
    with pytest.raises(DataError) as caught:
        fastgd.load(path)
    assert str(caught.value) == f"{path}: {SENTENCE}"


def test_the_command_line_refuses_them(make, tmp_path):
    path = tmp_path / "data.csv"
    make(path)
    ran = command("run", path)
    assert (ran.code, ran.err) == (2, f"fastgd: {path}: {SENTENCE}\n")
    ran = command("predict", path, "diabetes")
    assert (ran.code, ran.err) == (2, f"fastgd: {path}: {SENTENCE}\n")
