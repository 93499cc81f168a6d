"""Running a command as a whole process: wall time, processor time, peak memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field


@dataclass
class Run:
    """One process."""

    wall_s: float
    cpu_s: float
    peak_mb: float


@dataclass
class Job:
    """A command and its runs."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)

    def run(self) -> Run:
        """Run it once more; a failure is an error."""
        began = time.perf_counter()
        process = subprocess.Popen(
            self.command,
            env={**os.environ, **self.environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{self.name} failed ({process.returncode}):\n{said.decode(errors='replace')}")
        run = Run(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
        self.runs.append(run)
        return run

    def median(self) -> Run:
        """Medians of the runs, each measure by itself."""
        return Run(
            *(statistics.median(getattr(r, f) for r in self.runs) for f in ("wall_s", "cpu_s", "peak_mb"))
        )

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {"name": self.name, "median": asdict(self.median()), "runs": [asdict(r) for r in self.runs]}


def interleaved(jobs: Sequence[Job], runs: int, *, warm_up: bool = True) -> None:
    """Run the jobs in turn, `runs` times, after one round that does not count."""
    for number in range(runs + warm_up):
        for job in jobs:
            run = job.run()
            counted = number >= warm_up
            if not counted:
                job.runs.pop()
            print(
                f"  {'run ' + str(number + 1 - warm_up) if counted else 'warm-up'}: {job.name:<28}"
                f"{run.wall_s:8.2f} s wall {run.cpu_s:8.2f} s cpu {run.peak_mb:7.0f} MB",
                flush=True,
            )
