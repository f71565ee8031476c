import pytest
from dgmbench.leaderboards.tables.remarks import ranged


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        ([], []),
        (["no number", "no number"], ["no number"]),
        (["trained for 2.0 of 1", "trained for 1.7 of 1"], ["trained for 1.7 to 2.0 of 1"]),
        (["1,963 of 2,048 are", "9 of 2,048 are"], ["9 to 1,963 of 2,048 are"]),
        (["3 of 512 are", "3 of 2,048 are"], ["3 of 512 are", "3 of 2,048 are"]),
        (["about 0.5", "about 0.50", "other"], ["about 0.5", "other"]),
    ],
)
def test_texts_that_differ_in_their_first_number_become_one(texts, wanted):
    assert ranged(texts) == wanted
