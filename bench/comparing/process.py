"""Processes that are measured: each prints one JSON object as its last line."""

import json
import os
import resource
import subprocess
import sys

TIME_LIMIT = 1800  # seconds for one process; compiling is the longest part


def say(text):
    print(f"compare: {text}", file=sys.stderr, flush=True)


def fail(text, code=1):
    say(text)
    sys.exit(code)


class Failed(Exception):
    """A process that gave no sample, with its last words."""


def last_words(done):
    words = (done.stderr or done.stdout).strip().splitlines()
    return words[-1][:200] if words else f"exit code {done.returncode}"


def run_json(command, environment=None, limit=TIME_LIMIT):
    """The JSON object that a process prints last, and the CPU seconds that it used."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, **(environment or {})}
    limit = max(1, min(limit, TIME_LIMIT))
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=limit
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"took more than {limit:.0f} s") from None
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise Failed(last_words(done))
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    lines = done.stdout.strip().splitlines()
    return (json.loads(lines[-1]) if lines else None), used
