"""Trees for raw news, drawn by a larger parser that is not shipped, for the small one to learn from.

    python models/pipeline/teacher.py --treebank DIR --text FILE --out silver.conllu

FILE holds one JSON object with a "text" (one sentence) a line, gzipped or not. Needs torch, numpy, scipy
and spaCy; about half an hour on one core. The teacher is a graph-based parser (biaffine scores over two
layers of BiLSTMs, Dozat & Manning 2017) over word vectors counted from the raw text and the treebank, learnt
word vectors and a convolution over characters. It is trained on the train files alone; the dev files are
only printed. ``stance pipeline train --silver silver.conllu`` trains the shipped pipeline with the result.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stance.errors import StanceError
from stance.pipeline_training import (
    DEV_FILES,
    SHIPPED,
    TRAIN_FILES,
    TreebankSentence,
    augmented,
    build,
    read_treebank,
)

STEPS = 2500
BATCH_WORDS = 1300
SEED = 0
LONGEST, SHORTEST = 70, 4
_STRAIGHT = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'"})

Raw = tuple[list[str], list[bool]]  # words, and whether a space follows each


# --- raw text and word vectors ---------------------------------------------------------------------


def read_raw(path: Path) -> list[Raw]:
    """The different sentences of a file of JSON lines, as spaCy's tokenizer parts them."""
    nlp = build(SHIPPED)
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    texts = dict.fromkeys(" ".join(json.loads(line)["text"].split()) for line in data.splitlines())
    docs = (nlp.make_doc(text) for text in texts)
    return [
        ([token.text for token in doc], [bool(token.whitespace_) for token in doc])
        for doc in docs
        if SHORTEST <= len(doc) <= LONGEST
    ]


def word_vectors(sentences: Sequence[Sequence[str]], *, width: int = 128, contexts: int = 6000) -> Any:
    """(words, array of one row each): the positive pointwise mutual information of each word (at least four
    times in the text, in small letters) with the commonest words two before to two behind it, each place
    apart, reduced to ``width`` columns."""
    import scipy.sparse as sp
    from scipy.sparse.linalg import svds

    small = [[word.lower().translate(_STRAIGHT) for word in sentence] for sentence in sentences]
    counts = Counter(word for sentence in small for word in sentence)
    words = [word for word, count in counts.most_common() if count >= 4]
    place = {word: i + 2 for i, word in enumerate(words)}  # 0 is a rare word, 1 the edge of a sentence
    flat = np.array([i for each in small for i in (1, 1, *(place.get(word, 0) for word in each))] + [1, 1])
    here = np.flatnonzero(flat > 1)
    rows, columns = [], []
    for k, offset in enumerate((-2, -1, 1, 2)):
        near = flat[np.clip(here + offset, 0, len(flat) - 1)]
        kept = near < contexts
        rows.append(flat[here][kept])
        columns.append(near[kept] + k * contexts)
    row, column = np.concatenate(rows), np.concatenate(columns)
    shape = (len(words) + 2, 4 * contexts)
    matrix = sp.coo_matrix((np.ones(len(row)), (row, column)), shape=shape).tocsr()
    of_word, of_context = np.asarray(matrix.sum(1)).ravel(), np.asarray(matrix.sum(0)).ravel() ** 0.75
    of_context *= matrix.sum() / of_context.sum()
    cells = matrix.tocoo()
    value = np.log(cells.data * matrix.sum() / (of_word[cells.row] * of_context[cells.col]))
    good = value > 0
    positive = sp.csr_matrix((value[good], (cells.row[good], cells.col[good])), shape=shape)
    left, weight, _ = svds(positive.astype("float32"), k=width, random_state=SEED)
    vectors = (left * np.sqrt(weight)).astype("float32")[2:]
    return words, vectors / vectors.std()


# --- the network -----------------------------------------------------------------------------------


