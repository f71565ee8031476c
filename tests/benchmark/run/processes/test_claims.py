"""Two runs on one folder do every cell once."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import dgmbench
import pytest
from dgmbench.benchmark.contract.record import read_all
from dgmbench.benchmark.run.processes.claims import Claims

RUN_ALL = Path(dgmbench.__file__).parent / "run_all.py"


def another(root, pid=1, began="0", host=None):
    """Writes the claim of another process."""
    folder = root / "claims"
    folder.mkdir(exist_ok=True)
    owner = {"host": host or Claims(root).owner["host"], "pid": pid, "began": began}
    (folder / "cell").write_text(json.dumps(owner))
    return folder / "cell"


def test_a_cell_is_claimed_once(tmp_path):
    with Claims(tmp_path) as first, Claims(tmp_path) as second:
        assert first.claim("cell")
        assert first.claim("cell")  # it has it
        assert not second.claim("cell")
        first.release("cell")
        assert second.claim("cell")


def test_claims_end_with_their_run(tmp_path):
    with Claims(tmp_path) as claims:
        claims.claim("cell")
    assert not (tmp_path / "claims").exists()


def test_the_claim_of_a_process_that_is_gone_is_free(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    another(tmp_path, pid=dead.pid, began="12345")
    with Claims(tmp_path) as claims:
        assert claims.claim("cell")


def test_a_process_with_the_number_of_a_dead_one_is_not_its_owner(tmp_path):
    another(tmp_path, pid=os.getpid(), began="of another start")
    with Claims(tmp_path) as claims:
        assert claims.claim("cell")


def test_on_another_machine_silence_tells(tmp_path):
    path = another(tmp_path, host="another machine")
    with Claims(tmp_path, stale=60) as claims:
        assert not claims.claim("cell")
        os.utime(path, (time.time() - 100, time.time() - 100))
        assert claims.claim("cell")


def test_a_claim_that_cannot_be_read_is_free_when_it_is_old(tmp_path):
    path = another(tmp_path)
    path.write_text("{")
    with Claims(tmp_path, stale=60) as claims:
        assert not claims.claim("cell")
        os.utime(path, (1, 1))
        assert claims.claim("cell")


def test_an_owner_gives_signs_of_life(tmp_path):
    with Claims(tmp_path, beat=0.05) as claims:
        claims.claim("cell")
        path = tmp_path / "claims" / "cell"
        os.utime(path, (1, 1))
        deadline = time.time() + 5
        while path.stat().st_mtime < 2:
            assert time.time() < deadline
            time.sleep(0.02)


def test_a_folder_that_another_run_took_with_it_is_made_again(tmp_path):
    with Claims(tmp_path) as first:
        with Claims(tmp_path) as second:
            assert second.claim("cell")
        assert not first.folder.exists()
        assert first.claim("cell")


def test_claims_survive_runs_that_end_at_the_same_time(tmp_path):
    trouble = []

    def runs():
        try:
            for _ in range(200):
                with Claims(tmp_path) as claims:
                    claims.claim("cell")
        except OSError as error:
            trouble.append(error)

    threads = [threading.Thread(target=runs) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not trouble


MODEL = """
import time
class Slow:
    def fit(self, task, budget):
        time.sleep(1)
        with open(__file__ + ".log", "a") as file:
            file.write("fit\\n")
    def sample(self, n):
        import torch
        return torch.randn(n, 2)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processes as Linux has them")
def test_two_runs_share_the_work(tmp_path):
    (tmp_path / "mine.py").write_text(MODEL)
    words = ["run", "--tasks", "ring-8", "--models", "noise,oracle", "--model", "mine.py:Slow"]
    command = [sys.executable, str(RUN_ALL), *words, "--seeds", "4", "--workers", "1"]
    runs = [
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(2)
    ]
    told = [run.communicate(timeout=200)[0].decode() for run in runs]
    assert [run.returncode for run in runs] == [0, 0], told
    assert all("12 ok" in text for text in told)
    assert (tmp_path / "mine.py.log").read_text().count("fit") == 4
    records = list(read_all(tmp_path / "results" / "quick"))
    assert len(records) == 12
