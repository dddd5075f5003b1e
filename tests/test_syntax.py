"""The door to spaCy, with a tiny pipeline trained here, and with the shipped one where it is there."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stance import syntax
from stance.errors import StanceError
from stance.resources import resource
from stance.rulebook import Node, Rule
from stance.syntax import Attributes, Parser, Tree, build, of_span, one_tree

ROWS = [
    ("Troops shelled the town .", [1, 1, 3, 1, 1], ["nsubj", "ROOT", "det", "obj", "punct"],
     ["NOUN", "VERB", "DET", "NOUN", "PUNCT"], ["Number=Plur", "Tense=Past", "", "Number=Sing", ""]),
    ("The town was shelled by troops .", [1, 3, 3, 3, 5, 3, 3],
     ["det", "nsubj:pass", "aux:pass", "ROOT", "case", "obl:agent", "punct"],
     ["DET", "NOUN", "AUX", "VERB", "ADP", "NOUN", "PUNCT"],
     ["", "Number=Sing", "Tense=Past", "Tense=Past", "", "Number=Plur", ""]),
    ("He said troops left .", [1, 1, 3, 1, 1], ["nsubj", "ROOT", "nsubj", "ccomp", "punct"],
     ["PRON", "VERB", "NOUN", "VERB", "PUNCT"], ["", "Tense=Past", "Number=Plur", "Tense=Past", ""]),
]  # fmt: skip

TEXTS = [
    "Troops shelled the town.",
    "The town was shelled by troops.",
    "He said troops left.",
    "Did he say that they're here?  He'd said so, didn't he?",
    "I am here at 9 a.m. and he'll go; let's see, he's gone.",
    "He did it at 9am, and I had it.",
    "He didn't, I'd had it, you hadn't, and the d of 'd is n’t.",
    'The "so-called" peace formula isn’t real — or is it?',
    "A\tsentence \n with odd  white\u00a0space ",
    "Кирилиця і 中文字 and e\u0301 and ﬁ",
    "x",
    "...",
    "Troops left. Troops came. Nobody said why.",
]
HOSTILE = [
    "", " ", "\n\t\u2003", "\x00", "a\x00b\x1f c", "\ud800", "a\udfff b \ud83d\ude00", "\u200b\u200d",
    "\ufeffa", "?!" * 40, "(" * 400, "'" * 99, "a." * 200, "http://" + "a/" * 300, "\u202eabc\u202c",
    "a\u0300" * 90, "-" * 500, "İ ǅ ß",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline with the parts of the shipped one, trained for a second."""
    import spacy
    from spacy.tokens import Doc
    from spacy.training import Example

    nlp = spacy.blank("en")
    size = {"width": 16, "depth": 2, "embed_size": 64}
    nlp.add_pipe("tok2vec", config={"model": {"@architectures": "spacy.HashEmbedCNN.v2", **_plain(size)}})
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 16, "upstream": "tok2vec"}
    nlp.add_pipe(
        "morphologizer", config={"model": {"@architectures": "spacy.Tagger.v2", "tok2vec": listener}}
    )
    nlp.add_pipe("parser", config={"min_action_freq": 1, "model": _parser(listener)})
    nlp.add_pipe("sentencizer")
    nlp.meta["name"], nlp.meta["version"] = "tiny", "1.2.3"
    examples = []
    for text, heads, deps, pos, morphs in ROWS:
        words = text.split()
        gold = Doc(nlp.vocab, words=words, heads=heads, deps=deps, pos=pos, morphs=morphs)
        examples.append(Example(Doc(nlp.vocab, words=words), gold))
    nlp.initialize(lambda: examples)
    for _ in range(150):
        nlp.update(examples)
    path = tmp_path_factory.mktemp("pipeline") / "en"
    nlp.to_disk(path)
    return path


def _plain(size: dict[str, int]) -> dict[str, Any]:
    more = {"pretrained_vectors": None, "window_size": 1, "maxout_pieces": 2, "subword_features": True}
    return {**size, **more}


