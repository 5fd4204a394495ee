"""What a remote configuration may not ask for."""

from __future__ import annotations

from typing import Any

import pytest

from plancton.config.restrictions import leads_astray, violations, widened_for
from plancton.config.schema import Allow, Config


@pytest.mark.parametrize(
    ("pilot", "allow", "key"),
    [
        ({}, {}, ""),
        ({"privileged": True}, {}, "privileged"),
        ({"privileged": True}, {"privileged": True}, ""),
        ({"user": "0:0"}, {}, ""),
        ({"user": "0:0"}, {"root": False}, "user"),
        ({"user": "00"}, {"root": False}, "user"),
        ({"user": "root:x"}, {"root": False}, "user"),
        ({"user": ""}, {"root": False}, "user"),
        ({"cap_add": ["CHOWN"]}, {}, ""),
        ({"cap_add": ["SYS_ADMIN"]}, {}, "cap_add"),
        ({"cap_add": ["cap_sys_admin"]}, {"capabilities": ["SYS_ADMIN"]}, ""),
        ({"cap_add": ["ALL"]}, {"capabilities": ["SYS_ADMIN"]}, "cap_add"),
        ({"cap_add": ["SYS_PTRACE"]}, {"capabilities": ["ALL"]}, ""),
        ({"binds": ["/cvmfs:/cvmfs"]}, {}, "binds"),
        ({"binds": ["/cvmfs:/cvmfs"]}, {"binds": ["/cvmfs"]}, ""),
        ({"binds": ["/cvmfs/x:/x:ro"]}, {"binds": ["/cvmfs:ro"]}, ""),
        ({"binds": ["/cvmfs/x:/x:rw,shared"]}, {"binds": ["/cvmfs:ro"]}, "binds"),
        ({"binds": ["/cvmfs/../etc:/x"]}, {"binds": ["/cvmfs"]}, "binds"),
        ({"binds": ["/cvmfsx:/x"]}, {"binds": ["/cvmfs/"]}, "binds"),
        ({"binds": ["/etc:/x"]}, {"binds": ["/"]}, ""),
        ({"binds": ["cache:/x"]}, {}, "binds"),
        ({"binds": ["cache:/x"]}, {"volumes": ["cache"]}, ""),
        ({"binds": ["/cvmfs/x:/x:ro,rshared"]}, {"binds": ["/cvmfs:ro"]}, "binds"),
        ({"user": "+0"}, {"root": False}, "user"),
        ({"user": "-0:5"}, {"root": False}, "user"),
        ({"user": "+0:+0"}, {"root": False}, "user"),
        ({"user": "1000:0"}, {"root": False}, "user"),
        ({"user": "1000"}, {"root": False}, "user"),
        ({"user": "1000:+0"}, {"root": False}, "user"),
        ({"user": "worker"}, {"root": False}, "user"),
        ({"user": "1000:1000"}, {"root": False}, ""),
        ({"cap_add": ["all"]}, {"capabilities": ["SYS_ADMIN"]}, "cap_add"),
        ({"pids": -1}, {}, "pids"),
        ({"pids": 65536}, {}, "pids"),
        ({"log_size": "2GB"}, {}, "log_size"),
        ({"disk": "off"}, {}, ""),
        ({"disk": "off"}, {"disk": "1TB"}, "disk"),
        ({"disk": "2TB"}, {"disk": "1TB"}, "disk"),
        ({"disk": "1TB"}, {"disk": "1TB"}, ""),
        ({"ulimits": {"memlock": {"soft": -1, "hard": -1}}}, {}, "ulimits"),
        ({"ulimits": {"nofile": {"soft": 9, "hard": 9}}}, {}, ""),
        ({"image": "worker.evil.example/x"}, {"images": ["worker*"]}, "image"),
        ({"image": "evil.example/lab/x"}, {"images": ["lab/*"]}, "image"),
        ({"image": "lab/x:1"}, {"images": ["lab/*"]}, ""),
        ({"image": "docker.io/lab/x:1"}, {"images": ["lab/*"]}, ""),
        ({"image": "evil.example/lab/x"}, {"images": ["*/lab/*"]}, ""),
        ({"image": "lab.example.evil.example/x"}, {"images": ["lab.example/*"]}, "image"),
        ({"devices": ["/dev/fuse"]}, {}, "devices"),
        ({"devices": ["/dev/fuse:/dev/fuse:rw"]}, {"devices": ["/dev/fuse"]}, ""),
        ({"image": "evil/x"}, {"images": ["lab.example/*"]}, "image"),
        ({"image": "lab.example/x:1"}, {"images": ["lab.example/*"]}, ""),
        ({"network": "host"}, {}, "network"),
        ({"security_opt": ["seccomp=unconfined"]}, {}, "security_opt"),
        ({"memory": "3GB"}, {"memory": "2GB"}, "memory"),
        ({"memory": "2GB", "swap": "1GB"}, {"memory": "2GB"}, "memory"),
    ],
)
def test_what_exceeds_is_refused_and_granting_allows_exactly_that(
    pilot: dict[str, Any], allow: dict[str, Any], key: str
) -> None:
    """With the key, and the words that would allow it."""
    config = Config.model_validate({"pilots": [pilot]})
    bounds = Allow.model_validate(allow)
    found = list(violations(config, bounds))
    assert [str(place[-1]) for place, _ in found] == ([key] if key else [])
    assert all("the local file may say allow." in text for _, text in found)
    assert list(violations(config, widened_for(config, bounds))) == []
    if not key:
        assert widened_for(config, bounds) == bounds


