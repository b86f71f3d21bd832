"""The CPU as a place to compute: its clock and memory. gpu.py is the other place.

Without PyTorch, so that other runtimes are measured without it in memory.
"""

import os
import re
import time
from itertools import pairwise
from pathlib import Path


def resident_mb():
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


class Cpu:
    device = "cpu"
    peak_shape = (4096, 1024, 4096)
    # PyTorch has no fast bf16 product for AVX2: a large one would take minutes.
    precisions = ("f32",) if os.environ.get("ATEN_CPU_CAPABILITY") == "avx2" else ("f32", "bf16")

    def use(self, precision, variant):
        """Settings of PyTorch for what follows."""

    def started(self):
        """MB in use when the model exists and no step has run."""
        return resident_mb()

    def time_steps(self, step, warmup, steps):
        """Seconds of each step, and of all of them by the clock on the wall."""
        for _ in range(warmup):
            step()
        marks = [time.perf_counter()]
        for _ in range(steps):
            step()
            marks.append(time.perf_counter())
        return [b - a for a, b in pairwise(marks)], marks[-1] - marks[0]

    def memory(self):
        return {"peak_mb": resident_mb()}
