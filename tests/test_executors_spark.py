"""The recipe for Spark in ``benchmarks/scale.md``, run as it stands there: the records of one process.

Spark is in no extra: ``pip install pyspark pandas pyarrow pytest``, and Java.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import stance
from stance.document import Document

pytest.importorskip("pyspark", reason="pyspark is not installed")
pytest.importorskip("pandas", reason="pandas is not installed")
pytestmark = pytest.mark.skipif(
    not shutil.which("java") and "JAVA_HOME" not in os.environ, reason="Spark needs Java, which is not here"
)
TOP = Path(__file__).resolve().parents[1]
CLAIMS = (
    "The occupiers fled in panic.",
    "The village was murdered by Russian troops, Kuleba said.",
    "“The Kyiv regime shelled its own people,” Zakharova claimed.",
    "Rain is expected on Monday.",
)


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    """Two executors, each a process of its own."""
    from pyspark.sql import SparkSession

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("PYTHONPATH", str(TOP))
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        builder = SparkSession.builder.master("local-cluster[2,1,1024]").config("spark.ui.enabled", "false")
        session = builder.getOrCreate()
        yield session
        session.stop()


def test_the_recipe_gives_the_records_of_one_process(spark: Any) -> None:
    page = (TOP / "benchmarks" / "scale.md").read_text("utf-8")
    recipe = page.partition("## Spark")[2].partition("```python\n")[2].partition("```")[0]
    recipe, found = re.subn(r"^articles\.mapInPandas", "labelled = articles.mapInPandas", recipe, flags=re.M)
    assert found == 1
    texts = {f"d{i}": f"{CLAIMS[i % 4]} It was report {i}. {CLAIMS[(i + 1) % 4]}" for i in range(100)}
    rows = spark.createDataFrame(list(texts.items()), "id string, text string").repartition(4)
    names: dict[str, Any] = {"articles": rows}
    exec(compile(recipe, "scale.md", "exec"), names)
    got = sorted(tuple(row) for row in names["labelled"].collect())
    documents = [Document(text, name) for name, text in texts.items()]
    records = [v.to_dict() for one in stance.load("hybrid").stream(documents) for v in one]
    keys = ("document", "index", "label", "own_label", "voice")
    assert got == sorted(tuple(record[key] for key in keys) for record in records)
