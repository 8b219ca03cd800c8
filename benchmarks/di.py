"""The dissimilarity index by itself: one live row, a training's mean distance, its test rows, and their floors.

  python benchmarks/di.py [--rows 8640] [--columns 500]

Two clouds: `dense`, in which every column changes with every row, and `paced`, a third of whose columns change every
third row and a third every twelfth, as those of 5m, 15m and 1h do. CPU of this thread, one thread of BLAS, least of
several runs.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `candled run` does, before numpy comes in

import time

import meters
import numpy as np

from daemon.learning.steps.dissimilarity import Dissimilarity
from daemon.learning.steps.distances import Cloud


def cloud(rows, columns, *, paced):
    rng = np.random.default_rng(1)
    steps = np.cumsum(rng.standard_normal((rows, columns), np.float32), axis=0)
    points = (2 * (steps - steps.min(axis=0)) / np.ptp(steps, axis=0) - 1).astype(np.float32)
    if paced:
        for part, every in ((1, 3), (2, 12)):
            points[:, part::3] = points[np.arange(rows) // every * every, part::3]
    return points


def least_ms(call, times):
    found = []
    for _ in range(times):
        started = time.thread_time()
        call()
        found.append(1e3 * (time.thread_time() - started))
    return round(min(found), 3)


def measured(points):
    held = Cloud(points)
    step = Dissimilarity.fit(held, 0.9)
    row, later = points[-1:] + np.float32(0.01), points[len(points) // 2 :] + np.float32(0.01)
    vector = row[0].copy()
    return {
        "live_row_ms": least_ms(lambda: step.judge(row), 200),
        "floor_one_product_with_the_matrix_ms": least_ms(lambda: points @ vector, 200),
        "mean_distance_ms": least_ms(held.mean, 3),
        "floor_half_the_products_of_all_pairs_ms": least_ms(lambda: points @ points[: len(points) // 2].T, 3),
        "test_rows": len(later),
        "test_rows_outliers_ms": least_ms(lambda: step.outliers(later), 3),
        "test_rows_index_ms": least_ms(lambda: step.judge(later), 2),
        "held_mb": round((sum(layer.rows.nbytes for layer in held._layers) + held.squares.nbytes) / 2**20, 1),
        "matrix_mb": round(points.nbytes / 2**20, 1),
    }


def main():
    parser = meters.arguments(__doc__)
    parser.add_argument("--rows", type=int, default=8640)
    parser.add_argument("--columns", type=int, default=500)
    given = parser.parse_args()
    shapes = {"dense": False, "paced": True}
    runs = {name: measured(cloud(given.rows, given.columns, paced=paced)) for name, paced in shapes.items()}
    meters.emit({"workload": "DI", "rows": given.rows, "columns": given.columns, **runs})


if __name__ == "__main__":
    main()