class Alphabet:
    """Numbers for words, characters, relations and tags (UPOS with features)."""

    def __init__(self, sentences: Sequence[TreebankSentence], words: Sequence[str], vectors: Any) -> None:
        self.vectors = np.concatenate([np.zeros((3, vectors.shape[1]), "float32"), vectors])
        self.words = {word: i + 3 for i, word in enumerate(words)}
        characters = Counter(
            c for each in sentences for word in each.words for c in word.form.translate(_STRAIGHT)
        )
        self.characters = {c: i + 3 for i, (c, n) in enumerate(characters.most_common()) if n >= 5}
        self.relations = sorted({word.deprel for each in sentences for word in each.words})
        self.tags = sorted({f"{word.upos}|{word.feats}" for each in sentences for word in each.words})
        self._known: dict[str, tuple[int, list[int]]] = {}

    def word(self, form: str) -> tuple[int, list[int]]:
        """Number of the word, numbers of its characters between two marks of its ends."""
        if form not in self._known:
            plain = form.translate(_STRAIGHT)
            shown = plain if len(plain) <= 18 else plain[:8] + plain[-10:]
            spelling = [2, *(self.characters.get(c, 1) for c in shown), 2]
            self._known[form] = (self.words.get(plain.lower(), 1), spelling)
        return self._known[form]

    def tensors(self, sentences: Sequence[Sequence[str]]) -> tuple[Tensor, Tensor, Tensor]:
        """Words (B, T), characters of each different word (N, C), and which of these stands where (B, T)."""
        longest = max(map(len, sentences))
        words = torch.zeros(len(sentences), longest, dtype=torch.long)
        which = torch.zeros_like(words)
        types: dict[str, int] = {}
        spellings = [[2, 2]]
        for b, sentence in enumerate(sentences):
            for t, form in enumerate(sentence):
                number, spelling = self.word(form)
                if form not in types:
                    types[form] = len(spellings)
                    spellings.append(spelling)
                words[b, t], which[b, t] = number, types[form]
        characters = torch.zeros(len(spellings), max(map(len, spellings)), dtype=torch.long)
        for i, spelling in enumerate(spellings):
            characters[i, : len(spelling)] = torch.tensor(spelling)
        return words, characters, which


