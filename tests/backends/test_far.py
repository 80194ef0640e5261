"""Scripts for another machine's shell: what comes back is exact, and what certainly did not run is known."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ssh_kit import Link, install_ssh

from jobtui.backends import far as far_module
from jobtui.backends import fartext
from jobtui.backends.dialect import Command
from jobtui.backends.far import Far
from jobtui.backends.transport import Output, TransportError

Until = Callable[..., Any]


@pytest.fixture
def link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Link:
    return install_ssh(tmp_path, monkeypatch)


def machine(heard: list[str] | None = None, **more: Any) -> Far:
    return Far("far", os.environ, (heard if heard is not None else []).append, **more)


def shell(far: Far, script: str, patience: float = 20.0, env: dict[str, str] | None = None) -> Output:
    return anyio.run(far.shell, script, patience, env)


def trouble(far: Far, script: str, patience: float = 20.0) -> TransportError:
    with pytest.raises(TransportError) as caught:
        shell(far, script, patience)
    return caught.value


def test_an_answer_is_exact_whatever_login_shells_print(link: Link) -> None:
    link.is_("noisy")
    far = machine()
    output = shell(far, "printf 'a\\0b\\377\\n\\nend'; echo wrong >&2; exit 7")
    assert output == Output(7, b"a\0b\xff\n\nend", b"wrong\n")


def test_words_variables_and_standard_input_arrive_as_they_are(link: Link) -> None:
    odd = "a 'b\" $c `d` \\e %s ! #\nf"
    command = Command(("sh", "-c", 'printf "%s|%s|" "$1" "$ODD"; cat', "sh", odd), f"in {odd}".encode())
    reply = anyio.run(machine().run, command, {"ODD": odd})
    assert reply.out == f"{odd}|{odd}|in {odd}\n"


def test_nothing_of_the_local_environment_goes_over(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "secret")
    assert b"secret" not in shell(machine(), "env").out


def test_commands_find_what_a_login_sets_there_but_for_what_would_change_answers(link: Link) -> None:
    profile = "PATH=$HOME/bin:$PATH TOOL='x y'; export PATH TOOL\necho hello from profile\n"
    (link.far_home / ".profile").write_text(profile)

    def scrub(env: Any) -> dict[str, str]:
        return {name: value for name, value in env.items() if name != "SQUEUE_FORMAT"}

    far = machine(scrub=scrub)
    out = shell(far, 'echo "$TOOL|${PATH%%:*}|${SQUEUE_FORMAT-none}"').out.decode()
    assert out == f"x y|{link.far_home}/bin|none\n"


def test_a_machine_that_cannot_be_reached_says_why_and_is_left_alone_for_a_while(link: Link) -> None:
    link.is_("refuse")
    heard: list[str] = []
    far = machine(heard)
    first = trouble(far, "true")
    assert first.kind == "unreachable" and "Connection refused" in str(first) and "\n" not in str(first)
    again = trouble(far, "true")
    assert (again.kind, str(again), link.calls) == ("unreachable", str(first), 1)
    assert heard == [str(first)]


def test_a_denied_key_is_said_in_sshs_own_words(link: Link) -> None:
    link.is_("deny")
    assert str(trouble(machine(), "true")) == "me@far: Permission denied (publickey)."


def test_a_link_that_breaks_leaves_it_open_whether_the_script_ran(link: Link) -> None:
    heard: list[str] = []
    far = machine(heard)
    shell(far, "true")
    for mode in ("drop", "lose", "cut"):
        link.is_(mode)
        assert trouble(far, "echo ran >>ran; echo yes").kind == "broken"
        assert "broke" in heard[-1]
    link.is_("good")
    assert shell(far, "cat ran").out == b"ran\nran\n"
    assert heard[-1] == ""


def test_a_shell_that_never_comes_did_nothing(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(far_module, "_PATIENCE", 0.5)
    link.is_("hang")
    assert trouble(machine(), "true").kind == "unreachable"


def test_a_script_that_hangs_is_ended_here_and_there(link: Link, monkeypatch: pytest.MonkeyPatch, until: Until) -> None:
    monkeypatch.setattr(fartext, "_GRACE", 1)
    far = machine()
    shell(far, "true")
    started = time.monotonic()
    assert trouble(far, "echo $$ >pid; sleep 600", 1.0).kind == "timeout"
    assert time.monotonic() - started < 10
    pid = (link.far_home / "pid").read_text().strip()
    until(lambda: not Path(f"/proc/{pid}").exists() or "(zombie)" in Path(f"/proc/{pid}/status").read_text())


def test_a_command_that_is_not_there_is_told_from_one_that_fails(link: Link) -> None:
    far = machine()
    assert anyio.run(far.lacking, ("sh", "no-such-program"), {}) == ["no-such-program"]
    assert anyio.run(far.run, Command(("sh", "-c", "exit 127")), {}).code == 127
    with pytest.raises(TransportError, match="there is no command no-such-program on far") as caught:
        anyio.run(far.run, Command(("no-such-program",)), {})
    assert caught.value.kind == "missing"


@pytest.mark.parametrize(
    ("config", "ours"),
    [("controlmaster false\ncontrolpath none", True), ("controlmaster auto\ncontrolpath /x/y", False)],
)
def test_connections_are_shared_in_a_private_place_unless_the_person_shares_them(
    link: Link, config: str, ours: bool, tmp_path: Path
) -> None:
    (link.home / "config").write_text(config)
    shell(machine(), "true")
    words = (link.home / "argv").read_text().split("\n")
    assert ("ControlMaster=auto" in words) == ours
    assert "BatchMode=yes" in words and words[words.index("--") + 1] == "far"
    if ours:
        assert (tmp_path / "jobtui").stat().st_mode & 0o777 == 0o700


def test_connections_are_not_shared_where_others_could_enter(link: Link, tmp_path: Path) -> None:
    (tmp_path / "jobtui").mkdir()
    (tmp_path / "jobtui").chmod(0o777)
    shell(machine(), "true")
    assert "ControlMaster=auto" not in (link.home / "argv").read_text()


@given(st.binary(max_size=80), st.binary(max_size=80), st.integers(0, 255), st.integers(0, 200))
def test_an_answer_is_whole_or_none(noise: bytes, body: bytes, code: int, cut: int) -> None:
    mark = fartext.new_mark()
    whole = noise + f"{mark}\n".encode() + body + f"\n{mark} {code}\n".encode()
    assert fartext.unframed(whole, b"", mark) == Output(code, body, b"")
    if cut:
        assert fartext.unframed(whole[:-cut], b"", mark) is None


@settings(max_examples=25)
@given(st.integers(1, 200))
def test_of_a_script_that_arrives_in_part_nothing_runs(cut: int) -> None:
    script = fartext.framed("cat <<'end'\nran $x\nend\necho ran; echo ran >&2", "mark")
    part = script[: max(0, len(script) - cut)]
    done = subprocess.run(["/bin/sh", "-s"], input=part, capture_output=True, timeout=60)
    whole = b"(jt_main)" in part
    assert whole or b"ran" not in done.stdout + done.stderr


def test_variables_of_several_lines_and_functions_are_left_out() -> None:
    said = [
        "host far", "home /home/me", "cpus 8",
        "plain PATH=/bin", "plain HOME=/home/me",
        "login Welcome", "login mark",
        "login PATH=/opt/bin:/bin", "login BASH_FUNC_module%%=() {  eval 1", "login }", "login TWO=a", "login b",
        "login SLURM_CONF=/etc/x=y", "login PWD=/home/me", "login HOME=/home/me",
    ]  # fmt: skip
    greeting = fartext.read_greeting(Output(0, "\n".join(said).encode(), b""), "mark")
    assert greeting is not None and greeting.cpus == 8
    assert greeting.variables == {"PATH": "/opt/bin:/bin", "SLURM_CONF": "/etc/x=y"}
