"""Configurations are read, laid over each other, and refused with words."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from plancton.config.evaluate import evaluate
from plancton.config.load import ConfigError, Loaded, layered, load, load_text
from plancton.config.schema import Allow, Config
from plancton.config.write import to_yaml
from plancton.config.yaml_source import parse


def problems(text: str) -> list[str]:
    """Return what is wrong with a text."""
    with pytest.raises(ConfigError) as caught:
        load_text(text, "f.yaml")
    return str(caught.value).splitlines()


_PAIRS = (("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"))


@pytest.mark.parametrize("text", ["", "\n# only a comment\n", "{}", "---\n"])
def test_empty_files_are_the_defaults(text: str) -> None:
    """Busybox sleeping for a minute, as room allows: never zero, never unprotected."""
    config = load_text(text, "f").config
    assert config == Config()
    assert evaluate(config, {"ncpus": 4, "ram_bytes": 1, "swap_bytes": 0}).maximum == 12


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
        ("pilots: [{command: [a, yes]}]", ["f.yaml:1: pilots[0].command: word 2 is true to YAML"]),
        ("pilots: [{binds: ['~/d:/d']}]", ["f.yaml:1: pilots[0].binds: '~/d:/d': write an"]),
        ("pilots: [{binds: ['./x:/x']}]", ["f.yaml:1: pilots[0].binds: './x:/x': write an"]),
        ("pilots: [{tmpfs: {/plancton/hints: ''}}]", ["f.yaml:1: pilots[0].tmpfs: '/planc"]),
        ("pilots: [{tmpfs: {//plancton/./hints/: ''}}]", ["f.yaml:1: pilots[0].tmpfs: '//planc"]),
        ("pilots: [{tmpfs: {/plancton: ''}}]", ["f.yaml:1: pilots[0].tmpfs: '/plancton': /plan"]),
        ("pilots: [{binds: ['/a:/plancton/x']}]", ["f.yaml:1: pilots[0].binds: '/a:/plancton/x'"]),
        ("pilots: [{binds: ['vo:/x/../plancton']}]", ["f.yaml:1: pilots[0].binds: 'vo:/x/../pl"]),
        ("max_docks: 1\nbinds: ['/a:/plancton']", ["f.yaml:2: binds: '/a:/plancton:rw,shared"]),
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


@pytest.mark.parametrize(
    "pilot",
    [
        "tmpfs: {/planctonia: ''}",
        "tmpfs: {/x/plancton: ''}",
        "binds: ['/plancton:/x']",
        "{features: false, tmpfs: {/plancton/hints: ''}, binds: ['/a:/plancton']}",
    ],
)
def test_what_only_looks_like_our_folder_may_be_mounted(pilot: str) -> None:
    """And our folder itself, where the pilot gets no features."""
    text = pilot if pilot.startswith("{") else f"{{{pilot}}}"
    assert load_text(f"pilots: [{text}]", "f").config.pilots


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


def over(local: str, remote: str) -> Loaded:
    """Put one text over the other."""
    mine = parse(local, "local.yaml")
    return layered(mine, parse(remote, "far.yaml"), load_text(local, "local.yaml").config.allow)


def test_the_local_file_wins_key_by_key() -> None:
    """Groups mix, lists do not."""
    config = over(
        "node: {interval: 7s}\nspawn: {maximum: 1}",
        "node: {interval: 9s, on_stop: drain}\nspawn: {ceiling: 0.5}\npilots: [{name: far}]",
    ).config
    assert (config.node.interval, config.node.on_stop) == (7, "drain")
    assert (config.spawn.maximum.text, config.spawn.ceiling) == ("1", 0.5)
    assert [each.name for each in config.pilots] == ["far"]


@pytest.mark.parametrize(
    ("remote", "words"),
    [
        ("allow: {privileged: true}", "far.yaml:1: allow: only the local file may say this"),
        ("\nremote: {url: 'https://x'}", "far.yaml:2: remote: only the local file"),
        ("node: {instance: x}", "far.yaml:1: node.instance: only the local file"),
        ("node:\n  docker: tcp://x", "far.yaml:2: node.docker: only the local file"),
        ("protect: {oom_score_adj: -500}", "protect.oom_score_adj: a remote configuration may not"),
        ("protect: {memory: {evict_below: off}}", "protect.memory.evict_below: a remote"),
        ("protect: {disk: {stop_below: off}}", "protect.disk.stop_below: a remote"),
        ("protect: {disk: {evict_below: 0%}}", "protect.disk.evict_below: a remote"),
        ("protect: {disk: {evict_below_inodes: off}}", "protect.disk.evict_below_inodes: a remote"),
        ("monitor: {prometheus: '0.0.0.0:9273'}", "may say allow.listen: true"),
        ("docker_privileged: true", "far.yaml:1: docker_privileged: privileged is not allowed"),
        ("max_docks: 1\nbinds: ['/etc:/etc']", "far.yaml:2: binds: /etc:/etc:rw,shared,Z is not"),
        ("capabilities: [SYS_ADMIN]", "far.yaml:1: capabilities: SYS_ADMIN is not allowed"),
        ("spawn: {maximun: 1}", "did you mean maximum?"),
    ],
)
def test_a_remote_file_that_says_too_much_is_refused_with_its_line(remote: str, words: str) -> None:
    """Native or of 0.6.0."""
    with pytest.raises(ConfigError) as caught:
        over("", remote)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("local", "remote", "folders"),
    [
        ("allow: {binds: [/data, '/sw:ro']}", "pilots: [{name: far}]", ("/data", "/sw:ro")),
        ("", "match: [{set: {pilots: [{name: far}]}}]", ()),
        ("", "max_docks: 3", ()),
        ("pilots: [{name: mine}]", "pilots: [{name: far}]", None),
        ("match: [{set: {pilots: [{name: mine}]}}]", "pilots: [{name: far}]", None),
        ("match: [{host: [other], set: {pilots: [{}]}}]", "pilots: [{name: far}]", ()),
    ],
)
def test_profiles_know_whether_their_binds_are_trusted(
    local: str, remote: str, folders: tuple[str, ...] | None
) -> None:
    """Those of the local file are; those of a remote one stay within allow.binds at each start."""
    (profile,) = over(local, remote).config.pilots
    assert profile.bind_folders == folders
    assert profile.model_copy().bind_folders == folders
    assert load_text(remote, "f").config.pilots[0].bind_folders is None


def test_a_remote_file_of_0_6_0_is_translated() -> None:
    """With its own defaults, and the local file over it."""
    loaded = over("spawn: {per_tick: 9}", "max_docks: 3\ndocker_image: lab/worker")
    assert loaded.legacy
    assert loaded.config.spawn.maximum.text == "3"
    assert loaded.config.spawn.per_tick == 9
    assert loaded.config.pilots[0].image == "lab/worker"


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_whatever_a_remote_text_holds_it_is_read_or_refused(raw: bytes) -> None:
    """Never anything but a configuration or a ConfigError."""
    with suppress(ConfigError):
        over("", raw.decode("utf-8", "replace"))


GOOD = """
node: {interval: 5s}
pilots:
  - {name: worker, image: "lab.example/worker:1", command: [run, "1"], memory: 2GB, ttl: 12h}
