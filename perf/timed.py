#!/usr/bin/env python3
"""Runs a command on the last core and adds a line to a file of samples: what it took, by the
kernel's account (`wait4`), and what it said. With `--spread`, on all cores.

usage: timed.py [--spread] SAMPLES LABELS... -- COMMAND...   where a label is KEY=VALUE
"""

import json
import os
import sys
import time

# What is kept of what it said: its last bytes.
KEPT = 1 << 18


def main():
    at = sys.argv.index("--")
    (samples, *labels), command = sys.argv[1:at], sys.argv[at + 1 :]
    spread = samples == "--spread"
    if spread:
        samples, *labels = labels
    said = samples + ".said"
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        if not spread:
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        handle = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        for stream in (1, 2):
            os.dup2(handle, stream)
        try:
            os.execvp(command[0], command)
        finally:
            os._exit(127)
    _, status, used = os.wait4(child, 0)
    sample = dict(label.split("=", 1) for label in labels)
    with open(said, "rb") as file:
        text = file.read()[-KEPT:].decode(errors="replace")
    os.unlink(said)
    sample |= {
        "wall_s": time.monotonic() - began,
        "cpu_s": used.ru_utime + used.ru_stime,
        "resident_mb": used.ru_maxrss / 1024,
        "status": os.waitstatus_to_exitcode(status),
        "said": text,
    }
    with open(samples, "a") as file:
        file.write(json.dumps(sample) + "\n")


if __name__ == "__main__":
    main()
