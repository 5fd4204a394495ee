"""The owner's network beside pilots that send and receive all they can, limited and not.

A line of so many bits a second, with a queue like a usual modem's, leads from the machine to a
network namespace that stands for the rest of the world. Owner and pilots share it.
"""

from __future__ import annotations

import json
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from benchmarks.ratios import Rounds, median, ratio_text

_LINE, _TOTAL, _PILOTS = 200, 40, 2
"""Mbit/s of the line, of all pilots together when limited; and how many pilots there are."""
LIMITED = {"network": {"total": f"{_TOTAL}Mbit"}}
_ROUNDS, _SECONDS, _SETTLE = 8, 3, 2.0
_HERE, _THERE = "198.18.255.1", "198.18.255.2"  # of the range for benchmarks, RFC 2544
_OWNER, _ECHO = 5201, 7007
_PINGS = 150
_ECHO_SERVER = f"""
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as echo:
    echo.bind(("", {_ECHO}))
    while True: echo.sendto(*echo.recvfrom(100))
"""
_ALONE, _FREE, _LIMITED = "alone", "pilots free", "pilots limited"
_FIGURES = ("upload", "download", "round trip", "round trip, 99 %")

Process = subprocess.Popen[bytes]


def network(
    pids: list[int], limit: Callable[[bool], None], row: Callable[..., None], name: str
) -> None:
    """Measure; *pids* are processes of pilots, and *limit* has the service limit them or not.

    *name* is what the namespace is called.
    """
    with _line(name), ExitStack() as stack:
        stack.enter_context(_served(name))
        load = stack.enter_context(_load(pids))
        rounds: list[dict[str, float]] = []
        for turn in range(_ROUNDS):
            found: dict[str, float] = {}
            arms = (_LIMITED, _FREE) if turn % 2 else (_FREE, _LIMITED)
            for arm in arms:
                limit(arm == _LIMITED)
                _signal(load, signal.SIGCONT)
                found |= _measure(arm)
                _signal(load, signal.SIGSTOP)
            limit(False)  # what still comes for the silent pilots is soon there
            rounds.append(found | _measure(_ALONE))
    _report(rounds, row)


def _report(rounds: Rounds, row: Callable[..., None]) -> None:
    print(f"line {_LINE} Mbit/s both ways; {_PILOTS} pilots with one stream each way")
    for figure in _FIGURES:
        for arm, words in ((_FREE, ""), (_LIMITED, f", pilots held to {_TOTAL} Mbit/s")):
            value, alone = f"{figure}, {arm}", f"{figure}, {_ALONE}"
            unit = "ms" if figure.startswith("round") else "Mbit/s"
            beside = f"alone {median(rounds, alone):.1f}: {ratio_text(rounds, value, alone)}"
            row(f"owner's {figure}{words}", f"{median(rounds, value):.1f} {unit}", beside)


@contextmanager
def _line(name: str) -> Iterator[None]:
    """Lay a line between this machine and a namespace."""
    near = name[-13:] + "-l"
    _run("ip", "netns", "add", name)
    try:
        _run("ip", "link", "add", near, "type", "veth", "peer", "name", "eth0", "netns", name)
        _run("ip", "addr", "add", f"{_HERE}/30", "dev", near)
        _run("ip", "link", "set", near, "up")
        inside = ["ip", "-n", name]
        _run(*inside, "addr", "add", f"{_THERE}/30", "dev", "eth0")
        for device in ("lo", "eth0"):
            _run(*inside, "link", "set", device, "up")
        _run(*inside, "route", "add", "default", "via", _HERE)
        queue = ["root", "tbf", "rate", f"{_LINE}mbit", "burst", "256kb", "latency", "50ms"]
        _run("tc", "qdisc", "add", "dev", near, *queue)
        _run("tc", "-n", name, "qdisc", "add", "dev", "eth0", *queue)
        yield
    finally:
        _run("ip", "netns", "del", name)


@contextmanager
def _served(name: str) -> Iterator[None]:
    """Serve the owner and both streams of each pilot, at the far end of the line."""
    inside = ["ip", "netns", "exec", name]
    commands = [[sys.executable, "-c", _ECHO_SERVER]]
    commands += [["iperf3", "-s", "-p", str(_OWNER + n)] for n in range(1 + 2 * _PILOTS)]
    with _processes([[*inside, *command] for command in commands]):
        time.sleep(1)
        yield


@contextmanager
def _load(pids: list[int]) -> Iterator[list[Process]]:
    """Have pilots send and receive. The processes are ours, for pilots run in the idle class."""
    commands = []
    for at, pid in enumerate(pids):
        enter = ["nsenter", f"--net=/proc/{pid}/ns/net", "iperf3", "-c", _THERE, "-t", "36000"]
        for way, more in enumerate(([], ["-R"])):
            commands.append([*enter, "-p", str(_OWNER + 1 + 2 * at + way), *more])
    with _processes(commands) as processes:
        time.sleep(1)
        if any(each.poll() is not None for each in processes):
            raise SystemExit("the pilots reach no iperf3 at the other end of the line")
        yield processes


@contextmanager
def _processes(commands: list[list[str]]) -> Iterator[list[Process]]:
    none = subprocess.DEVNULL
    processes = [subprocess.Popen(command, stdout=none, stderr=none) for command in commands]
    try:
        yield processes
    finally:
        for each in processes:
            each.kill()
            each.wait()


def _signal(processes: list[Process], number: signal.Signals) -> None:
    for each in processes:
        each.send_signal(number)


def _measure(arm: str) -> dict[str, float]:
    time.sleep(_SETTLE)
    trips = _round_trips()
    return {
        f"round trip, {arm}": statistics.median(trips),
        f"round trip, 99 %, {arm}": statistics.quantiles(trips, n=100)[-1],
        f"upload, {arm}": _throughput(),
        f"download, {arm}": _throughput("-R"),
    }


def _throughput(*more: str) -> float:
    """Return the Mbit/s that one stream of the owner's gets."""
    command = ["iperf3", "-c", _THERE, "-p", str(_OWNER), "-t", str(_SECONDS), "-J", *more]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    end = json.loads(done.stdout)["end"]
    if not end:  # its connection for control starved, as the owner's own would
        return _throughput(*more)
    return float(end["sum_received"]["bits_per_second"]) / 1e6


def _round_trips() -> list[float]:
    """Return milliseconds of datagrams there and back; one that is lost counts a second."""
    trips = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ping:
        ping.settimeout(1)
        ping.connect((_THERE, _ECHO))
        for number in range(_PINGS):
            begun, text = time.perf_counter(), str(number).encode()
            ping.send(text)
            try:
                while ping.recv(100) != text:
                    pass
            except TimeoutError:
                pass
            trips.append(1000 * (time.perf_counter() - begun))
            time.sleep(0.01)
    return trips


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
