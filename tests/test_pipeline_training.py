"""The pipeline's trainer: reading treebanks, altered spellings, lemmas, counting, and what it ships."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from stance import pipeline_training as training
from stance.errors import StanceError
from stance.pipeline_training import Settings, TreebankSentence, Word, read_conllu

spacy = pytest.importorskip("spacy")

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "models" / "pipeline" / "en"
CARD = ROOT / "models" / "pipeline" / "card.json"
TREEBANK = ROOT.parent / "shared" / "treebank"

CONLLU = """\
# sent_id = one
# text = They don't leave "home".
1\tThey\tthey\tPRON\tPRP\tCase=Nom|Number=Plur|Person=3|PronType=Prs\t4\tnsubj\t_\t_
2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\t_
2\tdo\tdo\tAUX\tVBP\tMood=Ind|Tense=Pres|Typo=Yes\t4\taux\t_\t_
3\tn't\tnot\tPART\tRB\tPolarity=Neg\t4\tadvmod\t_\t_
4\tleave\tleave\tVERB\tVB\tVerbForm=Inf\t0\troot\t_\t_
5\t"\t"\tPUNCT\t``\t_\t6\tpunct\t_\tSpaceAfter=No
6\thome\thome\tNOUN\tNN\tNumber=Sing\t4\tobj\t_\tSpaceAfter=No
7\t"\t"\tPUNCT\t''\t_\t6\tpunct\t_\tSpaceAfter=No
8\t.\t.\tPUNCT\t.\t_\t4\tpunct\t_\t_

# sent_id = two
# text = Troops shelled towns
1\tTroops\ttroops\tNOUN\tNNS\tNumber=Plur\t2\tnsubj\t_\t_
2\tshelled\tshell\tVERB\tVBD\tTense=Past\t0\troot\t_\t_
3\ttowns\ttown\tNOUN\tNNS\tNumber=Plur\t2\tobj\t_\t_

