"""W2: one retrain of one pair, split into the library's fit and all the rest, beside the bare library call.

  PEER_PYTHON=... python benchmarks/retrain.py [--models lightgbm catboost] [--repeat 3] [--vs-peer [--rounds 5]]

The daemon's side (data set, shared memory, publishing, loading) is measured on a real `Trainer` whose training process
runs as it does live. The training process's side is measured once more by its own clock of CPU, with the same job on
the same rows in a process with the same caps, because there it can be split. Of each the repeat with the least CPU
counts; of several rounds with the peer, which on a shared machine differ by half, the median ratio. LightGBM has one
thread and CatBoost two, DI 0.9 and the SVM are on.

`floors_ms` is what the same arithmetic takes by itself, on the same rows, with nothing around it: the products of all
pairs of training rows and their roots, scikit-learn's own fit of the SVM, the products of the test rows that are outliers
with all training rows, and the library's own predictions of the other test rows, where its training does not leave them.
"""

import json
import os
import pickle
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import catboost
import inside
import lightgbm
import meters
import numpy as np
import sklearn.linear_model  # the training process has imported the SVM's library long before

from daemon.learning import fit, head, pipeline
from daemon.learning.job import TrainingJob
from daemon.learning.models.port import Remembers

MODELS = {
    "lightgbm": ("LightGBMRegressor", inside.LIGHTGBM, 1),
    # With the library's own defaults in place of ours, as the peer has them, and no early end.
    "catboost": (
        "CatboostRegressor",
        {
            "iterations": 200,
            "depth": 6,
            "learning_rate": 0.1,
            "rsm": 1.0,
            "border_count": 254,
            "early_stopping_rounds": 1000,
        },
        2,
    ),
}
CAPS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def daemons_side(model, peer_scripts, repeat, keep):
    """CPU of the trainer's thread in each retrain; the last job and its rows are left in ``keep``."""
    name, parameters, threads = MODELS[model]
    found, spent = [], {}
    with inside.inside(
        peer_scripts,
        pairs=4,
        model=name,
        features=inside.OUTLIERS,
        threads=threads,
        model_training_parameters=parameters,
    ) as daemon:
        parts, run = daemon.parts, daemon.parts.process.run

        def noted(job, features, labels, folder):
            (keep / "job.json").write_text(json.dumps(job.to_json()))
            (keep / "features.pickle").write_bytes(pickle.dumps(features))
            np.save(keep / "labels.npy", labels)
            started = time.thread_time()
            result = run(job, features, labels, folder)
            spent["run"] = time.thread_time() - started
            return result

        parts.process.run = noted
        inside.timed(sys.modules["daemon.runtime.trainer"], "data_set", spent)
        inside.timed(parts.artifacts, "publish", spent)
        inside.timed(sys.modules["daemon.runtime.trainer"], "model_of", spent)
        for _ in range(repeat + 1):  # the first is a warm-up: the pair's blocks are computed in it
            spent.clear()
            artifact = daemon.retrained()
            found.append({stage: round(seconds, 4) for stage, seconds in spent.items()})
            found[-1]["whole"] = round(daemon.trainer_cpu_s, 4)
            daemon.tick()
        written = sum(path.stat().st_size for path in artifact.path.iterdir())
        return {"first": found[0], "best": min(found[1:], key=lambda each: each["whole"])}, written


