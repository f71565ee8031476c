"""Ctrl-C: what has finished stays, nothing else is left, and the message says how to go on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dgmbench
import pytest
from dgmbench.benchmark.record import read_records

RUN_ALL = Path(dgmbench.__file__).parent / "run_all.py"
HANGS = """
import time
class Hangs:
    def fit(self, task, budget):
        time.sleep(600)
    def sample(self, n):
        raise AssertionError
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of a terminal")
def test_ctrl_c_keeps_what_has_finished(tmp_path):
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
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of its processes
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "goes on from there" in out
    assert "Traceback" not in err
    assert [r.model for r in read_records(root)] == ["noise"]
    assert not [p for p in root.rglob("*.tmp")]
