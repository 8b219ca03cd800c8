"""``candled`` with its connections guarded: whatever would leave this machine fails.

python storm_daemon.py run -c CONFIG.json
"""

from loopback import guard

from daemon.cli import main

if __name__ == "__main__":  # the process that trains imports this file, too
    guard()
    main()
