"""What strategy files import from ``freqtrade`` and ``technical``, written anew for candled."""