@pytest.mark.parametrize(
    ("bind", "allowed", "leads", "words"),
    [
        ("/data:/x:rw", ["/data"], {"/data": "/data"}, ""),
        ("/data/a:/x", ["/data"], {"/data/a": "/data/a", "/data": "/data"}, ""),
        # The local administrator's own links above, or as, an allowed folder are good.
        ("/data/a:/x", ["/data"], {"/data/a": "/mnt/1/a", "/data": "/mnt/1"}, ""),
        ("/data/a:/x", ["/"], {"/data/a": "/data/a", "/": "/"}, ""),
        # Where pilots may not write, a link that stays within is good.
        ("/sw/v:/x", ["/sw:ro"], {"/sw/v": "/sw/v1", "/sw": "/sw"}, ""),
        ("/sw/v:/x", ["/sw:ro"], {"/sw/v": "/etc", "/sw": "/sw"}, "leads to /etc, out of /sw"),
        ("/sw/v:/x", ["/sw:ro"], {"/sw/v": "/sw2", "/sw": "/sw"}, "leads to /sw2, out of /sw"),
        # Where they may, none is.
        ("/data/a:/x", ["/data"], {"/data/a": "/etc", "/data": "/data"}, "a link below /data, wh"),
        ("/data/a:/x", ["/data"], {"/data/a": "/data/b", "/data": "/data"}, "link below /data"),
        ("/data/a:/x", ["/"], {"/data/a": "/etc", "/": "/"}, "leads to /etc by a link below /, "),
        # A folder that is allowed by itself may have been replaced by who writes above.
        (
            "/data/in:/x",
            ["/data", "/data/in"],
            {"/data/in": "/", "/data": "/data"},
            "leads to / by a link below /data, which pilots may write",
        ),
        # Reading alone is allowed inside: no link makes it writable.
        (
            "/data/a:/x:rw",
            ["/data", "/data/in:ro"],
            {"/data/a": "/data/in", "/data": "/data"},
            "leads to /data/in by a link below /data",
        ),
        (
            "/sw/v:/x:rw",
            ["/sw:ro", "/sw/v"],
            {"/sw/v": "/sw/v", "/sw": "/sw"},
            "",
        ),
    ],
)
def test_a_bind_leads_where_it_is_allowed(
    bind: str, allowed: list[str], leads: dict[str, str], words: str
) -> None:
    """Whatever links are on its way."""
    found = leads_astray(bind, allowed, leads)
    assert words in found
    assert bool(found) == bool(words)