def _parser(listener: dict[str, Any]) -> dict[str, Any]:
    return {
        "@architectures": "spacy.TransitionBasedParser.v2",
        "state_type": "parser",
        "extra_state_tokens": False,
        "hidden_width": 16,
        "maxout_pieces": 2,
        "use_upper": True,
        "tok2vec": listener,
    }


@pytest.fixture(scope="module")
def parser(folder: Path) -> Parser:
    return Parser(folder)


def shipped() -> Path | None:
    try:
        path = resource("models") / "pipeline" / "en"
    except StanceError:
        return None
    return path if (path / "meta.json").is_file() else None


@pytest.fixture(scope="module")
def real() -> Parser:
    path = shipped()
    if path is None:
        pytest.skip("no pipeline is installed")
    return Parser(path)


def check(tree: Tree | None, text: str) -> None:
    """What holds for every tree."""
    assert tree is not None
    size = len(tree)
    columns = (tree.starts, tree.ends, tree.forms, tree.relations, tree.upos, tree.feats, tree.children)
    assert all(len(column) == size for column in columns)
    assert tree.text == text
    position = 0
    for i in range(size):
        assert position <= tree.starts[i] < tree.ends[i] <= len(text)
        position = tree.ends[i]
        piece = text[tree.starts[i] : tree.ends[i]]
        assert not any(character.isspace() for character in piece)
        assert tree.forms[i] == piece.lower().replace("’", "'").replace("ʼ", "'")
        assert all(tree.heads[child] == i != child for child in tree.children[i])
    covered = sum(end - start for start, end in zip(tree.starts, tree.ends, strict=True))
    assert covered == sum(not character.isspace() for character in text)
    roots = [i for i in range(size) if tree.heads[i] == i]
    assert len(roots) == min(size, 1)
    assert [i for i in range(size) if tree.relations[i] == "root"] == roots
    if roots:
        assert tree.subtree(roots[0]) == list(range(size))


# -- trees without a parser ----------------------------------------------------------------------------


def test_subtree_and_its_span() -> None:
    text = "the old town fell"
    tree = build(text, [(0, 3), (4, 7), (8, 12), (13, 17)], [2, 2, 3, 3], ["det", "amod", "nsubj", "root"],
                 ["DET", "ADJ", "NOUN", "VERB"], [""] * 4)  # fmt: skip
    check(tree, text)
    assert tree.subtree(2) == [0, 1, 2]
    assert tree.subtree_span(2) == (0, 12)
    assert tree.children == ((), (), (0, 1), (2,))
    with pytest.raises(AttributeError):
        tree.text = "other"  # type: ignore[misc]


def test_later_roots_hang_on_the_first_as_parataxis() -> None:
    assert one_tree([1, 1, 2, 2], ["nsubj", "root", "root", "obj"]) == (
        [1, 1, 1, 2],
        ["nsubj", "root", "parataxis", "obj"],
    )


def test_cycles_are_cut_at_their_first_token() -> None:
    assert one_tree([0, 2, 3, 1, 3], ["root", "a", "b", "c", "d"]) == (
        [0, 0, 3, 1, 3],
        ["root", "parataxis", "b", "c", "d"],
    )
    assert one_tree([1, 0], ["a", "b"]) == ([0, 0], ["root", "b"])
    assert one_tree([], []) == ([], [])


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), max_size=31).map(lambda heads: [h % len(heads) for h in heads]))
def test_any_heads_become_one_tree(heads: list[int]) -> None:
    size = len(heads)
    new, names = one_tree(heads, ["dep"] * size)
    text = "a" * size
    check(build(text, [(i, i + 1) for i in range(size)], new, names, ["X"] * size, [""] * size), text)
    root = next((i for i, head in enumerate(new) if head == i), 0)
    moved = [i for i in range(size) if new[i] != heads[i]]
    assert all(new[i] == root for i in moved)
    assert all(names[i] in ("parataxis", "root") for i in moved)
    assert one_tree(new, names) == (new, names)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab \t\n\u00a0\u2003.", max_size=20) | st.text(max_size=20))
