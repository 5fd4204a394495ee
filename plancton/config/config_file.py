"""The configuration file that is watched; the last good configuration stays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from plancton.config.effective import ConfigState, RemoteState
from plancton.config.expressions import Expression
from plancton.config.load import Here, Loaded, from_source, layered, load, validated_whole
from plancton.config.node_rules import this_machine
from plancton.config.schema import Config, Remote
from plancton.config.yaml_source import ConfigError, Problem, Source, parse, read

DEFAULTS = "built-in defaults"


@dataclass(frozen=True, slots=True)
class Fetched:
    """The text of a remote configuration."""

    text: str
    name: str
    """What it is called in messages."""


class RemoteText(Protocol):
    """Fetches a remote configuration, on a thread of its own."""

    def configure(self, remote: Remote) -> None:
        """Say what is wanted; an empty URL: nothing."""

    def stamp(self) -> object:
        """Return something that differs whenever ``texts_to_try`` or ``state`` may."""

    def texts_to_try(self) -> tuple[Fetched, ...]:
        """Return the newest text, then the last good one; what there is of them."""

    def mark_good(self, fetched: Fetched) -> None:
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
        self._confirmed: ConfigState | None = None
        self._rejected: Config | None = None
        self._why_rejected = ""
        self._remote_text: Fetched | None = None
        """The remote text that is in force."""

    @property
    def in_force(self) -> ConfigState:
        """What ``current`` returned last, whatever the file says by now.

        For all but the engine's loop: a configuration read in the middle of a tick would be
        confirmed by that tick, though it was neither said nor decided under.
        """
        return self._state

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
            self._load()  # raises with every problem
        return state

    def confirm(self) -> ConfigState:
        """Take the configuration in force for good: a whole tick went well under it."""
        if self._confirmed is not self._state:
            if self.remote and self._remote_text:
                self.remote.mark_good(self._remote_text)
                self._state = replace(self._state, remote=self.remote.state())
            self._confirmed = self._state
        return self._state

    def reject(self, why: str) -> None:
        """Put the last good configuration back in force, unless it is the one in force.

        The rejected one stays refused until its files say something else.
        """
        good, bad = self._confirmed, self._state
        if bad.config in (good.config if good else None, self._rejected):
            return
        self._rejected, self._why_rejected = bad.config, f"{bad.source}: {why}"
        if good is not None:
            revision, error = bad.revision + 1, self._why_rejected
            self._state = self._confirmed = replace(good, error=error, revision=revision)
        elif self._remote_text is not None:  # a start: what was fetched before is on disk
            self._state = ConfigState(Config(), DEFAULTS, revision=bad.revision)
            self._state = self._read()

    def candidate(self, text: str, *, remote: bool = False) -> Config:
        """Return what would be in force with *text* as the local, or the *remote*, file.

        Raises ConfigError.
        """
        name = "the candidate"
        if remote:
            mine = self._local()
            return layered(mine, parse(text, name), validated_whole(mine).allow, self.here).config
        source = parse(text, name)
        alone = from_source(source, self.here)
        texts = self.remote.texts_to_try() if self.remote and alone.config.remote.url else ()
        for fetched in texts[-1:]:
            far = parse(fetched.text, fetched.name)
            return layered(source, far, alone.config.allow, self.here).config
        return alone.config

    def _load(self) -> Loaded:
        if self.path.is_fifo():  # reading it would wait for a writer
            raise ConfigError(str(self.path), [Problem("is a pipe, and must be a file")])
        return load(self.path, self.here)

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
            new, name = self._load(), str(self.path)
        except FileNotFoundError:
            if self.must_exist:
                return self._refused(f"{self.path}: there is no such file")
            new, name = Loaded(Config()), f"{DEFAULTS} ({self.path} is not there)"
        except ConfigError as error:
            return self._refused(error.summary)
        if self.remote:
            self.remote.configure(new.config.remote)
            if new.config.remote.url:
                return self._with_remote(new, self.remote)
        self._remote_text = None
        if new.config == self._rejected:
            return self._refused(self._why_rejected)
        return self._in_force(new, name)

    def _with_remote(self, local: Loaded, remote: RemoteText) -> ConfigState:
        """Put the local file over the newest good remote text."""
        error, self._remote_text = "", None
        for fetched in remote.texts_to_try():
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
            if found.config == self._rejected:
                error = error or self._why_rejected
                continue
            self._remote_text = fetched
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
