# Two commands do everything on a machine with Python 3.11 to 3.13, pip, git and make:
#   make run    the daemon on the embedded simulated exchange, with config.example.json
#   make test   linters, types and the whole test suite
# And two for patience: make crash, the long version of the fault tests (some minutes);
#   make storm, 2,000 orders at a local exchange under faults and kills, twice (an hour).
PYTHON ?= python3
CONFIG ?= config.example.json
ARGS ?=
UV := .tools/bin/uv
export UV_PYTHON_DOWNLOADS := never

.PHONY: run test crash storm install lint clean

run: .venv/.installed
	.venv/bin/candled run -c $(CONFIG) $(ARGS)

test: .venv/.installed-dev lint
	.venv/bin/pytest -n 2 --dist loadfile --cov --cov-report=term:skip-covered $(ARGS)

crash: .venv/.installed-dev
	CANDLED_LONG=1 .venv/bin/pytest tests/crash --timeout 7200 $(ARGS)

storm: .venv/.installed-dev
	CANDLED_LONG=1 .venv/bin/pytest tests/trading_live/test_storm_daemon.py tests/trading_live/test_storm.py -s $(ARGS)

lint: .venv/.installed-dev
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

install: .venv/.installed

$(UV):
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --target .tools uv==0.13.8

.venv/.installed: $(UV) pyproject.toml uv.lock
	$(UV) sync --locked --no-dev --inexact --compile-bytecode --quiet --python $(PYTHON)
	touch $@

.venv/.installed-dev: $(UV) pyproject.toml uv.lock
	$(UV) sync --locked --compile-bytecode --quiet --python $(PYTHON)
	touch $@ .venv/.installed

clean:
	rm -rf .venv .tools
