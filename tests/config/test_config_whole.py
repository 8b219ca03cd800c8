def parameters(document):
    return document["freqai"]["feature_parameters"]


def test_the_base_timeframe_is_put_in_front_as_freqai_does_and_the_user_is_told(loaded, document):
    parameters(document)["include_timeframes"] = ["15m", "1h"]
    settings = loaded(document)
    assert settings.freqai.feature_parameters.include_timeframes == ("5m", "15m", "1h")
    assert settings.raw["freqai"]["feature_parameters"]["include_timeframes"] == ["5m", "15m", "1h"]
    assert any("lacks the base timeframe '5m'" in line for line in settings.warnings)


def test_left_out_timeframes_are_the_base_alone(loaded, document):
    del parameters(document)["include_timeframes"]
    settings = loaded(document)
    assert settings.freqai.feature_parameters.include_timeframes == ("5m",)
    assert settings.warnings == ()


def test_a_timeframe_below_the_base_is_refused_in_its_place(refusal, document):
    parameters(document)["include_timeframes"] = ["15m", "1m"]
    assert "include_timeframes[1]: 1m is not allowed: must not be shorter than timeframe 5m" in refusal(
        document
    )


def test_places_in_messages_are_the_users_own(refusal, document):
    parameters(document)["include_timeframes"] = ["15m", "xx"]
    assert "include_timeframes[1]" in refusal(document)


def test_equal_lengths_are_not_shorter(loaded, document):
    parameters(document)["include_timeframes"] = ["5m", "60m", "1h"]
    assert loaded(document).freqai.feature_parameters.include_timeframes == ("5m", "60m", "1h")


def test_names_given_twice_are_refused(refusal, document):
    document["exchange"]["pair_whitelist"] += ["ETH/USDT"]
    parameters(document).update(
        include_timeframes=["5m", "5m"],
        include_corr_pairlist=["BTC/USDT", "BTC/USDT"],
        indicator_periods_candles=[10, 20, 10],
    )
    text = refusal(document)
    assert "exchange.pair_whitelist: ETH/USDT is named 2 times" in text
    assert "include_corr_pairlist: BTC/USDT is named 2 times" in text
    assert "include_timeframes: 5m is named 2 times" in text
    assert "indicator_periods_candles: 10 is named 2 times" in text


def test_a_pair_of_another_quote_is_refused(refusal, document):
    document["exchange"]["pair_whitelist"] += ["ETH/BTC"]
    assert "pair_whitelist[2]: ETH/BTC is not allowed: must be quoted in stake_currency USDT" in refusal(
        document
    )


def test_a_futures_pair_is_told_its_spot_name(refusal, document):
    document["exchange"]["pair_whitelist"] = ["BTC/USDT:USDT"]
    parameters(document)["include_corr_pairlist"] = ["ETH/USDT:USDT"]
    text = refusal(document)
    assert (
        "pair_whitelist[0]: BTC/USDT:USDT is not allowed: spot only in this version; write BTC/USDT" in text
    )
    assert "include_corr_pairlist[0]: ETH/USDT:USDT is not allowed" in text


def test_a_blacklist_that_leaves_no_pair_is_refused(refusal, document):
    document["exchange"]["pair_blacklist"] = [".*"]
    assert "exchange.pair_blacklist: leaves no pair" in refusal(document)


def test_models_that_expire_before_their_retrain_are_worth_a_word(loaded, document):
    document["freqai"]["live_retrain_hours"] = 48
    assert any("models expire before" in line for line in loaded(document).warnings)
    document["freqai"]["expiration_hours"] = 0
    assert loaded(document).warnings == ()
