import json

import pytest

from daemon.config import load_settings
from daemon.core.errors import ConfigError

URL = "tgram://123456789:secret-token/4711"


@pytest.fixture
def settings(tmp_path, document):
    def load(env=(), **notify):
        document["candled"] = {"notify": notify}
        path = tmp_path / "config.json"
        path.write_text(json.dumps(document))
        return load_settings([path], env=dict(env))

    return load


def urls(settings):
    return [url.get_secret_value() for url in settings.candled.notify.urls]


def test_addresses_are_secrets(settings):
    loaded = settings(urls=[URL])
    assert urls(loaded) == [URL]
    assert URL in loaded.secret_values
    assert "secret-token" not in json.dumps(loaded.document) + repr(loaded)


def test_addresses_may_lie_in_a_file_one_in_a_line(settings, tmp_path):
    (tmp_path / "urls").write_text(f"{URL}\njsons://example.org/hook\n")
    assert urls(settings(urls_file=str(tmp_path / "urls"))) == [URL, "jsons://example.org/hook"]


def test_addresses_may_come_as_a_credential(settings, tmp_path):
    (tmp_path / "notify_urls").write_text(URL)
    assert urls(settings(env={"CREDENTIALS_DIRECTORY": str(tmp_path)})) == [URL]


def test_a_file_that_is_missing_is_named(settings, tmp_path):
    with pytest.raises(ConfigError, match=r"candled.notify.urls_file: .*nowhere cannot be read"):
        settings(urls_file=str(tmp_path / "nowhere"))


def test_an_unknown_event_is_refused_with_those_there_are(settings):
    with pytest.raises(ConfigError, match=r"candled.notify.events\[0\].*'start'"):
        settings(events=["trades"])


def test_a_time_of_day_that_is_none_is_refused(settings):
    with pytest.raises(ConfigError, match=r"candled.notify.summary_at"):
        settings(summary_at="24:00")
