"""Finding a strategy by name, and what is said when that fails."""

import json

import pytest

from daemon.core.errors import ConfigError, StrategyError
from daemon.strategy.loader import load_strategy


def test_a_strategy_is_found_by_its_class_name_whatever_its_file_is_called(sound, tmp_path):
    strategy = sound()
    assert strategy.name == "S"
    assert strategy.file == tmp_path / "strategy.py"
    assert strategy.instance.get_strategy_name() == "S"


def test_broken_files_beside_it_do_not_matter(sound):
    assert sound(aaa="def (", bbb="raise RuntimeError").name == "S"


def test_the_first_folder_that_has_the_class_wins(sound, tmp_path, config):
    strategy = sound()
    other = tmp_path / "other"
    other.mkdir()
    (other / "s.py").write_bytes(strategy.file.read_bytes())
    found = load_strategy("S", paths=[tmp_path / "absent", other, tmp_path], config=config)
    assert found.file == other / "s.py"


def test_the_examples_are_found_without_any_folder(config):
    assert load_strategy("CandledExampleStrategy", paths=[], config=config).name == "CandledExampleStrategy"


def test_an_unknown_name_is_answered_by_the_folders_and_the_nearest_names(folder, config):
    paths = [folder(mine="class MyFirstStrategy:\n    pass\n")]
    with pytest.raises(ConfigError, match=r"'MyFristStrategy'; nearest: MyFirstStrategy") as error:
        load_strategy("MyFristStrategy", paths=paths, config=config)
    assert str(paths[0]) in str(error.value)
    assert not isinstance(error.value, StrategyError)


@pytest.mark.parametrize("name", ["../S", "S.py", "", "a b"])
def test_a_name_that_is_no_class_name_is_refused(name, config):
    with pytest.raises(ConfigError, match="is not the name of a class"):
        load_strategy(name, paths=[], config=config)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("class S(:\n    pass", 1, "SyntaxError: invalid syntax"),
        ("import json\n\n1 / 0\nclass S: pass", 3, "ZeroDivisionError: division by zero"),
        ("class S: pass\nraise SystemExit(3)", 2, "SystemExit: 3"),
        ("class S:\n    x = undefined", 2, "NameError: name 'undefined' is not defined"),
    ],
)
def test_a_file_that_does_not_run_is_named_with_its_line(load, tmp_path, text, line, said):
    with pytest.raises(StrategyError) as error:
        load(text)
    assert str(error.value) == f"{tmp_path / 'strategy.py'}:{line}: {said}"


def test_an_error_in_the_constructor_is_named_with_its_line(sound, tmp_path):
    with pytest.raises(StrategyError) as error:
        sound("def __init__(self, config):\n    super().__init__(config)\n    config['absent']\n")
    assert str(error.value) == f"{tmp_path / 'strategy.py'}:14: KeyError: 'absent'"


def test_an_error_in_a_helper_module_is_named_there(sound, tmp_path):
    with pytest.raises(StrategyError, match=r"broken_helper\.py:2: ValueError: no") as error:
        sound(head="import broken_helper\n", broken_helper="\nraise ValueError('no')\n")
    assert str(tmp_path) in str(error.value)


def test_a_class_that_is_no_strategy_is_refused(load):
    with pytest.raises(StrategyError, match=r"S is not a strategy: derive it from"):
        load("class S:\n    pass\n")


def test_a_strategy_without_targets_is_refused(load):
    text = """
        from freqtrade.strategy import IStrategy
        class S(IStrategy):
            def feature_engineering_standard(self, dataframe, metadata, **kwargs):
                return dataframe
        """
    with pytest.raises(StrategyError, match="set_freqai_targets is missing"):
        load(text)


def test_a_strategy_without_features_is_refused(load):
    text = """
        from freqtrade.strategy import IStrategy
        class S(IStrategy):
            def set_freqai_targets(self, dataframe, metadata, **kwargs):
                return dataframe
        """
    with pytest.raises(StrategyError, match="there are no features: write at least one of"):
        load(text)


def test_the_hook_that_freqai_gave_up_is_answered_by_those_that_replace_it(sound):
    with pytest.raises(
        StrategyError, match=r"no longer called.*expand_all, .*expand_basic, .*standard and set"
    ):
        sound("def populate_any_indicators(self, pair, df, tf, informative=None):\n    return df\n")


def test_the_digest_changes_with_the_file_its_helpers_and_its_parameters(sound, tmp_path):
    head = "from aid import x\n"
    aid = "def x():\n    import deeper\n"
    first = sound(head=head, aid=aid, deeper="a = 1").digest
    assert first == sound(head=head, aid=aid, deeper="a = 1", unrelated="a = 2").digest
    deeper = sound(head=head, aid=aid, deeper="a = 2").digest
    own = sound("b = 1", head=head, aid=aid, deeper="a = 2").digest
    (tmp_path / "strategy.json").write_text(json.dumps({"strategy_name": "S", "params": {}}))
    with_parameters = sound("b = 1", head=head, aid=aid, deeper="a = 2").digest
    assert len({first, deeper, own, with_parameters}) == 4


def test_the_same_class_in_a_second_file_is_reported(sound, caplog, tmp_path):
    strategy = sound(zzz="class S: pass")
    assert strategy.file == tmp_path / "strategy.py"
    assert caplog.messages == ["strategy defined twice"]