def test_evened_white_space_keeps_every_place(text: str) -> None:
    clean, places = syntax._even(text)
    assert clean == " ".join(
        "".join("\ufffd" if unicodedata.category(c) == "Cs" else c for c in text).split()
    )
    for i, place in enumerate(places if places is not None else range(len(text))):
        assert clean[i] == text[place] or (clean[i] == " " and text[place].isspace()) or clean[i] == "\ufffd"


def test_attributes_name_what_a_rule_cannot_use() -> None:
    can = Attributes(frozenset({"nsubj:pass", "obj", "root"}), frozenset({"VERB"}), frozenset({"Tense=Past"}))
    nodes = (
        Node("a", form=("a",), upos=("VERB", "NOUN"), feats=(("Tense", "Past"), ("Mood", "Ind"))),
        Node("b", relation=("nsubj", "=nsubj", "=obj"), parent=("under", "a")),
    )
    bad = Node("unless-1", relation=("obl", "nsub"), upos=("NOUN",), parent=("under", "a"))
    rule = Rule(id="r", kind="dependency", effect="frame", trees=(nodes,), unless_nodes=(bad,))
    assert can.unsupported(rule) == [
        "upos NOUN", "feats Mood=Ind", "relation nsubj", "relation obl", "relation nsub",
    ]  # fmt: skip
    assert can.unsupported(Rule(id="l", kind="lexical", effect="frame")) == []


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32),
    st.integers(1, 40),
    st.sampled_from([1, 3, 64, 96, 192, 288, 384]),
    st.integers(1, 60),
)
def test_matrix_product_does_not_mind_company(seed: int, rows: int, inner: int, columns: int) -> None:
    numpy = pytest.importorskip("numpy")
    rng = numpy.random.default_rng(seed)
    x = rng.standard_normal((rows, inner)).astype("float32")
    x[rng.random(rows) < 0.1] = 0
    weights = rng.standard_normal((columns, inner)).astype("float32")
    ops = syntax._exact_ops()
    product = ops.gemm(x, weights, trans2=True)
    for i in range(rows):
        for company in (x[i : i + 1], x[i:], x[: i + 1][::-1].copy()):
            [row, *_] = ops.gemm(company, weights, trans2=True)
            assert numpy.array_equal(row, product[i])
    out = numpy.empty((rows, columns), dtype="float32")
    assert ops.gemm(x, weights.T.copy(), out=out) is out
    assert numpy.array_equal(out, product)
    largest = numpy.abs(x).max(axis=1)[:, None] * numpy.abs(weights).max(axis=1)[None, :]
    assert (numpy.abs(product - x @ weights.T) <= 0.02 * inner**0.5 * largest * inner**0.5 + 1e-6).all()


# -- the parser ----------------------------------------------------------------------------------------


def test_parses_what_it_was_taught(parser: Parser) -> None:
    for (text, heads, deps, pos, morphs), tree in zip(
        ROWS, parser.parse([row[0] for row in ROWS]), strict=True
    ):
        check(tree, text)
        assert tree is not None
        assert list(tree.heads) == heads
        assert list(tree.relations) == ["root" if dep == "ROOT" else dep for dep in deps]
        assert (list(tree.upos), list(tree.feats)) == (pos, morphs)


def test_answers_keep_the_order(parser: Parser) -> None:
    trees = parser.parse(TEXTS)
    for text, tree in zip(TEXTS, trees, strict=True):
        check(tree, text)
    assert parser.parse(TEXTS[::-1]) == trees[::-1]
    assert parser.parse([]) == []


def test_one_text_is_one_sentence(parser: Parser) -> None:
    [tree] = parser.parse(["Troops left. Troops came. He said. " * 8])
    check(tree, "Troops left. Troops came. He said. " * 8)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts(parser: Parser, text: str) -> None:
    [tree] = parser.parse([text])
    if tree is None:
        assert len(text) > syntax.MAX_TOKENS
    else:
        check(tree, text)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(max_size=60) | st.sampled_from(TEXTS), max_size=5))
