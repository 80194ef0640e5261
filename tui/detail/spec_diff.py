"""What changed between two specs, as lines for a person: field by field, word by word in the command."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterable, Sequence

from rich.text import Text

from ...core.dossier import HIDDEN
from ...core.job import JobSpec
from ..celltext import one_line
from .spec_fields import FIELDS, Field

_COLUMN = 12
_OLD, _NEW = "red", "green"
_UNSET = "not set"
# Of one value not more than this many characters are shown.
_LONGEST = 2000


def diff_lines(old: JobSpec, new: JobSpec) -> list[Text]:
    """The lines of all fields that differ, old ones with a - and new ones with a +; none where nothing does."""
    lines = _command_lines(old, new)
    for field in FIELDS:
        if field.name not in ("command", "shell") and field.value(old) != field.value(new):
            lines += _pair(field.name, _words(field, old), _words(field, new))
    for name in sorted(old.env.keys() | new.env.keys()):
        if old.env.get(name) != new.env.get(name):
            lines += _variable_lines(name, old, new)
    return lines


def _words(field: Field, spec: JobSpec) -> str | None:
    value = field.value(spec)
    return None if value is None or value == () else field.write(value)


def _line(label: str, sign: str, words: Iterable[tuple[str, bool]], style: str) -> Text:
    """One line; the words that are marked stand out."""
    text = Text(f" {label[:_COLUMN]:<{_COLUMN}} ", "").append(f"{sign} ", f"bold {style}")
    for word, marked in words:
        text.append(one_line(word.expandtabs(4)), f"bold reverse {style}" if marked else style)
    return text


def _pair(label: str, old: str | None, new: str | None) -> list[Text]:
    lines: list[Text] = []
    for value, sign, style in ((old, "-", _OLD), (new, "+", _NEW)):
        shown = _UNSET if value is None else value if len(value) <= _LONGEST else value[:_LONGEST] + " …"
        lines.append(_line(label, sign, [(shown, False)], style))
        label = ""
    return lines


def _variable_lines(name: str, old: JobSpec, new: JobSpec) -> list[Text]:
    if name in old.env and name in new.env and name in old.secret and name in new.secret:
        return [_line("env", "~", [(f"{name} gets another secret value", False)], "yellow")]
    lines: list[Text] = []
    for spec, sign, style in ((old, "-", _OLD), (new, "+", _NEW)):
        if name in spec.env:
            value = HIDDEN if name in spec.secret else spec.env[name][:_LONGEST]
            lines.append(_line("env", sign, [(f"{name}={value}", False)], style))
    return lines


# -- the command


def _command_lines(old: JobSpec, new: JobSpec) -> list[Text]:
    if (old.command, old.shell) == (new.command, new.shell):
        return []
    labels = ["shell" if spec.shell is not None else "command" for spec in (old, new)]
    if labels[0] == labels[1] == "shell" and "\n" in f"{old.shell}{new.shell}":
        return _script_lines(old.shell or "", new.shell or "")
    before, after = _split(old), _split(new)
    lines: list[Text] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    removed: list[tuple[str, bool]] = []
    added: list[tuple[str, bool]] = []
    for tag, a, b, c, d in matcher.get_opcodes():
        removed += [(word, tag != "equal" and word != " ") for word in before[a:b]]
        added += [(word, tag != "equal" and word != " ") for word in after[c:d]]
    lines.append(_line(labels[0], "-", removed, _OLD))
    lines.append(_line(labels[1] if labels[0] != labels[1] else "", "+", added, _NEW))
    return lines


def _split(spec: JobSpec) -> list[str]:
    """The words of a command and the blanks between them."""
    if spec.shell is not None:
        return re.findall(r"\s+|\S+", spec.shell)
    words: list[str] = []
    for word in spec.command:
        words += [shlex.quote(word), " "]
    return words[:-1]


def _script_lines(old: str, new: str) -> list[Text]:
    """The lines of a script that changed, with one on either side."""
    before, after = old.split("\n"), new.split("\n")
    lines: list[Text] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for number, group in enumerate(matcher.get_grouped_opcodes(1)):
        if number:
            lines.append(Text(f" {'':<{_COLUMN}}   …", "dim"))
        for tag, a, b, c, d in group:
            if tag == "equal":
                lines += _marked(" ", before[a:b], "")
            else:
                lines += _marked("-", before[a:b], _OLD) + _marked("+", after[c:d], _NEW)
    if lines:
        lines[0] = Text(f" {'shell':<{_COLUMN}} ") + lines[0][_COLUMN + 2 :]
    return lines


def _marked(sign: str, lines: Sequence[str], style: str) -> list[Text]:
    return [_line("", sign, [(line, False)], style) for line in lines]
