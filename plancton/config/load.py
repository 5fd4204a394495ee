"""From a file to a configuration, or to words that say what is wrong with it and where."""

from __future__ import annotations

import difflib
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from plancton.config import legacy
from plancton.config.schema import Config
from plancton.config.source import ConfigError, Place, Problem, Source, dotted, parse, read
from plancton.config.state import ConfigState

__all__ = ["ConfigError", "ConfigFile", "Loaded", "load", "load_text"]

DEFAULTS = "built-in defaults"
_SECRET = ("env",)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that was read, and remarks on it."""

    config: Config
    warnings: tuple[str, ...] = ()
    legacy: bool = False


def load(path: Path) -> Loaded:
    """Read a file. ConfigError if it is unusable, FileNotFoundError if it is not there."""
    return load_text(read(path), str(path))


def load_text(text: str, file: str) -> Loaded:
    """Read a configuration, native or of 0.6.0, from its text."""
    source = parse(text, file)
    if legacy.is_legacy(source.values):
        return _load_legacy(source)
    return Loaded(_validated(source, source.values))


def _load_legacy(source: Source) -> Loaded:
    native, warnings = legacy.translate(source)
    try:
        config = Config.model_validate(native)
    except ValidationError as error:
        problems = [
            Problem(_words(each), source.line((key,)), key)
            for each in error.errors(include_url=False)
            for key in [legacy.origin(each["loc"])]
        ]
        raise ConfigError(source.file, problems) from None
    return Loaded(config, warnings, legacy=True)


def _validated(source: Source, values: dict[Any, Any]) -> Config:
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        problems = [_problem(each, source) for each in error.errors(include_url=False)]
        raise ConfigError(source.file, problems) from None


def _problem(error: Any, source: Source) -> Problem:
    place: Place = tuple(part for part in error["loc"] if part != "[key]")
    return Problem(_words(error, place), source.line(place), dotted(place))


def _words(error: Any, place: Place = ()) -> str:
    if error["type"] == "extra_forbidden":
        return "no such key" + _nearest(place)
    message = str(error["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    value = error.get("input")
    plain = isinstance(value, str | int | float | bool)
    if (
        plain
        and not set(_SECRET) & set(map(str, error["loc"]))
        and not message.startswith(repr(value))
    ):
        message += f", not {value!r}"
    return message


def _nearest(place: Place) -> str:
    fields = _fields_at(place[:-1])
    close = difflib.get_close_matches(str(place[-1]), fields, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; known here are {', '.join(fields)}" if fields else ""


def _fields_at(place: Place) -> list[str]:
    model: type[BaseModel] | None = Config
    for part in place:
        if isinstance(part, int) or model is None:
            continue
        model = (
            _model_of(model.model_fields[part].annotation) if part in model.model_fields else None
        )
    return list(model.model_fields) if model else []


def _model_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((m for a in typing.get_args(annotation) if (m := _model_of(a))), None)


class ConfigFile:
    """Implements ``ports.ConfigSource`` on one file; the last good configuration stays."""

    def __init__(self, path: Path, *, must_exist: bool = False) -> None:
        """Watch *path*; with *must_exist* its absence is an error, else it means defaults."""
        self.path, self.must_exist = path, must_exist
        self._stamp: object = object()
        self._state = ConfigState(Config(), DEFAULTS, revision=0)

    def current(self, *, reload: bool = False) -> ConfigState:
        """Return the configuration in force, reading the file if it changed or if *reload*."""
        stamp = self._look()
        if reload or stamp != self._stamp:
            self._stamp = stamp
            self._state = self._read()
        return self._state

    def first(self) -> ConfigState:
        """Read for the first time; ConfigError if there is no good one to fall back on."""
        state = self.current(reload=True)
        if state.error:
            load(self.path)  # raises with every problem
        return state

    def _look(self) -> object:
        try:
            stat = self.path.stat()
        except OSError as error:
            return type(error)
        return stat.st_mtime_ns, stat.st_size, stat.st_ino

    def _read(self) -> ConfigState:
        old = self._state
        try:
            new, name = load(self.path), str(self.path)
        except FileNotFoundError:
            if self.must_exist:
                return self._refused(f"{self.path}: there is no such file")
            new, name = Loaded(Config()), f"{DEFAULTS} ({self.path} is not there)"
        except ConfigError as error:
            return self._refused(error.summary)
        same = old.revision > 0 and new.config == old.config
        return ConfigState(new.config, name, old.revision + (not same), "", new.warnings)

    def _refused(self, why: str) -> ConfigState:
        old = self._state
        return ConfigState(old.config, old.source, old.revision, why, old.warnings)