def test_any_text_and_any_company(parser: Parser, texts: list[str]) -> None:
    together = parser.parse(texts)
    for text, tree in zip(texts, together, strict=True):
        check(tree, text)
        assert parser.parse([text]) == [tree]


def test_surrogates_are_read_as_unknown_characters(parser: Parser) -> None:
    [broken, marked] = parser.parse(["a \ud800b c", "a \ufffdb c"])
    assert broken is not None
    assert marked is not None
    assert (broken.starts, broken.heads, broken.relations) == (marked.starts, marked.heads, marked.relations)


def test_white_space_changes_nothing_but_places(parser: Parser) -> None:
    even, odd = parser.parse(
        ["The town was shelled by troops.", "  The\n\ntown was \u00a0 shelled by\ttroops. "]
    )
    assert even is not None
    assert odd is not None
    assert (even.heads, even.relations, even.upos, even.forms) == (
        odd.heads,
        odd.relations,
        odd.upos,
        odd.forms,
    )


def test_too_long_texts_have_no_tree(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parser = Parser(folder)
    assert parser.parse(["a" * (syntax.MAX_CHARS + 1), "a"])[0] is None
    assert parser.parse(["a"])[0] is not None
    monkeypatch.setattr(syntax, "MAX_TOKENS", 3)
    assert [tree is None for tree in parser.parse(["a b c d", "a b c", "a b c d e", ""])] == [
        True,
        False,
        True,
        False,
    ]


def test_batches_are_cut_by_characters(parser: Parser, monkeypatch: pytest.MonkeyPatch) -> None:
    trees = parser.parse(TEXTS)
    for size in (1, 30, 100):
        monkeypatch.setattr(syntax, "BATCH_CHARS", size)
        assert parser.parse(TEXTS) == trees


def test_strings_do_not_pile_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syntax, "KEPT_STRINGS", 50)
    parser = Parser(folder)
    plain = parser.parse(TEXTS)
    for i in range(20):
        parser.parse([f"word{i}x{k} other{k}y{i}" for k in range(20)])
    assert parser._nlp is not None
    strings = len(parser._nlp.vocab.strings)
    for i in range(20, 40):
        parser.parse([f"word{i}x{k} other{k}y{i}" for k in range(20)])
    assert len(parser._nlp.vocab.strings) == strings
    assert parser.parse(TEXTS) == plain


def test_threads_get_equal_answers(folder: Path) -> None:
    parser = Parser(folder)
    expected = Parser(folder).parse(TEXTS)
    with ThreadPoolExecutor(8) as pool:
        for trees in pool.map(parser.parse, [TEXTS] * 24):
            assert trees == expected


def test_pickles_small(parser: Parser) -> None:
    parser.parse(TEXTS)
    data = pickle.dumps(parser)
    assert len(data) < 1_000
    assert pickle.loads(data).parse(TEXTS) == parser.parse(TEXTS)
    [tree] = parser.parse(TEXTS[:1])
    assert pickle.loads(pickle.dumps(tree)) == tree


def test_only_the_pipes_that_are_needed_are_loaded(parser: Parser) -> None:
    parser.parse(["a"])
    assert parser._nlp is not None
    assert parser._nlp.pipe_names == ["tok2vec", "morphologizer", "parser"]


