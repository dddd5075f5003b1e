"""What an installed wheel must do, from anywhere and with nothing beside it: ``python smoke.py``."""

from __future__ import annotations

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import stance

CLAIM = "The occupiers fled in panic."
RAIN = "Rain is expected on Monday."


def main() -> None:
    place = Path(stance.__file__).resolve().parent
    assert not (place.parent / "pyproject.toml").exists(), "this is a checkout; run it outside"
    assert (place / "py.typed").is_file()
    assert (place / "_data" / "rules").is_dir()

    classifier = stance.load()
    expected = [v.to_dict() for v in classifier.classify(f"{CLAIM} {RAIN}")]
    assert [record["label"] for record in expected] == ["pro_kyiv", "neutral_report"], expected
    parsed = next(classifier.classify_sentences(["The village was murdered by Russian troops, Kuleba said."]))
    assert parsed.versions.pipeline
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda _: [v.to_dict() for v in classifier.classify(f"{CLAIM} {RAIN}")], range(16))
        assert all(records == expected for records in found)
    again = pickle.loads(pickle.dumps(classifier))
    assert [v.to_dict() for v in again.classify(f"{CLAIM} {RAIN}")] == expected

    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("stance")  # by its entry point: nothing of the component was imported
    doc = nlp(f"{CLAIM} {RAIN}")
    assert [v.to_dict() for v in doc._.stance] == expected
    assert doc[0:2]._.stance.label is stance.Label.PRO_KYIV

    from stance.sklearn import StanceEstimator

    assert StanceEstimator.shipped().predict([CLAIM, RAIN]).tolist() == ["pro_kyiv", "neutral_report"]

    for arguments in (["--version"], ["classify", "--format", "jsonl"], ["explain", CLAIM], ["schema"]):
        command = [sys.executable, "-m", "stance", *arguments]
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=True)
        assert done.stdout.strip()
    print(f"smoke test passed: stance {stance.__version__}, Python {sys.version.split()[0]}, in {place}")


if __name__ == "__main__":
    main()
