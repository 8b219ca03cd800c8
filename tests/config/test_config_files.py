import pytest

from daemon.config import load_settings
from daemon.config.files import read_files
from daemon.core.errors import ConfigError


def problem(*paths):
    problems = read_files(paths).problems
    assert len(problems) == 1
    return problems[0]


def test_comments_trailing_commas_and_nan_are_read_as_freqtrade_reads_them(written):
    reading = read_files([written('// top\n{"a": 1, /* in */ "b": [1, 2,], "c": NaN,\n}')])
    assert reading.problems == []
    assert reading.document["a"] == 1
    assert reading.document["b"] == [1, 2]
    assert reading.document["c"] != reading.document["c"]


def test_a_byte_order_mark_is_not_part_of_the_text(written):
    assert read_files([written('\ufeff{"a": 1}')]).document == {"a": 1}


def test_later_files_win_key_by_key_and_lists_are_replaced(written):
    first = written({"x": {"a": 1, "b": [1, 2]}, "y": 1}, "first.json")
    second = written({"x": {"b": [3], "c": None}}, "second.json")
    reading = read_files([first, second])
    assert reading.document == {"x": {"a": 1, "b": [3], "c": None}, "y": 1}
    assert reading.files == [first, second]


def test_added_files_lie_under_the_file_that_names_them(written, tmp_path):
    (tmp_path / "sub").mkdir()
    written({"a": "added", "b": "added", "x": {"p": 1}}, "sub/one.json")
    written({"b": "added later"}, "sub/two.json")
    main = written({"a": "main", "x": {"q": 2}, "add_config_files": ["sub/one.json", "sub/two.json"]})
    reading = read_files([main])
    assert reading.document == {"a": "main", "b": "added later", "x": {"p": 1, "q": 2}}
    assert [path.name for path in reading.files] == ["config.json", "one.json", "two.json"]


def test_files_that_add_each_other_are_named(written):
    written({"add_config_files": ["config.json"]}, "other.json")
    assert "add_config_files leads back" in problem(written({"add_config_files": ["other.json"]}))


def test_add_config_files_must_be_paths(written):
    assert "add_config_files: must be a list of paths" in problem(written({"add_config_files": "other.json"}))


def test_a_syntax_error_names_file_line_and_column_and_shows_the_line(written):
    path = written('{\n  "größe": 1,\n  "b": "äö" "c": 3\n}')
    text = problem(path)
    assert text.startswith(f"{path}: line 3, column 13: Missing a comma")
    shown, pointer = text.splitlines()[-2:]
    assert shown.endswith('"b": "äö" "c": 3')
    assert shown[pointer.index("^") :] == '"c": 3'


def test_a_missing_comma_is_found_because_the_line_before_is_shown(written):
    assert '| {"a": 1' in problem(written('{"a": 1\n"b": 2}'))


@pytest.mark.parametrize(
    "text",
    [
        '{"exchange": {"secret": "topsecret" "key": 3}}',
        '{"exchange": {"apiKey": "topsecret\n}}',
        '{"exchange": {"secret":\n"topsecret" "key": 3}}',
        '{"exchange": {"secret": "topsecret"\n"key" 3}}',
    ],
)
def test_a_syntax_error_never_shows_a_secret(written, text):
    assert "topsecret" not in problem(written(text))


def test_of_a_file_in_one_long_line_the_part_around_the_fault_is_shown(written):
    text = problem(written("{" + '"a": 1, ' * 1000 + '"here" 2}'))
    assert '"here" 2}' in text
    assert max(len(line) for line in text.splitlines()[1:]) < 150


def test_text_that_does_not_close_is_explained(written):
    assert "must close its quotes on its own line" in problem(written('{"a": "x\n}'))


def test_deep_nesting_is_refused_not_a_crash(written):
    assert "recursion" in problem(written("[" * 100_000))


def test_a_missing_file_says_what_to_do(tmp_path):
    assert "no such file; write one" in problem(tmp_path / "none.json")


def test_a_folder_is_told_from_a_file(tmp_path):
    assert "this is a folder" in problem(tmp_path)


def test_a_file_that_is_not_utf8_is_named_with_its_line(tmp_path):
    path = tmp_path / "latin.json"
    path.write_bytes(b'{\n"a": "\xe9"}')
    assert "line 2 is not UTF-8" in problem(path)


def test_an_unreadable_file_is_told_from_a_missing_one(tmp_path):
    # A path below a file: unreadable for every user, root included.
    (tmp_path / "file").write_text("{}")
    assert "cannot be read: Not a directory" in problem(tmp_path / "file" / "config.json")


@pytest.mark.parametrize("text", ["[]", "3", '"x"'])
def test_a_file_that_is_no_object_is_refused(written, text):
    assert "must be one object" in problem(written(text))


def test_a_key_given_twice_is_noted_and_the_last_one_counts(written):
    reading = read_files([written('{"x": [{"a": 1, "a": 2}], "b": 1}')])
    assert reading.document == {"x": [{"a": 2}], "b": 1}
    assert len(reading.doubled_keys) == 1
    assert "'a' is given twice" in reading.doubled_keys[0]


def test_every_file_that_cannot_be_read_is_in_the_message(tmp_path):
    with pytest.raises(ConfigError, match=r"(?s)2 problems.*one\.json.*this is a folder"):
        load_settings([tmp_path / "one.json", tmp_path], env={})


def test_no_file_at_all_is_an_error_with_its_remedy():
    with pytest.raises(ConfigError, match="name one with -c"):
        load_settings([], env={})
