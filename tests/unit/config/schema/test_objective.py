"""Objectives say where their figure comes from, once; what is wrong is said with its key."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from plancton.config.load import ConfigError, load_text
from plancton.config.restrictions import violations, widened_for
from plancton.config.schema import Allow, Config, Objective
from plancton.config.write import differences, plain

GOOD = {"name": "p99", "limit": 1, "command": ["/bin/p99"]}
WEB = {"name": "p99", "limit": 1, "http": "http://127.0.0.1/x"}
QUERY = {"name": "p99", "limit": 1, "prometheus": "https://[::1]:9090/prom", "query": "up"}


def objective(**fields: Any) -> str:
    """Return a configuration with one objective."""
    return yaml.safe_dump({"protect": {"slo": [fields]}})


@pytest.mark.parametrize("fields", [GOOD, WEB, QUERY, {**GOOD, "json_path": "a.0", "step": False}])
def test_good(fields: dict[str, Any]) -> None:
    """With exactly one source."""
    assert load_text(objective(**fields), "x").config.protect.slo[0].limit == 1


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": "p99", "limit": 1}, "must have exactly one of command, http, prometheus, waited"),
        (
            {**GOOD, **WEB},
            "exactly one of command, http, prometheus, waited; here are command and http",
        ),
        ({**GOOD, "query": "up"}, "prometheus and query go together"),
        ({**QUERY, "query": ""}, "prometheus and query go together"),
        ({**QUERY, "json_path": "a"}, "json_path goes with http or command"),
        ({**GOOD, "json_path": "a..b"}, "protect.slo[0].json_path: must be keys with single dots"),
        ({**GOOD, "command": ["p99"]}, "protect.slo[0].command: must begin with the absolute path"),
        ({**GOOD, "command": "/bin/p99"}, "protect.slo[0].command: must be a list"),
        ({**WEB, "http": "127.0.0.1/x"}, "protect.slo[0].http: must be http(s)://"),
        ({**WEB, "http": "http://x:99999/"}, "protect.slo[0].http: must be http(s)://"),
        ({**WEB, "http": "file:///etc/passwd"}, "protect.slo[0].http: must be http(s)://"),
        ({**WEB, "http": "http://me:s3cret@x y/"}, "protect.slo[0].http: must be http(s)://"),
        ({**GOOD, "name": ""}, "protect.slo[0].name"),
        ({**GOOD, "name": "a\nb"}, "protect.slo[0].name"),
        ({**GOOD, "interval": 0}, "protect.slo[0].interval"),
        ({**GOOD, "limti": 3}, "limti: no such key; did you mean limit?"),
    ],
)
def test_bad(fields: dict[str, Any], says: str) -> None:
    """Each with its key, and no secret."""
    with pytest.raises(ConfigError) as error:
        load_text(objective(**fields), "x")
    assert says in str(error.value)
    assert "s3cret" not in str(error.value)


def test_names_differ() -> None:
    """They are what readings are known by."""
    with pytest.raises(ConfigError, match="two objectives named p99"):
        load_text(yaml.safe_dump({"protect": {"slo": [GOOD, WEB]}}), "x")


@pytest.mark.parametrize(
    ("fields", "host"),
    [
        (GOOD, ""),
        (WEB, "127.0.0.1:80"),
        (QUERY, "[::1]:9090"),
        ({**WEB, "http": "https://me:pw@Shop.example/x?a=b@c"}, "shop.example:443"),
    ],
)
def test_the_host_that_is_asked(fields: dict[str, Any], host: str) -> None:
    """With its port."""
    assert Objective.model_validate(fields).host == host


def test_secrets_are_masked() -> None:
    """In what is shown, and where two configurations differ."""
    web = {**WEB, "http": "https://me:s3cret@x/?key=s3cret", "token": "s3cret"}
    before, after = (Config.model_validate({"protect": {"slo": s}}) for s in ([], [web]))
    assert "s3cret" not in str(plain(after, mask=True))
    assert "s3cret" not in str(differences(before, after))
    assert "s3cret" in str(plain(after, mask=False))


@pytest.mark.parametrize(
    ("fields", "allow", "says"),
    [
        (
            GOOD,
            {},
            "slo.0.command: /bin/p99 is not allowed here; the local file may say "
            'allow.commands: ["/bin/p99"]',
        ),
        (GOOD, {"commands": ["/bin/p9"]}, "slo.0.command"),
        ({**GOOD, "command": ["/bin/../opt/p99"]}, {"commands": ["/opt/p99"]}, "slo.0.command"),
        (GOOD, {"commands": ["/bin/p99"]}, ""),
        (
            WEB,
            {},
            "slo.0.http: 127.0.0.1:80 is not allowed here; the local file may say "
            'allow.hosts: ["127.0.0.1:80"]',
        ),
        (WEB, {"hosts": ["127.0.0.1:8080"]}, "slo.0.http"),
        (WEB, {"hosts": ["127.0.0.1:*"]}, ""),
        (
            {**WEB, "http": "http://127.0.0.1:80@evil.example/"},
            {"hosts": ["127.0.0.1:*"]},
            "slo.0.http: evil.example:80",
        ),
        (QUERY, {}, "slo.0.prometheus: [::1]:9090"),
        (QUERY, {"hosts": ["[::1]:9090"]}, ""),
    ],
)
def test_a_remote_file_runs_no_commands_and_asks_no_hosts(
    fields: dict[str, Any], allow: dict[str, Any], says: str
) -> None:
    """Unless the local file allows it; granting allows exactly that."""
    config = Config.model_validate({"protect": {"slo": [fields]}})
    bounds = Allow.model_validate(allow)
    found = [
        ".".join(map(str, place[1:])) + f": {text}" for place, text in violations(config, bounds)
    ]
    assert len(found) == bool(says)
    assert says in "".join(found)
    assert list(violations(config, widened_for(config, bounds))) == []
