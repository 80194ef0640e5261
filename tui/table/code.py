"""One integer for each line: a third of the memory of a Ref and half the time in a dict, for a hundred thousand jobs.

A job's code is its id with the place above it, an array's the complement of that: negative. A foreign job has a number
of its own in the place of an id, which no other one gets for as long as the process lives.
"""

from __future__ import annotations

from ..ref import ArrayRef, ForeignRef, JobRef, Line, Ref

_SHIFT = 40
_MASK = (1 << _SHIFT) - 1
# No job has an id from here on: they number foreign ones.
_FOREIGN = 1 << (_SHIFT - 1)

_names: list[tuple[str, str]] = []
_numbers: dict[tuple[str, str], int] = {}


def code_at(place: int, job: int) -> int:
    """The code of a job; in place 0 the id itself, so that it takes no memory of its own."""
    return place << _SHIFT | job if place else job


def array_at(place: int, array: int) -> int:
    """The code of an array."""
    return ~(place << _SHIFT | array)


def foreign_at(place: int, backend: str, jid: str) -> int:
    """The code of a foreign job."""
    name = backend, jid
    number = _numbers.get(name)
    if number is None:
        number = _numbers[name] = len(_names)
        _names.append(name)
    return code_at(place, _FOREIGN | number)


def is_foreign(code: int) -> bool:
    """Whether a code is that of a foreign job."""
    return code >= 0 and bool(code & _FOREIGN)


def code_of(line: Line) -> int:
    """The code of what a line stands for."""
    if isinstance(line, Ref):
        return code_at(line.place, line.job)
    if isinstance(line, ForeignRef):
        return foreign_at(line.place, line.backend, line.jid)
    return array_at(line.place, line.array)


def place_of(code: int) -> int:
    """The place of a job or an array."""
    return (code if code >= 0 else ~code) >> _SHIFT


def job_of(code: int) -> int:
    """The id of a job, or the number of an array."""
    return (code if code >= 0 else ~code) & _MASK


def ref_of(code: int) -> JobRef:
    """The job that a code stands for."""
    if code & _FOREIGN:
        return ForeignRef(code >> _SHIFT, *_names[code & (_FOREIGN - 1)])
    return Ref(code >> _SHIFT, code & _MASK)


def line_of(code: int) -> Line:
    """What a code stands for."""
    return ref_of(code) if code >= 0 else ArrayRef(place_of(code), job_of(code))
