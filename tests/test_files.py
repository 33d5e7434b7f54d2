"""Outputs: whole or absent, with the mode, links and devices that people expect."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from audio_emotion.errors import OutputError
from audio_emotion.files import refuse_overwrite, write_text, write_with


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("before")

    def half(temporary: Path) -> None:
        temporary.write_text("half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_with(path, half)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_obeys_the_umask_and_an_old_one_keeps_its_mode(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "new", "")
    finally:
        os.umask(before)
    assert mode(tmp_path / "new") == 0o640
    (tmp_path / "new").chmod(0o600)
    write_text(tmp_path / "new", "again")
    assert mode(tmp_path / "new") == 0o600


def test_the_mode_is_kept_where_a_library_replaces_the_temporary_file(tmp_path: Path) -> None:
    def save(temporary: Path) -> None:
        temporary.unlink()
        temporary.touch(0o600)

    write_with(tmp_path / "new", save)
    (tmp_path / "plain").touch()
    assert mode(tmp_path / "new") == mode(tmp_path / "plain")


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("before")
    (tmp_path / "link").symlink_to("target")
    write_text(tmp_path / "link", "after")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "after"


def test_pipes_and_devices_are_written_to(tmp_path: Path) -> None:
    pipe, found = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: found.append(pipe.read_text()))
    reader.start()
    refuse_overwrite(pipe)
    write_text(pipe, "row")
    reader.join()
    assert found == ["row"]
    assert pipe.is_fifo()
    write_text(Path(os.devnull), "row")
    assert Path(os.devnull).is_char_device()


def test_long_names_and_folders_in_the_way(tmp_path: Path) -> None:
    write_text(tmp_path / ("x" * 251 + ".csv"), "row")
    with pytest.raises(OutputError, match="exists already"):
        refuse_overwrite(tmp_path)
    with pytest.raises(OutputError, match=str(tmp_path)):
        write_text(tmp_path, "row")


def test_what_a_kill_left_is_removed_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "a[1].csv"
    code = """
import os, signal, sys
from pathlib import Path
from audio_emotion.files import write_with
write_with(Path(sys.argv[1]), lambda temporary: os.kill(os.getpid(), signal.SIGKILL))
"""
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code, str(path)])
        assert len(list(tmp_path.iterdir())) == 1  # that of the last kill
    others = [tmp_path / name for name in (".a.12345678.csv", ".a[1].123.csv", "b.12345678.csv")]
    for other in others:
        other.touch()

    def save(temporary: Path) -> None:
        write_text(path, "of another process, meanwhile")
        temporary.write_text("mine")

    write_with(path, save)
    assert path.read_text() == "mine"
    assert sorted(tmp_path.iterdir()) == sorted([path, *others])
