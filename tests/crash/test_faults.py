"""One seeded fault on one file of a whole folder, then a start: intact, or exactly named; nobody is down."""

import os
import shutil
import struct
import zlib

import numpy as np
import pytest
from crash_life import MINUTES_5, PAIRS, live, start

from daemon.state.doctor import diagnose
from daemon.state.folder import StateFolder

TICKS = 40


def cut(share):
    return lambda path, random: os.truncate(path, int(path.stat().st_size * share))


def overwrite(make):
    """Replace a stretch in the middle by what ``make(length)`` gives."""

    def harm(path, random):
        data = bytearray(path.read_bytes())
        at = int(random.integers(len(data)))
        length = len(data[at : at + int(random.integers(1, 200))])
        data[at : at + length] = make(random, length)
        path.write_bytes(data)

    return harm


def flip(path, random):
    data = bytearray(path.read_bytes())
    data[random.integers(len(data))] ^= 1 << int(random.integers(8))
    path.write_bytes(data)


def other(path, random):
    """The content of another file of the folder."""
    files = [each for each in sorted(path.parents[0].rglob("*")) if each.is_file() and each != path]
    path.write_bytes(files[int(random.integers(len(files)))].read_bytes())


def swapped(path, random):
    files = [each for each in sorted(path.parents[0].glob("*")) if each.is_file() and each != path]
    if files:
        chosen = files[int(random.integers(len(files)))]
        content = chosen.read_bytes()
        chosen.write_bytes(path.read_bytes())
        path.write_bytes(content)


def instead(make):
    def harm(path, random):
        path.unlink()
        make(path)

    return harm


def newer(path, random):
    data = bytearray(path.read_bytes())
    if path.suffix == ".pkl":
        data[-28:-24] = struct.pack("<I", 9)
        data[-4:] = struct.pack("<I", zlib.crc32(data[-36:-4]))
    elif path.suffix == ".json":
        data = data.replace(b'"format_version": 1', b'"format_version": 9')
    else:
        data[8:12] = struct.pack("<I", 9)
    path.write_bytes(data)


FAULTS = {
    **{f"cut to {share}": cut(share) for share in (0, 0.01, 0.25, 0.5, 0.75, 0.99)},
    "bit": flip,
    "bit again": flip,
    "zeros inside": overwrite(lambda random, length: bytes(length)),
    "noise inside": overwrite(lambda random, length: random.bytes(length)),
    "ones inside": overwrite(lambda random, length: b"\xff" * length),
    "all zeros": lambda path, random: path.write_bytes(bytes(path.stat().st_size)),
    "noise": lambda path, random: path.write_bytes(random.bytes(path.stat().st_size)),
    "grown by zeros": lambda path, random: path.write_bytes(path.read_bytes() + bytes(4096)),
    "grown by noise": lambda path, random: path.write_bytes(path.read_bytes() + random.bytes(50)),
    "doubled": lambda path, random: path.write_bytes(path.read_bytes() * 2),
    "deleted": lambda path, random: path.unlink(),
    "another file": other,
    "swapped": swapped,
    "a folder": instead(lambda path: path.mkdir()),
    "a link outside": instead(lambda path: path.symlink_to("/etc/hostname")),
    "a newer version": newer,
}


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """A folder with a history of several generations and two models of most pairs; what it serves."""
    folder = StateFolder(tmp_path_factory.mktemp("lived") / "example")
    folder.path.mkdir()
    live(folder, 21, lambda kind, number: None, TICKS)
    start(folder)
    found = diagnose(folder, 0)
    assert found.status == 0
    assert len(FAULTS) == 22
    return folder, found.serves


def _files(folder):
    """Every file, but for those that are nothing's memory."""
    known = sorted(path for path in folder.path.rglob("*") if path.is_file())
    return [
        path.relative_to(folder.path)
        for path in known
        if path.name != "candled.lock" and "staging" not in path.parts
    ]


def _missing(history, pair):
    """Candle numbers without a row."""
    present = (history.frame(pair)["date_pred"].astype("int64") // MINUTES_5).tolist()
    return set(range(1, TICKS + 1)) - set(present)


def _named(history, pair):
    """Candle numbers that a loss of the pair names."""
    return {
        n
        for loss in history.losses
        for n in range(1, TICKS + 1)
        if loss.pair == pair
        and loss.from_ms <= n * MINUTES_5
        and (not loss.to_ms or n * MINUTES_5 <= loss.to_ms)
    }


def _trial(lived, tmp_path, seed):
    sound, expected = lived
    random = np.random.default_rng(seed)
    target = StateFolder(tmp_path / f"example{seed}")
    shutil.copytree(sound.path, target.path)
    files, kinds = _files(sound), list(FAULTS)
    file, kind = files[seed % len(files)], kinds[(seed // len(files) + seed) % len(kinds)]
    FAULTS[kind](target.path / file, random)
    changed = (
        not (target.path / file).is_file()
        or (target.path / file).read_bytes() != (sound.path / file).read_bytes()
    )
    looked = diagnose(target, 0)
    history, _, served = start(target)
    say = f"seed {seed}: {kind} on {file}"
    if kind == "swapped" and history.losses:
        # Two files were harmed, which may lose what only these two had: it is named by pair and time.
        for pair in PAIRS:
            assert _named(history, pair) >= _missing(history, pair), say
        shutil.rmtree(target.path)
        return
    assert history.losses == (), say
    for pair in PAIRS:
        assert history.rows(pair) == TICKS, say
        name = expected[pair]["model"]
        if name is not None:
            # The newest model, or the one before it: nobody is down.
            assert pair in served.artifacts, say
            older = served.artifacts[pair].name != name
            assert not older or (pair in served.entries and served.entries[pair].urgent), say
        assert looked.serves[pair]["sha256"] == expected[pair]["sha256"], say
    torn = "journal" in file.name
    named = {part for each in looked.damages for part in (each.file, each.fault)}
    top = file.parts[0]
    assert not changed or torn or any(top in part for part in named), f"{say}: not named"
    assert diagnose(target, 0, repair=True).losses == (), say
    # A model of a newer version is left where it lies, and so reported again.
    assert diagnose(target, 0).status == 0 or kind == "a newer version", say
    shutil.rmtree(target.path)


@pytest.mark.parametrize("block", range(4))
def test_a_fault_is_survived_and_named(lived, tmp_path, block):
    for seed in range(block * 25, block * 25 + 25):
        _trial(lived, tmp_path, seed)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif("CANDLED_LONG" not in os.environ, reason="takes minutes: set CANDLED_LONG=1")
def test_a_thousand_faults_are_survived_and_named(lived, tmp_path):
    for seed in range(1000, 2000):
        _trial(lived, tmp_path, seed)
