"""Write models/pipeline/card.json and the tables of models/pipeline/README.md from measured results.

    python benchmarks/pipeline/card.py

Reads results/evaluation.json (``evaluate --json``), results/frontier.json and the pipeline itself. The
text of the README stands in it by hand; what stands between its ``<!-- name -->`` marks is replaced.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from stance.pipeline_training import DIGESTS, RELATIONS, digests_of

HERE = Path(__file__).resolve().parent
MODELS = HERE.parents[1] / "models" / "pipeline"
LICENCES = {
    "ewt": "CC BY-SA 4.0",
    "gum": "annotations CC BY 4.0, texts CC BY or public domain",
    "pud": "CC BY-SA 3.0",
}


def read(name: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((HERE / "results" / name).read_text(encoding="utf-8"))
    return result


def table(head: list[str], rows: list[list[object]]) -> str:
    lines = [head, ["---"] * len(head), *([str(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def show(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def accuracy(report: dict[str, Any]) -> str:
    rows: list[list[object]] = []
    keys = (
        "UAS words",
        "LAS words",
        "UAS all",
        "LAS all",
        "UPOS all",
        "feats all",
        "lemma all",
        "tokens all",
    )
    for name, pipeline in report["pipelines"].items():
        for group, kinds in pipeline["accuracy"].items():
            for kind, figures in kinds.items():
                rows.append([name, group, figures["sentences"], kind, *(show(figures[key]) for key in keys)])
    heads = ["UAS", "LAS", "UAS with punct.", "LAS with punct.", "UPOS", "features", "lemmas", "tokens"]
    return table(["pipeline", "file", "sentences", "tokens", *heads], rows)


def relations(report: dict[str, Any]) -> str:
    groups = ["pud-test", "pud-test news", "pud-test with quotation marks", "ewt-test + gum-test"]
    names = list(report["pipelines"])
    rows: list[list[object]] = []
    for relation in RELATIONS:
        row: list[object] = [f"`{relation}`"]
        for group in groups:
            both = [report["pipelines"][name]["relations"][group] for name in names]
            row.append(both[0]["gold tokens"][relation]["gold"])
            row.append(" / ".join(show(one["gold tokens"][relation]["F1"]) for one in both))
            row.append(" / ".join(show(one["predicted tokens"][relation]["F1"]) for one in both))
        rows.append(row)
    head = ["relation"]
    for group in groups:
        head += [f"{group}: gold", "F1, gold tokens", "F1, own tokens"]
    return table(head, rows)


def robustness(report: dict[str, Any]) -> str:
    names = list(report["pipelines"])
    rows: list[list[object]] = []
    for variant in report["pipelines"][names[0]]["robustness"]:
        row: list[object] = [variant]
        for key in ("UPOS words", "UAS words", "LAS words"):
            row.append(
                " / ".join(show(report["pipelines"][name]["robustness"][variant][key]) for name in names)
            )
        rows.append(row)
    return table(["pud-test, own tokens", "UPOS", "UAS", "LAS"], rows)


def speed(report: dict[str, Any]) -> str:
    names = list(report["pipelines"])
    rows: list[list[object]] = []
    for way, rates in report["speed"]["sentences a second"].items():
        rows.append([way, *(rates[name] for name in names), rates.get("ratio", "–")])
    return table(["way", *names, "ratio"], rows)


def hostile(report: dict[str, Any]) -> str:
    rows: list[list[object]] = []
    for kind, figures in report["kinds"].items():
        times = figures["microseconds per character"]
        treeless = f"{figures['of these without a tree']:,} of {figures['sentences of the largest']:,}"
        rows.append([kind, *(f"{value:.2f}" for value in times), f"{times[-1] / times[0]:.2f}", treeless])
    sizes = [f"{size // 1000:,} KB" for size in report["sizes"]]
    return table(["text", *sizes, "last / first", "without a tree"], rows)


def frontier(runs: dict[str, Any]) -> str:
    rows: list[list[object]] = []
    for name, run in runs.items():
        for point in run["checkpoints"]:
            dev = [f"{100 * point[f'{stem} LAS']:.2f}" for stem in ("ewt-dev", "gum-dev")]
            rows.append([name, run["settings"]["steps"], point["step"], *dev])
    return table(["run", "steps of its schedule", "after step", "ewt-dev LAS", "gum-dev LAS"], rows)


def main() -> None:
    report, runs = read("evaluation.json"), read("frontier.json")
    meta = json.loads((MODELS / "en" / "meta.json").read_text(encoding="utf-8"))
    card = {
        "name": meta["name"],
        "version": meta["version"],
        "description": meta["description"],
        "license": meta["license"],
        "training": meta["training"],
        "treebank": DIGESTS,
        "treebank licences": {stem: LICENCES[stem[:3]] for stem in DIGESTS},
        "files": digests_of(MODELS / "en"),
        "evaluation": report,
        "frontier": runs,
    }
    (MODELS / "card.json").write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    path = MODELS / "README.md"
    text = path.read_text(encoding="utf-8")
    made = {
        "accuracy": accuracy(report),
        "relations": relations(report),
        "robustness": robustness(report),
        "speed": speed(report) if "speed" in report else "Not yet measured for these weights.",
        "hostile": hostile(read("hostile.json")),
        "frontier": frontier(runs),
    }
    for name, content in made.items():
        mark = f"<!-- {name} -->"
        text = re.sub(f"{mark}.*?{mark}", lambda _, m=mark, c=content: f"{m}\n{c}\n{m}", text, flags=re.S)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