def fitted(keep, model):
    """In a process of its own: the training by its clock of CPU, then the bare call on the same rows."""
    job = TrainingJob.from_json(json.loads((keep / "job.json").read_text()))
    features, labels = pickle.loads((keep / "features.pickle").read_bytes()), np.load(keep / "labels.npy")
    rows = {}
    cls = head.model_class(job.model, classifies=False)
    inner = cls.fit.__func__

    def noted(kind, train, test, options):
        rows.update(train=train, test=test, options=options)
        started = time.process_time()
        made = inner(kind, train, test, options)
        rows["fit_s"], rows["model"] = time.process_time() - started, made
        return made

    def kept(points, options, seed):
        rows["svm"] = (points, options.svm_params)
        return svm(points, options, seed)

    def cloud_of(points):
        rows["cloud"] = made = cloud(points)
        return made

    svm, cloud = pipeline._svm, pipeline.Cloud
    pipeline._svm, pipeline.Cloud = kept, cloud_of
    cls.fit = classmethod(noted)
    # As in the daemon, whose training process has trained before: what only the first one takes is not in the figures.
    few = {
        name: 2 if name in {"n_estimators", "iterations"} else value for name, value in job.parameters.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        fit.train(replace(job, parameters=few), features.matrix(), labels, Path(folder), time.process_time)
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        result = fit.train(job, features.matrix(), labels, Path(folder), time.process_time)
        whole = time.process_time() - started
    started = time.process_time()
    bare(model, cls, rows["train"], rows["test"], rows["options"])
    bare_s = time.process_time() - started
    return {
        "rows": [result.rows, len(job.features)],
        "fit_s": round(rows["fit_s"], 3),
        "not_fit_s": round(whole - rows["fit_s"], 3),
        "bare_s": round(bare_s, 3),
        "floors_ms": floors(rows, result.test_outliers),
    }


def floors(rows, outliers):
    layers, n = [layer.rows for layer in rows["cloud"]._layers], len(rows["cloud"])
    few = [part[: len(part) * outliers // n + 1].copy() for part in layers]
    points, parameters = rows["svm"]
    wide = points.features.astype(np.float64)
    tile, ones = np.ones((256, 1024), np.float32), np.ones(1024, np.float32)
    model = rows["model"]
    known = isinstance(model, Remembers) and model.of_test() is not None
    return {
        "mean_products": least_ms(lambda: [part @ part[: len(part) // 2].T for part in layers]),
        "mean_roots": least_ms(lambda: [np.sqrt(tile) @ ones for _ in range(n * n // 2 // tile.size)]),
        "svm": least_ms(
            lambda: sklearn.linear_model.SGDOneClassSVM(**{"random_state": 1, **parameters}).fit(
                wide, sample_weight=points.weights
            )
        ),
        "outliers_products": least_ms(lambda: [own @ part.T for own, part in zip(few, layers, strict=True)]),
        "predictions": 0.0 if known else least_ms(lambda: model.predict(rows["test"].features)),
    }


def least_ms(call, times=7):
    found = []
    for _ in range(times):
        started = time.process_time()
        call()
        found.append(1e3 * (time.process_time() - started))
    return round(min(found), 1)


def bare(model, cls, train, test, options):
    """The library's own call on the ready matrices, with the parameters that ours gives it."""
    parameters = cls._parameters(options)
    if model == "lightgbm":
        rounds = parameters.pop("n_estimators")
        parameters |= {"verbosity": -1}
        data = lightgbm.Dataset(train.features, train.labels, weight=train.weights, params=dict(parameters))
        tests = data.create_valid(test.features, test.labels, weight=test.weights)
        lightgbm.train(parameters, data, rounds, valid_sets=[tests])
    else:
        booster, pool = catboost.CatBoost(parameters), catboost.Pool
        tests = pool(test.features, test.labels, weight=test.weights)
        booster.fit(pool(train.features, train.labels, weight=train.weights), eval_set=tests)


def measure(model, repeat, peer_scripts):
    threads = str(MODELS[model][2])
    os.environ.update(dict.fromkeys(CAPS, threads))
    with tempfile.TemporaryDirectory(prefix="candled-bench-") as name:
        keep = Path(name)
        ours, written = daemons_side(model, peer_scripts, repeat, keep)
        runs = [meters.child(__file__, "--fit", keep, "--models", model) for _ in range(repeat)]
    least = {key: min(run[key] for run in runs) for key in ("fit_s", "not_fit_s", "bare_s")}
    return {
        "model": model,
        "threads": int(threads),
        "rows_features": runs[0]["rows"],
        "fit_cpu_s": least["fit_s"],
        "bare_fit_cpu_s": least["bare_s"],
        "fit_over_bare": round(least["fit_s"] / least["bare_s"], 3),
        "not_fit_cpu_s": {
            "training_process": least["not_fit_s"],
            "daemon": ours["best"]["whole"],
            "together": round(least["not_fit_s"] + ours["best"]["whole"], 3),
        },
        "daemon_stages_s": ours,
        "floors_ms": {name: min(run["floors_ms"][name] for run in runs) for name in runs[0]["floors_ms"]},
        "written_mb": round(written / 2**20, 1),
    }


def compared(ours, theirs):
    whole = min(theirs["cpu_s"])
    fit = theirs["best_repeat"]["model_fit"]["cpu_s"]
    return {
        "model": ours["model"],
        "peer_not_fit_s": round(whole - fit, 2),
        "not_fit": round(ours["not_fit_cpu_s"]["together"] / (whole - fit), 4),
        "fit": round(ours["fit_cpu_s"] / fit, 3),
        "whole": round((ours["fit_cpu_s"] + ours["not_fit_cpu_s"]["together"]) / whole, 3),
        "written": round(ours["written_mb"] / theirs["written_mb"], 3),
    }


def main():
    parser = meters.arguments(__doc__)
    parser.add_argument("--models", nargs="*", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--peer-repeat", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1, help="the peer's and ours in turn so often")
    parser.add_argument("--fit", type=Path, help="measure the training process's side of what lies there")
    parser.add_argument("--child", action="store_true", help="measure one model in this process")
    given = parser.parse_args()
    if given.fit:
        meters.emit(fitted(given.fit, given.models[0]))
        return
    if given.child:
        meters.emit(measure(given.models[0], given.repeat, given.peer_scripts))
        return
    figures = {"workload": "W2 retrain", "runs": [], "peer": [], "ratios": []}
    for model in given.models * given.rounds:  # the peer's and ours in turn
        name, _, threads = MODELS[model]
        if given.vs_peer:
            options = ["--models", name, "--threads", threads, "--repeat", given.peer_repeat]
            theirs = meters.peer(given.peer_scripts, "retrain.py", *options)["runs"][0]
            figures["peer"].append(theirs)
        options = ["--models", model, "--repeat", given.repeat, "--peer-scripts", given.peer_scripts]
        ours = meters.child(__file__, "--child", *options)
        figures["runs"].append(ours)
        if given.vs_peer:
            figures["ratios"].append(compared(ours, theirs))
    if given.vs_peer:
        figures["median_not_fit"] = {
            model: median(each["not_fit"] for each in figures["ratios"] if each["model"] == model)
            for model in given.models
        }
    meters.emit(figures)


if __name__ == "__main__":
    main()
