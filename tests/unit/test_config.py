"""Configuration files: read, refused with words, translated, written again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from plancton.config import legacy
from plancton.config.config_file import ConfigFile
from plancton.config.evaluate import evaluate
from plancton.config.load import ConfigError, load, load_text
from plancton.config.reference import json_schema, reference
from plancton.config.schema import Config, Profile
from plancton.config.units import format_duration, parse_duration, parse_size
from plancton.config.write import to_yaml

ROOT = Path(__file__).parents[2]


def problems(text: str) -> list[str]:
    """Return what is wrong with a text."""
    with pytest.raises(ConfigError) as caught:
        load_text(text, "f.yaml")
    return str(caught.value).splitlines()


_PAIRS = (("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"))


@pytest.mark.parametrize("text", ["", "\n# only a comment\n", "{}", "---\n"])
def test_empty_files_are_the_defaults(text: str) -> None:
    """Busybox sleeping for a minute, one pilot a core: never zero, never unprotected."""
    config = load_text(text, "f").config
    assert config == Config()
    assert evaluate(config, {"ncpus": 4, "ram_bytes": 1, "swap_bytes": 0}).maximum == 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nod: {}", ["f.yaml:1: nod: no such key; did you mean node?"]),
        ("node:\n  intervall: 3", ["f.yaml:2: node.intervall: no such key; did you mean inter"]),
        ("node: {interval: 5x}", ["f.yaml:1: node.interval: 'x' is not a unit of duration; known"]),
        ("pilots:\n- cpus: 0\n- image: 'A b'", [
            "f.yaml:2: pilots[0].cpus: input should be greater than or equal to 0.01, not 0",
            "f.yaml:3: pilots[1].image: not an image reference",
        ]),
        ("spawn:\n\n  maximum: ncpu - 1", ["f.yaml:3: spawn.maximum: 'ncpu' is not known"]),
        ("node: {name: a}\nnode: {name: b}", ["f.yaml:2: node: is given twice"]),
        ("- 1\n- 2", ["f.yaml:1: must hold keys and values"]),
        ("node: [", ["f.yaml:2: is not valid YAML"]),
        ("a: *x", ["f.yaml:1: *x stands before or inside &x"]),
        ("a: &x [*x]", ["f.yaml:1: *x stands before or inside &x"]),
        (
            "a: &a [1,1,1,1,1,1,1,1,1]\n"
            + "".join(f"{n}: &{n} [{', '.join([f'*{p}'] * 9)}]\n" for p, n in _PAIRS),
            ["f.yaml:5: holds too many values"],
        ),
        ("pilots: [{env: {A: yes}}]", ["f.yaml:1: pilots[0].env: the value of A is true to YAML"]),
        ("pilots: [{env: {A: null}}]", ["f.yaml:1: pilots[0].env: the value of A is null to YAML"]),
        ("pilots: [{binds: ['~/d:/d']}]", ["f.yaml:1: pilots[0].binds: '~/d:/d': write an"]),
        ("pilots: [{binds: ['./x:/x']}]", ["f.yaml:1: pilots[0].binds: './x:/x': write an"]),
        ("a: !!python/object/apply:os.system [ls]", ["f.yaml:1: is not valid YAML"]),
        ("pilots: 3", ["f.yaml:1: pilots: must be a list, not 3"]),
        ("pilots: []", ["f.yaml: pilots: at least one profile is needed"]),
        ("pilots: [{name: a}, {name: a}]", ["f.yaml: two profiles are called 'a'"]),
        ("max_docks: ncpu\nmax_ttl: -1", ["f.yaml:1: max_docks: 'ncpu'", "f.yaml:2: max_ttl: "]),
        ("max_docks: 1\ninfluxdb_url: {a: 1}", ["f.yaml:2: influxdb_url: "] * 2),
        ("pilots: [{image: }]", ["f.yaml:1: pilots[0].image: input should be a valid string"]),
        ("{[1]: 2}: 3", ["f.yaml"]),
        ("pilots: [{binds: [nowhere]}]", ["f.yaml:1: pilots[0].binds: 'nowhere' is not host:cont"]),
    ],
)  # fmt: skip
def test_problems_name_file_line_key_and_what_to_do(text: str, expected: list[str]) -> None:
    """All of them at once."""
    found = problems(text)
    assert len(found) == len(expected)
    for line in expected:
        assert any(each.startswith(line) for each in found), found


def test_secrets_stay_out_of_messages_and_show() -> None:
    """Environment values are the usual place for them."""
    assert "hunter2" not in "\n".join(problems("pilots: [{env: {TOKEN: [hunter2]}}]"))
    config = load_text("pilots: [{env: {TOKEN: hunter2}}]", "f").config
    assert "hunter2" not in to_yaml(config, mask=True)
    assert "TOKEN: '***'" in to_yaml(config, mask=True)


@given(st.text(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["node", "pilots", "spawn", "image", "cpus", "env", "max_docks", "binds"]),
        inner, max_size=4),
    max_leaves=12,
).map(yaml.safe_dump))  # fmt: skip
def test_any_text_is_a_config_or_a_config_error(text: str) -> None:
    """No other exception ever."""
    try:
        config = load_text(text, "f").config
    except ConfigError:
        return
    assert config.pilots


@pytest.mark.parametrize(
    "raw", [b"\xff\xfe\x00", b"a: \x80", b"x" * 2_000_000, b"\x00", b"[" * 5000]
)
def test_hostile_bytes_get_one_word(raw: bytes, tmp_path: Path) -> None:
    """Not text, too large, control characters, nested without end."""
    (tmp_path / "c").write_bytes(raw)
    with pytest.raises(ConfigError):
        load(tmp_path / "c")


def test_a_file_is_watched_and_the_last_good_one_kept(tmp_path: Path) -> None:
    """Revision counts real changes; taking the file away returns to the defaults."""
    path = tmp_path / "c.yaml"
    file = ConfigFile(path)
    assert file.current().source.startswith("built-in defaults")
    path.write_text("node: {interval: 9s}")
    assert (file.current().config.node.interval, file.current().revision) == (9.0, 2)
    path.write_text("node: {interval: 9s} # the same")
    assert file.current().revision == 2
    path.write_text("node: {interval: never}")
    assert "interval" in file.current().error
    assert file.current().config.node.interval == 9.0
    path.write_text("spawn: {maximum: 1}")
    assert file.current().config.node.interval == 5.0
    assert file.current().error == ""
    path.unlink()
    assert file.current().config == Config()


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    """Else a typing error would silently mean the defaults."""
    with pytest.raises(FileNotFoundError):
        ConfigFile(tmp_path / "none.yaml", must_exist=True).first()


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


@pytest.mark.parametrize("text", ["", "max_docks: 3", "docker_cmd: 'a b'\ngrace_kill: 7"])
def test_what_is_written_reads_back_the_same(text: str) -> None:
    """Both as a whole and with changes only."""
    config = load_text(text, "f").config
    for changes_only in (False, True):
        again = load_text(to_yaml(config, changes_only=changes_only), "g").config
        assert again == config


@pytest.mark.parametrize(
    "reference_",
    [
        "busybox",
        "registry:5000/x:v1",
        "r.example:5000/a/b:tag",
        "a/b@sha256:" + "0" * 64,
        "x:1@sha256:" + "a" * 64,
    ],
)
def test_legal_image_references(reference_: str) -> None:
    """A port is no tag, a digest is no tag."""
    assert Profile(image=reference_).image == reference_


@pytest.mark.parametrize("bad", ["", "A", "a b", "a:", "a@sha256:12", "http://a/b", "-a"])
def test_illegal_image_references(bad: str) -> None:
    """Are refused when the file is read."""
    with pytest.raises(ValueError, match="not an image reference"):
        Profile(image=bad)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("1h30m", 5400), (5, 5), ("12h", 43200), ("0.5 min", 30), ("250ms", 0.25)],
)
def test_durations(text: object, seconds: float) -> None:
    """With and without units."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("bad", ["", "s", "-3s", "1x", "1h 3 x", True, None, float("nan"), [1]])
def test_no_durations(bad: object) -> None:
    """A word for each."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration(bad)


@pytest.mark.parametrize(
    ("text", "size"), [("2GB", 2 * 10**9), ("512MiB", 512 * 2**20), (7, 7), ("1.5k", 1500)]
)
def test_sizes(text: object, size: int) -> None:
    """Decimal and binary units."""
    assert parse_size(text) == size


@given(st.floats(0, 1e7))
def test_durations_are_written_with_a_unit(seconds: float) -> None:
    """A number, a blank and a unit, whatever the value."""
    number, unit = format_duration(seconds).split()
    assert float(number) >= 0
    assert unit in {"s", "min", "h", "d"}


def test_the_schema_covers_every_key_of_the_defaults() -> None:
    """It is made from the model that reads."""
    schema = json_schema()
    assert set(schema["properties"]) == set(Config.model_fields)
    assert "Profile" in schema["$defs"]


def test_the_reference_page_is_up_to_date() -> None:
    """What docs/config.md says is what the program knows."""
    page = (ROOT / "docs/config.md").read_text()
    assert reference() in page
    assert all(f"`{key}`" in page for key in legacy.DEFAULTS)
