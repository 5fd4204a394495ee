"""All keys, each stated once: what it does, its label, its command in the palette, its help."""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True)
class Key:
    """One key, or several that do the same."""

    keys: str
    """By Textual's names, separated by commas."""
    action: str
    """With ``app.``: on every screen; without: on the main one."""
    label: str
    footer: bool = False
    """Whether the last line of the screen offers it."""
    help: str = ""
    palette: tuple[str, str] = ("", "")
    """Name and explanation of its command; empty: it has none."""


KEYS = {
    "drain": Key(
        "d",
        "app.order('draining')",
        "Drain",
        footer=True,
        help="drain: no new pilots, those that run go on to their end",
        palette=("Drain", "no new pilots"),
    ),
    "stop": Key(
        "D",
        "app.order('stopping')",
        "Drain+stop",
        help="drain, and end Plancton with the last pilot",
        palette=("Drain and stop", "no new pilots, and Plancton ends with the last"),
    ),
    "resume": Key(
        "u",
        "app.order('active')",
        "Resume",
        footer=True,
        help="back to work: takes drain, and drain and stop, back",
        palette=("Resume", "take drain back"),
    ),
    "kill": Key(
        "k",
        "kill",
        "Kill",
        footer=True,
        help="kill the marked ones, else the selected one",
        palette=("Kill", "the marked pilots, else the selected one"),
    ),
    "kill_all": Key(
        "K",
        "kill_all",
        "Kill all",
        help="kill all, confirmed by typing",
        palette=("Kill all", "confirmed by typing"),
    ),
    "freeze": Key(
        "f",
        "freeze",
        "Freeze",
        footer=True,
        help="freeze them, or let them go on",
        palette=("Freeze or thaw", "the marked pilots, else the selected one"),
    ),
    "reload": Key(
        "r",
        "app.reload",
        "Reload",
        help="read the configuration now, and fetch a remote one",
        palette=("Reload", "read the configuration now"),
    ),
    "pilot_log": Key(
        "l",
        "pilot_log",
        "Log",
        footer=True,
        help="its own log, as it writes",
        palette=("Pilot's log", "what the selected pilot writes"),
    ),
    "pilot": Key(
        "enter",
        "pilot",
        "Detail",
        footer=True,
        help="all of the selected pilot",
        palette=("Pilot", "all of the selected pilot"),
    ),
    "mark": Key("space", "mark", "Mark", help="mark, for k and f; esc takes all marks back"),
    "filter": Key(
        "slash",
        "filter",
        "Filter",
        footer=True,
        help="show only lines with these words (in the log: its lines)",
        palette=("Filter", "show only lines with some words"),
    ),
    "sort": Key("s", "sort", "Sort", help="sort by the next column; turn the order round"),
    "reverse": Key("S", "reverse", "Turn order"),
    "ended": Key(
        "x",
        "ended",
        "Ended ones",
        help="show those that ended, too",
        palette=("Ended pilots", "show or hide them"),
    ),
    "span": Key(
        "t",
        "span",
        "Time span",
        help="another span of the CPU plot: 5 min, 1 h, 12 h, 1 day",
        palette=("Time span", "of the CPU plot"),
    ),
    "ledger": Key(
        "L",
        "app.ledger",
        "Ledger",
        help="the ledger: what was harvested, what it cost",
        palette=("Ledger", "what was harvested, what it cost"),
    ),
    "fleet": Key(
        "F",
        "app.fleet",
        "Fleet",
        help="all nodes that report to the same database, those in trouble first",
        palette=("Fleet", "all nodes that report to the same database"),
    ),
    "config": Key(
        "c",
        "app.config",
        "Config",
        help="the configuration: each value, and where it comes from",
        palette=("Configuration", "each value, and where it comes from"),
    ),
    "help": Key("question_mark", "app.help", "Help", footer=True, help="this page"),
    "commands": Key(
        "colon,ctrl+p", "app.command_palette", "Commands", help="all commands, by name"
    ),
    "clear": Key("escape", "clear", "Clear"),
    "quit": Key(
        "q",
        "app.quit",
        "Quit",
        footer=True,
        help="back, or end; a hosted engine is asked about first",
    ),
}
"""In the order of the footer."""

_SYMBOLS = {"question_mark": "?", "colon": ":", "slash": "/"}


def _binding(key: Key) -> Binding:
    display = "?" if key.keys == "question_mark" else None
    return Binding(key.keys, key.action, key.label, show=key.footer, key_display=display)


MAIN_BINDINGS: list[BindingType] = [_binding(key) for key in KEYS.values()]
APP_BINDINGS: list[BindingType] = [
    *(_binding(key) for key in KEYS.values() if key.action.startswith("app.")),
    Binding("ctrl+c", "app.quit", "Quit", show=False, priority=True),
]


def _help(*names: str) -> tuple[str, str]:
    """Return how keys are written, and what is said of the first."""
    keys = [key for name in names for key in KEYS[name].keys.split(",")]
    return "  ".join(_SYMBOLS.get(key, key) for key in keys), KEYS[names[0]].help


HELP = (
    ("the node", (_help("drain"), _help("stop"), _help("resume"), _help("reload"))),
    (
        "pilots",
        (
            ("↑ ↓ PgUp PgDn Home End", "select; so does the mouse, and the wheel scrolls"),
            _help("mark"),
            _help("pilot"),
            _help("pilot_log"),
            _help("kill"),
            _help("kill_all"),
            _help("freeze"),
            _help("filter"),
            _help("sort", "reverse"),
            _help("ended"),
        ),
    ),
    (
        "screens",
        (
            _help("span"),
            _help("ledger"),
            _help("fleet"),
            _help("config"),
            ("tab", "between pilots, log and reasons"),
            _help("commands"),
            _help("help"),
            _help("quit"),
        ),
    ),
)
"""The sections of the help page: keys, and what they do."""