spawn: {maximum: "min(ncpus - 1, ram_bytes / max_dock_mem)", when: foreground_5m < 2}
protect: {calendar: {lend: ["18:00-08:00", "Sat,Sun"]}, memory: {stop_below: 5%}}
"""


@given(st.lists(st.tuples(st.integers(0, len(GOOD)), st.characters(codec="utf-8")), max_size=8))
def test_a_damaged_file_is_read_or_refused(changes: list[tuple[int, str]]) -> None:
    """Single characters put in at any place."""
    text = GOOD
    for place, letter in changes:
        text = text[:place] + letter + text[place:]
    with suppress(ConfigError):
        load_text(text, "x")


@pytest.mark.parametrize(
    ("text", "total", "each", "marks"),
    [
        ("{}", None, None, False),
        ("{total: 200Mbit}", 200_000_000, None, True),
        ("{each: 50Mbit, mark: false}", None, 50_000_000, False),
        ("{mark: true}", None, None, True),
        ("{total: off, each: off}", None, None, False),
    ],
)
def test_the_share_of_the_network(
    text: str, total: int | None, each: int | None, marks: bool
) -> None:
    """Off unless set; a limit brings the mark with it."""
    network = load_text(f"protect: {{network: {text}}}", "c.yaml").config.protect.network
    assert (network.total, network.each, network.marks) == (total, each, marks)


def test_a_remote_file_cannot_lift_a_local_limit() -> None:
    """The local file wins key by key, also over an explicit off."""
    local = parse("protect: {network: {total: 20Mbit, mark: true}}", "local")
    remote = parse("protect: {network: {total: off, each: 5Mbit, mark: false}}", "remote")
    network = layered(local, remote, Allow()).config.protect.network
    assert (network.total, network.each, network.marks) == (20_000_000, 5_000_000, True)
