"""From a file to a configuration, or to words that say what is wrong with it and where."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError

from plancton.config import guard, legacy
from plancton.config.expressions import Expression
from plancton.config.match import Machine, Ruled, merged, ruled, this_machine
from plancton.config.schema import Allow, Config, Remote
from plancton.config.source import ConfigError, Place, Problem, Source, dotted, parse, read
from plancton.config.state import ConfigState, Judged, Layer, RemoteState

__all__ = ["ConfigError", "ConfigFile", "Loaded", "load", "load_text"]

Here = Callable[[], Machine]
DEFAULTS = "built-in defaults"
_SECRET = ("env", "influxdb", "elasticsearch")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that was read, and remarks on it."""

    config: Config
    warnings: tuple[str, ...] = ()
    legacy: bool = False
    layers: tuple[Layer, ...] = ()
    """The files, and their rules, that it was made of, the winning one first."""
    rules: tuple[Judged, ...] = ()
    """All rules of these files."""


def load(path: Path, here: Here = this_machine) -> Loaded:
    """Read a file. ConfigError if it is unusable, FileNotFoundError if it is not there."""
    return load_text(read(path), str(path), here)


def load_text(text: str, file: str, here: Here = this_machine) -> Loaded:
    """Read a configuration, native or of 0.6.0, from its text."""
    return _loaded(parse(text, file), here)


def _loaded(source: Source, here: Here) -> Loaded:
    if legacy.is_legacy(source.values):
        return _load_legacy(source)
    whole = _whole(source)
    found = ruled(source, whole, whole, here)
    config = _validated(source, found.values) if found.over else whole
    return Loaded(_without_rules(config), layers=found.layers, rules=found.judged)


def _whole(source: Source) -> Config:
    """Return all that a native file says, its rules apart."""
    whole = _validated(source, source.values)
    problems = [_excess(source, *each) for each in guard.unruled(source.values)]
    if problems:
        raise ConfigError(source.file, problems)
    return whole


def _excess(source: Source, place: Place, text: str) -> Problem:
    return Problem(text, source.line(place), dotted(place))


def _without_rules(config: Config) -> Config:
    """Return what is in force: the rules that hold are in it, the others do not matter."""
    return config.model_copy(update={"match": ()})


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
    return Loaded(config, warnings, legacy=True, layers=(Layer(source.file, native),))