"""


@pytest.fixture
def sentences() -> list[TreebankSentence]:
    return list(read_conllu(CONLLU, "toy"))


def at(sentence: TreebankSentence) -> list[str]:
    return [sentence.text[word.start : word.end] for word in sentence.words]


def test_reading_gives_text_offsets_heads_and_the_kept_features(sentences: list[TreebankSentence]) -> None:
    first, second = sentences
    assert first.text == 'They don\'t leave "home".'
    assert at(first) == ["They", "do", "n't", "leave", '"', "home", '"', "."]
    assert [word.head for word in first.words] == [3, 3, 3, 3, 5, 3, 5, 3]
    assert first.words[1].feats == "Mood=Ind|Tense=Pres"  # Typo is of no use to a rule
    assert second.text == "Troops shelled towns"
    assert second.sent_id == "two"


def test_a_contraction_spelt_unlike_its_words_keeps_the_texts_letters() -> None:
    block = "1-2\tdunno\t_\t_\t_\t_\t_\t_\t_\t_\n" + "\n".join(
        f"{i}\t{form}\t_\tVERB\t_\t_\t{0 if i == 1 else 1}\t{'root' if i == 1 else 'x'}\t_\t_"
        for i, form in ((1, "donot"), (2, "know"))
    )
    (sentence,) = read_conllu(block, "toy")
    assert sentence.text == "dunno"
    assert [(word.start, word.end) for word in sentence.words] == [(0, 4), (4, 5)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (training.all_caps, 'THEY DON\'T LEAVE "HOME".'),
        (training.headline, 'They Don\'t Leave "home".'),
        (training.lower, 'they don\'t leave "home".'),
        (training.curly, "They don’t leave “home”."),
        (training.no_stop, 'They don\'t leave "home"'),
    ],
)
def test_variants_change_the_spelling_and_never_the_tree(
    sentences: list[TreebankSentence], change: object, expected: str
) -> None:
    assert callable(change)
    changed = change(sentences[0])
    assert changed.text == expected
    assert at(changed) == [word.form for word in changed.words]
    kept = sentences[0].words[: len(changed.words)]
    assert [(w.head, w.deprel) for w in changed.words] == [(w.head, w.deprel) for w in kept]


def test_straight_undoes_curly(sentences: list[TreebankSentence]) -> None:
    assert training.straight(training.curly(sentences[0])) == sentences[0]


def test_letters_that_grow_in_capitals_keep_the_offsets_right() -> None:
    (sentence,) = read_conllu(
        "1\tStraße\t_\tNOUN\t_\t_\t0\troot\t_\tSpaceAfter=No\n2\t.\t_\tPUNCT\t_\t_\t1\tpunct\t_\t_", "t"
    )
    changed = training.all_caps(sentence)
    assert changed.text == "STRASSE."
    assert at(changed) == ["STRASSE", "."]


def test_a_stop_with_children_and_a_lone_stop_stay() -> None:
    (lone,) = read_conllu("1\t.\t.\tPUNCT\t.\t_\t0\troot\t_\t_", "toy")
    assert training.no_stop(lone) == lone


def test_augmentation_follows_its_seed(sentences: list[TreebankSentence]) -> None:
    def run(seed: int) -> list[str]:
        rng = random.Random(seed)
        return [training.augmented(sentences[0], rng).text for _ in range(60)]

    assert run(1) == run(1)
    assert run(1) != run(2)
    assert len(set(run(1))) > 3


def test_lemma_tables_hold_only_what_the_rules_miss(sentences: list[TreebankSentence]) -> None:
    tables = training.lemma_tables(sentences)
    assert "town" in tables["lemma_index"]["noun"]
    assert "towns" not in tables["lemma_exc"]["noun"]
    assert tables["lemma_exc"]["part"] == {"n't": ["not"]}
    assert tables["lemma_rules"]["pron"] == [["", ""]]  # They → they
    assert tables["lemma_exc"]["noun"]["troops"] == ["troops"]  # not "troop"


def test_a_missing_or_altered_treebank_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StanceError, match=r"ewt-dev\.conllu: the treebank file cannot be read"):
        training.read_treebank(tmp_path, ["ewt-dev"])
    (tmp_path / "ewt-dev.conllu").write_text(CONLLU, encoding="utf-8")
    with pytest.raises(
        StanceError, match=r"ewt-dev\.conllu: sha256 is [0-9a-f]{12}…, expected f0e94f8d2c85…;"
    ):
        training.read_treebank(tmp_path, ["ewt-dev"])


def test_the_command_says_what_is_wrong_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert training.main(["train", "--treebank", str(tmp_path), "--out", str(tmp_path / "en")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(StanceError, match=r"none\.conllu: the parsed sentences cannot be read"):
        training.read_silver(tmp_path / "none.conllu")
    assert training.main(["evaluate", "--treebank", str(tmp_path), "--pipeline", str(tmp_path)]) == 1
    assert "no pipeline there" in capsys.readouterr().err


def parsed(
    sentence: TreebankSentence, heads: list[int], deps: list[str], words: list[str] | None = None
) -> object:
    from spacy.tokens import Doc

    nlp = spacy.blank("en")
    forms = words or at(sentence)
    spaces, end = [], 0
    for form in forms:
        end = sentence.text.index(form, end) + len(form)
        spaces.append(sentence.text[end : end + 1] == " ")
    return Doc(nlp.vocab, words=forms, spaces=spaces, heads=heads, deps=deps)


def test_counting_on_gold_tokens(sentences: list[TreebankSentence]) -> None:
    sentence = sentences[1]
    scores = training.Scores()
    scores.add(sentence, parsed(sentence, [1, 1, 1], ["nsubj", "ROOT", "obl"]))  # type: ignore[arg-type]
    figures = scores.figures()
    assert figures["UAS all"] == 100
    assert figures["LAS all"] == 66.67
    assert figures["single root"] == 100
    relations = scores.relation_figures()
    assert relations["nsubj"] == {"gold": 1, "F1": 100.0}
    assert relations["obj"] == {"gold": 1, "F1": 0.0}
    assert relations["obl:agent"]["F1"] is None


def test_counting_on_other_tokens_misses_what_has_no_counterpart(sentences: list[TreebankSentence]) -> None:
    sentence = sentences[0]
    heads, deps = [2, 2, 2, 4, 2, 4, 2], ["nsubj", "aux", "ROOT", "punct", "obj", "punct", "punct"]
    doc = parsed(sentence, heads, deps, ["They", "don't", "leave", '"', "home", '"', "."])
    scores = training.Scores()
    scores.add(sentence, doc)  # type: ignore[arg-type]
    figures = scores.figures()
    # Without punctuation: five gold words, four tokens, three found and attached.
    assert figures["tokens words"] == figures["LAS words"] == 66.67
    # With it: eight gold words, seven tokens, six found and attached.
    assert figures["LAS all"] == 80.0


def test_each_word_of_a_batch_is_embedded_alike_with_and_without_sharing() -> None:
    """Sharing the embedding of equal words must not change what is computed."""
    from thinc.api import fix_random_seed

    outputs = []
    for shared in (False, True):
        settings = Settings(width=16, depth=1, rows=(50, 50, 50, 50), shared_types=shared)
        fix_random_seed(0)
        nlp = training.build(settings)
        examples = [training.as_example(nlp, sentence) for sentence in read_conllu(CONLLU, "toy")]
        nlp.initialize(lambda examples=examples: examples)
        tok2vec = nlp.get_pipe("tok2vec")
        for node in tok2vec.model.walk():
            for number, name in enumerate(sorted(node.param_names)):
                value = node.get_param(name)
                filled = [((number + 1) * (i % 7) - 3) / 10 for i in range(value.size)]
                node.set_param(name, node.ops.asarray1f(filled).reshape(value.shape))
        docs = [nlp.make_doc("He said he said it and it is what he said")]
        (vectors,) = tok2vec.predict(docs)
        outputs.append(vectors)
    assert outputs[0].shape == outputs[1].shape == (11, 16)
    assert abs(outputs[0] - outputs[1]).max() < 1e-5
    assert abs(outputs[0]).max() > 0.01


def test_a_norm_depends_on_the_spelling_alone() -> None:
    """Equal words share one embedding, so they must have one norm wherever they stand."""
    nlp = training.build(Settings(width=16, depth=1, rows=(50, 50, 50, 50)))
    doc = nlp.make_doc("He did not, he didn't; she can, we cannot, they can't: I ’m, I'm, 9am.")
    norms: dict[str, set[str]] = {}
    for token in doc:
        norms.setdefault(token.text, set()).add(token.norm_)
    assert norms["did"] == {"did"}
    assert norms["n't"] == {"n't"}
    assert all(len(found) == 1 for found in norms.values())


def test_parsed_raw_text_takes_its_share_of_a_batch(sentences: list[TreebankSentence]) -> None:
    settings = Settings(batch_words=60, steps=10, augment=False, silver_share=0.5, silver_end=0.0)
    nlp = training.build(Settings(width=16, depth=1, rows=(50, 50, 50, 50)))
    gold, silver = (
        training._examples(nlp, [sentence], [], settings, random.Random(0)) for sentence in sentences
    )
    batches = training._mixed(gold, silver, settings)
    shares = []
    for _ in range(10):
        words = [len(example.reference) for example in next(batches)]
        shares.append((sum(n for n in words if n == 8), sum(n for n in words if n == 3)))
    assert shares == [(32, 30)] * 8 + [(64, 0)] * 2


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline trained for a few steps on the two toy sentences."""
    folder = tmp_path_factory.mktemp("toy")
    digest = hashlib.sha256(CONLLU.encode()).hexdigest()
    patch = pytest.MonkeyPatch()
    for stem in (*training.TRAIN_FILES, *training.DEV_FILES):
        (folder / f"{stem}.conllu").write_bytes(CONLLU.encode())
        patch.setitem(training.DIGESTS, stem, digest)
    (folder / "silver.conllu").write_text(CONLLU, encoding="utf-8")
    shape = {"width": 16, "depth": 1, "rows": (50, 50, 50, 50), "min_action_freq": 1}
    settings = Settings(**shape, shared_types=True, batch_words=10, silver_share=0.5)  # type: ignore[arg-type]
    messages: list[str] = []
    try:
        training.train(
            folder,
            folder / "en",
            steps=4,
            progress=messages.append,
            settings=settings,
            silver=folder / "silver.conllu",
        )
    finally:
        patch.undo()
    assert messages[-1].startswith("step 4: ")
    return folder / "en"


