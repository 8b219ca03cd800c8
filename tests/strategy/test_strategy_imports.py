"""What import statements mean in strategy files, and that they mean it nowhere else."""

import sys
import textwrap
from pathlib import Path

import pytest

from daemon.core.errors import StrategyError
from daemon.strategy import interface
from daemon.strategy.facade import facades
from daemon.strategy.loader import load_strategy


@pytest.mark.parametrize(
    ("statement", "expression"),
    [
        ("from freqtrade.strategy import *", "IStrategy"),
        ("from freqtrade.strategy.interface import IStrategy", "IStrategy"),
        ("import freqtrade.strategy", "freqtrade.strategy.IStrategy"),
        ("import freqtrade.strategy as fs", "fs.IStrategy"),
        ("from freqtrade import strategy", "strategy.interface.IStrategy"),
        ("import freqtrade.strategy.interface as fsi, freqtrade.enums", "freqtrade.strategy.IStrategy"),
    ],
)
def test_every_way_to_import_the_base_class_gives_candleds_own(sound, statement, expression):
    strategy = sound(f"base = {expression}\n", head=f"{statement}\n")
    assert strategy.instance.base is interface.IStrategy


@pytest.mark.parametrize(
    "statement",
    [
        "import freqtrade.vendor.qtpylib.indicators as qtpylib",
        "from freqtrade.vendor.qtpylib import indicators as qtpylib",
        "from technical import qtpylib",
        "import technical.qtpylib as qtpylib",
        "from technical.vendor.qtpylib import indicators as qtpylib",
    ],
)
def test_every_way_to_import_qtpylib_works(sound, statement):
    strategy = sound("cross = staticmethod(qtpylib.crossed_above)\n", head=f"{statement}\n")
    assert strategy.instance.cross.__module__ == "daemon.strategy.compat.qtpylib"


@pytest.mark.parametrize("module", sorted(facades()))
def test_all_public_names_of_a_module_are_there(module):
    facade = facades()[module]
    assert [name for name in facade.__all__ if not hasattr(facade, name)] == []


def test_imports_inside_methods_mean_the_same_later(sound):
    strategy = sound("def later(self):\n    from freqtrade.persistence import Trade\n    return Trade\n")
    assert strategy.instance.later() is facades()["freqtrade.persistence"].Trade


def test_an_installed_freqtrade_is_never_imported(sound, tmp_path, monkeypatch):
    package = tmp_path / "site" / "freqtrade"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('the real one')")
    monkeypatch.syspath_prepend(package.parent)
    assert sound().name == "S"
    assert "freqtrade" not in sys.modules
    with pytest.raises(AssertionError, match="the real one"):  # elsewhere the name means what is installed
        __import__("freqtrade")


def test_pythons_own_tables_keep_their_entries(sound):
    path, finders = list(sys.path), list(sys.meta_path)
    before = set(sys.modules)
    sound(head="import aid\n", aid="from freqtrade.enums import RunMode\n")
    added = {name.partition(".")[0].partition("_")[0] for name in set(sys.modules) - before}
    assert added == {"candled"}
    assert (list(sys.path), list(sys.meta_path)) == (path, finders)


def test_a_strategy_that_fails_leaves_no_module_behind(sound):
    before = set(sys.modules)
    with pytest.raises(StrategyError):
        sound(head="import aid\n", aid="a = 1\n1 / 0\n")
    assert set(sys.modules) == before


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("from freqtrade.strategy import Wizard", "ImportError: candled has no freqtrade.strategy.Wizard"),
        (
            "import freqtrade.freqtradebot",
            "ModuleNotFoundError: candled has no module 'freqtrade.freqtradebot'",
        ),
        ("from freqtrade.rpc import RPC", "ModuleNotFoundError: candled has no module 'freqtrade.rpc'"),
        (
            "from technical.util import x",
            "the module 'technical.util': install its package into candled's env",
        ),
        ("import pandas_ta_of_nobody as pta", "with `pip install pandas-ta-of-nobody`"),
        ("import json.absent", "No module named 'json.absent'"),
    ],
)
def test_a_name_that_is_not_there_is_an_error_with_file_and_line(sound, tmp_path, statement, said):
    with pytest.raises(StrategyError) as error:
        sound(head=f"\n{statement}\n")
    if "json" not in statement:
        assert said in str(error.value)
    assert str(error.value).startswith(f"{tmp_path / 'strategy.py'}:3: ")


def test_an_import_that_is_optional_to_the_strategy_may_fail(sound):
    head = """
        try:
            from freqtrade.rpc import RPC
        except ImportError:
            RPC = None
        """
    assert sound("rpc = RPC\n", head=head).instance.rpc is None


def test_helpers_beside_the_file_are_found_in_every_form(folder, config):
    tree = {
        "aid.py": "from .lib import deep\nfrom freqtrade.exchange import timeframe_to_minutes\n",
        "lib/__init__.py": "from .near import near\nname = __name__\n",
        "lib/near.py": "from . import far\nnear = far.far + 1\n",
        "lib/far.py": "far = 1\n",
        "lib/deep.py": "from ..solo import solo\nfrom aid import __file__ as f\n",
        "solo.py": "solo = 'solo'\n",
        "plain/inner.py": "value = 7\n",
    }
    root = folder()
    for name, text in tree.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    text = """
        import lib.far
        import plain.inner as inner
        from aid import deep, timeframe_to_minutes
        from lib import near
        from solo import *
        from freqtrade.strategy import IStrategy
        class S(IStrategy):
            timeframe = "5m"
            found = (lib.far.far, inner.value, near, solo, deep.solo, timeframe_to_minutes("1h"), lib.name)
            def feature_engineering_standard(self, dataframe, metadata, **kwargs): return dataframe
            def set_freqai_targets(self, dataframe, metadata, **kwargs): return dataframe
        """
    (root / "s.py").write_text(textwrap.dedent(text))
    strategy = load_strategy("S", paths=[root], config=config)
    *values, name = strategy.instance.found
    assert values == [1, 7, 2, "solo", "solo", 60]
    assert name.startswith("candled_strategy")
    assert name.endswith(".lib")
    assert {Path(file).name for file in strategy.files} >= {"s.py", "aid.py", "deep.py", "far.py"}


def test_two_strategies_with_helpers_of_the_same_name_each_have_their_own(sound, tmp_path, config):
    first = sound("number = aid.number\n", head="import aid\n", aid="number = 1")
    other = tmp_path / "other"
    other.mkdir()
    (other / "s.py").write_bytes(first.file.read_bytes())
    (other / "aid.py").write_text("number = 2")
    second = load_strategy("S", paths=[other], config=config)
    assert (first.instance.number, second.instance.number) == (1, 2)


def test_a_helper_does_not_stand_in_for_a_module_of_python(sound):
    assert sound("loads = staticmethod(json.loads)\n", head="import json\n", json="1 / 0").name == "S"


def test_dataclasses_with_text_annotations_work_in_a_strategy_file(load):
    text = """
        from __future__ import annotations
        from dataclasses import dataclass
        from typing import ClassVar
        from freqtrade.strategy import IStrategy
        @dataclass
        class Level:
            count: ClassVar[int] = 0
            price: float = 1.0
        class S(IStrategy):
            timeframe = "5m"
            level = Level()
            def feature_engineering_standard(self, dataframe, metadata, **kwargs): return dataframe
            def set_freqai_targets(self, dataframe, metadata, **kwargs): return dataframe
        """
    assert load(text).instance.level.price == 1.0
