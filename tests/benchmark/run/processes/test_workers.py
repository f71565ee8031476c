"""A process for every piece of work: nothing leaves it but its result, and nothing outlives it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dgmbench.benchmark.run.processes.workers import Lost, run_local

HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes as Linux has them")


@pytest.fixture(autouse=True)
def items(monkeypatch):
    """The pieces of work, importable here and in the processes."""
    monkeypatch.syspath_prepend(HERE)
    import work_items

    return work_items


def done(run, work, timeout=60, **options):
    given = {"workers": 2, "threads": 1, **options}
    return dict(run_local(run, iter(work), timeout=timeout, **given))


def gone(folder, seconds=5):
    """Whether the processes whose numbers are in a folder end within that time."""
    pids = [int(path.name) for path in Path(folder).iterdir() if path.name.isdecimal()]
    assert pids
    deadline = time.time() + seconds
    while time.time() < deadline:
        if not any(running(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_every_piece_comes_back_once(items):
    assert done(items.double, range(20)) == {k: 2 * k for k in range(20)}


def test_no_more_work_than_there_is_asks_for_none(items):
    assert done(items.double, []) == {}


def test_work_that_starts_threads_where_it_is_unpickled_does_not_hang(items, monkeypatch):
    """A child that is forked after OpenMP's threads started waits for them for ever."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    found = done(items.in_parallel, [items.Wide()], timeout=30, workers=1, threads=2)
    assert list(found.values()) == [pytest.approx(1)]


def test_nothing_now_may_be_something_later(items):
    assert done(items.double, [None, 1, None, 2]) == {1: 2, 2: 4}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("exits", "exit code 1"),
        ("interrupts", "exit code 1"),
        ("closes", "exit code 1"),
        ("has_no_words", "exit code 1"),
        ("cannot_be_pickled", "exit code 1"),
        ("ends_at_once", "exit code 0 before it was done"),
        ("is_killed", "signal 9; often the system ran out of memory"),
    ],
)
def test_however_a_process_ends_its_piece_is_told_and_the_others_go_on(items, name, said):
    start = time.time()
    found = done(getattr(items, name), [0, 1, 2])
    assert time.time() - start < 20  # and not at the timeout
    assert len(found) == 3
    for lost in found.values():
        assert isinstance(lost, Lost) and lost.status == "killed"
        assert said in lost.reason


def test_a_large_result_comes_whole(items):
    assert len(done(items.returns_much, [30_000_000])[30_000_000]) == 30_000_000


def test_what_is_changed_in_a_process_ends_with_it(items):
    before = done(items.spoilt, [0])[0]
    assert done(items.spoils, [0])[0] != before
    assert done(items.spoilt, [0])[0] == before


def test_a_timeout_names_its_option_and_ends_all_that_was_started(items, tmp_path):
    lost = done(items.hangs, [str(tmp_path)], timeout=2)[str(tmp_path)]
    assert (lost.status, lost.reason) == ("timed out", "it took more than 2 seconds (--timeout)")
    assert gone(tmp_path)


def test_what_a_piece_leaves_behind_ends_with_it(items, tmp_path):
    assert done(items.leaves_children, [str(tmp_path)]) == {str(tmp_path): "done"}
    assert gone(tmp_path)


def test_output_is_kept_from_both_ends_within_bounds(items, tmp_path):
    log = tmp_path / "log.txt"
    assert done(items.prints, [50], log=lambda _: log) == {50: "done"}
    assert log.stat().st_size < 2**20 + 100
    text = log.read_bytes()
    assert text.startswith(b"yyy") and text.endswith(b"the end")
    assert b"51380231 bytes are left out" in text


def test_silence_makes_no_file(items, tmp_path):
    done(items.double, [1], log=lambda _: tmp_path / "log.txt")
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("after", range(8))
def test_a_result_that_comes_while_all_is_stopped_makes_no_thread_fail(items, after):
    came = run_local(items.double, iter(range(30)), workers=4, timeout=60, threads=1)
    for _ in range(1 + after):
        next(came)
    came.close()


def test_workers_share_the_gpus_out(items):
    seen = done(items.gpu, range(4), gpus=["0", "MIG-2"])
    assert sorted(seen.values()) == ["0", "0", "MIG-2", "MIG-2"]
    assert done(items.gpu, [0]) == {0: os.environ.get("CUDA_VISIBLE_DEVICES")}


@pytest.mark.parametrize("given", [pytest.param("", marks=pytest.mark.slow), "3"])
def test_threads_wait_without_spinning_and_the_user_says_how_many(items, given):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from dgmbench.benchmark.run.processes.workers import run_local\n"
        "import work_items\n"
        "if __name__ == '__main__':\n"
        "    found = run_local(work_items.threads, iter([0]), workers=1, timeout=60, threads=2)\n"
        "    print(list(found))"
    )
    env = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    if given:
        env["OMP_NUM_THREADS"] = given
    told = subprocess.run(
        [sys.executable, "-c", code, str(HERE)],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"({given or 2}, 'passive', '0')" in told.stdout


HARNESS = """
import sys
sys.path.insert(0, sys.argv[1])
from dgmbench.benchmark.run.processes.workers import run_local
import work_items
if __name__ == "__main__":
    list(run_local(work_items.hangs, iter([sys.argv[2]]), workers=1, timeout=600, threads=1))
"""


@pytest.mark.parametrize(
    "how", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_nothing_outlives_the_harness(tmp_path, how):
    harness = subprocess.Popen(
        [sys.executable, "-c", HARNESS, str(HERE), str(tmp_path)],
        stderr=subprocess.DEVNULL,
        # What a shell starts in the background ignores Ctrl-C, and so would the harness.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.time() + 180  # of a busy machine
    while not (tmp_path / "ready").exists():
        assert time.time() < deadline and harness.poll() is None
        time.sleep(0.05)
    harness.send_signal(how)
    harness.wait(20)
    assert gone(tmp_path, 3)


def test_a_server_that_is_killed_is_started_again(items):
    done(items.double, [1])
    from multiprocessing import forkserver

    os.kill(forkserver._forkserver._forkserver_pid, signal.SIGKILL)
    assert done(items.double, range(5)) == {k: 2 * k for k in range(5)}


def test_the_command_line_imports_no_torch():
    code = "import dgmbench.benchmark.cli.main, sys; print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"
