"""The modules that strategy files import, by the names that they import them by.

Each is a view of candled's own modules that shows their public names and nothing else. They stand in
no table of Python's: only the import statements of strategy files see them (`daemon.strategy.modules`).
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_PARAMETERS = "daemon.strategy.parameters"
_INTERFACE = "daemon.strategy.interface"
_INFORMATIVE = "daemon.strategy.informative"
_LOCKS = "daemon.strategy.locks"
_PERSISTENCE = "daemon.strategy.persistence"
_PROVIDER = "daemon.strategy.provider"
_ENUMS = "daemon.strategy.compat.enums"
_EXCEPTIONS = "daemon.strategy.compat.exceptions"
_QTPYLIB = "daemon.strategy.compat.qtpylib"
_SPACE = "daemon.strategy.compat.space"
_STOPLOSS = "daemon.strategy.compat.stoploss"
_TIMEFRAMES = "daemon.strategy.compat.timeframes"

# What freqtrade or technical call it -> where candled has it.
_SOURCES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "freqtrade": (),
        "freqtrade.data": (),
        "freqtrade.data.dataprovider": (_PROVIDER,),
        "freqtrade.enums": (_ENUMS,),
        "freqtrade.enums.runmode": (_ENUMS,),
        "freqtrade.exceptions": (_EXCEPTIONS,),
        "freqtrade.exchange": (_TIMEFRAMES,),
        "freqtrade.exchange.exchange_utils": (_TIMEFRAMES,),
        "freqtrade.exchange.exchange_utils_timeframe": (_TIMEFRAMES,),
        "freqtrade.optimize": (),
        "freqtrade.optimize.space": (_SPACE,),
        "freqtrade.persistence": (_PERSISTENCE, _LOCKS),
        "freqtrade.persistence.trade_model": (_PERSISTENCE,),
        "freqtrade.strategy": (
            _INTERFACE,
            _PARAMETERS,
            _INFORMATIVE,
            _STOPLOSS,
            _TIMEFRAMES,
            _PERSISTENCE,
            _LOCKS,
        ),
        "freqtrade.strategy.hyper": (_PARAMETERS,),
        "freqtrade.strategy.informative_decorator": (_INFORMATIVE,),
        "freqtrade.strategy.interface": (_INTERFACE, _PERSISTENCE, _LOCKS, _TIMEFRAMES, _PROVIDER),
        "freqtrade.strategy.parameters": (_PARAMETERS,),
        "freqtrade.strategy.strategy_helper": (_INFORMATIVE, _STOPLOSS),
        "freqtrade.vendor": (),
        "freqtrade.vendor.qtpylib": (),
        "freqtrade.vendor.qtpylib.indicators": (_QTPYLIB,),
        "freqtrade.wallets": (_PROVIDER,),
        "technical": (),
        "technical.qtpylib": (_QTPYLIB,),
        "technical.vendor": (),
        "technical.vendor.qtpylib": (),
        "technical.vendor.qtpylib.indicators": (_QTPYLIB,),
    }
)


@cache
def facades() -> Mapping[str, ModuleType]:
    """Every module that candled has for strategy files, by its full name.

    Built at first use, because the base class imports much of what it is built from.
    """
    modules: dict[str, ModuleType] = {}
    for name, sources in _SOURCES.items():
        module = ModuleType(name, "candled's own, for strategy files.")
        exported: dict[str, object] = {}
        for source in sources:
            origin = import_module(source)
            exported.update({public: getattr(origin, public) for public in origin.__all__})
        module.__dict__.update(exported, __all__=sorted(exported), __path__=[])
        modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(modules[parent], child, module)
    return MappingProxyType(modules)