def _validated(source: Source, values: Mapping[Any, Any]) -> Config:
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
        return "no such key" + (_nearest(place) if place else "")
    message = str(error["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if error["type"] == "tuple_type":
        message = "must be a list"
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


def layered(local: Source, remote: Source, allow: Allow, here: Here = this_machine) -> Loaded:
    """Put the local configuration over a remote one, which is kept within what is allowed.

    Raises ConfigError that names lines of the remote text, or of the local one.
    """
    mine = _whole(local)
    if legacy.is_legacy(remote.values):
        values, warnings = legacy.translate(remote)
        base, far = _load_legacy(remote).config, Ruled(values, (Layer(remote.file, values),))
        old = True
    else:
        whole, warnings, old = _whole(remote), (), False
        far = ruled(remote, whole, mine, here)
        base = _validated(remote, far.values) if far.over else whole
    problems = [
        Problem(text, *_standing(far.origin(place), remote, old))
        for place, text in (*guard.local_only(remote.values), *guard.excesses(base, allow))
    ]
    if problems:
        raise ConfigError(remote.file, problems)
    near = ruled(local, mine, mine, here)
    config = _validated(local, merged(far.values, near.values))
    layers, judged = (*near.layers, *far.layers), (*near.judged, *far.judged)
    return Loaded(_without_rules(config), warnings, old, layers, judged)


def _standing(place: Place, source: Source, old: bool) -> tuple[int | None, str]:
    key = legacy.origin(place) if old else dotted(place)
    return source.line((key,) if old else place), key


@dataclass(frozen=True, slots=True)
class Fetched:
    """The text of a remote configuration."""

    text: str
    name: str
    """What it is called in messages."""


class RemoteText(Protocol):
    """Fetches a remote configuration, on a thread of its own."""

    def want(self, remote: Remote) -> None:
        """Say what is wanted; an empty URL: nothing."""

    def stamp(self) -> object:
        """Return something that differs whenever ``texts`` or ``state`` may."""

    def texts(self) -> tuple[Fetched, ...]:
        """Return the newest text, then the last good one; what there is of them."""

    def good(self, fetched: Fetched) -> None:
        """Say that a text is good, to be kept for a start without network."""

    def state(self) -> RemoteState | None:
        """Return how it went; None if nothing is wanted."""


class ConfigFile:
    """Implements ``ports.ConfigSource`` on one file; the last good configuration stays."""

    def __init__(
        self,
        path: Path,
        *,
        must_exist: bool = False,
        remote: RemoteText | None = None,
        here: Here = this_machine,
    ) -> None:
        """Watch *path*; with *must_exist* its absence is an error, else it means defaults.

        *remote* fetches what the file names as ``remote.url``, *here* tells of the machine.
        """
        self.path, self.must_exist, self.remote, self.here = path, must_exist, remote, here
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
        if state.error and not state.revision:
            load(self.path, self.here)  # raises with every problem
        return state

    def candidate(self, text: str, *, remote: bool = False) -> Config:
        """Return what would be in force with *text* as the local, or the *remote*, file.

        Raises ConfigError.
        """
        name = "the candidate"
        if remote:
            mine = self._local()
            return layered(mine, parse(text, name), _whole(mine).allow, self.here).config
        source = parse(text, name)
        alone = _loaded(source, self.here)
        texts = self.remote.texts() if self.remote and alone.config.remote.url else ()
        for fetched in texts[-1:]:
            far = parse(fetched.text, fetched.name)
            return layered(source, far, alone.config.allow, self.here).config
        return alone.config

    def _local(self) -> Source:
        try:
            return parse(read(self.path), str(self.path))
        except FileNotFoundError:
            return Source(str(self.path))

    def _look(self) -> object:
        far = self.remote.stamp() if self.remote else None
        try:
            stat = self.path.stat()
        except OSError as error:
            return type(error), far
        return stat.st_mtime_ns, stat.st_size, stat.st_ino, far

    def _read(self) -> ConfigState:
        try:
            new, name = load(self.path, self.here), str(self.path)
        except FileNotFoundError:
            if self.must_exist:
                return self._refused(f"{self.path}: there is no such file")
            new, name = Loaded(Config()), f"{DEFAULTS} ({self.path} is not there)"
        except ConfigError as error:
            return self._refused(error.summary)
        if self.remote:
            self.remote.want(new.config.remote)
            if new.config.remote.url:
                return self._with_remote(new, self.remote)
        return self._in_force(new, name)

    def _with_remote(self, local: Loaded, remote: RemoteText) -> ConfigState:
        """Put the local file over the newest good remote text."""
        error = ""
        for fetched in remote.texts():
            try:
                found = layered(
                    self._local(),
                    parse(fetched.text, fetched.name),
                    local.config.allow,
                    self.here,
                )
            except ConfigError as refused:
                error = error or refused.summary
                continue
            remote.good(fetched)
            return self._in_force(found, f"{fetched.name} and {self.path}", error)
        if self._state.remote is not None:  # one of its texts is in force
            return self._refused(error)
        spawn = local.config.spawn.model_copy(update={"when": Expression(0)})
        waiting = local.config.model_copy(update={"spawn": spawn})
        warning = "no pilots are started before a good remote configuration is there"
        return self._in_force(Loaded(waiting, (warning,)), str(self.path), error)

    def _in_force(self, new: Loaded, name: str, error: str = "") -> ConfigState:
        old = self._state
        same = old.revision > 0 and new.config == old.config
        far = self.remote.state() if self.remote else None
        revision = old.revision + (not same)
        held = ", ".join(each.name for each in new.rules if not each.unmet)
        source = f"{name}, with {held}" if held else name
        return ConfigState(
            new.config, source, revision, error, new.warnings, far, new.layers, new.rules
        )

    def _refused(self, why: str) -> ConfigState:
        return replace(self._state, error=why, remote=self.remote.state() if self.remote else None)
