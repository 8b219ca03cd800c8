"""The order of the rooms, held against the imports."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "daemon"
MAY_USE = {
    "core": set(),
    "config": {"core"},
    "market": {"core", "config"},
    "strategy": {"core", "config"},
    "features": {"core", "strategy"},
    "learning": {"core"},
    "state": {"core"},
    "trading": {"core", "config", "market", "strategy"},
    "runtime": {"core", "config", "market", "strategy", "features", "learning", "state", "trading"},
    "interface": {"core", "config", "state", "trading"},
    "cli": {
        "app",
        "core",
        "config",
        "market",
        "strategy",
        "features",
        "learning",
        "state",
        "trading",
        "runtime",
    },
}
FILES = sorted(PACKAGE.rglob("*.py"))


def imports(file: Path) -> list[tuple[int, str]]:
    found = []
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [(node.lineno, node.module)]
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return found


def calls(file: Path) -> list[tuple[int, str]]:
    tree = ast.parse(file.read_text("utf-8"))
    return [(node.lineno, ast.unparse(node.func)) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def room(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_room_uses_only_rooms_below_it(file):
    own = room(file)
    if own not in MAY_USE:
        pytest.skip("stands above all rooms")
    used = {name.split(".")[1] for _, name in imports(file) if name.startswith("daemon.")} - {
        own,
        "__version__",
    }
    assert used <= MAY_USE[own]


def test_only_the_clock_reads_time_or_sleeps():
    wanted = {
        "time.time",
        "time.time_ns",
        "time.monotonic",
        "time.sleep",
        "time.perf_counter",
        "datetime.utcnow",
        "datetime.now",
        "pd.Timestamp.now",
    }
    allowed = {PACKAGE / "core" / "clock.py"}
    found = [
        (str(file), line, name)
        for file in FILES
        if file not in allowed
        for line, name in calls(file)
        if name in wanted
    ]
    assert not found


def test_only_atomic_renames_and_syncs():
    wanted = {"os.replace", "os.rename", "os.fsync", "os.fdatasync", "shutil.move"}
    allowed = PACKAGE / "state" / "atomic.py"
    found = [
        (str(file), line, name)
        for file in FILES
        if file != allowed
        for line, name in calls(file)
        if name in wanted
    ]
    assert not found


@pytest.mark.parametrize(
    ("library", "places"),
    [
        ("ccxt", {"market", "trading"}),
        ("catboost", {"learning"}),
        ("lightgbm", {"learning"}),
        ("sklearn", {"learning"}),
        ("xgboost", {"learning"}),
        ("apscheduler", {"runtime"}),
        ("filelock", {"state"}),
        ("prometheus_client", {"interface"}),
        ("rich", {"cli", "runtime"}),
        ("pickle", {"state"}),
        ("sqlite3", {"trading"}),
    ],
)
def test_a_library_stays_in_its_room(library, places):
    found = {
        room(file)
        for file in FILES
        for _, name in imports(file)
        if name == library or name.startswith(f"{library}.")
    }
    assert found <= places
    assert found or library in {"ccxt", "pickle"}


def test_ccxt_stays_in_the_files_for_exchanges():
    found = {
        str(file.relative_to(PACKAGE))
        for file in FILES
        for _, name in imports(file)
        if name.split(".")[0] == "ccxt"
    }
    assert all(re.fullmatch(r"market/ccxt_\w+\.py|trading/live\w*\.py", name) for name in found)


def test_a_daemon_does_not_load_what_only_some_settings_ask_for():
    """An exchange, figures over HTTP, models of scikit-learn."""
    some = {"ccxt", "prometheus_client", "sklearn", "wsgiref"}
    code = f"import sys, daemon.app; print(*sorted({some} & sys.modules.keys()))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


# scikit-learn is more than a model library: pipeline steps use it too.
@pytest.mark.parametrize("library", ["catboost", "lightgbm", "xgboost"])
def test_each_model_library_is_imported_by_the_files_of_its_name_alone(library):
    found = {file for file in FILES for _, name in imports(file) if name.split(".")[0] == library}
    rooms = ("models", "freqai/native")
    assert found == {PACKAGE / "learning" / room / f"{library}.py" for room in rooms}


def test_only_the_ledgers_files_know_sqlite():
    found = {file.name for file in FILES for _, name in imports(file) if name.split(".")[0] == "sqlite3"}
    assert {name for name in found if not name.startswith("ledger")} == {"schema.py"}


def test_freqtrade_is_never_imported():
    # The examples are strategies: what they import resolves to our own code while they run.
    found = [
        str(file)
        for file in FILES
        if "examples" not in file.parts
        for _, name in imports(file)
        if name.split(".")[0] in {"freqtrade", "technical"}
    ]
    assert not found


def test_broad_excepts_say_why():
    missing = []
    for file in FILES:
        lines = file.read_text("utf-8").splitlines()
        for node in ast.walk(ast.parse("\n".join(lines))):
            if isinstance(node, ast.ExceptHandler) and (
                node.type is None or ast.unparse(node.type) == "Exception"
            ):
                reason = lines[node.lineno - 1].partition("#")[2].replace("noqa: BLE001", "")
                if not reason.strip(" -"):
                    missing.append(f"{file}:{node.lineno}")
    assert not missing
