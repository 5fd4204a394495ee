"""Verbs that need no Docker: simulate; and record, which makes its traces."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plancton.cli.options import Json, with_paths

if TYPE_CHECKING:
    from plancton.config.schema import Config
    from plancton.engine.model.node import Protection
    from plancton.service.process.paths import Paths
    from plancton.simulation.simulator import Assumptions, SimulationResult
    from plancton.simulation.trace import Trace


Configs = Annotated[
    list[Path] | None,
    typer.Option("--config", "-c", help="Configuration file; several are compared."),
]
TraceFile = Annotated[Path | None, typer.Option("--trace", "-t", help="A recorded trace.")]
Synthetic = Annotated[
    str | None, typer.Option(help="A made-up trace: day, bursts, ramp, memory, idle or full.")
]
Cores = Annotated[int | None, typer.Option(min=1, max=1024, help="Cores, with --synthetic.")]
Nodes = Annotated[
    int | None, typer.Option(min=1, help="A fleet of so many nodes, no two of them alike.")
]
Hours = Annotated[float, typer.Option(min=0.1, max=1000, help="How long, with --nodes.")]
PilotLife = Annotated[
    float, typer.Option(min=1, help="Mean life of a pilot that nobody ends, seconds.")
]
PilotCpu = Annotated[float, typer.Option(min=0, max=1, help="Part of its cores that a pilot uses.")]
Efficiency = Annotated[
    float,
    typer.Option(min=0.01, max=1, help="Part of the time that a pilot computes; else it waits."),
]
ProtectionOption = Annotated[
    str, typer.Option(help="idle: the idle class protects the owner; weight: nothing does.")
]
Svg = Annotated[Path | None, typer.Option(help="Write the plot as SVG too.")]


def simulate(
    config: Configs = None,
    trace: TraceFile = None,
    synthetic: Synthetic = None,
    cores: Cores = None,
    nodes: Nodes = None,
    hours: Hours = 24,
    pilot_life: PilotLife = 3600,
    pilot_cpu: PilotCpu = 1.0,
    efficiency: Efficiency = 1.0,
    protection: ProtectionOption = "idle",
    svg: Svg = None,
    json: Json = False,
) -> None:
    """Run the real decisions on a simulated node, much faster than time. Touches nothing.

    Examples: plancton simulate -c now.yaml -c new.yaml --synthetic bursts;
    plancton simulate -c config.yaml --trace monday.csv --svg monday.svg;
    plancton simulate -c config.yaml --nodes 1000
    """
    from plancton.config.load import load
    from plancton.config.schema import Config
    from plancton.simulation import trace as traces
    from plancton.simulation.simulator import Assumptions

    if svg is not None and json:
        raise typer.BadParameter("--json writes no picture", param_hint="--svg")
    protected = _protection(protection)
    if nodes and (trace or synthetic or cores or svg):
        text = "its nodes have cores and owners of their own, and there is no picture of them"
        raise typer.BadParameter(text, param_hint="--nodes")
    configs = [(path.name, load(path).config) for path in config or []] or [("defaults", Config())]
    assumptions = Assumptions(
        life=pilot_life, pilot_cpu=pilot_cpu, efficiency=efficiency, protection=protected
    )
    if nodes:
        _fleet(configs, nodes, hours, assumptions, json)
        return
    made_up = synthetic or "day"
    run = traces.read_trace(trace) if trace else traces.synthetic_trace(made_up, cores or 8)
    _warn_of_unknown_figures(configs, run)
    _node(configs, run, assumptions, json, svg)


def _warn_of_unknown_figures(configs: list[tuple[str, Config]], trace: Trace) -> None:
    """Say which objectives cannot be replayed: nothing is run or asked in a simulation."""
    from plancton.cli.terminal import say_error

    for name, config in configs:
        for each in config.protect.slo:
            if not each.waited and each.name not in trace.figures:
                what = f"{trace.name} has no column 'slo {each.name}'"
                say_error(f"warning: {name}: {what}, so nothing is known of this objective")


def _protection(word: str) -> Protection:
    from plancton.engine.model.node import Protection

    kinds = {"idle": Protection.IDLE, "weight": Protection.WEIGHT_ONLY}
    if word not in kinds:
        raise typer.BadParameter("it is idle or weight", param_hint="--protection")
    return kinds[word]


def _node(
    configs: list[tuple[str, Config]],
    trace: Trace,
    assumptions: Assumptions,
    json: bool,
    svg: Path | None,
) -> None:
    from plancton.cli.render import as_json
    from plancton.simulation.report import print_results
    from plancton.simulation.simulator import Simulation

    results = [
        Simulation(each, trace, name=name, assumptions=assumptions).run() for name, each in configs
    ]
    if json:
        typer.echo(as_json([_figures(result) for result in results]))
    else:
        print_results(results, svg)


def _fleet(
    configs: list[tuple[str, Config]],
    nodes: int,
    hours: float,
    assumptions: Assumptions,
    json: bool,
) -> None:
    from rich.console import Console
    from rich.progress import track

    from plancton.cli.render import as_json
    from plancton.simulation import many_nodes as fleet
    from plancton.simulation.report import fleet_table

    def one(name: str, config: Config) -> fleet.FleetResult:
        began, console = time.perf_counter(), Console(stderr=True)
        done = fleet.run_fleet(config, nodes, hours, assumptions)
        found = tuple(track(done, name, total=nodes, console=console, transient=True))
        return fleet.FleetResult(name, hours, time.perf_counter() - began, found)

    fleets = [one(name, config) for name, config in configs]
    if json:
        typer.echo(as_json(fleets))
    else:
        Console(highlight=False).print(fleet_table(fleets))


def _figures(result: SimulationResult) -> dict[str, object]:
    return {
        "config": result.name,
        "trace": result.trace.name,
        "seconds": result.trace.seconds,
        "harvested_share": result.share,
        "slowdown": result.slowdown,
        "account": result.account,
        "times_faster": result.speed,
    }


@with_paths("config", "confdir")
def record(
    output: Annotated[Path, typer.Option("--output", "-o", help="Write here; must not exist.")],
    every: Annotated[float, typer.Option(min=0.2, help="Seconds between rows.")] = 1.0,
    seconds: Annotated[
        float, typer.Option("--for", min=1, help="How long; Ctrl-C ends it too.")
    ] = 86400,
    *,
    paths: Paths,
) -> None:
    """Write down what this node's owner does, as a trace for simulate. Runs beside an engine.

    Example: plancton record -o monday.csv --for 86400
    """
    from plancton.service.trace_recorder import record_trace

    rows = record_trace(paths.config, output, every, seconds)
    typer.echo(f"wrote {rows} rows to {output}; now: plancton simulate --trace {output}")
