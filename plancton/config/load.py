"""From a text to a configuration, or to words that say what is wrong with it and where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from plancton.config import legacy, restrictions
from plancton.config.effective import Layer, RuleStatus
from plancton.config.node_rules import Machine, RuleOutcome, apply_rules, merge, this_machine
from plancton.config.problems import message_of, problem_of
from plancton.config.schema import Allow, Config
from plancton.config.yaml_source import ConfigError, KeyPath, Problem, Source, dotted, parse, read

__all__ = ["ConfigError", "Loaded", "load", "load_text"]


Here = Callable[[], Machine]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that was read, and remarks on it."""

    config: Config
    warnings: tuple[str, ...] = ()
    legacy: bool = False
    layers: tuple[Layer, ...] = ()
    """The files, and their rules, that it was made of, the winning one first."""
    rules: tuple[RuleStatus, ...] = ()
    """All rules of these files."""


def load(path: Path, here: Here = this_machine) -> Loaded:
    """Read a file. ConfigError if it is unusable, FileNotFoundError if it is not there."""
    return load_text(read(path), str(path), here)


def load_text(text: str, file: str, here: Here = this_machine) -> Loaded:
    """Read a configuration, native or of 0.6.0, from its text."""
    return from_source(parse(text, file), here)


def from_source(source: Source, here: Here) -> Loaded:
    """Read a configuration from a parsed file."""
    if legacy.is_legacy(source.values):
        return _load_legacy(source)
    whole = validated_whole(source)
    found = apply_rules(source, whole, whole, here)
    config = _validated(source, found.values) if found.over else whole
    return Loaded(_without_rules(config), layers=found.layers, rules=found.judged)


def validated_whole(source: Source) -> Config:
    """Return all that a native file says, its rules apart."""
    whole = _validated(source, source.values)
    problems = [
        _violation(source, *each) for each in restrictions.keys_forbidden_in_rules(source.values)
    ]
    if problems:
        raise ConfigError(source.file, problems)
    return whole


def _violation(source: Source, place: KeyPath, text: str) -> Problem:
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
            Problem(message_of(each), source.line((key,)), key)
            for each in error.errors(include_url=False)
            for key in [legacy.origin(each["loc"])]
        ]
        raise ConfigError(source.file, problems) from None
    return Loaded(config, warnings, legacy=True, layers=(Layer(source.file, native),))


def _validated(source: Source, values: Mapping[Any, Any]) -> Config:
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        problems = [problem_of(each, source) for each in error.errors(include_url=False)]
        raise ConfigError(source.file, problems) from None


def layered(local: Source, remote: Source, allow: Allow, here: Here = this_machine) -> Loaded:
    """Put the local configuration over a remote one, which is kept within what is allowed.

    Raises ConfigError that names lines of the remote text, or of the local one.
    """
    local_config = validated_whole(local)
    if legacy.is_legacy(remote.values):
        values, warnings = legacy.translate(remote)
        base, remote_rules = (
            _load_legacy(remote).config,
            RuleOutcome(values, (Layer(remote.file, values),)),
        )
        is_legacy = True
    else:
        whole, warnings, is_legacy = validated_whole(remote), (), False
        remote_rules = apply_rules(remote, whole, local_config, here)
        base = _validated(remote, remote_rules.values) if remote_rules.over else whole
    problems = [
        Problem(text, *_position(remote_rules.origin(place), remote, is_legacy))
        for place, text in (
            *restrictions.keys_only_for_the_local_file(remote.values),
            *restrictions.violations(base, allow),
        )
    ]
    if problems:
        raise ConfigError(remote.file, problems)
    local_rules = apply_rules(local, local_config, local_config, here)
    config = _validated(local, merge(remote_rules.values, local_rules.values))
    if "pilots" not in local_rules.values:
        pilots = tuple(profile.bound_within(allow.binds) for profile in config.pilots)
        config = config.model_copy(update={"pilots": pilots})
    layers, judged = (
        (*local_rules.layers, *remote_rules.layers),
        (*local_rules.judged, *remote_rules.judged),
    )
    return Loaded(_without_rules(config), warnings, is_legacy, layers, judged)


def _position(place: KeyPath, source: Source, is_legacy: bool) -> tuple[int | None, str]:
    key = legacy.origin(place) if is_legacy else dotted(place)
    return source.line((key,) if is_legacy else place), key
