"""freqtrade's exceptions, for strategies that raise or catch them.

::

    StrategyError
    └── FreqtradeException
        ├── OperationalException        a human must act
        │   └── ConfigurationError
        ├── DependencyException         something that was needed is not there
        │   ├── PricingError
        │   └── ExchangeError
        │       └── TemporaryError
        └── StrategyError               the strategy is at fault
"""

from __future__ import annotations

from daemon.core import errors

__all__ = [
    "ConfigurationError",
    "DependencyException",
    "ExchangeError",
    "FreqtradeException",
    "OperationalException",
    "PricingError",
    "StrategyError",
    "TemporaryError",
]


class FreqtradeException(errors.StrategyError):
    """Root of freqtrade's exceptions; whoever does not catch it sees an error of the strategy."""


class OperationalException(FreqtradeException):
    """Something that a human must mend."""


class ConfigurationError(OperationalException):
    """The configuration does not suit the strategy."""


class DependencyException(FreqtradeException):
    """Something that was needed is not there."""


class PricingError(DependencyException):
    """No price could be found."""


class ExchangeError(DependencyException):
    """The exchange answered with an error."""


class TemporaryError(ExchangeError):
    """The exchange could not be reached."""


class StrategyError(FreqtradeException):
    """The strategy itself is at fault."""
