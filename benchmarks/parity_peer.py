"""The other side of parity.py: what FreqAI makes of the same candles, with the same strategy and settings.

Run by parity.py and by parity_golden.py with the Python of a venv that has freqtrade 2026.9:
python parity_peer.py FOLDER, where FOLDER/case.json says what is wanted and FOLDER/<PAIR>-<timeframe>.feather
are the candles. Writes FOLDER/peer.npz and FOLDER/peer.json.
"""

import importlib.util
import json
import logging
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from freqtrade.data.converter import reduce_dataframe_footprint
from freqtrade.enums import CandleType, RunMode, TradingMode
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.resolvers.freqaimodel_resolver import FreqaiModelResolver

logging.disable(logging.WARNING)
warnings.filterwarnings("ignore")


def config(folder, case, feature_parameters, model, parameters):
    (folder / "config.json").write_text("{}")
    return {
        "runmode": RunMode.DRY_RUN,
        "dry_run": True,
        "trading_mode": TradingMode.SPOT,
        "candle_type_def": CandleType.SPOT,
        "timeframe": case["timeframes"][0],
        "stake_currency": "USDT",
        "user_data_dir": folder / "user",
        "datadir": folder,
        "config_files": [str(folder / "config.json")],
        "exchange": {"name": "binance", "pair_whitelist": [case["pair"]]},
        "freqaimodel": model,
        "freqai": {
            "enabled": True,
            "identifier": "parity",
            "train_period_days": 30,
            "activate_tensorboard": False,
            "data_kitchen_thread_count": 1,
            "feature_parameters": {
                "include_timeframes": case["timeframes"],
                "include_corr_pairlist": case["correlated"],
                "indicator_periods_candles": case["periods"],
                "include_shifted_candles": case["shifts"],
                "label_period_candles": case["label_period_candles"],
                "weight_factor": case["weight_factor"],
                "shuffle_after_split": False,
                "buffer_train_data_candles": 0,
                **feature_parameters,
            },
            "data_split_parameters": {"test_size": case["test_size"], "shuffle": False},
            "model_training_parameters": parameters,
        },
    }


def strategy_of(case, made):
    spec = importlib.util.spec_from_file_location("parity_strategy", case["strategy_file"])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    strategy = getattr(module, case["strategy"])(made)
    strategy.timeframe = made["timeframe"]
    strategy.freqai_info = made["freqai"]
    strategy.dp = SimpleNamespace(runmode=RunMode.DRY_RUN)
    return strategy


def candles(folder, pair, timeframe, first_ms, until_ms):
    """Candles that open at or after ``first_ms`` and have closed by ``until_ms``."""
    frame = pd.read_feather(folder / f"{pair.replace('/', '_')}-{timeframe}.feather")
    opens = frame["date"].dt.as_unit("ms").astype("int64")
    length = pd.Timedelta(timeframe.replace("m", "min")) // pd.Timedelta(milliseconds=1)
    return frame[(opens >= first_ms) & (opens + length <= until_ms)].reset_index(drop=True)


def populated(folder, case, made, until_ms):
    """Every column that FreqAI gives a training as of ``until_ms``, special characters removed."""
    history = {
        pair: {tf: candles(folder, pair, tf, case["history_ms"], until_ms) for tf in case["timeframes"]}
        for pair in {case["pair"], *case["correlated"]}
    }
    kitchen = FreqaiDataKitchen(made, live=True, pair=case["pair"])
    correlated = {pair: history[pair] for pair in case["correlated"]}
    return kitchen.use_strategy_to_populate_indicators(
        strategy_of(case, made), correlated, dict(history[case["pair"]]), case["pair"]
    )


def opens(frame):
    return frame["date"].dt.as_unit("ms").astype("int64").to_numpy()


