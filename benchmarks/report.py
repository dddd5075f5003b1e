"""Size and loading time of a report with 100,000 sentences, in headless Chromium; and the README's picture.

    python benchmarks/report.py --json benchmarks/results/report.json --markdown benchmarks/results/report.md
    python benchmarks/report.py --texts press.jsonl ...     sentences of a file (field text)
    python benchmarks/report.py --picture benchmarks/results/article.png

The sentences are labelled, then repeated in an order of chance as articles of twelve from fifty outlets over
ninety days. Repeating costs no realism in size: each chunk of the page is packed on its own.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from made_up import ARTICLE, items

import stance
from stance.cli.bench_report import Report, Table, command_line
from stance.document import Document
from stance.report import page
from stance.report.data import Gathered, Gatherer

FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def labelled(texts: Path | None, most: int) -> list[dict[str, Any]]:
    """Records of single sentences, of the made-up items or of a file."""
    classifier = stance.load()
    if texts is not None:
        with texts.open(encoding="utf-8") as lines:
            found = [json.loads(line)["text"] for line in itertools.islice(lines, most)]
        return [verdict.to_dict() for verdict in classifier.classify_sentences(found)]
    documents = (Document(item["text"]) for item in items())
    return [
        {**v.to_dict(), "start": 0, "end": len(v.sentence.text), "evidence": _moved(v.to_dict())}
        for analysis in classifier.stream(documents)
        for v in analysis
    ]


def _moved(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Evidence with offsets in its sentence."""
    start = record["start"]
    return [p | {"start": p["start"] - start, "end": p["end"] - start} for p in record["evidence"]]


def gathered(records: Sequence[dict[str, Any]], number: int, seed: int = 0) -> Gathered:
    chance = random.Random(seed)
    gatherer = Gatherer()
    for position in range(number):
        article, index = divmod(position, 12)
        record = dict(chance.choice(records))
        shift = index * 1000
        record["evidence"] = [
            p | {"start": p["start"] + shift, "end": p["end"] + shift} for p in record["evidence"]
        ]
        day = FIRST + timedelta(days=article % 90)
        record |= {"document": f"article-{article}", "index": index, "start": shift}
        record["end"] = shift + len(record["text"])
        record["meta"] = {
            "outlet": f"Outlet {article % 50}",
            "time": day.isoformat(),
            "title": f"Article {article}",
        }
        gatherer.add(record)
    return gatherer.gathered()


@contextmanager
def chromium(width: int = 1280, height: int = 900, scale: float = 1) -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_page_load_timeout(300)
    metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        yield driver
    finally:
        driver.quit()


def opened(path: Path) -> dict[str, float]:
    """Seconds until the first screen stands, until the filters work, and for a search in all texts."""
    with chromium() as driver:
        driver.get("about:blank")
        start = time.perf_counter()
        driver.get(path.as_uri())
        first = driver.execute_script(
            "return performance.getEntriesByName('first-contentful-paint')[0]?.startTime / 1000"
        )
        while not driver.execute_script("return document.documentElement.dataset.ready"):
            time.sleep(0.02)
        ready = time.perf_counter() - start
        start = time.perf_counter()
        driver.execute_script(
            "const f = document.querySelector('[name=text]'); f.value = 'no-such-word';"
            "f.dispatchEvent(new Event('input', {bubbles: true}))"
        )
        while not driver.find_element("id", "count").text.startswith("0 sentences"):
            time.sleep(0.02)
        search = time.perf_counter() - start
        heap = driver.execute_cdp_cmd("Runtime.getHeapUsage", {})["usedSize"]
    return {"first_paint": first or 0.0, "ready": ready, "search": search, "heap_mb": heap / 2**20}


def measure(report: Report, name: str, records: Sequence[dict[str, Any]], number: int) -> tuple[str, ...]:
    start = time.perf_counter()
    data = gathered(records, number)
    read = time.perf_counter() - start
    start = time.perf_counter()
    html = page.report(data, today=date(2026, 4, 1))
    made = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        path.write_text(html, encoding="utf-8")
        size = path.stat().st_size
        found = opened(path)
    facts = {"sentences": number, "bytes": size, "read_s": read, "made_s": made} | found
    report.results[name] = {key: round(value, 3) for key, value in facts.items()}
    return (
        name,
        f"{size / 1e6:.1f}",
        f"{size / number:.0f}",
        f"{read:.1f}",
        f"{made:.1f}",
        f"{found['first_paint']:.2f}",
        f"{found['ready']:.2f}",
        f"{found['search']:.2f}",
        f"{found['heap_mb']:.0f}",
    )


def picture(target: Path) -> None:
    """One made-up article as the README shows it."""
    gatherer = Gatherer()
    document = Document(ARTICLE, "article.txt", {"title": "Talks in Geneva end without a date"})
    for verdict in stance.load().classify(document):
        gatherer.add(verdict.to_dict())
    html = page.article(gatherer.gathered())
    with tempfile.TemporaryDirectory() as folder, chromium(1250, 660) as driver:
        path = Path(folder) / "article.html"
        path.write_text(html, encoding="utf-8")
        driver.get(path.as_uri())
        while not driver.execute_script("return document.documentElement.dataset.ready"):
            time.sleep(0.02)
        driver.execute_script("document.querySelector('.s.b.others, .s.a.others, .s.b, .s.a').focus()")
        time.sleep(1)
        shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    target.write_bytes(base64.b64decode(shot["data"]))


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--sentences", type=int, default=100_000)
    options.add_argument("--texts", type=Path)
    options.add_argument("--most", type=int, default=3000, help="of --texts")
    options.add_argument("--json", type=Path)
    options.add_argument("--markdown", type=Path)
    options.add_argument("--picture", type=Path)
    given = options.parse_args()
    if given.picture:
        picture(given.picture)
        return
    report = Report("report", command_line("python benchmarks/report.py", sys.argv[1:]))
    sources = [("a file", given.texts)] if given.texts else [("made-up items", None)]
    rows = [measure(report, name, labelled(texts, given.most), given.sentences) for name, texts in sources]
    report.note("wall-clock seconds of one run; other work on the machine makes them longer")
    report.note("ready: the index is unpacked and the filters work; search: a word looked up in all texts")
    head = (
        "sentences of",
        "MB",
        "bytes a sentence",
        "gather s",
        "make s",
        "first paint s",
        "ready s",
        "search s",
        "heap MB",
    )
    report.tables.append(Table(f"A report of {given.sentences:,} sentences", head, tuple(rows)))
    report.write(given.json, given.markdown)
    print(report.terminal())


if __name__ == "__main__":
    main()
