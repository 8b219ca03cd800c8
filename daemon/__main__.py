"""``python -m daemon`` is ``candled``."""

from daemon.cli import main

if __name__ == "__main__":
    main()