def test_a_trained_pipeline_loads_without_this_project(toy: Path) -> None:
    code = (  # without entry points: where the project is installed, spaCy looks at its component too
        "import importlib.metadata as m; m.entry_points = lambda **_: m.EntryPoints();"
        "import spacy, sys; nlp = spacy.load(sys.argv[1]); doc = nlp('They don\\'t leave.');"
        "assert 'stance' not in sys.modules;"
        "print(doc.has_annotation('DEP'), doc[2].lemma_ != '', nlp.pipe_names)"
    )
    answer = subprocess.run(
        [sys.executable, "-I", "-c", code, str(toy)], capture_output=True, text=True, check=True
    ).stdout
    assert answer == "True True ['tok2vec', 'morphologizer', 'parser', 'lemmatizer']\n"


def test_a_trained_pipeline_says_what_it_is(toy: Path) -> None:
    meta = json.loads((toy / "meta.json").read_text(encoding="utf-8"))
    assert meta["license"] == "CC BY-SA 4.0"
    assert meta["training"]["settings"]["steps"] == 4
    assert meta["training"]["silver sentences"] == 2
    assert {source["sha256"] for source in meta["sources"]} <= {*training.DIGESTS.values()} | {
        hashlib.sha256(CONLLU.encode()).hexdigest()
    }
    assert str(toy.parent) not in json.dumps(meta)


