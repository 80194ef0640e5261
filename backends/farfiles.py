"""Pieces of files on another machine: what is run there to read them, and what its answer means. Byte by byte."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..core.backend import Piece, Reading
from .dialect import Command, one_line
from .transport import Output, Transport, TransportError

# Seconds: a slow link needs them for a piece.
_PATIENCE = 120.0

# Every piece stands between two lines that begin with a word which no file can hold: it is new each time. The size is
# taken first, so a file that shrinks meanwhile gives less than was announced, and one that grows no more.
_SCRIPT = """
LC_ALL=C; export LC_ALL
word=$1; shift
while [ $# -gt 2 ]; do
    path=$1 start=$2 most=$3; shift 3
    if [ ! -e "$path" ]; then
        echo "$word none"
    elif [ ! -f "$path" ]; then
        echo "$word bad it is not a regular file"
    elif [ ! -r "$path" ] || ! size=$(stat -Lc %s -- "$path" 2>/dev/null || wc -c <"$path"); then
        echo "$word bad it cannot be read there"
    else
        size=$((size))
        [ "$start" -ge 0 ] || start=$((size + start))
        [ "$start" -ge 0 ] || start=0
        count=$((size - start))
        [ "$count" -le "$most" ] || count=$most
        [ "$count" -ge 0 ] || count=0
        echo "$word piece $start $count $size"
        [ "$count" -eq 0 ] || tail -c "+$((start + 1))" "$path" 2>/dev/null | head -c "$count"
        echo; echo "$word end"
    fi
done
echo "$word over"
"""


class Part(NamedTuple):
    """Up to ``most`` bytes of the file at ``path`` from ``start`` on; a negative ``start`` counts from the end."""

    path: str
    start: int
    most: int


async def read_parts(transport: Transport, env: Mapping[str, str], parts: Sequence[Part]) -> Reading:
    """Read parts of files where ``transport`` leads, all in one round trip."""
    word = os.urandom(12).hex()
    words = [text for path, start, most in parts for text in (path, str(start), str(most))]
    command = Command(("sh", "-c", _SCRIPT, "sh", word, *words), patience=_PATIENCE)
    try:
        output = await transport.fetch(command, env)
    except TransportError as error:
        return Reading((), str(error))
    return understood(output, word.encode(), len(parts))


def understood(output: Output, word: bytes, number: int) -> Reading:
    """What the answer to a question for ``number`` parts holds; whatever else was printed around it is skipped."""
    pieces: list[Piece] = []
    text, at = output.out, 0
    while (at := text.find(word + b" ", at)) >= 0:
        end = text.find(b"\n", at)
        if end < 0:
            break
        match text[at + len(word) + 1 : end].split(b" "):
            case [b"piece", start, count, size] if start.isdigit() and count.isdigit() and size.isdigit():
                closing = b"\n" + word + b" end\n"
                stop = end + 1 + int(count)
                if text[stop : stop + len(closing)] != closing:
                    stop = text.find(closing, end + 1)
                if stop < 0:
                    break
                pieces.append(Piece(int(start), text[end + 1 : stop], int(size)))
                at = stop + len(closing)
            case [b"none"]:
                pieces.append(Piece())
                at = end + 1
            case [b"bad", *words]:
                pieces.append(Piece(trouble=b" ".join(words).decode("ascii", "replace")))
                at = end + 1
            case [b"over"] if len(pieces) == number:
                return Reading(tuple(pieces))
            case _:
                break
    said = one_line(output.err.decode("utf-8", "replace"))
    return Reading((), said or f"the answer was cut off (exit code {output.code})")
