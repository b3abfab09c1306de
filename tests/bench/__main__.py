"""``make bench``: rounds of the C reference, the reference again and the product, in turn, on one core.

Each figure is the median of per-round ratios. The reference again is the control: when its median
leaves 0.95 to 1.05 the machine was too noisy and the figure is void. Results go to build/bench.json.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench import firmware, flight, scale, scraping, simulated, wire
from tests.bench.fleet import Fleet
from tests.bench.linting import lint_seconds
from tests.bench.offering import offer
from tests.bench.startup import idle_guest_mib, ready_seconds

HERE = Path(__file__).parent
BUILD = Path("build")
CONTROL = (0.95, 1.05)
WORK_US, PAGE_BYTES = 15, 128
RESET = "agent reset, 1,000 votes and 100 subscriptions, ms"
WIRE = "a trap over tcp with CURVE, times that over ipc, p50"
FLIGHT = "flight recorder, CPU time per call, 16 guests, % more"
CALLS_LOST = "metrics, 16 guests, % of calls"
SCRAPED = "metrics, a scrape each second of 32 agents, % of a core"
LIMITS = {
    "four domains ready, s": 2.0,
    "idle guest, MiB PSS": 16.0,
    RESET: 5.0,
    WIRE: 1.5,
    FLIGHT: 6.0,
    CALLS_LOST: 5.0,
    SCRAPED: 3.0,
    "check, slowest board, CPU s": 0.5,
    "check, 75 boards, CPU s": 20.0,
    **dict.fromkeys(scale.SIZES, 90.0),
}
OFFERED = 17_000
LOAD = f"one process of guests, answered calls/s of {OFFERED:,} offered"
TWIN = "simulated calls/s of one core with history, {:,} domains"
LEAST = {LOAD: 16_000, TWIN.format(4): 30_000, TWIN.format(1_000): 15_000}
AIMS = {"1 guest": 0.50, "64 guests": 0.40}


def build_reference() -> Path:
    """Compile the reference; says what to install when that cannot be done."""
    program = BUILD / "reference"
    command = ["cc", "-O2", "-o", str(program), str(HERE / "reference.c"), "-lzmq", "-lpthread"]
    if shutil.which("cc") is None:
        sys.exit("bench: no C compiler; run 'apt-get install gcc libc6-dev libzmq3-dev'")
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        sys.exit(f"bench: the reference does not build; run 'apt-get install libzmq3-dev'\n{made.stderr}")
    return program


def reference(program: Path, guests: int, seconds: float, folder: Path) -> float:
    """Calls per second of DEALER - zmq_proxy - ROUTER in C with 15 us of work."""
    words = [str(program.absolute()), "--guests", str(guests), "--seconds", str(seconds)]
    words += ["--work-us", str(WORK_US), "--bytes", str(PAGE_BYTES), "--dir", str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout)["calls_per_s"])


class Series:
    """The ratios of one figure, round by round, with those of its control."""

    def __init__(self, name: str, aim: float | None, at_least: bool = True) -> None:
        self.name, self.aim, self.at_least = name, aim, at_least
        self.ratios: list[float] = []
        self.control: list[float] = []

    def result(self) -> dict[str, Any]:
        control = median(self.control) if self.control else 1.0
        found = {
            "name": self.name,
            "ratio": round(median(self.ratios), 3),
            "low": round(min(self.ratios), 3),
            "high": round(max(self.ratios), 3),
            "void": not CONTROL[0] <= control <= CONTROL[1],
            "control": round(control, 3),
            "aim": self.aim,
        }
        if self.aim is not None:
            ratio = found["ratio"]
            found["met"] = ratio >= self.aim if self.at_least else ratio <= self.aim
        return found


def measure(
    program: Path, rounds: int, seconds: float, folder: Path
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """All rounds; gives the figures and the last round's calls per second."""
    one, many = Series("1 guest", AIMS["1 guest"]), Series("64 guests", AIMS["64 guests"])
    growth = Series("cost per call, 64 guests against 4", 1.0, at_least=False)
    fleets: dict[int, Fleet] = {}
    last: dict[str, float] = {}
    try:
        for guests in (1, 4, 64):
            fleets[guests] = Fleet(guests, folder)
            fleets[guests].calls_per_s(0.3)
        for number in range(rounds):
            sys.stderr.write(f"\rround {number + 1} of {rounds} ")
            for series, guests in ((one, 1), (many, 64)):
                first = reference(program, guests, seconds, folder)
                product = fleets[guests].calls_per_s(seconds)
                again = reference(program, guests, seconds, folder)
                series.ratios.append(product / first)
                series.control.append(again / first)
                last |= {f"C, {guests}": first, f"Trapline, {guests}": product}
            four = fleets[4].calls_per_s(seconds)
            growth.ratios.append(four / last["Trapline, 64"])
            growth.control.append(fleets[4].calls_per_s(seconds) / four)
            last["Trapline, 4"] = four
        for fleet in fleets.values():
            fleet.check()
    finally:
        for fleet in reversed(fleets.values()):
            fleet.close()
    large = Series("EL3's cost per message, 10,000 clocks against 10", 1.2, at_least=False)
    large.ratios, large.control = firmware.growth(rounds)
    return [one.result(), many.result(), growth.result(), large.result()], last


