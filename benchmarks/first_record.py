"""`candled run`, which also tells how much CPU it had used when its first predictions were on the disk.

python benchmarks/first_record.py FILE run -c config.json ...    # seconds into FILE; the rest as for candled
"""

import importlib
import os
import sys
import time
from pathlib import Path

from daemon.runtime import allocators

# As `candled run` does before anything else; imported above, numpy and pyarrow would not hear of it any more.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
allocators.keep_memory_level()
cli, history = (importlib.import_module(f"daemon.{name}") for name in ("cli", "state.history"))

FIGURE = Path(sys.argv.pop(1))


def watched(append):
    def timed(self, rows):
        result = append(self, rows)
        if rows and not FIGURE.exists():
            FIGURE.write_text(f"{time.process_time():.3f} {len(rows)}")
        return result

    return timed


history.PredictionHistory.append = watched(history.PredictionHistory.append)
cli.main()
