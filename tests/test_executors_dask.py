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
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stance import executors
from stance.cli import cli, loading
from stance.errors import StanceError
from stance.executors import Batch, Quarantined, Setup
from tests.killers import Killer
from tests.test_executors import run, sentences

distributed = pytest.importorskip("distributed", reason="stance[dask] is not installed")
SETUP = Setup("rules")
HERE = Path(__file__).resolve().parent
QUIET = {
    "logging.distributed": "critical",
    "distributed.scheduler.allowed-failures": 0,
    # A local cluster drops a worker that is not back after 15 seconds; a busy machine takes longer.
    "distributed.deploy.lost-worker-timeout": "10 minutes",
}


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


def test_the_record_that_kills_each_time_is_named_and_all_others_come_out(cluster: Any) -> None:
    items = sentences(100, _0="POISON at the start.", _45="POISON inside.", _99="POISON at the end.")
    found = on(cluster, items)
    bad = {i: records for i, (_, records) in enumerate(found) if isinstance(records, Quarantined)}
    assert {i: q.name for i, q in bad.items()} == {0: "s0", 45: "s45", 99: "s99"}
    assert all("died" in q.message for q in bad.values())
    clean = run(sentences(100))
    assert [item for item, _ in found] == items
    assert all(found[i] == clean[i] for i in range(100) if i not in bad)


def test_the_record_that_kills_whole_workers_is_named_too(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "BATCH_ITEMS", 1)
    items = sentences(12, _5="WORSE than poison.")
    found = on(cluster, items)
    (bad,) = [i for i, (_, records) in enumerate(found) if isinstance(records, Quarantined)]
    assert bad == 5
    clean = run(sentences(12))
    assert all(found[i] == clean[i] for i in range(12) if i != bad)


class Lost:
    """What Dask answers for a task over which workers died."""

    def result(self, timeout: float) -> None:
        raise distributed.scheduler.KilledWorker("task", None, 0)


def test_a_batch_that_killed_workers_is_halved_and_a_record_tried_alone() -> None:
    order, again, suspects = executors._Order(0), deque[Batch](), deque[Batch]()

    def settle(batch: Batch) -> None:
        executors._settle(Lost(), batch, order, again, suspects, "tcp://x")

    settle(Batch(0, tuple(sentences(3))))
    assert [(batch.start, len(batch.items)) for batch in again] == [(0, 1), (1, 2)]
    settle(again[0])
    (alone,) = suspects
    assert not list(order.take())
    settle(alone)
    ((item, records),) = order.take()
    assert isinstance(records, Quarantined)
    assert item.id == records.name == "s0"


def test_a_cluster_without_workers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "WORKERLESS_SECONDS", 0)
    monkeypatch.setattr(executors, "POLL_SECONDS", 0.1)
    with (
        distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=None) as empty,
        distributed.Client(empty, set_as_default=False) as client,
    ):
        task = client.submit(int, 1)
        with pytest.raises(StanceError, match=r"no worker is left.*--resume"):
            executors._finished(client, [task], "tcp://x")


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


def test_no_scheduler_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "CONNECT_SECONDS", 1)
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
