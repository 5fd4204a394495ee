"""Verbs that need no Docker: simulate; and record, which makes its traces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plancton.cli.options import ConfDir, ConfigOption, paths_of

if TYPE_CHECKING:
    from plancton.simulation.run import Result


def simulate(
    config: Annotated[
        list[Path] | None,
        typer.Option("--config", "-c", help="Configuration file; several are compared."),
    ] = None,
    trace: Annotated[Path | None, typer.Option("--trace", "-t", help="A recorded trace.")] = None,
    synthetic: Annotated[
        str, typer.Option(help="A made-up trace: day, bursts, ramp, memory, idle or full.")
    ] = "day",
    cores: Annotated[int, typer.Option(min=1, max=1024, help="Cores, with --synthetic.")] = 8,
    pilot_life: Annotated[
        float, typer.Option(min=1, help="Mean life of a pilot that nobody ends, seconds.")
    ] = 3600,
    pilot_cpu: Annotated[
        float, typer.Option(min=0, max=1, help="Part of its cores that a pilot uses.")
    ] = 1.0,
    protection: Annotated[
        str, typer.Option(help="idle: the idle class protects the owner; weight: nothing does.")
    ] = "idle",
    svg: Annotated[Path | None, typer.Option(help="Write the plot as SVG too.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run the real decisions on a simulated node, much faster than time. Touches nothing.

    Examples: plancton simulate -c now.yaml -c new.yaml --synthetic bursts;
    plancton simulate -c config.yaml --trace monday.csv --svg monday.svg
    """
    from plancton.cli.render import as_json
    from plancton.config.load import load
    from plancton.config.schema import Config
    from plancton.engine.model import Protection
    from plancton.simulation import trace as traces
    from plancton.simulation.run import Assumed, Simulation
    from plancton.simulation.show import print_results

    kinds = {"idle": Protection.IDLE, "weight": Protection.WEIGHT_ONLY}
    if svg is not None and json:
        raise typer.BadParameter("--json writes no picture", param_hint="--svg")
    if protection not in kinds:
        raise typer.BadParameter("it is idle or weight", param_hint="--protection")
    run = traces.read(trace) if trace else traces.synthetic(synthetic, cores)
    configs = [(path.name, load(path).config) for path in config or []]
    assumed = Assumed(life=pilot_life, appetite=pilot_cpu, protection=kinds[protection])
    results = [
        Simulation(each, run, name=name, assumed=assumed).run()
        for name, each in configs or [("defaults", Config())]
    ]
    if json:
        typer.echo(as_json([_figures(result) for result in results]))
    else:
        print_results(results, svg)


def _figures(result: Result) -> dict[str, object]:
    return {
        "config": result.name,
        "trace": result.trace.name,
        "seconds": result.trace.seconds,
        "harvested_share": result.share,
        "slowdown": result.slowdown,
        "account": result.account,
        "times_faster": result.speed,
    }


def record(
    output: Annotated[Path, typer.Option("--output", "-o", help="Write here; must not exist.")],
    every: Annotated[float, typer.Option(min=0.2, help="Seconds between rows.")] = 1.0,
    seconds: Annotated[
        float, typer.Option("--for", min=1, help="How long; Ctrl-C ends it too.")
    ] = 86400,
    config: ConfigOption = None,
    confdir: ConfDir = None,
) -> None:
    """Write down what this node's owner does, as a trace for simulate. Runs beside an engine.

    Example: plancton record -o monday.csv --for 86400
    """
    from plancton.service.record import record as run

    rows = run(paths_of(config, confdir).config, output, every, seconds)
    typer.echo(f"wrote {rows} rows to {output}; now: plancton simulate --trace {output}")
