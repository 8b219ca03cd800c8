"""Writes tests/learning/golden/pipeline.npz: what FreqAI's own pipeline does with a small matrix.

Run it with a Python that has freqtrade 2026.9 (datasieve 0.1.9) installed: python benchmarks/pipeline_golden.py
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from freqtrade.freqai.freqai_interface import IFreqaiModel

TARGET = Path(__file__).parent.parent / "tests" / "learning" / "golden" / "pipeline.npz"
CASES = {
    "plain": {},
    "pca": {"principal_component_analysis": True},
    "svm": {"use_SVM_to_remove_outliers": True, "svm_params": {"shuffle": False, "nu": 0.05}},
    "svm_defaults": {"use_SVM_to_remove_outliers": True},
    "di": {"DI_threshold": 0.35},
    "dbscan": {"use_DBSCAN_to_remove_outliers": True},
    "all": {
        "principal_component_analysis": True,
        "use_SVM_to_remove_outliers": True,
        "svm_params": {"shuffle": False, "nu": 0.05},
        "DI_threshold": 0.35,
        "use_DBSCAN_to_remove_outliers": True,
    },
}


def matrix():
    rng = np.random.default_rng(7)
    factors = rng.standard_normal((300, 5)) @ rng.standard_normal((5, 10))
    rows = factors + 0.1 * rng.standard_normal((300, 10))
    rows[::37] *= 2.5  # some unusual rows, in training and test
    rows[290:] *= 4
    rows[:, 3] = 1.5  # a constant column
    rows[:, 4] *= 1e5
    return rows.astype(np.float32)


def run(parameters, train, test, weights):
    model = SimpleNamespace(freqai_info={"feature_parameters": parameters})
    pipeline = IFreqaiModel.define_data_pipeline(model, threads=1)
    names = [f"%-f{i}" for i in range(train.shape[1])]
    labels = pd.DataFrame({"&-row": np.arange(len(train), dtype=float)})
    frame = pd.DataFrame(train.astype(np.float64), columns=names)
    points, kept, kept_weights = pipeline.fit_transform(frame, labels, weights.copy())
    live, codes, di = [], [], []
    for row in test.astype(np.float64):  # one at a time, as FreqAI predicts live
        out, code, _ = pipeline.transform(pd.DataFrame(row[None], columns=names), outlier_check=True)
        live.append(out.to_numpy()[0])
        codes.append(code[0])
        di.append(pipeline["di"].di_values[0] if pipeline["di"] else 0.0)
    found = {
        "kept": kept.to_numpy().ravel().astype(np.int64),
        "weights": np.asarray(kept_weights, np.float64),
        "do_predict": np.array(codes, np.int64),
        "di": np.array(di),
    }
    if not set(parameters) - {"principal_component_analysis"}:
        found |= {"train": points.to_numpy().astype(np.float32), "live": np.array(live, np.float32)}
    if pipeline["svm"]:
        svm = pipeline["svm"]._skl
        found |= {"svm": np.append(svm.coef_.ravel(), svm.offset_)}
    if pipeline["dbscan"]:
        dbscan = pipeline["dbscan"]._skl
        found |= {"dbscan": np.array([dbscan.eps, dbscan.min_samples])}
    if pipeline["di"]:
        found |= {"mean_distance": np.array(pipeline["di"].avg_mean_dist)}
    return found


def main():
    rows = matrix()
    train, test = rows[:250], rows[250:]
    weights = np.exp(-np.arange(len(train)) / (0.9 * len(train)))[::-1]
    out = {"rows": rows, "weights": weights}
    for case, parameters in CASES.items():
        found = run(parameters, train, test, weights)
        out |= {f"{case}/{name}": values for name, values in found.items()}
        print(case, len(found["kept"]), np.unique(found["do_predict"], return_counts=True))
    TARGET.parent.mkdir(exist_ok=True)
    np.savez_compressed(TARGET, **out)
    print(TARGET.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