class Teacher(nn.Module):
    """Scores of tags, heads and relations of a batch of sentences of about one length."""

    def __init__(
        self, alphabet: Alphabet, hidden: int = 208, arc: int = 256, label: int = 64, drop: float = 0.25
    ) -> None:
        super().__init__()
        width = alphabet.vectors.shape[1]
        self.drop = drop
        self.counted = nn.Embedding.from_pretrained(torch.tensor(alphabet.vectors), freeze=True)
        self.learnt = nn.Embedding(len(alphabet.vectors), width)
        nn.init.zeros_(self.learnt.weight)
        self.character = nn.Embedding(len(alphabet.characters) + 3, 32, padding_idx=0)
        self.window = nn.Conv1d(32, 96, 3, padding=1)
        self.spelling = nn.Sequential(nn.Linear(96, width), nn.LayerNorm(width))
        self.root = nn.Parameter(torch.randn(2 * width) * 0.1)
        self.layers = nn.ModuleList(
            nn.LSTM(size, hidden, bidirectional=True, batch_first=True) for size in (2 * width, 2 * hidden)
        )
        self.tagger = nn.Linear(2 * hidden, len(alphabet.tags))
        self.arcs = nn.ModuleList(nn.Linear(2 * hidden, arc) for _ in "dh")
        self.labels = nn.ModuleList(nn.Linear(2 * hidden, label) for _ in "dh")
        self.attach = nn.Parameter(torch.randn(arc + 1, arc) * 0.3 / arc**0.5)
        self.relate = nn.Parameter(torch.randn(label + 1, len(alphabet.relations), label + 1) * 0.3 / label)

    def forward(self, words: Tensor, characters: Tensor, which: Tensor) -> tuple[Tensor, ...]:
        """Tags (B, T, tags), heads (B, T, T + 1; 0 is the root), and what ``relations`` needs."""
        batch, length = words.shape
        spelt = F.relu(self.window(self.character(characters).transpose(1, 2))).amax(2)
        spelt = self.spelling(spelt)[which]
        meant = self.counted(words) + self.learnt(words)
        if self.training:  # the whole word or its whole spelling away
            meant = meant * (torch.rand(batch, length, 1) > 0.25)
            spelt = spelt * (torch.rand(batch, length, 1) > 0.15)
        x = self._dropped(torch.cat([meant, spelt], 2), 0.1)
        x = torch.cat([self.root.expand(batch, 1, -1), x], 1)
        x = low = self._dropped(self.layers[0](x)[0], self.drop)
        x = self._dropped(self.layers[1](x)[0], self.drop)
        mind, head, mine, its = (
            self._dropped(F.leaky_relu(layer(x), 0.1), self.drop) for layer in (*self.arcs, *self.labels)
        )
        heads = _with_one(mind[:, 1:]) @ self.attach @ head.transpose(1, 2)
        return self.tagger(low[:, 1:]), heads, mine[:, 1:], its

    def relations(self, mine: Tensor, its: Tensor, heads: Tensor) -> Tensor:
        """Scores (B, T, relations) of the relation of each word to its given head."""
        a = _with_one(mine)
        b = _with_one(torch.gather(its, 1, heads.unsqueeze(2).expand(-1, -1, its.shape[2])))
        turned = (a @ self.relate.flatten(1)).view(*a.shape[:2], -1, b.shape[2])
        return (turned * b.unsqueeze(2)).sum(3)

    def _dropped(self, x: Tensor, rate: float) -> Tensor:
        """Dropout of whole columns of a sentence."""
        if not self.training:
            return x
        return x * (torch.rand(len(x), 1, x.shape[2]) > rate) / (1 - rate)


def _with_one(x: Tensor) -> Tensor:
    return torch.cat([x, x.new_ones(*x.shape[:2], 1)], 2)


# --- trees -----------------------------------------------------------------------------------------


def tree(scores: Any) -> Any:
    """Heads (n,) of the best tree with one root; ``scores`` (n, n + 1) are of words for heads, 0 the root.

    Where the best heads are no tree, the root is the word that scores best as one.
    """
    heads = scores.argmax(1)
    if (heads == 0).sum() == 1 and _cycle(np.concatenate([[0], heads])) is None:
        return heads
    square = np.full((len(scores) + 1,) * 2, -1e9)
    square[1:] = scores
    root = scores[:, 0].argmax() + 1
    square[1:, 0] = -1e6
    square[root, 0] = scores[root - 1, 0]
    return _arborescence(square)[1:]


def _cycle(heads: Any) -> list[int] | None:
    """One cycle of the graph, if it has any; node 0 is the root."""
    state = [2] + [0] * (len(heads) - 1)
    for i in range(1, len(heads)):
        path = []
        while state[i] == 0:
            state[i] = 1
            path.append(i)
            i = int(heads[i])
        if state[i] == 1:
            return path[path.index(i) :]
        for node in path:
            state[node] = 2
    return None


def _arborescence(scores: Any) -> Any:
    """Heads of the best tree below node 0 (Chu, Liu, Edmonds); ``scores`` (n, n) are of nodes for heads."""
    scores = scores.copy()
    np.fill_diagonal(scores, -1e9)
    scores[0] = -1e9
    heads = scores.argmax(1)
    heads[0] = 0
    found = _cycle(heads)
    if found is None:
        return heads
    cycle = np.array(found)
    rest = np.setdiff1d(np.arange(len(scores)), cycle)
    m = len(rest)
    smaller = np.full((m + 1, m + 1), -1e9)
    smaller[:m, :m] = scores[np.ix_(rest, rest)]
    gain = scores[np.ix_(cycle, rest)] - scores[cycle, heads[cycle]][:, None]
    smaller[m, :m] = gain.max(0)
    down = scores[np.ix_(rest, cycle)]
    smaller[:m, m] = down.max(1)
    chosen = _arborescence(smaller)
    for i, node in enumerate(rest):
        if node:
            heads[node] = cycle[down[i].argmax()] if chosen[i] == m else rest[chosen[i]]
    entered = cycle[gain[:, chosen[m]].argmax()]
    heads[entered] = rest[chosen[m]]
    return heads