def test_an_empty_doc_and_an_odd_one_are_parsed(toy: Path) -> None:
    nlp = spacy.load(toy)
    docs = list(nlp.pipe(["", " ", "\u202e!?…", "😀" * 50, "( " * 200]))
    assert [len(doc) for doc in docs][:2] == [0, 1]
    assert all(doc.has_annotation("DEP") for doc in docs[2:])


@pytest.mark.skipif(not (SHIPPED / "meta.json").exists(), reason="no pipeline in this checkout")
class TestShipped:
    """What lies in models/pipeline/en."""

    def test_it_is_small_and_its_parts_are_built_in(self) -> None:
        assert sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()) < 10_000_000
        nlp = spacy.load(SHIPPED)
        assert nlp.pipe_names == ["tok2vec", "morphologizer", "parser", "lemmatizer"]

    def test_it_sets_what_rules_ask_for(self) -> None:
        nlp = spacy.load(SHIPPED)
        relations = {label.partition("||")[0] for label in nlp.get_pipe("parser").labels}
        assert set(training.RELATIONS) <= relations
        features = {part for label in nlp.get_pipe("morphologizer").labels for part in label.split("|")}
        assert {"Polarity=Neg", "Voice=Pass", "Tense=Past", "Number=Plur", "Person=1", "POS=VERB"} <= features

    def test_it_reads_a_passive_with_its_agent_and_its_speaker(self) -> None:
        doc = spacy.load(SHIPPED)("The town was shelled by troops, the minister said.")
        found = {token.text: (token.dep_, token.head.text) for token in doc}
        assert found["town"] == ("nsubj:pass", "shelled")
        assert found["troops"] == ("obl:agent", "shelled")
        assert found["minister"] == ("nsubj", "said")
        assert doc[3].lemma_ == "shell"

    def test_the_card_is_about_these_files(self) -> None:
        if not CARD.exists():
            pytest.skip("no card in this checkout")
        card = json.loads(CARD.read_text(encoding="utf-8"))
        assert card["files"] == training.digests_of(SHIPPED)
        assert card["treebank"] == training.DIGESTS


@pytest.mark.skipif(not TREEBANK.exists(), reason="the treebank files are not here")
def test_the_treebanks_text_is_rebuilt_to_the_letter() -> None:
    sentences = training.read_treebank(TREEBANK, training.DEV_FILES)
    texts = [
        line.removeprefix("# text = ").rstrip("\n")
        for stem in training.DEV_FILES
        for line in (TREEBANK / f"{stem}.conllu").open(encoding="utf-8")
        if line.startswith("# text = ")
    ]
    assert [sentence.text for sentence in sentences] == texts
    assert all(at(sentence) == [word.form for word in sentence.words] for sentence in sentences)


def test_word_is_a_value() -> None:
    word = Word("a", "a", "DET", "", 0, "det", 0, 1)
    with pytest.raises(AttributeError):
        word.form = "b"  # type: ignore[misc]
