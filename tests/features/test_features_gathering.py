import numpy as np
import pytest

from daemon.features.gathering import NOWHERE, Gathering, Piece

NAN = np.nan


def table(rows=1200, columns=3, dtype=np.float32):
    return np.arange(rows * columns, dtype=dtype).reshape(rows, columns) / 7


def one_by_one(gathering):
    """The matrix, number by number, as it is meant."""
    rows = []
    for i in range(gathering.shape[0]):
        row = []
        for piece in gathering.pieces:
            for back in piece.back:
                at = piece.at[i] - back
                row += piece.values[at].tolist() if at >= 0 else [NAN] * piece.values.shape[1]
        rows.append(row)
    return np.array(rows, np.float32)


def holes(at):
    at = at.copy()
    at[[0, 1, 513, -1]] = NOWHERE
    return at


WAYS = {
    "each row once": (np.arange(100, 1150), range(3)),
    "from the first": (np.arange(1050), range(3)),
    "shifted only": (np.arange(3, 1053), range(1, 4)),
    "each thrice": (np.arange(1050) // 3 + 7, range(2)),
    "with holes": (holes(np.arange(20, 1070)), range(3)),
    "with leaps": (np.arange(1050) + np.arange(1050) // 500, range(2)),
    "nothing at all": (np.full(1050, NOWHERE), range(2)),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_matrix_has_the_rows_that_its_pieces_name(way, dtype):
    at, back = WAYS[way]
    made = Gathering(
        (Piece(table(columns=2), np.arange(1050), range(1)), Piece(table(dtype=dtype), at, back))
    )
    wanted = one_by_one(made)
    assert made.shape == wanted.shape
    assert made.matrix().tobytes() == made.trimmed().matrix().tobytes() == wanted.tobytes()


@pytest.mark.parametrize("way", WAYS)
def test_no_row_of_the_table_is_kept_that_is_not_wanted(way):
    at, back = WAYS[way]
    piece = Piece(table(dtype=np.float64), at, back).trimmed()
    known = at[at >= 0] if (at >= 0).any() else np.zeros(1, np.int64)
    assert len(piece.values) == known.max() - max(0, known.min() - back[-1]) + 1
    assert piece.values.dtype == np.float32


def test_it_gives_way_before_each_stretch_and_fills_what_is_given_in_its_own_precision():
    calls, values = [], table(dtype=np.float64)
    out = np.empty((3, 1200)).T
    Gathering.of(values).fill(out, lambda: calls.append(1))
    assert np.array_equal(out, values)
    assert len(calls) == 3


def test_a_table_without_columns_takes_no_room():
    made = Gathering(
        (Piece(table(), np.arange(1200), range(1)), Piece(table(columns=0), np.arange(1200), range(2)))
    )
    assert made.trimmed().matrix().tobytes() == table().tobytes()