# --- training and parsing --------------------------------------------------------------------------


def batches(lengths: Sequence[int], size: int, rng: random.Random) -> list[list[int]]:
    """Indices in batches of like length and at most ``size`` words, the batches in any order."""
    done: list[list[int]] = []
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: (lengths[i], rng.random())):
        full = (lengths[i] + 1) * (len(batch) + 1) > size
        if batch and (full or lengths[i] > lengths[batch[0]] * 1.15 + 1):
            done.append(batch)
            batch = []
        batch.append(i)
    if batch:
        done.append(batch)
    rng.shuffle(done)
    return done


def train(alphabet: Alphabet, corpus: Sequence[TreebankSentence], steps: int) -> Teacher:
    """The teacher after ``steps`` batches, the learning rate falling to nothing."""
    torch.manual_seed(SEED)
    rng = random.Random(SEED)
    model = Teacher(alphabet)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, betas=(0.9, 0.95), weight_decay=1e-4)
    step = 0
    while step < steps:
        sentences = [augmented(each, rng) for each in corpus if len(each.words) <= 100]
        for batch in batches([len(each.words) for each in sentences], BATCH_WORDS, rng):
            if step == steps:
                break
            for group in optimizer.param_groups:
                group["lr"] = 2.5e-3 * min(1, (step + 1) / 150) * max(0.02, 1 - step / steps)
            optimizer.zero_grad()
            _loss(model, alphabet, [sentences[i] for i in batch]).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            step += 1
        print(f"{step} of {steps} steps", file=sys.stderr, flush=True)
    model.eval()
    return model


def _loss(model: Teacher, alphabet: Alphabet, sentences: Sequence[TreebankSentence]) -> Tensor:
    relation = {name: i for i, name in enumerate(alphabet.relations)}
    tag = {name: i for i, name in enumerate(alphabet.tags)}
    longest = max(len(each.words) for each in sentences)
    gold = torch.full((3, len(sentences), longest), -1)  # heads, relations, tags; -1 where no word is
    for b, each in enumerate(sentences):
        columns = [
            [0 if word.head == t else word.head + 1 for t, word in enumerate(each.words)],
            [relation[word.deprel] for word in each.words],
            [tag[f"{word.upos}|{word.feats}"] for word in each.words],
        ]
        gold[:, b, : len(each.words)] = torch.tensor(columns)
    tags, heads, mine, its = model(*alphabet.tensors([[word.form for word in s.words] for s in sentences]))
    beyond = torch.arange(longest + 1)[None] > torch.tensor([[len(each.words)] for each in sentences])
    heads = heads.masked_fill(beyond[:, None], -1e4)
    relations = model.relations(mine, its, gold[0].clamp(min=0))
    parts = [
        F.cross_entropy(scores.flatten(0, 1), wanted.flatten(), ignore_index=-1)
        for scores, wanted in zip((heads, relations, tags), gold, strict=True)
    ]
    return parts[0] + parts[1] + 0.5 * parts[2]


Parsed = tuple[int, list[int], list[str], list[str], float]


