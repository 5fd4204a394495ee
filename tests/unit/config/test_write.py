"""Configurations are written again, compared, and shown without secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from plancton.config.config_file import ConfigFile
from plancton.config.effective import ConfigState
from plancton.config.load import layered, load_text
from plancton.config.schema import Allow, Config
from plancton.config.write import differences, settings, to_yaml, without_credentials
from plancton.config.yaml_source import parse


def test_each_value_says_which_file_sets_it(tmp_path: Path) -> None:
    """The local file, else the remote one, else none; secrets stay hidden."""
    local = parse("node: {interval: 2s}\nremote: {url: https://u:p@x/y}\n", "local.yaml")
    remote = parse(
        "pilots: [{name: w, env: {TOKEN: secret}}]\nspawn: {maximum: 3}\nnode: {}\n", "remote"
    )
    loaded = layered(local, remote, Allow())
    state = ConfigState(loaded.config, "both", layers=loaded.layers)
    found = {each.key: (each.value, each.origin) for each in settings(state)}
    assert found["node.interval"] == ("2.0", "local.yaml")
    assert found["spawn.maximum"][1] == "remote"
    assert found["pilots[w].env.TOKEN"] == ('"***"', "remote")
    assert found["pilots[w].cpus"] == ("1.0", "")
    assert "u:p" not in found["remote.url"][0]
    old = tmp_path / "config.yaml"
    old.write_text("max_docks: 2\nmain_sleep: 7\n")
    found = {e.key: (e.value, e.origin) for e in settings(ConfigFile(old).first())}
    assert found["node.interval"] == ("7.0", str(old))
    assert found["spawn.reserve"][1] == ""


@pytest.mark.parametrize("text", ["", "max_docks: 3", "docker_cmd: 'a b'\ngrace_kill: 7"])
def test_what_is_written_reads_back_the_same(text: str) -> None:
    """Both as a whole and with changes only."""
    config = load_text(text, "f").config
    for changes_only in (False, True):
        again = load_text(to_yaml(config, changes_only=changes_only), "g").config
        assert again == config


def test_differences_name_keys_and_hide_secrets() -> None:
    """A changed secret is a change, though it is not shown."""
    old = Config.model_validate({"pilots": [{"env": {"A": "secret1"}}], "spawn": {"maximum": 1}})
    new = Config.model_validate({"pilots": [{"env": {"A": "secret2"}}], "spawn": {"maximum": 2}})
    changed = differences(old, new)
    assert ("spawn.maximum", "1", "2") in changed or ("spawn.maximum", '"1"', '"2"') in changed
    assert any(key == "pilots[default].env.A" for key, _, _ in changed)
    assert "secret" not in str(changed)
    assert differences(old, old) == []


def test_credentials_are_masked_in_urls() -> None:
    """In what is shown of the configuration, too."""
    url = "git+https://user:token@host/x.git"
    assert without_credentials(url) == "git+https://***@host/x.git"
    shown = to_yaml(Config.model_validate({"remote": {"url": url}}), mask=True)
    assert "token" not in shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h/x?private_token=s3cret", "https://h/x?private_token=***"),
        ("https://h/x?ref=main&token=s3cret#a", "https://h/x?ref=main&token=***#a"),
        ("https://u:s3cret@h:1/w?u=me&p=s3cret#db", "https://***@h:1/w?u=***&p=***#db"),
        ("https://h/x?raw=1", "https://h/x?raw=1"),
    ],
)
def test_secrets_in_queries_are_masked(url: str, shown: str) -> None:
    """What chooses a branch is shown, what lets somebody in is not."""
    assert without_credentials(url) == shown
    config = Config.model_validate({"remote": {"url": url}})
    assert "s3cret" not in to_yaml(config, mask=True)
