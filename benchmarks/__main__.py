"""Runs the benchmarks named on the command line, or all, and prints their table."""

from __future__ import annotations

import os
import sys

from . import local_jobs, logs, screen, slurm, tables, wire, work_directory

ALL = {
    "overhead": local_jobs.overhead,
    "feeding": local_jobs.feeding,
    "memory": local_jobs.memory,
    "loading": work_directory.loading,
    "listing": work_directory.listing,
    "idle": work_directory.idle,
    "latency": local_jobs.latency,
    "slurm": slurm.figures,
    "wire-keys": wire.cursor,
    "wire-steady": wire.steady,
    "wire-slow": wire.slow,
    "table": tables.filling,
    "table-keys": tables.choosing,
    "table-live": tables.living,
    "log": logs.opening,
    "log-fast": logs.following,
    "log-long": logs.long_lines,
    "start": screen.start,
    "traffic": screen.traffic,
    "slow": screen.slow,
    "following": screen.following,
}


def main() -> None:
    """Print one line per figure as soon as it is known."""
    chosen = sys.argv[1:] or list(ALL)
    unknown = [name for name in chosen if name not in ALL]
    if unknown:
        sys.exit(f"there is no benchmark {unknown[0]}; there are {', '.join(ALL)}")
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}; medians\n")
    for name in chosen:
        for figure in ALL[name]():
            print(
                f"{'ok  ' if figure.holds else 'MISS'}  {figure.what}: {figure.value}  (limit: {figure.limit})",
                flush=True,
            )


main()
