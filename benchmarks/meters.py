"""Meters and the peer: what every benchmark script shares."""

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

PEER_SCRIPTS = Path(__file__).resolve().parent.parent.parent / "shared" / "bench" / "peer"


def cpu_s(*, children=False):
    """CPU seconds of this process, all threads, or of its finished children."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def rss_mb():
    with Path("/proc/self/statm").open() as stat:
        return round(int(stat.read().split()[1]) * resource.getpagesize() / 2**20)


def written_bytes():
    """Bytes that this process has handed to write(2)."""
    with Path("/proc/self/io").open() as io:
        return int(dict(line.split(": ") for line in io)["wchar"])


def arguments(doc):
    """Every script's options; --vs-peer needs PEER_PYTHON, the python of a venv that has freqtrade."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--vs-peer", action="store_true", help="run the peer's script too and print the ratios"
    )
    parser.add_argument("--peer-scripts", type=Path, default=PEER_SCRIPTS)
    return parser


def peer(folder, script, *options):
    """The peer's figures: the JSON object that its script prints last."""
    if not os.environ.get("PEER_PYTHON"):
        sys.exit("PEER_PYTHON is not set: name the python of a venv that has freqtrade")
    return child(folder.resolve() / script, *options, cwd=folder)


def child(script, *options, cwd=None):
    """The JSON object that a script prints last, run in a process of its own."""
    command = [sys.executable, str(script), *map(str, options)]
    out = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(out[out.rindex("\n{") + 1 :])


def emit(figures):
    sys.stdout.flush()
    print("\n" + json.dumps(figures, indent=1))


def summary(values, digits=3):
    ordered = sorted(values)
    at = {f"p{q}": ordered[min(len(ordered) - 1, round(q / 100 * (len(ordered) - 1)))] for q in (50, 99)}
    return {"n": len(ordered), **{name: round(value, digits) for name, value in at.items()}}