def trained(folder, case, wanted, train, later, *, narrow=False):
    """A training and its predictions; ``narrow`` has the model see its rows as float32 behind the pipeline."""
    case = {**case, "test_size": wanted.get("test_size", case["test_size"])}
    made = config(folder, case, wanted["feature_parameters"], wanted["model"], dict(wanted["parameters"]))
    freqai = FreqaiModelResolver.load_freqaimodel(made)
    freqai.live = True
    if narrow:
        freqai.fit = narrowed(freqai.fit)
    kitchen = FreqaiDataKitchen(made, live=True, pair=case["pair"])
    kitchen.data_path = folder
    kitchen.find_features(train)
    kitchen.find_labels(train)
    freqai.model = freqai.train(train.copy(), case["pair"], kitchen)
    used = kitchen.data_dictionary
    found = {
        "train": used["train_features"].to_numpy(np.float64),
        "kept_weights": np.asarray(used["train_weights"], np.float64),
        "train_labels": used["train_labels"].to_numpy(np.float64)[:, 0],
        "label_mean_std": np.array(
            [kitchen.data[f"labels_{end}"][kitchen.label_list[0]] for end in ("mean", "std")]
        ),
    }
    frame, judged = freqai.predict(later.copy(), kitchen)
    found |= {
        "later": kitchen.data_dictionary["prediction_features"].to_numpy(np.float64),
        "predictions": frame.to_numpy(np.float64)[:, 0],
        "do_predict": np.asarray(judged, np.int64),
        "di": np.asarray(kitchen.DI_values, np.float64),
    }
    return found


def narrowed(fit):
    def fitted(dictionary, kitchen, **kwargs):
        for part in ("train_features", "test_features"):
            dictionary[part] = dictionary[part].astype(np.float32)
        model = fit(dictionary, kitchen, **kwargs)
        predict = model.predict
        model.predict = lambda rows: predict(rows.astype(np.float32))
        return model

    return fitted


def replaced(frame, names, values):
    """The frame with these features instead of its own."""
    others = frame.drop(columns=names)
    return pd.concat([others, pd.DataFrame(values.astype(np.float64), columns=names)], axis=1)


def main():
    folder = Path(sys.argv[1])
    case = json.loads((folder / "case.json").read_text())
    made = config(folder, case, {}, "LightGBMRegressor", {})
    train = populated(folder, case, made, case["train_end_ms"])
    train = train[opens(train) >= case["train_first_ms"]].reset_index(drop=True)
    whole = populated(folder, case, made, case["later_end_ms"])
    later = whole[opens(whole) >= case["train_end_ms"]].reset_index(drop=True)
    kitchen = FreqaiDataKitchen(made, live=True, pair=case["pair"])
    kitchen.find_features(train)
    kitchen.find_labels(train)
    features, labels = kitchen.filter_features(train, kitchen.training_features_list, kitchen.label_list)
    kept = features.index.to_numpy()
    split = kitchen.make_train_test_datasets(features, labels)
    arrays = {
        "train_open_ms": opens(train),
        "train_values": train[kitchen.training_features_list].to_numpy(np.float64),
        "label_values": train[kitchen.label_list[0]].to_numpy(np.float64),
        "later_open_ms": opens(later),
        "later_values": later[kitchen.training_features_list].to_numpy(np.float64),
        "kept": kept,
        "train_rows": split["train_features"].index.to_numpy(),
        "test_rows": split["test_features"].index.to_numpy(),
        "train_weights": np.asarray(split["train_weights"], np.float64),
        "test_weights": np.asarray(split["test_weights"], np.float64),
    }
    for name, wanted in case["trainings"].items():
        found = trained(folder, case, wanted, train, later)
        arrays |= {f"{name}/{key}": values for key, values in found.items()}
    for name in case["given_rows"]:
        with np.load(folder / "given.npz") as given:
            frames = [
                replaced(frame, kitchen.training_features_list, given[part])
                for frame, part in ((train, "train_values"), (later, "later_values"))
            ]
        reduced = [reduce_dataframe_footprint(frame) for frame in (train, later)]
        for kind, rows, narrow in (
            ("given", frames, True),
            ("given_float64", frames, False),
            ("reduced", reduced, False),
        ):
            found = trained(folder, case, case["trainings"][name], *rows, narrow=narrow)
            arrays[f"{name}/{kind}_predictions"] = found["predictions"]
    np.savez(folder / "peer.npz", **arrays)
    names = {"features": kitchen.training_features_list, "labels": kitchen.label_list}
    (folder / "peer.json").write_text(json.dumps(names))


if __name__ == "__main__":
    main()
