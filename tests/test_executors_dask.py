"""The same records from a Dask cluster: a worker killed, the scheduler gone."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stance import executors
from stance.cli import cli, loading
from stance.errors import StanceError
from stance.executors import Setup
from tests.killers import Killer
from tests.test_executors import run, sentences

distributed = pytest.importorskip("distributed", reason="stance[dask] is not installed")
SETUP = Setup("rules")
HERE = Path(__file__).resolve().parent
QUIET = {"logging.distributed": "critical", "distributed.scheduler.allowed-failures": 1}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "BATCH_ITEMS", 8)
    monkeypatch.setenv("PYTHONPATH", str(HERE.parent))


@pytest.fixture
def cluster() -> Iterator[Any]:
    import dask

    with (
        dask.config.set(QUIET),
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            preload=str(HERE / "killers.py"),
            silence_logs=60,
        ) as made,
    ):
        yield made


def on(cluster: Any, items: list[Any]) -> list[executors.Done]:
    return list(executors.run(items, Killer(), SETUP, scheduler=cluster.scheduler_address))  # type: ignore[arg-type]


def test_worker_killed_in_the_middle(cluster: Any, tmp_path: Path) -> None:
    items = sentences(400, _150=f"Here one dies. ONCE:{tmp_path / 'killed'}")
    found = on(cluster, items)
    assert (tmp_path / "killed").exists()
    assert found == run(items)


def test_the_scheduler_is_killed_and_the_run_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loading, "classifier", lambda *_, **__: Killer())
    texts = [f"Sentence {i} about orcs." if i % 7 == 0 else f"Sentence {i}." for i in range(6_000)]
    rows = [json.dumps({"id": f"s{i}", "text": text}) for i, text in enumerate(texts)]
    Path("in.jsonl").write_text("\n".join(rows))
    call = ["classify", "in.jsonl", "--unit", "sentence", "--engine", "rules"]
    alone = CliRunner().invoke(cli, [*call, "-o", "alone.jsonl"])
    assert alone.exit_code == 0, alone.output

    address, processes = _cluster()

    def kill_when_half_done() -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if any(part.stat().st_size > 100_000 for part in tmp_path.glob(".*out*") if part.is_file()):
                break
            time.sleep(0.01)
        processes[0].kill()

    try:
        killer = threading.Thread(target=kill_when_half_done)
        killer.start()
        stopped = CliRunner().invoke(cli, [*call, "--scheduler", address, "-o", "out.jsonl"])
        killer.join()
        assert stopped.exit_code == 1, stopped.output
        assert "Traceback" not in stopped.output
        assert "--resume" in stopped.output
        assert not Path("out.jsonl").exists()
    finally:
        _end(processes)
    address, processes = _cluster()
    try:
        resumed = CliRunner().invoke(cli, [*call, "--scheduler", address, "-o", "out.jsonl", "--resume"])
        assert resumed.exit_code == 0, resumed.output
    finally:
        _end(processes)
    assert Path("out.jsonl").read_bytes() == Path("alone.jsonl").read_bytes()


def test_no_scheduler_there_is_one_sentence() -> None:
    with pytest.raises(StanceError, match="no Dask scheduler answers there"):
        list(executors.on_dask(sentences(3), SETUP, "tcp://127.0.0.1:1"))


def _cluster() -> tuple[str, list[subprocess.Popen[bytes]]]:
    """A scheduler and two workers, each a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    environment = os.environ | {"DASK_LOGGING__DISTRIBUTED": "critical", "PYTHONPATH": str(HERE.parent)}
    environment["DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT"] = "20s"

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )

    scheduler = start(
        "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"
    )
    workers = [
        start(
            "distributed.cli.dask_worker",
            address,
            "--nthreads",
            "1",
            "--no-dashboard",
            "--preload",
            str(HERE / "killers.py"),
            "--death-timeout",
            "60",
        )
        for _ in range(2)
    ]
    with distributed.Client(address, timeout=90, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=90)
    return address, [scheduler, *workers]


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        process.wait()
