"""Ctrl-C and `kill`: what has finished stays, no worker goes on, the user is told what to do."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dgmbench
import pytest
from dgmbench.benchmark.contract.record import read_records

RUN_ALL = Path(dgmbench.__file__).parent / "run_all.py"
HANGS = """
import time
class Hangs:
    def fit(self, task, budget):
        time.sleep(600)
    def sample(self, n):
        raise AssertionError
"""


def ctrl_c(process):
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of its processes


def kill(process):
    process.send_signal(signal.SIGTERM)  # to the one that the user knows


def gone(group, seconds=20):
    """Whether no process of a group is left after a while."""
    deadline = time.time() + seconds
    while time.time() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.2)
    return False


@pytest.mark.skipif(os.name != "posix", reason="signals of a terminal")
@pytest.mark.parametrize("stop", [ctrl_c, pytest.param(kill, marks=pytest.mark.slow)])
def test_what_has_finished_is_kept_and_nothing_goes_on(stop, tmp_path):
    (tmp_path / "mine.py").write_text(HANGS)
    words = ["run", "--tasks", "ring-8", "--models", "noise", "--model", "mine.py:Hangs"]
    process = subprocess.Popen(
        [sys.executable, str(RUN_ALL), *words, "--workers", "2"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
        # A job in the background of a shell ignores Ctrl-C, and so would whatever it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    root = tmp_path / "results" / "quick"
    hanging, deadline = root / "running" / "ring-8--Hangs--s0", time.time() + 200
    while not (hanging.exists() and list((root / "records").glob("*.json"))):
        assert process.poll() is None and time.time() < deadline
        time.sleep(0.2)
    stop(process)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "goes on from there" in out
    assert "Traceback" not in err
    assert gone(process.pid)
    assert [r.model for r in read_records(root)] == ["noise"]
    assert not [p for p in root.rglob("*.tmp")]
