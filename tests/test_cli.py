"""The command line around a small classifier: inputs, outputs, exit codes, manners."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
from click.testing import CliRunner, Result
from fake_classifier import FakeClassifier

from stance.cli import cli, loading
from stance.cli.progress import Progress
from stance.cli.root import COMMANDS, LazyGroup
from stance.schema import record_schema

TEXT = "The orcs came.\n“The junta fell,” he said.\nThey should go.\nThey are not orcs.\nRain fell.\n"
FAKE_MAIN = (
    "import sys; sys.path.insert(0, {tests!r})\n"
    "from fake_classifier import FakeClassifier\n"
    "from stance.cli import loading, main\n"
    "loading.classifier = lambda engine, abstain_below=0.0, **kw: FakeClassifier(abstain_below)\n"
    "main()\n"
)
Run = Callable[..., Result]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeClassifier:
    classifier = FakeClassifier()

    def load(engine: str, *, abstain_below: float = 0.0, **_: Any) -> FakeClassifier:
        classifier.abstain_below = abstain_below
        return classifier

    monkeypatch.setattr(loading, "classifier", load)
    return classifier


@pytest.fixture
def run(fake: FakeClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config"))
    for name in list(os.environ):
        if name.startswith("STANCE_") or name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
            monkeypatch.delenv(name)

    def invoke(*args: str, **more: Any) -> Result:
        return CliRunner().invoke(cli, [str(arg) for arg in args], prog_name="stance", **more)

    return invoke


def process(*args: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
    """The command in a process of its own, around the small classifier."""
    code = FAKE_MAIN.format(tests=str(Path(__file__).parent))
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, args)], capture_output=True, timeout=60, check=False, **more
    )


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def article(tmp_path: Path) -> Path:
    path = tmp_path / "article.txt"
    path.write_text(TEXT)
    return path


# -- help -----------------------------------------------------------------------------------------------


def every_command(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    context = click.Context(group)
    found: list[tuple[str, ...]] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found.append((*path, name))
        if isinstance(command, click.Group):
            found += every_command(command, (*path, name))
    return found


@pytest.mark.parametrize("words", [(), *every_command(cli)], ids=" ".join)
def test_every_command_has_help_with_an_example(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, [*words, "--help"], prog_name="stance")
    assert result.exit_code == 0
    first_example = result.output.partition("Examples:\n")[2].strip().splitlines()[0]
    assert "stance" in first_example
    assert "TODO" not in result.output


@pytest.mark.parametrize("words", every_command(cli), ids=" ".join)
def test_every_option_has_help(words: tuple[str, ...]) -> None:
    command: click.Command = cli
    for word in words:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None
        command = found
    assert command.help
    for option in command.params:
        if isinstance(option, click.Option) and option.name not in ("form", "help"):
            assert option.help, f"{' '.join(words)} --{option.name}"


def test_every_listed_command_loads() -> None:
    assert isinstance(cli, LazyGroup)
    for name in COMMANDS:
        assert cli.get_command(click.Context(cli), name) is not None


def test_help_and_version_import_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from stance.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'spacy', 'sklearn', 'numpy', 'yaml', 'rich', 'pydantic'}\n"
        "bad = {m.partition('.')[0] for m in sys.modules} & heavy\n"
        "assert not bad, bad\n"
    )
    for argument in ("--help", "--version"):
        done = subprocess.run(
            [sys.executable, "-c", code, argument], capture_output=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        assert done.stdout.startswith((b"Usage: stance", b"stance "))


def test_version(run: Run) -> None:
    from stance.version import __version__

    assert run("--version").output == f"stance {__version__}\n"


@pytest.mark.parametrize(
    "args",
    [
        ("clasify",),
        ("classify", "--no-such"),
        ("classify", "--engine", "magic"),
        ("classify", "--resume"),
        ("classify", "--format", "parquet"),
        ("classify", "--abstain-below", "2"),
        ("classify", "--column", "x=y"),
        ("classify", "--encoding", "klingon"),
        ("classify", "--unit", "sentence"),
        ("explain",),
        ("config", "nothing"),
        ("config", "rules"),
        ("classify", "--width", "3"),
    ],
)
def test_wrong_use_exits_2(run: Run, args: tuple[str, ...]) -> None:
    result = run(*args)
    assert result.exit_code == 2, result.output
    assert "Error: " in result.stderr
    assert result.stdout == ""


def test_a_mistyped_command_gets_a_suggestion(run: Run) -> None:
    assert "Did you mean 'classify'?" in run("clasify").stderr


# -- classify -------------------------------------------------------------------------------------------


def test_jsonl_on_a_pipe_is_the_contract(run: Run, article: Path) -> None:
    result = run("classify", article)
    assert result.exit_code == 0
    assert result.stderr == ""
    found = records(result.stdout)
    validator = jsonschema.Draft202012Validator(record_schema())
    for record in found:
        validator.validate(record)
        assert TEXT[record["start"] : record["end"]] == record["text"]
    assert [record["label"] for record in found] == [
        "pro_kyiv",
        "pro_moscow",
        "analytical_opinion",
        "neutral_report",
        "neutral_report",
    ]
    assert {record["document"] for record in found} == {str(article)}
    assert [record["index"] for record in found] == [0, 1, 2, 3, 4]


def test_text_shows_labels_voices_words_and_both_sums(run: Run, article: Path) -> None:
    output = run("classify", "--format", "text", "--width", "100", article).stdout
    assert "\x1b" not in output
    assert "pro-kyiv" in output
    assert "The [orcs] came." in output
    assert "“Peskov”" in output
    assert "They are not orcs." in output
    assert "[rule-orcs]" in output
    carried, own = [
        line for line in output.splitlines() if line.lstrip().startswith(("carried", "own voice"))
    ]
    assert "pro-moscow 1" in carried
    assert "pro-moscow 0" in own


def test_policy_own_shows_the_texts_own_voice(run: Run, article: Path) -> None:
    output = run("classify", "--format", "text", "--policy", "own", article).stdout
    assert "[junta]" not in output
    assert "[orcs]" in output


def test_colour_marks_the_deciding_words(run: Run, article: Path) -> None:
    output = run("classify", "--format", "text", "--color", "always", article, color=True).stdout
    assert "\x1b[" in output
    assert "[orcs]" not in output
    assert "The \x1b[94m\x1b[1m\x1b[4morcs\x1b[0m" in output


def test_seeds_without_files(run: Run, fake: FakeClassifier) -> None:
    result = run("classify", "--engine", "rules")
    assert result.exit_code == 0
    assert len(fake.seen) == 5
    assert fake.seen[0].startswith("000_")


def test_a_pipe_without_files(run: Run, fake: FakeClassifier) -> None:
    result = run("classify", input=TEXT)
    assert result.exit_code == 0
    assert fake.seen == ["stdin"]
    assert len(records(result.stdout)) == 5


def test_dash_is_standard_input(run: Run, article: Path, fake: FakeClassifier) -> None:
    assert run("classify", article, "-", input="Rain fell.").exit_code == 0
    assert fake.seen == [str(article), "stdin"]


def test_bad_inputs_are_reported_the_rest_is_done(run: Run, article: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "binary.txt").write_bytes(bytes(range(256)))
    (tmp_path / "rows.jsonl").write_text('{"text": "Rain fell."}\nnot json\n{"body": 1}\n')
    (tmp_path / "folder").mkdir()
    result = run("classify", "none.txt", "empty.txt", "binary.txt", "rows.jsonl", "folder", article)
    assert result.exit_code == 1
    assert len(records(result.stdout)) == 6
    lines = result.stderr.splitlines()
    assert [line.partition(": ")[0] for line in lines[:-1]] == [
        "none.txt",
        "empty.txt",
        "binary.txt",
        "rows.jsonl:2",
        "rows.jsonl:3",
        "folder",
    ]
    assert lines[-1] == "6 faults; 2 inputs with 6 sentences labelled"


def test_other_languages_are_skipped_with_a_count(run: Run, tmp_path: Path) -> None:
    (tmp_path / "ru.txt").write_text("Министр заявил в понедельник, что переговоры прошли в столице.")
    result = run("classify", "ru.txt")
    assert (result.exit_code, result.stdout) == (0, "")
    assert (
        result.stderr
        == "1 document skipped (not English (Cyrillic script)); --any-language labels them too\n"
    )
    assert len(records(run("classify", "ru.txt", "--any-language").stdout)) == 1


def test_unit_sentence_keeps_ids_and_order(run: Run, tmp_path: Path) -> None:
    rows = [
        {"id": "z", "text": "One. The orcs came."},
        {"id": 3, "text": "Rain."},
        {"text": "No id.", "outlet": "O"},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = records(run("classify", "--unit", "sentence", "rows.jsonl").stdout)
    assert [record.get("id", "none") for record in found] == ["z", 3, "none"]
    assert [(record["document"], record["start"], record["end"]) for record in found] == [
        (None, 0, 19),
        (None, 0, 5),
        (None, 0, 6),
    ]
    assert found[2]["meta"] == {"outlet": "O"}
    for record in found:
        jsonschema.Draft202012Validator(record_schema()).validate(record)


def test_unit_sentence_as_text_has_no_heading(run: Run) -> None:
    output = run("classify", "--unit", "sentence", "--format", "text", input="The orcs came.\nRain.\n").stdout
    assert "stdin" not in output
    assert "all 2 sentences" in output


def test_abstention_is_passed_on(run: Run, article: Path) -> None:
    assert not any(record["abstained"] for record in records(run("classify", article).stdout))
    assert all(
        record["abstained"] for record in records(run("classify", article, "--abstain-below", "0.9").stdout)
    )


def test_control_sequences_are_inert(run: Run, tmp_path: Path) -> None:
    hostile = "Rain \x1b]0;owned\x07 fell \u202eback\u2069 \x9b31m.\nThe orcs\x1b[2J came.\n"
    row = {"text": hostile, "title": "T\x1b[31m\u202e", "document": "n\x1bame"}
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n")
    result = run("classify", "--format", "text", "--color", "always", "a.jsonl", color=True)
    bare = click.unstyle(result.stdout)
    for character in "\x1b\x07\x9b\u202e\u2069":
        assert character not in bare
    assert "\\x1b]0;owned\\x07" in bare
    assert "\\u202e" in bare
    missing = run("classify", "a\x1b[31m.txt")
    assert "\x1b" not in missing.stderr
    assert "a\\x1b[31m.txt: no such file" in missing.stderr


def test_a_broken_rulebook_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, article: Path, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(
        cli, ["classify", "--engine", "rules", "--rules", str(tmp_path / "none"), str(article)]
    )
    assert result.exit_code == 1
    assert "none" in result.stderr
    assert "Traceback" not in result.stderr


# -- output files ---------------------------------------------------------------------------------------


def test_output_is_complete_and_nothing_else_is_left(run: Run, article: Path, tmp_path: Path) -> None:
    result = run("classify", article, "-o", "out.jsonl")
    assert (result.exit_code, result.stdout) == (0, "")
    assert len(records((tmp_path / "out.jsonl").read_text())) == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["article.txt", "out.jsonl"]


def test_output_ending_chooses_the_format(run: Run, article: Path, tmp_path: Path) -> None:
    run("classify", article, "-o", "out.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_bytes().decode(), newline="")))
    assert [row["label"] for row in rows][:2] == ["pro_kyiv", "pro_moscow"]
    run("classify", article, "-o", "out.txt")
    assert "own voice" in (tmp_path / "out.txt").read_text()


def test_output_into_nowhere_is_a_sentence(run: Run, article: Path, tmp_path: Path) -> None:
    for target in ("no/such/out.jsonl", "folder"):
        (tmp_path / "folder").mkdir(exist_ok=True)
        result = run("classify", article, "-o", target)
        assert result.exit_code == 1
        assert target in result.stderr


def test_an_old_output_stays_until_the_new_one_is_complete(
    run: Run, article: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: FakeClassifier
) -> None:
    (tmp_path / "out.jsonl").write_text("old\n")
    stream = fake.stream

    def failing(documents: Any) -> Any:
        yield from stream(documents)
        raise KeyboardInterrupt

    monkeypatch.setattr(fake, "stream", failing)
    result = run("classify", article, "-o", "out.jsonl")
    assert result.exit_code == 130
    assert (tmp_path / "out.jsonl").read_text() == "old\n"
    assert "--resume goes on" in result.stderr
    assert "Traceback" not in result.stderr


def many(folder: Path, count: int) -> list[str]:
    paths = []
    for number in range(count):
        path = folder / f"d{number:03d}.txt"
        path.write_text(f"Document {number}.\nThe orcs came.\nRain “fell”.\n")
        paths.append(str(path))
    return paths


@pytest.mark.parametrize("form", ["jsonl", "csv", "text"])
def test_resume_repeats_nothing_and_loses_nothing(
    run: Run, tmp_path: Path, fake: FakeClassifier, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr("stance.sinks.files.CHECKPOINT_SECONDS", 0.0)
    paths = many(tmp_path, 10)
    run("classify", *paths, "-o", "whole", "--format", form)
    original = fake.stream
    for stop in (0, 3, 7):

        def failing(documents: Any, stop: int = stop) -> Any:
            for number, analysis in enumerate(original(documents)):
                if number == stop:
                    raise KeyboardInterrupt
                yield analysis

        monkeypatch.setattr(fake, "stream", failing)
        assert run("classify", *paths, "-o", f"out{stop}", "--format", form).exit_code == 130
        assert not (tmp_path / f"out{stop}").exists()
        partial = tmp_path / f".out{stop}.partial"
        with partial.open("ab") as torn:
            torn.write(b'{"torn')
        monkeypatch.setattr(fake, "stream", original)
        fake.seen.clear()
        assert run("classify", *paths, "-o", f"out{stop}", "--format", form, "--resume").exit_code == 0
        assert fake.seen == paths[stop:]
        done = (tmp_path / f"out{stop}").read_bytes()
        if form != "text":  # the summary at the end counts what one run saw
            assert done == (tmp_path / "whole").read_bytes()
        assert not partial.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_kills_at_any_moment_leave_the_same_rows(tmp_path: Path) -> None:
    paths = many(tmp_path, 60)
    slow = (
        "import time; from stance.sinks import files; files.CHECKPOINT_SECONDS = 0\n"
        "stream = FakeClassifier.stream\n"
        "def slowly(self, documents):\n"
        "    for analysis in stream(self, documents): time.sleep(0.005); yield analysis\n"
        "FakeClassifier.stream = slowly\n"
    )
    code = FAKE_MAIN.format(tests=str(Path(__file__).parent)).replace("main()\n", f"{slow}main()\n")
    arguments = [sys.executable, "-c", code, "classify", *paths, "-o"]
    subprocess.run([*arguments, str(tmp_path / "whole.jsonl")], check=True, timeout=60)
    target, partial = tmp_path / "out.jsonl", tmp_path / ".out.jsonl.partial"
    rng = random.Random(7)
    kills = 0
    while not target.exists():
        before = partial.stat().st_size if partial.exists() else 0
        child = subprocess.Popen([*arguments, str(target), "--resume"], stderr=subprocess.DEVNULL)
        while child.poll() is None and kills < 6:
            if partial.exists() and partial.stat().st_size > before + rng.randrange(3000):
                child.kill()
                kills += 1
                break
            time.sleep(0.002)
        child.wait(60)
    assert kills == 6
    assert target.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir() if "out" in path.name) == ["out.jsonl"]


def test_resume_notices_other_inputs_and_other_settings(
    run: Run, tmp_path: Path, fake: FakeClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = many(tmp_path, 4)
    original = fake.stream

    def failing(documents: Any) -> Any:
        for number, analysis in enumerate(original(documents)):
            if number == 2:
                raise KeyboardInterrupt
            yield analysis

    monkeypatch.setattr(fake, "stream", failing)
    run("classify", *paths, "-o", "out.jsonl")
    monkeypatch.setattr(fake, "stream", original)
    result = run("classify", *paths, "-o", "out.jsonl", "--resume", "--abstain-below", "0.5")
    assert result.exit_code == 1
    assert "other settings" in result.stderr
    Path(paths[0]).write_text("Changed.\n")
    result = run("classify", *paths, "-o", "out.jsonl", "--resume")
    assert result.exit_code == 1
    assert "the inputs changed" in result.stderr
    assert run("classify", *paths, "-o", "out.jsonl").exit_code == 0


def test_resume_of_a_complete_output_does_nothing(run: Run, article: Path, fake: FakeClassifier) -> None:
    run("classify", article, "-o", "out.jsonl")
    fake.seen.clear()
    result = run("classify", article, "-o", "out.jsonl", "--resume")
    assert (result.exit_code, fake.seen) == (0, [])
    assert "out.jsonl is complete" in result.stderr


# -- processes: pipes, signals --------------------------------------------------------------------------


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("The orcs came.\n" * 3_000)
    code = FAKE_MAIN.format(tests=str(Path(__file__).parent))
    for form in ("jsonl", "text", "csv"):
        child = subprocess.Popen(
            [sys.executable, "-c", code, "classify", "--format", form, str(tmp_path / "a.txt")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.read(10)
        child.stdout.close()
        errors = child.stderr.read()
        child.stderr.close()
        assert (child.wait(60), errors) == (0, b"")


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_interruption_is_clean(tmp_path: Path) -> None:
    code = FAKE_MAIN.format(tests=str(Path(__file__).parent))
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    child = subprocess.Popen(
        [sys.executable, "-c", code, "classify", str(fifo)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with fifo.open("wb") as writer:  # opens when the command waits for input
        writer.write(b"x")
        writer.flush()
        time.sleep(0.2)
        child.send_signal(signal.SIGINT)
        out, errors = child.communicate(timeout=60)
    assert (child.returncode, out, errors) == (130, b"", b"stopped\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no such device")
def test_a_full_disk_is_a_sentence(article: Path) -> None:
    with open("/dev/full", "wb") as full:
        code = FAKE_MAIN.format(tests=str(Path(__file__).parent))
        done = subprocess.run(
            [sys.executable, "-c", code, "classify", str(article)],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert b"No space left" in done.stderr
    assert b"Traceback" not in done.stderr


def test_seeds_are_used_when_standard_input_is_no_pipe() -> None:
    done = process("classify", "--engine", "rules", stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert len({json.loads(line)["document"] for line in done.stdout.splitlines()}) == 5


def test_an_empty_pipe_is_a_fault_not_the_seeds() -> None:
    done = process("classify", input=b"")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"stdin: is empty")


def test_output_is_utf_8_whatever_the_locale(article: Path) -> None:
    done = process("classify", str(article), env={**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"})
    assert done.returncode == 0, done.stderr
    assert "“The junta fell,”" in done.stdout.decode("utf-8")
    shown = process(
        "classify",
        "--format",
        "text",
        str(article),
        env={**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
    )
    assert shown.returncode == 0, shown.stderr
    assert b"\\u201c" in shown.stdout


# -- explain --------------------------------------------------------------------------------------------


def test_explain_tells_everything(run: Run) -> None:
    result = run("explain", "“The junta fell,” he said.", "--width", "90")
    assert result.exit_code == 0
    for part in (
        "pro_moscow",
        "neutral_report",
        "quoted, Peskov (moscow)",
        "opinion        no",
        "[junta]",
        "rule-junta",
        "test N (naming)",
        "a name of one side",
        "decided",
        "rules rules0",
        "codebook 4",
        "0.700",
    ):
        assert part in result.stdout, part


def test_explain_says_what_did_not_count(run: Run) -> None:
    output = run("explain", "They are not orcs.").stdout
    assert "evidence that counted: none" in output
    assert "did not count: negated" in output


def test_explain_as_json_is_the_contract(run: Run) -> None:
    record = json.loads(run("explain", "--format", "json", "The orcs came.").stdout)
    jsonschema.Draft202012Validator(record_schema()).validate(record)
    assert record["document"] is None


def test_explain_reads_standard_input(run: Run) -> None:
    assert "pro_kyiv" in run("explain", "-", input="The orcs\ncame.\n").stdout


def test_explain_wants_a_sentence(run: Run) -> None:
    result = run("explain", "  ")
    assert result.exit_code == 1
    assert "the sentence is empty" in result.stderr


def test_explain_is_inert(run: Run) -> None:
    output = run("explain", "The \x1b[31morcs\u202e came.").stdout
    assert "\x1b" not in output
    assert "\\x1b[31m" in output


# -- settings -------------------------------------------------------------------------------------------


def test_settings_file_environment_and_command_line_in_that_order(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held(option: str, *before: str) -> list[str]:
        output = run(*before, "config").output
        (line,) = [line for line in output.splitlines() if line.split()[:1] == [option]]
        return line.split()[1:]

    assert held("--engine") == ["hybrid", "default"]
    (tmp_path / "stance.toml").write_text('engine = "rules"\n[classify]\npolicy = "own"\n')
    assert held("--engine") == ["rules", str(tmp_path / "stance.toml")]
    assert held("--policy")[0] == "own"
    monkeypatch.setenv("STANCE_ENGINE", "model")
    assert held("--engine") == ["model", "environment", "STANCE_ENGINE"]
    monkeypatch.setenv("STANCE_CLASSIFY_TIMEOUT", "7")
    assert held("--timeout") == ["7.0", "environment", "STANCE_CLASSIFY_TIMEOUT"]
    other = tmp_path / "other.toml"
    other.write_text("width = 50\n")
    assert held("--width", "--config", str(other)) == ["50", str(other)]


def test_settings_reach_the_command_and_lose_to_its_line(run: Run, article: Path, tmp_path: Path) -> None:
    for name in ("format", "form"):
        (tmp_path / "stance.toml").write_text(f'[classify]\n{name} = "csv"\n')
        assert run("classify", article).stdout.startswith("document,index")
    assert run("classify", article, "--format", "jsonl").stdout.startswith("{")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("engine = ", "not TOML"),
        ('enigne = "rules"', "'enigne' is no setting for every command; did you mean 'engine'?"),
        ('[classify]\npolcy = "own"', "[classify] has no setting 'polcy'; did you mean 'policy'?"),
        ('engine = "magic"', "'engine'"),
        ("classify = 3", "'classify' is a command"),
        ("[classify]\ncolumns = 3", "'columns'"),
        ('[classify]\nscheduler = "tcp://x:1"', "'scheduler' is no setting for a file; give it"),
    ],
)
def test_wrong_settings_are_named(run: Run, tmp_path: Path, article: Path, text: str, message: str) -> None:
    (tmp_path / "stance.toml").write_text(text)
    result = run("classify", article)
    assert result.exit_code in (1, 2)
    assert message in result.stderr
    assert "stance.toml" in result.stderr
    assert result.stdout == ""


def test_a_missing_settings_file_names_the_option(run: Run, article: Path) -> None:
    result = run("--config", "none.toml", "classify", article)
    assert result.exit_code == 1
    assert "name another with --config or STANCE_CONFIG" in result.stderr


def test_the_list_of_rule_commands_is_whole(run: Run) -> None:
    assert "..." not in run("rules", "--help").stdout.replace("ARGS]...", "")


def test_the_cure_of_a_setting_is_an_option_of_the_command(run: Run, tmp_path: Path, article: Path) -> None:
    (tmp_path / "stance.toml").write_text('[report]\nscheduler = "tcp://x:1"')
    result = run("report", article)
    assert result.exit_code == 1
    assert "[report] has no setting 'scheduler'" in result.stderr


def test_paths_in_settings_count_from_their_file(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "conf"
    folder.mkdir()
    (folder / "my.toml").write_text('overlay = "our-rules"\n')
    output = run("--config", str(folder / "my.toml"), "config").output
    assert str(folder / "our-rules") in output


# -- the rest -------------------------------------------------------------------------------------------


def test_schema_command_prints_the_schema(run: Run) -> None:
    assert json.loads(run("schema").stdout) == record_schema()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(run: Run, shell: str) -> None:
    output = run("completion", shell).stdout
    assert "_STANCE_COMPLETE" in output


def test_completion_completes() -> None:
    env = {**os.environ, "_STANCE_COMPLETE": "bash_complete", "COMP_WORDS": "stance cla", "COMP_CWORD": "1"}
    assert process(env=env).stdout.strip() == b"plain,classify"


# -- progress -------------------------------------------------------------------------------------------


def test_progress_is_quiet_when_piped(tmp_path: Path, article: Path) -> None:
    done = process("classify", str(article), "-o", str(tmp_path / "out.jsonl"))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_progress_says_how_far_it_is() -> None:
    progress = Progress(True, total=2000, documents=3, sentences=1500)
    line = progress.line(seconds=10.0, done=500)
    assert line == "3 documents  1,500 sentences  150 sentences/s  25%  0:30 left"
    assert Progress(True, documents=1, sentences=2).line(1.0, 5) == "1 documents  2 sentences  2 sentences/s"


def test_progress_is_drawn_and_wiped(capsys: pytest.CaptureFixture[str], article: Path) -> None:
    with Progress.shown(True, [str(article)], busy=False) as progress:
        progress._due = 0.0
        progress.advance(5)
        with progress.paused():
            pass
    drawn = capsys.readouterr().err
    assert "1 documents  5 sentences" in drawn
    assert drawn.endswith("\r")
