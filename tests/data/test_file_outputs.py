"""Where outputs go: files are replaced whole, devices are written to, inputs and other outputs are never lost."""

from __future__ import annotations

import os
import stat
import threading

import numpy as np
import pytest

import fastgd
from fastgd import DataError
from fastgd.data.writers import outputs
from fastgd.data.writers.outputs import check_writable, write_atomically

RESULT = fastgd.fit(np.array([[1.0], [2.0], [4.0]]), [1.0, 2.0, 3.0])


def test_a_device_is_written_to_and_stays_a_device(tmp_path):
    RESULT.save("/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    link = tmp_path / "link"
    link.symlink_to("/dev/null")
    RESULT.save(link)
    assert link.is_symlink()
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    RESULT.save(pipe)
    reader.join(30)
    assert stat.S_ISFIFO(os.stat(pipe).st_mode)
    copy = tmp_path / "copy.fastgd"
    copy.write_bytes(read[0])
    assert fastgd.load(copy).coef.tobytes() == RESULT.coef.tobytes()


def test_a_pipe_whose_reader_needs_no_more_is_no_failure(tmp_path):
    """As in ``--trace >(head -1)``: the other outputs are still to be written."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    began = []

    def read_the_beginning():
        with pipe.open("rb") as file:
            began.append(file.read(3))

    reader = threading.Thread(target=read_the_beginning)
    reader.start()
    write_atomically(pipe, b"abc" * 1_000_000)
    reader.join(30)
    assert began == [b"abc"]


def test_a_socket_is_refused(tmp_path):
    import socket

    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(path))
        with pytest.raises(DataError, match="neither a file nor a pipe"):
            RESULT.save(path)
    assert stat.S_ISSOCK(os.stat(path).st_mode)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_permissions_are_kept(tmp_path, mode):
    path = tmp_path / "model"
    path.write_bytes(b"old")
    path.chmod(mode)
    write_atomically(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.read_bytes() == b"new"


def test_a_read_only_file_is_not_replaced(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(b"old")
    path.chmod(0o444)
    with pytest.raises(DataError, match="is read-only; name another file or change its permissions"):
        check_writable(path)
    with pytest.raises(DataError, match="is read-only"):
        RESULT.save(path)
    assert path.read_bytes() == b"old"


def test_a_link_stays_a_link_to_the_new_content(tmp_path):
    path, link = tmp_path / "model", tmp_path / "link"
    path.write_bytes(b"old")
    link.symlink_to(path)
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert path.read_bytes() == b"new"


def test_a_link_to_nowhere_is_refused_before_any_work(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "missing" / "model")
    with pytest.raises(DataError, match=r"link: there is no folder '.*missing'; make it first"):
        check_writable(link)


@pytest.mark.parametrize("letter", ["x", "é", "数"])
def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path, letter):
    path = tmp_path / (255 // len(letter.encode()) * letter)
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == [path.name]
    with pytest.raises(DataError, match="the name is too long; choose a shorter one"):
        check_writable(f"{path}{letter}")


def test_what_a_killed_process_left_is_removed_by_the_next_write(tmp_path, monkeypatch):
    path = tmp_path / "model"
    dead, alive = tmp_path / "model.1234567-0123abcd.part", tmp_path / f"model.{os.getpid()}-0123abcd.part"
    other = tmp_path / "model2.1234567-0123abcd.part"
    for part in (dead, alive, other):
        part.write_bytes(b"half")
    monkeypatch.setattr(outputs, "_is_running", lambda pid: pid == os.getpid())
    write_atomically(path, b"new")
    assert not dead.exists()
    assert alive.exists()
    assert other.exists()


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model"
    path.write_bytes(b"old")

    def fail(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DataError, match=r"No space left on device.*nothing was changed"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["model"]
