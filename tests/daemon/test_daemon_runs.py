import json

from daemon_process import assert_whole, candle_times

PAIRS = ["BTC/USDT", "ETH/USDT"]


def test_a_run_predicts_every_candle_and_the_commands_tell_of_it_afterwards(place):
    here = place()
    log = here.start()
    for pair in PAIRS:
        log.await_event("predicting", pair=pair)
    log.await_event("tick", count=len(log.events("tick")) + 8)
    assert log.stop() == 0, log.text()
    record, status, queue = here.record, here.json("status"), here.json("queue")
    assert_whole(record, PAIRS)
    assert len(record) == 2 * status["ticks"] >= 18
    assert (status["state"], status["pid"], status["skipped"]) == ("stopped", None, 0)
    assert len(log.events("tick")) == status["ticks"]
    lines = [json.loads(line) for line in log.text().splitlines()]
    assert all({"time", "level", "event"} <= line.keys() for line in lines)
    for pair in PAIRS:
        rows = record[record["pair"] == pair]
        predicted = rows["do_predict"] == 1
        first = int(predicted.to_numpy().argmax())
        assert predicted.any(), pair
        assert predicted.iloc[first:].all(), "once there is a model, every candle is predicted"
        assert rows["&-s_close"].notna().tolist() == predicted.tolist()
        assert set(rows.loc[~predicted, "abstention"]) <= {"no model"}
        assert [row["attempts"] for row in queue if row["pair"] == pair] == [0]
        assert status["pairs"][pair]["candle_ms"] == candle_times(record, pair)[-1]
        assert (here.state / status["pairs"][pair]["model"]).is_dir()


def test_a_restart_goes_on_at_the_next_candle_with_the_models_that_were_there(place):
    here = place(freqai__live_retrain_hours=100)
    here.lived()
    before, models = here.record, here.status["pairs"]
    second = here.run("--candles", "4")
    after = here.record
    assert_whole(after, PAIRS)
    assert not second.events("trained")
    for pair in PAIRS:
        old, new = before[before["pair"] == pair], after[after["pair"] == pair]
        assert new.iloc[: len(old)].to_csv(index=False) == old.to_csv(index=False)
        added = new.iloc[len(old) :]
        assert len(added) >= 4
        assert set(added["model"]) == {models[pair]["model"]}


def test_a_stop_between_two_candles_and_a_start_leave_no_gap(place):
    here = place(candled__simulated__speed=300)
    for _ in range(2):
        daemon = here.start()
        daemon.await_event("tick", count=2)
        assert daemon.stop() == 0, daemon.text()
    assert_whole(here.record, PAIRS)


def test_the_commands_read_a_daemon_that_runs(place):
    here = place()
    daemon = here.start()
    daemon.await_event("predicting", pair="BTC/USDT")
    daemon.await_event("tick", count=len(daemon.events("tick")) + 1)
    status, record = here.json("status"), here.record
    assert (status["state"], status["pid"]) == ("running", daemon.pid)
    assert_whole(record, PAIRS)
    assert (record["do_predict"] == 1).any()
    printed = here.command("predictions", "BTC/USDT", "--format", "csv").stdout.splitlines()
    assert len(printed) >= 1 + len(record) / 2
    assert all(row["age_ms"] >= 0 for row in here.json("queue") if row["pair"] == "BTC/USDT")
    assert daemon.stop() == 0


def test_a_pair_that_is_added_is_trained_and_the_others_keep_their_models(place):
    here = place(freqai__live_retrain_hours=100)
    here.lived()
    model = here.status["pairs"]["BTC/USDT"]["model"]
    here.configure(freqai__live_retrain_hours=100, exchange__pair_whitelist=["BTC/USDT", "SOL/USDT"])
    daemon = here.start()
    daemon.await_event("predicting", pair="SOL/USDT")
    assert daemon.stop() == 0
    assert here.status["pairs"]["BTC/USDT"]["model"] == model
    record = here.record
    assert_whole(record[record["pair"] == "BTC/USDT"], ["BTC/USDT"])
    assert "ETH/USDT" in set(record["pair"]), "the record of a pair that was taken out is kept"


def test_a_strategy_that_was_edited_is_trained_anew_at_once(place):
    here = place(freqai__live_retrain_hours=100, strategy="Mine")
    here.mine("stoploss = -0.1")
    here.lived()
    here.mine("stoploss = -0.2")
    daemon = here.start()
    for pair in PAIRS:
        daemon.await_event("trained", pair=pair)
    assert daemon.stop() == 0
    assert_whole(here.record, PAIRS)


def test_a_machine_that_slept_catches_up_and_marks_what_was_late(place):
    here = place()
    daemon = here.start()
    daemon.await_event("predicting", pair="ETH/USDT")
    slept_over = daemon.sleep(candles=8)
    daemon.await_event("tick", count=len(daemon.events("tick")) + 10)
    assert daemon.stop() == 0
    record = here.record
    assert_whole(record, PAIRS)
    late = record[(record["pair"] == "BTC/USDT") & (record["late"] == 1)]
    late = late[
        late["model"].ne("").cummax()
    ]  # in the first seconds a candle may be late that no model was there for
    assert len(late) >= slept_over - 3
    assert late["do_predict"].eq(1).all(), "late candles are predicted, too"
    assert not [line for line in daemon.events("signal") if line["candle"] in _iso(late)]


def _iso(rows):
    return {f"{date:%Y-%m-%dT%H:%M:%S}Z" for date in rows["date_pred"]}
