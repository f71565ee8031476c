"""Stages on disk: complete or not there."""

import pytest
from dgmbench.benchmark.run.keys.content import content_key
from dgmbench.benchmark.run.store import Store


def test_the_key_is_of_the_content_and_not_of_its_order():
    assert content_key({"a": 1, "b": [2]}) == content_key({"b": [2], "a": 1})
    assert content_key({"a": 1}) != content_key({"a": 2})


def test_what_is_interrupted_is_not_there(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(KeyboardInterrupt), store.writing("train", "k") as folder:
        (folder / "x").write_text("half")
        raise KeyboardInterrupt
    assert not store.done("train", "k")
    assert not list((tmp_path / "stages" / "train").iterdir())
    with store.writing("train", "k") as folder:
        (folder / "x").write_text("whole")
    assert store.done("train", "k")
    assert (store.folder("train", "k") / "x").read_text() == "whole"
