import pytest
from daemon_process import Place


@pytest.fixture
def place(tmp_path):
    """place(**changes): a user's folder with a configuration; whatever was started in it is ended with the test."""
    made = []

    def placed(**changes):
        made.append(Place(tmp_path, **changes))
        return made[-1]

    yield placed
    for one in made:
        one.end_all()