def parse(model: Teacher, alphabet: Alphabet, sentences: Sequence[Sequence[str]]) -> Iterator[Parsed]:
    """In any order: index, heads (0 the root), relations, tags, mean log probability of head and relation."""
    with torch.inference_mode():
        for batch in batches([len(each) for each in sentences], 3500, random.Random(SEED)):
            tags, scores, mine, its = model(*alphabet.tensors([sentences[i] for i in batch]))
            heads = torch.zeros(scores.shape[:2], dtype=torch.long)
            for b, i in enumerate(batch):
                n = len(sentences[i])
                scores[b, :, n + 1 :] = -1e9
                scores[b] = scores[b].log_softmax(1)
                heads[b, :n] = torch.from_numpy(tree(scores[b, :n, : n + 1].numpy()).astype("int64"))
            sure, relations = model.relations(mine, its, heads).log_softmax(2).max(2)
            sure = sure + torch.gather(scores, 2, heads.unsqueeze(2)).squeeze(2)
            best = tags.argmax(2)
            for b, i in enumerate(batch):
                n = len(sentences[i])
                yield (
                    i,
                    heads[b, :n].tolist(),
                    [alphabet.relations[r] for r in relations[b, :n].tolist()],
                    [alphabet.tags[t] for t in best[b, :n].tolist()],
                    float(sure[b, :n].mean()),
                )


def as_conllu(raw: Raw, parsed: Parsed) -> str:
    """The sentence with its tree as CoNLL-U, without lemmas."""
    words, spaces = raw
    index, heads, relations, tags, _ = parsed
    lines = [f"# sent_id = {index}"]
    for k, word in enumerate(words):
        upos, _, feats = tags[k].partition("|")
        misc = "_" if spaces[k] else "SpaceAfter=No"
        lines.append(
            f"{k + 1}\t{word}\t_\t{upos}\t_\t{feats or '_'}\t{heads[k]}\t{relations[k]}\t_\t{misc}"
        )
    return "\n".join(lines)


def accuracy(
    model: Teacher, alphabet: Alphabet, sentences: Sequence[TreebankSentence]
) -> tuple[float, float]:
    """UAS and LAS on gold tokens without punctuation."""
    attached = labelled = total = 0
    for i, heads, relations, *_ in parse(model, alphabet, [[w.form for w in s.words] for s in sentences]):
        for k, word in enumerate(sentences[i].words):
            if word.upos != "PUNCT":
                right = heads[k] == (0 if word.head == k else word.head + 1)
                total += 1
                attached += right
                labelled += right and relations[k] == word.deprel
    return attached / total, labelled / total


def main() -> None:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--treebank", type=Path, required=True, help="folder of the .conllu files")
    parser.add_argument("--text", type=Path, required=True, help="JSON lines with a text each")
    parser.add_argument("--out", type=Path, required=True, help="CoNLL-U file to write")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--keep", type=float, default=0.9, help="share of sentences kept, the surest")
    options = parser.parse_args()
    torch.set_num_threads(1)
    try:
        corpus = read_treebank(options.treebank, TRAIN_FILES)
        dev = {stem: read_treebank(options.treebank, [stem]) for stem in DEV_FILES}
        raw = read_raw(options.text)
    except StanceError as error:
        raise SystemExit(f"Error: {error}") from None
    words, vectors = word_vectors([*(each for each, _ in raw), *([w.form for w in s.words] for s in corpus)])
    alphabet = Alphabet(corpus, words, vectors)
    model = train(alphabet, corpus, options.steps)
    for stem, sentences in dev.items():
        uas, las = accuracy(model, alphabet, sentences)
        print(f"{stem}: UAS {100 * uas:.2f}, LAS {100 * las:.2f}")
    parsed = sorted(parse(model, alphabet, [each for each, _ in raw]), key=lambda found: -found[4])
    kept = sorted(parsed[: round(options.keep * len(parsed))])
    options.out.write_text("\n\n".join(as_conllu(raw[found[0]], found) for found in kept) + "\n", "utf-8")
    print(f"{len(kept)} of {len(raw)} sentences written")


if __name__ == "__main__":
    main()
