from daemon.state.silence import SilenceFile


def test_what_was_remembered_is_recalled_by_the_next_process(tmp_path):
    SilenceFile(tmp_path / "silence").remember(123)
    assert SilenceFile(tmp_path / "silence").recall() == 123


def test_nothing_and_damage_are_no_silence(tmp_path):
    file = tmp_path / "silence"
    assert SilenceFile(file).recall() == 0
    file.write_bytes(b"\xff")
    assert SilenceFile(file).recall() == 0


def test_a_file_that_cannot_be_written_raises_nothing(tmp_path):
    SilenceFile(tmp_path / "nowhere" / "silence").remember(123)
