"""Writes tests/parity/golden: what FreqAI makes of candles that tests/parity/parity_case.py makes.

  PEER_PYTHON=... python benchmarks/parity_golden.py

PEER_PYTHON names the python of a venv that has freqtrade 2026.9.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import parity

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests" / "parity"))
import parity_case

from daemon.market.feather import candle_path, write_candles

SHOWN = 8
"""Rows whose values are kept, spread over the window and the candles after it."""


def main():
    parity_case.GOLDEN.mkdir(exist_ok=True)
    for strategy in parity_case.STRATEGIES:
        with tempfile.TemporaryDirectory(prefix="candled-parity-") as name:
            work = Path(name)
            for key, frame in parity_case.candles().items():
                with candle_path(work, key).open("wb") as stream:
                    write_candles(frame, stream)
            case = parity_case.case(strategy)
            found = parity.peers(work, case)
        kept = {}
        for part in ("train", "later"):
            values = found.pop(f"{part}_values")
            rows = np.linspace(0, len(values) - 1, SHOWN).astype(np.int64)
            kept |= {f"{part}_shown": rows, f"{part}_values": values[rows].astype(np.float32)}
            if part == "train":
                kept["span"] = (np.nanmax(values, axis=0) - np.nanmin(values, axis=0)).astype(np.float32)
        for name in case["trainings"]:
            for part in ("train", "later", "train_labels"):
                found.pop(f"{name}/{part}")
        names = {part: found.pop(part) for part in ("features", "labels")}
        target = parity_case.GOLDEN / f"{strategy}.npz"
        np.savez_compressed(target, **found, **kept)
        target.with_suffix(".json").write_text(json.dumps(names, indent=1) + "\n")
        print(target, target.stat().st_size, "bytes", len(names["features"]), "features")
        for name in case["trainings"]:
            judged = np.unique(found[f"{name}/do_predict"], return_counts=True)
            print(name, len(found[f"{name}/kept_weights"]), *(part.tolist() for part in judged))


if __name__ == "__main__":
    main()
