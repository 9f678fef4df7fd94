from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path

import pytest

from mssql_reverse_etl.errors import AlreadyRunning, StateNotWritten, UsageError
from mssql_reverse_etl.run.state_file import StateFile
from program_kit.errors import ProgramError
from program_kit.replaced_file import ReplacedFile
from program_kit.text_files import UNREADABLE, NotUTF8, decode_text, describe_read_error, read_json

NOBODY = 65534


def _run(path: Path, state: dict[str, int]) -> None:
    file = StateFile(path)
    with file.locked():
        file.read()
        file.write(state)


def test_link_mode_and_owner_stay(tmp_path):
    """A linked state on another volume stays there, and its owner can still read it."""
    volume = tmp_path / "volume"
    volume.mkdir()
    real, link = volume / "state.json", tmp_path / "state.json"
    real.write_text('{"old": 1}')
    real.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(real, NOBODY, NOBODY)
    before = real.stat()
    link.symlink_to("volume/state.json")

    _run(link, {"new": 1})

    after = real.stat()
    assert link.is_symlink()
    assert json.loads(real.read_text()) == {"new": 1}
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )
    assert sorted(path.name for path in volume.iterdir()) == ["state.json", "state.json.lock"]


def test_link_to_no_file_yet_is_followed(tmp_path):
    """The first run creates the file where the link leads."""
    (tmp_path / "state.json").symlink_to(tmp_path / "real.json")

    _run(tmp_path / "state.json", {"new": 1})

    assert (tmp_path / "state.json").is_symlink()
    assert stat.S_IMODE((tmp_path / "real.json").stat().st_mode) == 0o600


def test_two_links_to_one_state_exclude_each_other(tmp_path):
    """The lock belongs to the file, whatever the way to it."""
    (tmp_path / "link.json").symlink_to("state.json")

    with StateFile(tmp_path / "state.json").locked(), pytest.raises(AlreadyRunning):
        _run(tmp_path / "link.json", {})


def _make(path: Path, kind: str) -> None:
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to(path.name)
    else:
        path.symlink_to("none/state.json")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("folder", "is a folder"),
        ("pipe", "is a pipe"),
        ("loop", "leads back to itself"),
        ("link into nowhere", "in a folder that does not exist"),
    ],
)
def test_what_is_no_file_is_refused(tmp_path, kind, words):
    """In a sentence, before anything is done."""
    _make(tmp_path / "state.json", kind)

    with pytest.raises(UsageError, match=words):
        _run(tmp_path / "state.json", {})

    assert len(list(tmp_path.iterdir())) == 1


def test_null_device_is_no_state():
    """There is nothing to lock, to read or to write."""
    _run(Path("/dev/null"), {"new": 1})

    assert StateFile(Path("/dev/null")).read() == {}
    assert not Path("/dev/null.lock").exists()


@pytest.mark.parametrize("new", [{"n": 1}, {"longer": "x" * 100}], ids=["shorter", "longer"])
def test_file_that_cannot_be_replaced_is_overwritten(tmp_path, monkeypatch, new):
    """As one that a container mounts: renaming over it fails."""
    path = tmp_path / "state.json"
    path.write_text(json.dumps({"old": "y" * 50}))
    inode = path.stat().st_ino

    def refuse(*_: object) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(Path, "replace", refuse)
    _run(path, new)

    assert path.stat().st_ino == inode
    assert json.loads(path.read_text()) == new
    assert not (tmp_path / "state.json.next").exists()


def _exit_code_as_nobody(path: Path) -> int:
    """Of a run by another user, in a process of its own."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        _run(path, {"new": 1})
        code = 0
    except ProgramError as error:
        code = error.exit_code if "nothing was done" in str(error) else 1
    finally:
        os._exit(code)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(
    ("mode", "folder_mode", "is_written"),
    [(0o666, 0o755, True), (0o666, 0o777, True), (0o644, 0o755, False)],
    ids=["folder is closed", "file is another's", "both are closed"],
)
def test_state_of_another_user(tmp_path_factory, mode, folder_mode, is_written):
    """It is overwritten where it cannot be replaced; else the run ends before it does anything."""
    folder = Path("/tmp") / tmp_path_factory.mktemp("state").name
    folder.mkdir(mode=0o700)
    folder.chmod(folder_mode)
    path = folder / "state.json"
    path.write_text('{"old": 1}')
    path.chmod(mode)
    try:
        assert _exit_code_as_nobody(path) == (0 if is_written else 74)
        assert json.loads(path.read_text()) == ({"new": 1} if is_written else {"old": 1})
        assert path.stat().st_uid == 0
    finally:
        for each in folder.iterdir():
            each.unlink()
        folder.rmdir()


def test_failed_replacement_leaves_the_old_file(tmp_path, monkeypatch):
    """A full disk costs no state."""
    path = tmp_path / "state.json"
    path.write_text("{}")
    monkeypatch.setattr(os, "fsync", lambda _file: (_ for _ in ()).throw(OSError(28, "full")))

    with pytest.raises(OSError, match="full"):
        ReplacedFile(path).replace([b"new"])
    with pytest.raises(StateNotWritten, match="full"):
        StateFile(path).write({})

    assert path.read_text() == "{}"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_text_with_or_without_a_mark(encoding):
    """Editors on Windows write the mark."""
    assert decode_text("é".encode(encoding)) == "é"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_is_named(encoding):
    """As PowerShell writes it."""
    with pytest.raises(NotUTF8, match="save it as UTF-8"):
        decode_text('{"a": 1}'.encode(encoding))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"9" * 5000, "an integer has more than 4,300 digits"),
        (b"\0\0\0\0", "it is UTF-16 text, or damaged"),
        (b"\xff\xfe{\0", "it is UTF-16 text; save it as UTF-8"),
        (b"{", "invalid JSON at line 1, column 2"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_unreadable_file_is_described_in_words(tmp_path, content, words):
    """Never by the name of an exception, nor by its content."""
    path = tmp_path / "file.json"
    path.write_bytes(content)

    with pytest.raises(UNREADABLE) as caught:
        read_json(path)

    assert words in describe_read_error(caught.value)
