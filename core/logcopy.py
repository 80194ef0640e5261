"""The copy of a log whose file is on another machine: which part of it is here, and how what is read there joins it.

Only bytes that were read there are ever in a copy, in their order and without a hole. The fact beside it names the copy
by its inode: whatever a kill leaves behind, a copy is never taken for another part of the log than it is.
"""

from __future__ import annotations

import contextlib
import os

import msgspec

from . import metadir
from .backend import Piece

# Bytes: of the end of a log that nothing is here of; known bytes that are read again, to see that it is the same log.
FIRST = 2**20
_KNOWN = 64
# A log that grew by more while nobody looked is begun anew from its end on.
_LARGEST_GAP = 16 * 2**20
# Where a copy may begin with a whole line, within so many bytes.
_LINE = 64 * 1024
_COPIED_AT_ONCE = 4 * 2**20


class Far(msgspec.Struct, frozen=True, omit_defaults=True):
    """``job.stdout.far``: what ``job.stdout`` holds of the file on ``host``.

    ``inode``: of the copy that this tells of, 0 for none; ``begin``: at which byte of the far file the copy begins;
    ``size``: how many bytes the far file had when it was seen last, None where there was none; ``at``: when that was,
    epoch seconds; ``over``: nothing more is to come, and all from ``begin`` on is here; ``life``: another one once the
    far file was cut off or replaced; ``fetched``: bytes from the beginning on that are here too, and not yet joined;
    ``trouble``: why it could not be read last.
    """

    host: str
    inode: int = 0
    begin: int = 0
    size: int | None = None
    at: float = 0.0
    over: bool = False
    life: str = ""
    fetched: int = 0
    trouble: str = ""


def read_far(path: str) -> Far | None:
    """What is known of the copy at ``path``; None where nothing is, as for a log that was written here."""
    try:
        with open(path + metadir.FAR, "rb") as file:
            far = metadir.decode(file.read(), Far)
    except (FileNotFoundError, msgspec.MsgspecError, ValueError):
        return None
    return far if far.inode == _inode(path) else None


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return 0


def size_of(path: str) -> int:
    """Bytes of a file, 0 where there is none."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def joined(end: int, known: bytes, piece: Piece) -> bytes | None:
    """What of a piece stands behind the byte ``end``; ``known`` is what stands before it, and is part of the piece.

    None where the piece shows that it is of another file.
    """
    if piece.size is None or piece.size < end or piece.start != end - len(known) or not piece.data.startswith(known):
        return None
    return piece.data[len(known) :]


def from_a_line_on(piece: Piece) -> tuple[int, bytes]:
    """Where a copy that is made of this piece begins, and what it holds: not with half a line, if it can be helped."""
    newline = piece.data.find(b"\n", 0, _LINE) if piece.start else -1
    return piece.start + newline + 1, piece.data[newline + 1 :]


class LogCopy:
    """The copy at ``path``. One writer has it; every call is short, and raises OSError where it cannot be written."""

    def __init__(self, path: str, host: str) -> None:
        """Take up the copy that is there."""
        self.path = path
        self.far = read_far(path) or Far(host, life=_new_life())

    @property
    def end(self) -> int:
        """The byte of the far file up to which it is here."""
        return self.far.begin + (size_of(self.path) if self.far.inode else 0)

    @property
    def behind(self) -> bool:
        """Whether more is known to be there."""
        return self.far.size is not None and self.far.size > self.end

    # -- the end of the log

    def ask(self, most: int, *, anew: bool) -> tuple[int, int]:
        """From which byte on to read, and how many at most. ``anew``: somebody just began to look."""
        gap = (self.far.size or 0) - self.end
        if not self.far.inode or (anew and gap > _LARGEST_GAP):
            return -FIRST, FIRST
        known = min(_KNOWN, self.end - self.far.begin)
        return self.end - known, most + known

    def take(self, asked: tuple[int, int], piece: Piece, now: float, *, over: bool) -> bool:
        """Join a piece that was read as ``ask`` said; whether the copy changed. ``over``: the job had ended before."""
        if piece.trouble or piece.size is None:
            self._note(piece, now, over=over and not piece.trouble)
            return False
        if asked[0] < 0:
            begin, added = from_a_line_on(piece)
            new = f"{self.path}{metadir.FRONT}.new"
            metadir.write_new(new, added)
            self._replace(new, begin)
        else:
            known = self._read(self.path, asked[0] - self.far.begin, self.end - asked[0])
            added = joined(self.end, known, piece)
            if added is None:
                self._forget()
                return True
            if added:
                _append(self.path, added)
        self._note(piece, now, over=over and self.end >= piece.size)
        return bool(added)

    def _replace(self, new: str, begin: int) -> None:
        """Make the file ``new`` the copy: what tells of it first, so that nobody takes it for the old one."""
        self._tell(msgspec.structs.replace(self.far, inode=_inode(new), begin=begin, fetched=0))
        os.rename(new, self.path)

    def _forget(self) -> None:
        """What is here is of a file that is not there any more."""
        self._drop_front()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self._tell(Far(self.far.host, life=_new_life()))

    def _note(self, piece: Piece, now: float, *, over: bool) -> None:
        size = self.far.size if piece.trouble else piece.size
        self._tell(msgspec.structs.replace(self.far, size=size, at=now, over=over, trouble=piece.trouble))

    def _tell(self, far: Far) -> None:
        metadir.write_fact(os.path.dirname(self.path), os.path.basename(self.path) + metadir.FAR, far)
        self.far = far

    # -- the beginning of the log

    @property
    def lacks_front(self) -> bool:
        """Whether the beginning of the log is not here."""
        return self.far.inode != 0 and self.far.begin > 0

    def ask_front(self, most: int) -> tuple[int, int] | None:
        """From which byte on to read the beginning, and how many; None where it only has to be joined."""
        here = size_of(self.path + metadir.FRONT)
        if here >= self.far.begin:
            return None
        known = min(_KNOWN, here)
        return here - known, min(most, self.far.begin - here) + known

    def take_front(self, asked: tuple[int, int], piece: Piece) -> None:
        """Add a piece that was read as ``ask_front`` said to the beginning."""
        if piece.trouble or piece.size is None:
            return
        front = self.path + metadir.FRONT
        here = size_of(front)
        added = joined(here, self._read(front, asked[0], here - asked[0]), piece)
        if added is None:
            self._drop_front()
        else:
            _append(front, added)
        self._tell(msgspec.structs.replace(self.far, fetched=size_of(front)))

    def join_front(self) -> bool:
        """Put what is here behind the beginning, a part of it at each call; whether all is one copy now."""
        front = self.path + metadir.FRONT
        here = size_of(front)
        data = self._read(self.path, here - self.far.begin, _COPIED_AT_ONCE)
        _append(front, data)
        if here + len(data) < self.end:
            return False
        self._replace(front, 0)
        return True

    def _drop_front(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path + metadir.FRONT)

    @staticmethod
    def _read(path: str, start: int, count: int) -> bytes:
        if count <= 0:
            return b""
        with open(path, "rb") as file:
            return os.pread(file.fileno(), count, start)


def _new_life() -> str:
    return os.urandom(6).hex()


def _append(path: str, data: bytes) -> None:
    """Add bytes to a file. Raises OSError where not all of them can be; those that could are right, and stay."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
    finally:
        os.close(fd)