def test_version_and_attributes_need_no_spacy(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from stance.syntax import Parser\n"
        "p = Parser(Path(sys.argv[1]))\n"
        "print(p.version, sorted(p.attributes.relations)); assert 'spacy' not in sys.modules"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    version, _, relations = ran.stdout.partition(" ")
    assert version.startswith("en_tiny-1.2.3+")
    assert "'obl:agent'" in relations
    assert "'root'" in relations
    assert "ROOT" not in relations


def test_attributes_of_a_pipeline(parser: Parser) -> None:
    found = parser.attributes
    assert {"nsubj", "nsubj:pass", "obl:agent", "root", "parataxis"} <= found.relations
    assert found.upos == {"NOUN", "VERB", "DET", "AUX", "ADP", "PRON", "PUNCT"}
    assert found.feats == {"Number=Plur", "Number=Sing", "Tense=Past"}
    rule = Rule(id="r", kind="dependency", effect="frame", trees=((Node("v", upos=("SYM",)),),))
    assert parser.unsupported(rule) == ["upos SYM"]


def test_version_follows_the_files(folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    assert Parser(copy).version == Parser(folder).version
    with (copy / "parser" / "model").open("ab") as file:
        file.write(b"x")
    assert Parser(copy).version != Parser(folder).version


def test_missing_and_broken_folders(tmp_path: Path, folder: Path) -> None:
    absent = Parser(tmp_path / "absent")
    assert absent.version is None
    with pytest.raises(StanceError, match="absent: the pipeline cannot be read"):
        absent.parse(["a"])
    (tmp_path / "meta.json").write_text("{")
    with pytest.raises(StanceError, match="the pipeline cannot be read"):
        Parser(tmp_path).parse(["a"])
    (tmp_path / "meta.json").write_text("[]")
    with pytest.raises(StanceError, match="no object"):
        Parser(tmp_path).parse(["a"])
    (tmp_path / "meta.json").write_text(json.dumps({"lang": "en"}))
    with pytest.raises(StanceError, match="names no labels"):
        _ = Parser(tmp_path).attributes
    with pytest.raises(StanceError, match="the pipeline cannot be read"):
        Parser(tmp_path).parse(["a"])


def test_trees_of_other_peoples_docs() -> None:
    import spacy
    from spacy.tokens import Doc

    doc = Doc(
        spacy.blank("en").vocab,
        words=["So", "\n", "troops", "left", ".", "They", "ran", "."],
        spaces=[True, False, True, False, True, True, False, False],
        heads=[3, 0, 1, 3, 3, 6, 6, 6],
        deps=["advmod", "dep", "nsubj", "ROOT", "punct", "nsubj", "ROOT", "punct"],
        pos=["ADV", "SPACE", "NOUN", "VERB", "PUNCT", "PRON", "VERB", "PUNCT"],
        morphs=["", "", "Number=Plur", "", "", "", "", ""],
    )
    first = of_span(doc[:5])
    check(first, "So \ntroops left. ".rstrip())
    assert first.heads == (2, 0, 2, 2)  # what hung on the white space hangs on its head
    second = of_span(doc[5:])
    check(second, "They ran.")
    assert second.heads == (1, 1, 1)
    cut = of_span(doc[4:7])  # a stop whose head lies outside
    check(cut, ". They ran")
    check(of_span(doc[:0]), "")


# -- the shipped pipeline ------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE)
def test_shipped_pipeline_bears_hostile_texts(real: Parser, text: str) -> None:
    [tree] = real.parse([text])
    if tree is None:
        assert len(text) > syntax.MAX_TOKENS
    else:
        check(tree, text)


def test_shipped_pipeline_does_not_mind_company(real: Parser) -> None:
    """Words that stand alone here and in a contraction there ("did", "didn't") must not be mixed up."""
    more = [f"{a} {b}" for a in TEXTS for b in TEXTS]
    together = real.parse(more)
    assert [real.parse([text])[0] for text in more] == together
    assert real.parse(more[::-1])[::-1] == together


def test_shipped_pipeline_knows_the_relations_that_rules_live_on(real: Parser) -> None:
    wanted = {
        "nsubj",
        "nsubj:pass",
        "obl:agent",
        "obj",
        "ccomp",
        "parataxis",
        "acl:relcl",
        "appos",
        "nmod:poss",
        "conj",
    }
    assert wanted <= real.attributes.relations
    assert {"VERB", "NOUN", "PROPN", "AUX"} <= real.attributes.upos
    assert "Polarity=Neg" in real.attributes.feats


def test_shipped_pipeline_sees_actives_and_passives(real: Parser) -> None:
    active, passive = real.parse(["The soldiers shelled the town.", "The town was shelled by the soldiers."])
    assert active is not None
    assert passive is not None
    assert (active.relations[1], active.relations[4]) == ("nsubj", "obj")
    assert (passive.relations[1], passive.relations[6]) == ("nsubj:pass", "obl:agent")
