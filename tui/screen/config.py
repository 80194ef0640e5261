"""What a person configured for the screen: the tables screen, keys, notify and filters of their config.toml."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import msgspec

from ...core.filters import FilterError, parse_filter
from ...core.settings import FileSettings, config_path
from ..celltext import short_path
from ..text import plain
from .lenient import fill, nearest

# "engine" and "files" are read by core.settings.
_TABLES = ("screen", "keys", "notify", "filters", "engine", "files")


class ScreenSettings(msgspec.Struct, frozen=True):
    """``[screen]``: how the screen opens.

    ``preset``: the keys to start from. ``layout``: table and log side by side, one above the other, one at a time,
    or by the size of the terminal. ``symbols``: the shapes of the states; "auto" goes by the terminal. ``mouse``:
    whether the screen takes it. ``fps``: frames per second at most. ``confirm_own``: whether cancelling a single job
    that has not started yet is asked for too. ``foreign``: whether jobs are shown too that were not submitted by
    jobtui, which needs an engine to ask their schedulers.
    """

    preset: Literal["default", "k9s", "htop"] = "default"
    theme: Literal["terminal", "dark", "light", "mono"] = "terminal"
    layout: Literal["auto", "side", "stacked", "single"] = "auto"
    symbols: Literal["auto", "unicode", "ascii"] = "auto"
    mouse: bool = True
    fps: Annotated[int, msgspec.Meta(ge=1, le=30)] = 30
    confirm_own: bool = True
    foreign: bool = True


class NotifySettings(msgspec.Struct, frozen=True):
    """``[notify]``: which endings are told, and how.

    A job that ended well in less than ``min_seconds`` is not told. ``desktop``: the escape sequence that terminals
    turn into a desktop notification. ``title``: whether the terminal's title says how many jobs run and failed.
    """

    when: Literal["all", "failed", "none"] = "all"
    min_seconds: Annotated[float, msgspec.Meta(ge=0)] = 10.0
    bell: bool = True
    desktop: Literal["osc9", "osc777", "off"] = "osc9"
    title: bool = True


class Config(msgspec.Struct, frozen=True):
    """All of it. ``keys``: keys as the person wrote them, by action id. ``filters``: filter texts by their names.

    ``problems``: what could not be used, one line each that names the file; the defaults stand in for it.
    """

    screen: ScreenSettings = ScreenSettings()
    notify: NotifySettings = NotifySettings()
    keys: Mapping[str, tuple[str, ...]] = {}
    filters: Mapping[str, str] = {}
    problems: tuple[str, ...] = ()


def read_config(path: str | None = None) -> Config:
    """The configuration in the file at ``path`` (None: the person's own); raises nothing, see ``Config.problems``."""
    path = path or config_path()
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return Config()
    except OSError as error:
        return Config(problems=(_line(path, f"{error.strerror}; the defaults are used"),))
    import tomllib

    try:
        tables = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return Config(problems=(_line(path, f"{error}; the defaults are used"),))
    config = parse_config(tables)
    return msgspec.structs.replace(config, problems=tuple(_line(path, problem) for problem in config.problems))


def parse_config(tables: Mapping[str, Any]) -> Config:
    """The configuration out of the tables of a TOML file; its problems name the tables and keys."""
    problems = [f"[{name}]: there is no such table{nearest(name, _TABLES)}" for name in tables if name not in _TABLES]
    wanted: dict[str, Mapping[str, Any]] = {}
    for name in _TABLES:
        table = tables.get(name, {})
        if isinstance(table, dict):
            wanted[name] = table
        else:
            problems.append(f"{name}: write a table, [{name}]")
            wanted[name] = {}
    screen, wrong = fill(ScreenSettings, wanted["screen"])
    problems += _in("screen", wrong)
    notify, wrong = fill(NotifySettings, wanted["notify"])
    problems += _in("notify", wrong)
    keys, wrong = _keys(wanted["keys"])
    problems += _in("keys", wrong)
    filters, wrong = _filters(wanted["filters"])
    problems += _in("filters", wrong)
    _, wrong = fill(FileSettings, wanted["files"])
    problems += _in("files", wrong)
    return Config(screen, notify, keys, filters, tuple(problems))


def _keys(table: Mapping[str, Any]) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The keys by action id; TOML makes tables of ids with a dot that are not in quotes."""
    keys: dict[str, tuple[str, ...]] = {}
    problems: list[str] = []
    for id, value in _flat(table):
        if isinstance(value, str):
            keys[id] = (value,)
        elif isinstance(value, list) and all(isinstance(key, str) for key in value):
            keys[id] = tuple(value)
        else:
            problems.append(f'{id}: write a key or a list of keys, such as "x" or ["x", "F5"]')
    return keys, problems


def _flat(table: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield above + name, value


def _filters(table: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    filters: dict[str, str] = {}
    problems: list[str] = []
    for name, text in table.items():
        if not isinstance(text, str):
            problems.append(f'{name}: write a filter in quotes, such as "state:failed"')
            continue
        try:
            parse_filter(text)
        except FilterError as error:
            problems.append(f"{name}: {error}")
        else:
            filters[name] = text
    return filters, problems


def _in(table: str, problems: Iterable[str]) -> list[str]:
    return [f"[{table}] {problem}" for problem in problems]


def _line(path: str, words: str) -> str:
    return plain(f"{short_path(path)}: {words}")
