"""What a dashboard is made of, and the panels that several have. Grafana is not known here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

PanelKind = Literal["stat", "name", "lines", "stack", "bars", "table"]
"""``stat`` shows the newest value, ``name`` the name of the newest series."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query and the name of its series; in a table, of its column."""

    text: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel."""

    title: str
    kind: PanelKind = "lines"
    unit: str = "short"
    """As Grafana calls it."""
    queries: tuple[Query, ...] = ()

    def of(self, *queries: Query) -> Panel:
        """Return the panel with its queries."""
        return replace(self, queries=queries)


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard."""

    name: str
    """Of its file, and of the dashboard in Grafana's URLs."""
    title: str
    source: Literal["influxdb", "prometheus"]
    panels: tuple[Panel, ...]
    variable: str = ""
    """Name of what is chosen at the top, and ..."""
    choices: str = ""
    """... the query for it; empty: nothing is."""


NODE_TITLE, FLEET_TITLE = "Plancton: one node", "Plancton: all nodes"

# --- of one node and of all -------------------------------------------------------------

ENDED_BY_REASON = Panel("Pilots that ended, by reason", "bars")
MEAN_LIFETIME = Panel("Mean lifetime of ended pilots", unit="s")

# --- of one node ------------------------------------------------------------------------

RUNNING_NOW = Panel("Running", "stat")
CPU_IN_USE_NOW = Panel("CPU in use", "stat", "percent")
CPU_CORES = Panel("CPU cores", "stack")
PILOTS = Panel("Pilots", "stack")
PRESSURE_TITLE = "Tasks that wait (PSI)"
WAITED_NOW = Panel("Foreground waits for a core, per second", unit="s")
WAITED = Panel("Foreground waited per CPU second, beside pilots and without", unit="s")
MEMORY_AND_DISK = Panel("Memory available, disk free", unit="bytes")
LOAD = Panel("Load")
TICK = Panel("The engine's tick", unit="s")

# --- of all nodes -----------------------------------------------------------------------

NODES_NOW = Panel("Nodes", "stat")
PILOTS_RUNNING_NOW = Panel("Pilots running", "stat")
MEAN_CPU_IN_USE_NOW = Panel("CPU in use, mean", "stat", "percent")
MEAN_LIFETIME_NOW = replace(MEAN_LIFETIME, kind="stat")
STATUS = Panel("Status", "table")
RUNNING_BY_NODE = Panel("Pilots running, on each node", "stack")
RUNNING_OVERALL = Panel("Pilots running, overall")
CPU_IN_USE_BY_NODE = Panel("CPU in use, on each node", unit="percent")
MEAN_CPU_IN_USE = Panel("CPU in use, mean of all nodes", unit="percent")
