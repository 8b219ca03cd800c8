import os
import platform
import subprocess
import sys

import pytest

SCRIPT = """
import ctypes, sys, threading
from daemon.runtime.allocators import keep_memory_level
if sys.argv[1] == "level":
    keep_memory_level()
import pyarrow

held, done = threading.Barrier(7), threading.Event()

def hold():
    blocks = [ctypes.create_string_buffer(4096) for _ in range(100)]
    held.wait()
    done.wait()

threads = [threading.Thread(target=hold) for _ in range(6)]
for thread in threads:
    thread.start()
held.wait()
print(pyarrow.default_memory_pool().backend_name)
ctypes.CDLL(None).malloc_stats()
done.set()
"""


def looked_at(how, **env):
    """Arrow's allocator, and how many heaps the C library made for seven threads."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "ARROW_"))}
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, how], capture_output=True, text=True, check=True, env=clean | env
    )
    return run.stdout.strip(), run.stderr.count("Arena ")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has other heaps")
def test_threads_share_two_heaps_and_arrow_has_none_of_its_own():
    usual_pool, usual_heaps = looked_at("usual")
    assert (usual_pool != "system", usual_heaps > 2) == (True, True)
    assert looked_at("level") == ("system", 2)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has other heaps")
def test_what_the_environment_says_goes_first():
    pool, heaps = looked_at("level", ARROW_DEFAULT_MEMORY_POOL="mimalloc", MALLOC_ARENA_MAX="4")
    assert (pool, heaps) == ("mimalloc", 4)


BURST = """
import ctypes, resource, sys
from daemon.runtime.allocators import give_back

def resident_bytes():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

blocks = [ctypes.create_string_buffer(100_000) for _ in range(1000)]
pin = ctypes.create_string_buffer(1000)
held = resident_bytes()
del blocks
if sys.argv[1] == "give back":
    give_back()
print(held - resident_bytes() > 80_000_000)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has other heaps")
@pytest.mark.parametrize(("how", "given_back"), [("keep", "False"), ("give back", "True")])
def test_what_a_burst_has_left_free_is_given_back(how, given_back):
    run = subprocess.run([sys.executable, "-c", BURST, how], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == given_back


IMPORTS = """
import contextlib, gc
from daemon.runtime.allocators import uncollected

collections = []
gc.callbacks.append(lambda phase, info: collections.append(phase))
with contextlib.suppress(ImportError), uncollected():
    made = [[] for _ in range(100_000)]
    raise ImportError
frozen, during = gc.get_freeze_count() >= 100_000, len(collections)
more = [[] for _ in range(100_000)]
print(frozen, during, len(collections) > 0)
"""


def test_the_collector_leaves_imports_alone_and_works_afterwards():
    run = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["True", "0", "True"]
