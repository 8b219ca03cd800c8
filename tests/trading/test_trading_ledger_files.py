"""The ledger's files: never silently empty, never half a backup."""

import logging
import sqlite3
import stat

import pytest
from trading_desk import T0, D, begin, fill, intent, report, sent

from daemon.core.errors import ConfigError, Corrupt, Retryable
from daemon.state.atomic import set_aside
from daemon.trading.ledger import Ledger, LedgerReader
from daemon.trading.ledger_connection import opened
from daemon.trading.ledger_files import (
    RESTORED,
    backup_paths,
    copy_ledger,
    ledger_health,
    make_backup,
    open_ledger,
    put_back,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "example.sqlite"


def written(path, *, later=0):
    """A ledger with a trade, backed up; and with trades that the backup does not have."""
    ledger = open_ledger(path, T0, set_aside)
    sent(ledger, intent())
    ledger.take([report(intent())], [fill(intent(), 1, "0.5")], T0)
    make_backup(ledger, T0 + 1, set_aside)
    for n in range(later):
        begin(ledger, intent(n + 1))
    ledger.close()


def garbage(path):
    path.write_bytes(b"\0not a database" * 1000)


def torn_page(path):
    data = bytearray(path.read_bytes())
    for start in range(4096, len(data), 4096):
        data[start : start + 8] = b"\xff" * 8
    path.write_bytes(data)


def emptied(path):
    path.write_bytes(b"")


def deleted(path):
    path.unlink()


@pytest.mark.parametrize("harm", [garbage, torn_page, emptied, deleted])
def test_a_damaged_ledger_is_replaced_by_its_backup_and_says_so(path, harm, caplog):
    written(path, later=2)
    harm(path)
    with caplog.at_level(logging.ERROR):
        ledger = open_ledger(path, T0 + 9, set_aside)
    assert [trade.trade_id for trade in ledger.trades()] == [1]
    assert (ledger.get(RESTORED)["backup_ms"], ledger.get(RESTORED)["at_ms"]) == (T0 + 1, T0 + 9)
    assert [record.message for record in caplog.records] == ["ledger_restored"]
    kept = path.parent / "set-aside" / path.name
    assert kept.exists() is (harm is not deleted)
    ledger.close()
    again = open_ledger(path, T0 + 10, set_aside)
    assert again.get(RESTORED)["at_ms"] == T0 + 9
    again.close()


@pytest.mark.parametrize("harm", [garbage, torn_page, emptied, deleted])
def test_without_an_intact_backup_a_human_looks(path, harm):
    written(path)
    for each in (path, *backup_paths(path)):
        harm(each)
    if harm is deleted:
        path.with_name(path.name + "-wal").write_bytes(b"x")  # all that is left
    with pytest.raises(ConfigError, match="no intact backup"):
        open_ledger(path, T0, set_aside)


def test_a_ledger_in_use_is_not_touched_by_a_look_at_it(path):
    ledger = open_ledger(path, T0, set_aside)
    begin(ledger, intent())
    health = ledger_health(path)
    assert (health.fault, len(health.backups), health.damaged) == ("", 1, ())
    assert len(ledger.trades()) == 1
    ledger.close()


def test_backups_are_written_in_turn_and_a_damaged_one_goes_first(path):
    ledger = open_ledger(path, T0, set_aside)
    first, second = backup_paths(path)
    assert [make_backup(ledger, T0 + n, set_aside) for n in (1, 2)] == [second, first]
    garbage(first)
    assert make_backup(ledger, T0 + 3, set_aside) == first
    assert [found for found, _ in ledger_health(path).backups] == [first, second]
    ledger.close()


def test_a_copy_is_put_back_and_waits_for_a_reconciliation(path, tmp_path):
    written(path)
    copy_ledger(path, tmp_path / "copy.sqlite", T0 + 5)
    ledger = open_ledger(path, T0 + 6, set_aside)
    begin(ledger, intent(1))
    ledger.close()
    put_back(tmp_path / "copy.sqlite", path, T0 + 7, set_aside)
    ledger = Ledger.open(path)
    assert len(ledger.trades()) == 1
    assert ledger.get(RESTORED) == {"fault": "put back by hand", "backup_ms": T0 + 5, "at_ms": T0 + 7}
    ledger.close()
    assert (path.parent / "set-aside" / path.name).exists()


def test_a_damaged_copy_is_not_put_back(path, tmp_path):
    written(path)
    garbage(tmp_path / "copy.sqlite")
    before = path.read_bytes()
    with pytest.raises(Corrupt):
        put_back(tmp_path / "copy.sqlite", path, T0, set_aside)
    assert path.read_bytes() == before


def test_a_backup_is_one_file_that_only_its_owner_reads(path):
    written(path)
    for each in (path, backup_paths(path)[0]):
        assert stat.S_IMODE(each.stat().st_mode) == 0o600
    with sqlite3.connect(backup_paths(path)[1]) as backup:
        assert backup.execute("SELECT count(*) FROM trades").fetchone() == (1,)
        assert backup.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    backup.close()
    assert not list(path.parent.glob("*backup*-*al"))


def test_a_file_that_all_could_read_is_its_owners_after_the_start(path):
    written(path)
    path.chmod(0o644)
    open_ledger(path, T0, set_aside).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_newer_candleds_ledger_is_not_opened(path):
    written(path)
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA user_version = 99")
    raw.close()
    with pytest.raises(ConfigError, match="version 99"):
        Ledger.open(path)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("PRAGMA user_version = 99", "install the newer candled"),
        ("PRAGMA application_id = 7", "another program"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_remedy(path, statement, said):
    written(path)
    with sqlite3.connect(path) as raw:
        raw.execute(statement)
    raw.close()
    with pytest.raises(ConfigError, match=said):
        LedgerReader.open(path)


def test_a_ledger_that_is_just_being_made_has_nothing_to_read(path):
    opened(path).close()
    with pytest.raises(ConfigError, match="no trading yet"):
        LedgerReader.open(path)
    with pytest.raises(ConfigError, match="no trading yet"):
        copy_ledger(path, path.with_name("copy.sqlite"), T0)
    assert not path.with_name("copy.sqlite").exists()


def test_a_cell_that_nobody_wrote_is_damage(path):
    written(path)
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE fills SET amount = 'abc'")
    raw.close()
    ledger = LedgerReader.open(path)
    with pytest.raises(Corrupt, match="cannot be read"):
        ledger.trades()
    ledger.close()


def test_a_full_disk_refuses_the_write_and_keeps_what_is_there(path):
    ledger = open_ledger(path, T0, set_aside)
    begin(ledger, intent())
    before = ledger.trades()
    full = ledger._tables.value("PRAGMA page_count")
    ledger._tables.rows(f"PRAGMA max_page_count = {full}")
    with pytest.raises(Retryable, match="full"):
        ledger.put("big", "x" * 100_000)
    assert ledger.trades() == before
    ledger._tables.rows("PRAGMA max_page_count = 1000000")
    ledger.put("big", "x" * 100_000)
    ledger.close()


def test_another_writer_makes_it_wait_not_fail_for_good(path):
    ledger = open_ledger(path, T0, set_aside)
    ledger._tables.rows("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Retryable, match="another process"):
        ledger.put("a", 1)
    other.execute("ROLLBACK")
    other.close()
    ledger.put("a", 1)
    ledger.close()


def test_there_is_nothing_to_read_before_there_was_trading(path):
    with pytest.raises(ConfigError, match="no trading yet"):
        LedgerReader.open(path)
    assert not path.exists()


def test_a_deposit_is_as_exact_as_it_was_given(path):
    ledger = open_ledger(path, T0, set_aside)
    exact = "12345678901234567890.123456789012345678901234567890"
    ledger.deposit("USDT", D(exact), T0, "beginning")
    assert ledger.wallet()["USDT"].free == D("12345678901234567890.12345678901234567890123456789")
    ledger.close()


def test_the_memory_of_the_daemons_connection_does_not_grow_with_the_account(path):
    written(path)
    connection = opened(path)
    assert connection.execute("PRAGMA cache_size").fetchone()[0] == -512  # KiB
    connection.close()
