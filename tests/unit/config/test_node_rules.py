"""Rules for nodes that differ: when they hold, what they set, what they may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plancton.config.config_file import ConfigFile
from plancton.config.load import ConfigError, Loaded, layered, load_text
from plancton.config.node_rules import Machine, unmet
from plancton.config.schema import Allow, Config, Rule
from plancton.config.write import settings
from plancton.config.yaml_source import parse

NODE = Machine("gpu7.lab.example", 16)


def here() -> Machine:
    """Return the machine of these tests."""
    return NODE


@pytest.mark.parametrize(
    ("conditions", "labels", "why"),
    [
        ({}, {}, ""),
        ({"host": "gpu7.lab.example"}, {}, ""),
        ({"host": "gpu7"}, {}, ""),
        ({"host": "GPU?"}, {}, ""),
        ({"host": ["cpu*", "*.lab.example"]}, {}, ""),
        ({"host": "gpu"}, {}, "the host is gpu7.lab.example"),
        ({"host": ["cpu*", "gpu[0-6]"]}, {}, "the host is gpu7.lab.example"),
        ({"cores": 16}, {}, ""),
        ({"cores": "16"}, {}, ""),
        ({"cores": ">= 16"}, {}, ""),
        ({"cores": ">=8,<32"}, {}, ""),
        ({"cores": "> 16"}, {}, "there are 16 cores"),
        ({"cores": "< 16"}, {}, "there are 16 cores"),
        ({"cores": "<= 15"}, {}, "there are 16 cores"),
        ({"cores": ">= 8, < 16"}, {}, "there are 16 cores"),
        ({"cores": "6"}, {}, "there are 16 cores"),
        ({"labels": ["gpu"]}, ["gpu", "big"], ""),
        ({"labels": ["gpu"]}, {"gpu": "a100"}, ""),
        ({"labels": {"rack": "r1?"}}, {"rack": "r12"}, ""),
        ({"labels": {"rack": 12}}, {"rack": 12}, ""),
        ({"labels": {"spare": True}}, {"spare": True}, ""),
        ({"labels": ["gpu"]}, ["big"], "there is no label gpu"),
        ({"labels": {"rack": "r1"}}, {"rack": "r12"}, "the label rack is 'r12'"),
        ({"labels": {"rack": "r1"}}, ["rack"], "the label rack is ''"),
        ({"host": "gpu*", "cores": "> 99", "labels": ["x"]}, {}, "there is no label x"),
        ({"host": "gpu*", "cores": "> 99", "labels": ["x"]}, ["x"], "there are 16 cores"),
    ],
)
def test_a_rule_holds_if_all_its_conditions_do(
    conditions: dict[str, Any], labels: Any, why: str
) -> None:
    """And says which one does not."""
    rule = Rule.model_validate({**conditions, "set": {}})
    local = Config.model_validate({"node": {"labels": labels}})
    assert unmet(rule, NODE, local) == why


def test_the_configured_name_is_the_hosts() -> None:
    """As in all that is shown of the node."""
    rule = Rule.model_validate({"host": "front", "set": {}})
    assert unmet(rule, NODE, Config.model_validate({"node": {"name": "front"}})) == ""


def over(local: str, remote: str) -> Loaded:
    """Put one text over the other on the machine of these tests."""
    mine, far = parse(local, "local.yaml"), parse(remote, "far.yaml")
    allow = load_text(local, "local.yaml", here).config.allow
    return layered(mine, far, allow, here)


def test_later_rules_win_and_the_local_file_wins_over_all_remote_ones() -> None:
    """Key by key; each value says which rule, or file, set it."""
    loaded = over(
        "node: {interval: 3s, labels: [gpu]}\n"
        "match: [{labels: [gpu], set: {protect: {freeze: false}}}]",
        "node: {interval: 9s}\nspawn: {maximum: 1, reserve: 0.5, per_tick: 2}\nmatch:\n"
        "- {host: gpu*, set: {spawn: {maximum: 2, per_tick: 3}, node: {interval: 8s}}}\n"
        "- {host: cpu*, set: {spawn: {maximum: 99}}}\n"
        "- {labels: [gpu], set: {spawn: {maximum: 4}, protect: {freeze: true}}}\n",
    )
    config = loaded.config
    assert (config.spawn.maximum.text, config.spawn.per_tick, config.spawn.reserve) == ("4", 3, 0.5)
    assert (config.node.interval, config.protect.freeze, config.match) == (3.0, False, ())
    assert [(each.name, bool(each.unmet)) for each in loaded.rules] == [
        ("local.yaml: match[0]", False),
        ("far.yaml: match[0]", False),
        ("far.yaml: match[1]", True),
        ("far.yaml: match[2]", False),
    ]


def test_each_value_names_its_rule(tmp_path: Path) -> None:
    """In the settings, and the rules that hold in the source."""
    path = tmp_path / "c"
    path.write_text(
        "spawn: {maximum: 1, reserve: 1}\n"
        "match: [{host: other, set: {}}, {cores: 16, set: {spawn: {maximum: 2}}}]"
    )
    state = ConfigFile(path, here=here).first()
    origins = {each.key: each.origin for each in settings(state)}
    assert origins["spawn.maximum"] == f"{path}: match[1]"
    assert origins["spawn.reserve"] == str(path)
    assert not any(key.startswith("match") for key in origins)
    assert state.source == f"{path}, with {path}: match[1]"
    assert [each.unmet for each in state.rules] == ["the host is gpu7.lab.example", ""]


def test_a_candidate_is_judged_like_the_file(tmp_path: Path) -> None:
    """For config diff."""
    path = tmp_path / "c"
    path.write_text("node: {labels: [gpu]}")
    source = ConfigFile(path, here=here)
    text = "node: {labels: [x]}\nmatch: [{labels: [x], set: {spawn: {maximum: 5}}}]"
    assert source.candidate(text).spawn.maximum.text == "5"
    far = "match: [{labels: [gpu], set: {spawn: {maximum: 6}}}]"
    assert source.candidate(far, remote=True).spawn.maximum.text == "6"


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ("[{host: x}]", "f:1: match[0].set: field required"),
        ("[{hosts: x, set: {}}]", "f:1: match[0].hosts: no such key; did you mean host?"),
        ("[{cores: many, set: {}}]", "match[0].cores: must be a number of cores"),
        ("[{cores: '>', set: {}}]", "match[0].cores: must be"),
        ("[{cores: '8 16', set: {}}]", "match[0].cores: must be"),
        ("[{cores: true, set: {}}]", "match[0].cores: must be"),
        ("[{labels: 3, set: {}}]", "match[0].labels: "),
        (
            "\n- set: {}\n- host: never\n  set:\n    spawn:\n      maximun: 2",
            "f:6: match[1].set.spawn.maximun: no such key; did you mean maximum?",
        ),
        ("[{set: {allow: {privileged: true}}}]", "match[0].set.allow: no such key; known here"),
        ("[{set: {remote: {url: 'https://x'}}}]", "match[0].set.remote: no such key"),
        ("[{set: {match: []}}]", "match[0].set.match: no such key"),
        ("[{set: {node: {docker: x}}}]", "f:1: match[0].set.node.docker: a rule may not set this"),
        ("[{set: {node: {name: x}}}]", "match[0].set.node.name: a rule may not"),
        ("[{set: {node: {labels: [x]}}}]", "match[0].set.node.labels: a rule may not"),
        ("[{set: {image: {docker_config: /x}}}]", "match[0].set.image.docker_config: a rule may"),
        ("[{set: {pilots: []}}]", "match[0].set: pilots: at least one profile"),
        ("{set: {}}", "f:1: match: "),
    ],
)
def test_errors_name_rule_and_key_whether_it_holds_or_not(rules: str, words: str) -> None:
    """In the local file and in a remote one alike."""
    for read in (_near, _far):
        with pytest.raises(ConfigError) as caught:
            read(rules)
        assert words in str(caught.value)


def _near(rules: str) -> Loaded:
    return load_text(f"match: {rules}", "f", here)


def _far(rules: str) -> Loaded:
    return layered(parse("", "local"), parse(f"match: {rules}", "f"), Allow(), here)


@pytest.mark.parametrize(
    ("local", "remote", "words"),
    [
        (
            "",
            "match:\n- host: gpu*\n  set:\n    pilots:\n    - privileged: true",
            "far.yaml:5: match[0].set.pilots[0].privileged: privileged is not allowed here",
        ),
        (
            "allow: {images: ['lab/*']}",
            "pilots: [{image: evil}]\nmatch: [{host: gpu*, set: {spawn: {maximum: 1}}}]",
            "far.yaml:1: pilots[0].image: evil is not allowed here",
        ),
        (
            "",
            "match: [{set: {protect: {oom_score_adj: -1}}}]",
            "far.yaml:1: match[0].set.protect.oom_score_adj: a remote configuration may not",
        ),
        ("", "allow: {privileged: true}", "far.yaml:1: allow: only the local file may say this"),
        ("", "node: {labels: [gpu]}", "far.yaml:1: node.labels: only the local file may say"),
    ],
)
def test_guardrails_hold_for_what_the_rules_make(local: str, remote: str, words: str) -> None:
    """The line is the rule's that sets it."""
    with pytest.raises(ConfigError) as caught:
        over(local, remote)
    assert words in str(caught.value)


def test_what_is_asked_of_other_nodes_is_not_refused_here() -> None:
    """A device of the machines that have it; and where it is allowed the rule holds."""
    fleet = "match: [{labels: [gpu], set: {pilots: [{devices: [/dev/gpu0]}]}}]"
    assert over("", fleet).config.pilots[0].devices == ()
    allowing = over("node: {labels: [gpu]}\nallow: {devices: [/dev/gpu0]}", fleet)
    assert allowing.config.pilots[0].devices == ("/dev/gpu0",)
    with pytest.raises(ConfigError, match=r"match\[0\]\.set\.pilots\[0\]\.devices: /dev/gpu0 is"):
        over("node: {labels: [gpu]}", fleet)


def test_rules_over_a_remote_file_of_0_6_0() -> None:
    """The local ones; the old form has none."""
    loaded = over("match: [{host: gpu7, set: {spawn: {maximum: 5}}}]", "max_docks: 2")
    assert loaded.config.spawn.maximum.text == "5"
    assert loaded.legacy
