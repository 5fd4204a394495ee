"""Files of 0.6.0 are translated."""

from __future__ import annotations

from typing import Any

import pytest

from plancton.config.load import load_text


def test_0_6_0_defaults_and_keys() -> None:
    """Each key lands where it belongs; what is absent has its 0.6.0 default."""
    loaded = load_text("max_ttl: 3600\ncapabilities: [+SYS_ADMIN, '-NET_RAW', CHOWN]", "f")
    config, pilot = loaded.config, loaded.config.pilots[0]
    assert loaded.legacy
    assert (config.node.interval, config.image.refresh) == (30, 43200)
    protect = config.protect
    assert (protect.freeze_after, protect.evict_after) == (30, 90)
    assert protect.hold_after_eviction == 60
    assert (config.spawn.maximum.text, config.spawn.per_tick) == ("ncpus - 2", 4)
    assert (pilot.ttl, pilot.image, pilot.command) == (3600, "busybox", ("/bin/sleep", "60"))
    assert (pilot.memory, pilot.swap, pilot.user, pilot.cpus) == (2_000_000_000, 0, "0:0", 1)
    assert pilot.disk == 0
    assert (pilot.cap_add, pilot.cap_drop) == (("SYS_ADMIN", "CHOWN"), ("NET_RAW",))
    assert (pilot.security_opt, pilot.pids, pilot.privileged) == ((), 32768, False)


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("binds: ['/a:/b', '/c:/d:ro']", "binds", ("/a:/b:rw,shared,Z", "/c:/d:ro")),
        ("devices: ['/dev/fuse:/dev/fuse:rwm']", "devices", ("/dev/fuse:/dev/fuse:rwm",)),
        (
            "devices: [{PathOnHost: /dev/fuse, PathInContainer: /dev/x, CgroupPermissions: r}]",
            "devices",
            ("/dev/fuse:/dev/x:r",),
        ),
        ("docker_cmd: [a, 'b c']", "command", ("a", "b c")),
        ("docker_cmd: \"a 'b c'\"", "command", ("a", "'b", "c'")),
        ("user_group: 500", "user", "500"),
    ],
)
def test_0_6_0_values_in_all_their_forms(text: str, key: str, value: Any) -> None:
    """As 0.6.0 understood them."""
    assert getattr(load_text(text, "f").config.pilots[0], key) == value


def test_0_6_0_stray_keys_and_urls_are_remarked_without_secrets() -> None:
    """A warning with the line, and the file still works."""
    text = "max_dock: 3\nmax_docks: 3\ninfluxdb_url: https://u:hunter2@h:1#d\n"
    warnings = " ".join(load_text(text, "f.yaml").warnings)
    assert "f.yaml:1: max_dock is no key of 0.6.0, ignored; did you mean max_docks?" in warnings
    assert "hunter2" not in warnings
