"""What is said to another machine's shell over ssh, and what its answers mean: pure texts, no process and no clock."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence

import msgspec

from .dialect import Command, one_line
from .transport import Output

# Shells need no more than these, and none reads anything into them.
_VARIABLE = re.compile(rb"([A-Za-z_][A-Za-z0-9_]*)=(.*)")
_FUNCTION = re.compile(rb"\S+(?:%%|\(\))=.*")
# What a login sets that means nothing to a later command, or is told by each session anew.
_OF_SESSION = re.compile(r"_|PWD|OLDPWD|SHLVL|TERM|MAIL|XDG_(SESSION|RUNTIME|VTNR|SEAT).*|DBUS_.*|SSH_.*")

# Seconds after its limit in which a far command still may end; then it is killed there too.
_GRACE = 5


class Greeting(msgspec.Struct, frozen=True):
    """What a machine said of itself. ``variables``: what a login there sets besides what each ssh session has.

    ``names``: of all variables that commands find there.
    """

    host: str
    home: str
    cpus: int
    variables: Mapping[str, str]
    names: frozenset[str]
    lacks: str = ""


def new_mark() -> str:
    """A word that no answer holds by chance."""
    return f"jobtui-{os.urandom(8).hex()}"


# -- one call


def opening(mark: str, seconds: float) -> str:
    """The command for ssh: it says that it is there before it reads a script, and ends for sure.

    Whatever kind of shell the login is reads it the same. What comes before the mark is that shell's noise.
    """
    limit = int(seconds) + _GRACE
    shell = f"command -v timeout >/dev/null && exec timeout -s KILL {limit} /bin/sh -s; exec /bin/sh -s"
    return f"exec /bin/sh -c 'echo {mark}; {shell}'"


def framed(script: str, mark: str) -> bytes:
    """A script as it is sent: nothing of it runs before its last line is there."""
    text = f"jt_main() {{\n{script}\n}}\necho {mark} >&2\n(jt_main) </dev/null\nprintf '\\n%s %s\\n' {mark} \"$?\"\n"
    return text.encode("utf-8", "surrogateescape")


def is_ready(out: bytes, mark: str) -> bool:
    """Whether the far shell waits for its script."""
    return f"{mark}\n".encode() in out


def unframed(out: bytes, err: bytes, mark: str) -> Output | None:
    """The answer without the noise of login shells; None where it is not whole."""
    _, ready, rest = out.partition(f"{mark}\n".encode())
    body, ended, tail = rest.rpartition(f"\n{mark} ".encode())
    code, newline, _ = tail.partition(b"\n")
    if not ready or not ended or not newline or not code.isdigit():
        return None
    _, begun, said = err.partition(f"{mark}\n".encode())
    return Output(int(code), body, said if begun else err)


def from_ssh(err: bytes, mark: str) -> str:
    """Why ssh gave up, in its own words."""
    before, _, after = err.partition(f"{mark}\n".encode())
    return one_line((after or before).decode("utf-8", "replace"))


# -- commands


def here_document(data: bytes, mark: str) -> str:
    """The redirection by which a command finds ``data`` (text) on its standard input."""
    if not data:
        return "</dev/null"
    text = data.decode("utf-8", "surrogateescape")
    return f"<<'{mark}'\n{text}" + ("" if text.endswith("\n") else "\n") + mark


def environment(greeting: Greeting, dropped: Sequence[str], env: Mapping[str, str]) -> str:
    """The lines that give commands the environment of a login, without ``dropped``, and ``env`` over it."""
    given = {**{name: value for name, value in greeting.variables.items() if name not in dropped}, **env}
    first = [f"unset {' '.join(sorted(dropped))}"] if dropped else []
    return "\n".join([*first, *(f"export {name}={shlex.quote(value)}" for name, value in sorted(given.items()))])


def command_script(command: Command, mark: str) -> str:
    """The lines that run one command; 127 where there is no such program."""
    return f"{shlex.join(command.argv)} {here_document(command.stdin, mark)}"


def lacking_script(programs: Sequence[str]) -> str:
    """The lines that name those of the programs that are not on the PATH."""
    names = " ".join(map(shlex.quote, programs))
    return f'for jt_n in {names}; do command -v "$jt_n" >/dev/null || printf \'%s\\n\' "$jt_n"; done'


# -- the greeting

_GREET = r"""read -r jt_h </proc/sys/kernel/hostname
printf 'host %s\nhome %s\n' "$jt_h" "$HOME"
printf 'cpus %s\n' "$(getconf _NPROCESSORS_ONLN || echo 1)"
for jt_n in setsid mkdir mv cat; do command -v "$jt_n" >/dev/null || printf 'lacks %s\n' "$jt_n"; done
[ -r /proc/self/stat ] || echo 'lacks /proc'
env | sed 's/^/plain /'
/bin/sh -l -c 'echo {mark}; exec env' 2>/dev/null | sed 's/^/login /'"""


def greeting_script(mark: str) -> str:
    """The lines by which a machine says what it is."""
    return _GREET.replace("{mark}", mark)


def read_greeting(answer: Output, mark: str) -> Greeting | None:
    """What the machine said; None where it makes no sense."""
    said: dict[str, list[bytes]] = {}
    for line in answer.out.splitlines():
        word, _, rest = line.partition(b" ")
        said.setdefault(word.decode("ascii", "replace"), []).append(rest)

    def one(word: str) -> str:
        return said.get(word, [b""])[0].decode("utf-8", "surrogateescape")

    if not one("host") or not one("home").startswith("/"):
        return None
    login = said.get("login", [])
    own = login[login.index(mark.encode()) + 1 :] if mark.encode() in login else []
    plain, full = _variables(said.get("plain", [])), _variables(own)
    extra = {name: value for name, value in full.items() if plain.get(name) != value}
    cpus = one("cpus")
    lacks = ", ".join(name.decode("utf-8", "replace") for name in said.get("lacks", []))
    return Greeting(
        one("host"), one("home"), int(cpus) if cpus.isdigit() else 1, extra, frozenset({*plain, *full}), lacks
    )


def _variables(lines: Sequence[bytes]) -> dict[str, str]:
    """The variables that are one line each; functions and the like are left out."""
    found: dict[str, str] = {}
    last = ""
    for line in lines:
        match = _VARIABLE.fullmatch(line)
        if match is None:
            # A function, or the last one goes on here.
            last = "" if _FUNCTION.fullmatch(line) else last
            found.pop(last, None)
            continue
        last = match[1].decode("ascii")
        if not _OF_SESSION.fullmatch(last):
            found[last] = match[2].decode("utf-8", "surrogateescape")
    return found


# -- ssh's own configuration


def multiplexes(config: str) -> bool:
    """Whether a person's own configuration (what ``ssh -G`` prints) shares connections to that host already."""
    said: dict[str, str] = {}
    for line in config.splitlines():
        name, _, value = line.partition(" ")
        said[name] = value
    return said.get("controlmaster", "false") not in ("false", "no") and said.get("controlpath", "none") != "none"
