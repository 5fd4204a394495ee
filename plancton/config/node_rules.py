"""Rules that let one configuration serve nodes that differ: what holds here, put over the rest."""

from __future__ import annotations

import operator
import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from plancton.config.effective import Layer, RuleStatus
from plancton.config.schema import Config, Rule
from plancton.config.yaml_source import KeyPath, Source

_COMPARE: Mapping[str, Callable[[int, int], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "": operator.eq,
}


@dataclass(frozen=True, slots=True)
class Machine:
    """What rules may ask of the machine itself."""

    name: str
    cores: int


def host_name() -> str:
    """Return the machine's fully qualified name, or its short one if it has no other."""
    host = socket.gethostname()
    full = host if "." in host else socket.getfqdn()
    return host if full.startswith("localhost") else full


def this_machine() -> Machine:
    """Return what is to be known of this machine."""
    return Machine(host_name(), os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """A file's values with those of the rules that hold put over them."""

    values: Mapping[Any, Any]
    layers: tuple[Layer, ...]
    """The file and its rules that hold, the winning one first."""
    judged: tuple[RuleStatus, ...] = ()
    over: tuple[tuple[int, Mapping[Any, Any]], ...] = ()
    """What the rules that hold set, by their index, the winning one first."""

    def origin(self, place: KeyPath) -> KeyPath:
        """Return where in the file the value at *place* is set."""
        for index, values in self.over:
            if _holds(values, place):
                return ("match", index, "set", *place)
        return place


def apply_rules(
    source: Source, config: Config, local: Config, here: Callable[[], Machine]
) -> RuleOutcome:
    """Put the rules that hold over the file they stand in, later ones over earlier ones.

    *config* is what the whole file says, *local* the local file, which has name and labels.
    """
    if not config.match:
        return RuleOutcome(source.values, (Layer(source.file, source.values),))
    machine = here()
    values: dict[Any, Any] = {k: v for k, v in source.values.items() if k != "match"}
    layers, judged = [Layer(source.file, values)], []
    over: list[tuple[int, Mapping[Any, Any]]] = []
    for index, rule in enumerate(config.match):
        name = f"{source.file}: match[{index}]"
        judged.append(RuleStatus(name, unmet(rule, machine, local)))
        if not judged[-1].unmet:
            asked = source.values["match"][index]["set"]
            values = merge(values, asked)
            layers.insert(0, Layer(name, asked))
            over.insert(0, (index, asked))
    return RuleOutcome(values, tuple(layers), tuple(judged), tuple(over))


def unmet(rule: Rule, machine: Machine, local: Config) -> str:
    """Return why a rule does not hold on this node; empty: it does."""
    return next(_unmet_conditions(rule, machine, local), "")


def _unmet_conditions(rule: Rule, machine: Machine, local: Config) -> Iterator[str]:
    name, labels = local.node.name or machine.name, local.node.labels
    if rule.host and not any(_fits(name, pattern) for pattern in rule.host):
        yield f"the host is {name}"
    for label, pattern in rule.labels.items():
        if label not in labels:
            yield f"there is no label {label}"
        elif not fnmatchcase(labels[label], pattern or "*"):
            yield f"the label {label} is {labels[label]!r}"
    for sign, number in re.findall(r"([<>]=?|)\s*([0-9]+)", rule.cores):
        if not _COMPARE[sign](machine.cores, int(number)):
            yield f"there are {machine.cores} cores"


def _fits(name: str, pattern: str) -> bool:
    """Say whether a host's name, or its part before the first dot, fits; case does not matter."""
    whole = name.lower()
    return any(fnmatchcase(each, pattern.lower()) for each in (whole, whole.partition(".")[0]))


def merge(under: Mapping[Any, Any], over: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return *under* with each key that *over* has, mappings within mappings alike."""
    both = {**under, **over}
    for key, value in over.items():
        inner = under.get(key)
        if isinstance(inner, Mapping) and isinstance(value, Mapping):
            both[key] = merge(inner, value)
    return both


def _holds(values: Any, place: KeyPath) -> bool:
    """Say whether these values set what stands at *place*; a list is set as a whole."""
    for part in place:
        if isinstance(part, int):
            return True
        if not isinstance(values, Mapping) or part not in values:
            return False
        values = values[part]
    return True