def show(figures: list[dict[str, Any]], last: dict[str, float], facts: dict[str, float]) -> None:
    """The table for people."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title_justify="left")
    for column in ("ratio to C libzmq", "median", "low", "high", "control", "aim", ""):
        table.add_column(column, justify="left" if not column or "C" in column else "right")
    for one in figures:
        verdict = "void: too noisy" if one["void"] else "met" if one["met"] else "MISSED"
        sign = "<=" if "cost" in one["name"] else ">="
        table.add_row(
            one["name"], f"{one['ratio']:.2f}", f"{one['low']:.2f}", f"{one['high']:.2f}",
            f"{one['control']:.2f}", f"{sign} {one['aim']:.2f}", verdict,
        )  # fmt: skip
    console = Console()
    console.print(table)
    console.print("\nlast round, calls/s: " + ", ".join(f"{key}: {value:.0f}" for key, value in last.items()))
    for key, value in facts.items():
        verdict = "met" if _met(key, value) else "MISSED"
        bound = f"at least {LEAST[key]:g}" if key in LEAST else f"at most {LIMITS[key]:g}"
        console.print(f"{key}: {value:.2f}, {bound}: {verdict}")


def _met(key: str, value: float) -> bool:
    return value >= LEAST[key] if key in LEAST else value <= LIMITS[key]


def main() -> None:
    """Measure, print, write build/bench.json. Exit code 1 when an aim was missed."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--seconds", type=float, default=1.0)
    asked = parser.parse_args()
    BUILD.mkdir(exist_ok=True)
    program = build_reference()
    facts = {"four domains ready, s": ready_seconds(), "idle guest, MiB PSS": idle_guest_mib()}
    facts |= scale.ready_seconds()
    facts[RESET] = firmware.reset_ms()
    facts[WIRE] = wire.measure().ratio
    facts[FLIGHT] = flight.percent()
    facts[CALLS_LOST], facts[SCRAPED] = scraping.calls_percent(), scraping.core_percent()
    load = offer(OFFERED, guests=16, seconds=asked.seconds * 3)
    facts[LOAD] = load.achieved
    sys.stderr.write(f"latency from the intended start: p50 {load.p50_us:.0f}, p99 {load.p99_us:.0f} us\n")
    boards = lint_seconds()
    facts |= boards
    if not boards:
        sys.stderr.write(
            "no real boards: tests/vendor_dtbs.sh fills a folder, TRAPLINE_VENDOR_DTBS names it\n"
        )
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    facts |= {TWIN.format(domains): rate for domains, rate in simulated.rates().items()}
    with tempfile.TemporaryDirectory(prefix="trapline-bench-") as folder:
        figures, last = measure(program, asked.rounds, asked.seconds, Path(folder))
    show(figures, last, facts)
    (BUILD / "bench.json").write_text(json.dumps(figures, indent=2) + "\n")
    missed = any(not one["void"] and not one["met"] for one in figures)
    sys.exit(missed or not all(_met(key, value) for key, value in facts.items()))


if __name__ == "__main__":
    main()
