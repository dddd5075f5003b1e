"""Answers for raw news by a larger model, for the words of the small one to learn from.

    python models/teacher.py --encoder DIR --data READ.jsonl --text MORE.jsonl.gz --out taught.jsonl.gz

DIR holds a small English sentence encoder (configuration, tokenizer and weights as the library transformers
reads them; MiniLM, Wang et al. 2020, was used); nothing is downloaded. It is fine-tuned on the labelled
sentences of READ and then answers for every line of MORE, a JSON object with "article" and "text". The
result, a line of JSON for each sentence with the shares of its answers, goes to ``stance train --taught``
(knowledge distillation, Hinton et al. 2015). Needs torch and transformers; on one core ten minutes for
3,100 labelled sentences and as long for 128,000 raw ones. The teacher itself is not shipped: labels need no
transformer. Do not let it read sentences on which figures are measured.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer

from stance import gold, rulebook
from stance.labels import NO_FRAME

EPOCHS, BATCH, LONGEST, SEED = 4, 16, 96, 0
BODY_RATE, HEAD_RATE = 7e-5, 1e-3
OPINION_SHARE = 0.7  # of the frame's loss


class Teacher(nn.Module):
    """An encoder with one head for both questions: three logits for the frame, two for opinion."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.encoder = AutoModel.from_pretrained(folder)
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(2 * self.encoder.config.hidden_size, 5)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        held = mask.unsqueeze(-1).to(states.dtype)
        mean = (states * held).sum(1) / held.sum(1)
        top = states.masked_fill(held == 0, -1e4).max(1).values
        return self.head(self.dropout(torch.cat([mean, top], 1)))


def encoded(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    return [tokenizer(text, truncation=True, max_length=LONGEST)["input_ids"] for text in texts]


def batches(ids: Sequence[Sequence[int]], size: int, draw: random.Random | None) -> Iterator[list[int]]:
    """Rows in batches of like length; shuffled in stretches of twenty batches where lots are drawn."""
    rows = list(range(len(ids)))
    if draw is None:
        rows.sort(key=lambda i: len(ids[i]))
        yield from (rows[start : start + size] for start in range(0, len(rows), size))
        return
    draw.shuffle(rows)
    cut = []
    for start in range(0, len(rows), size * 20):
        stretch = sorted(rows[start : start + size * 20], key=lambda i: len(ids[i]))
        cut += [stretch[k : k + size] for k in range(0, len(stretch), size)]
    draw.shuffle(cut)
    yield from cut


def padded(ids: Sequence[Sequence[int]], rows: Sequence[int]) -> tuple[Tensor, Tensor]:
    width = max(len(ids[i]) for i in rows)
    found = torch.tensor([[*ids[i], *[0] * (width - len(ids[i]))] for i in rows])
    return found, (found != 0).long()


def fit(teacher: Teacher, ids: Sequence[Sequence[int]], frames: Tensor, opinions: Tensor) -> None:
    """Fine-tune on labelled sentences; the layer of word pieces stays as it is."""
    for parameter in teacher.encoder.embeddings.parameters():
        parameter.requires_grad = False
    body = [p for p in teacher.encoder.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        [{"params": body, "lr": BODY_RATE}, {"params": teacher.head.parameters(), "lr": HEAD_RATE}],
        weight_decay=0.01,
    )
    steps = EPOCHS * -(-len(ids) // BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / (0.1 * steps)) * max(0.02, 1 - step / steps)
    )
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.05)
    draw = random.Random(SEED)
    teacher.train()
    for epoch in range(EPOCHS):
        total, count = 0.0, 0
        for rows in batches(ids, BATCH, draw):
            logits = teacher(*padded(ids, rows))
            loss = loss_of(logits[:, :3], frames[rows]) + OPINION_SHARE * loss_of(
                logits[:, 3:], opinions[rows]
            )
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(teacher.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total, count = total + loss.item(), count + 1
        print(f"epoch {epoch + 1}/{EPOCHS}: loss {total / count:.3f}", file=sys.stderr, flush=True)


def answers(teacher: Teacher, ids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Shares of the frames (sentences, 3) and of an opinion (sentences,)."""
    teacher.eval()
    logits = torch.zeros(len(ids), 5)
    with torch.inference_mode():
        for rows in batches(ids, 32, None):
            logits[rows] = teacher(*padded(ids, rows))
    return logits[:, :3].softmax(1), logits[:, 3:].softmax(1)[:, 1]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("--encoder", type=Path, required=True, metavar="DIR")
    options.add_argument("--data", type=Path, action="append", required=True, metavar="FILE")
    options.add_argument("--text", type=Path, required=True, metavar="FILE")
    options.add_argument("--out", type=Path, required=True, metavar="FILE")
    given = options.parse_args()

    torch.manual_seed(SEED)
    tokenizer = AutoTokenizer.from_pretrained(given.encoder)
    teacher = Teacher(given.encoder)
    names = [NO_FRAME, *(side.id for side in rulebook.load().sides)]
    labelled = [item for path in given.data for item in gold.read(path)]
    frames = torch.tensor([names.index(item.frame or NO_FRAME) for item in labelled])
    opinions = torch.tensor([int(bool(item.opinion)) for item in labelled])
    fit(teacher, encoded(tokenizer, [item.text for item in labelled]), frames, opinions)

    data = gzip.decompress(given.text.read_bytes()) if given.text.suffix == ".gz" else given.text.read_bytes()
    raw = [json.loads(line) for line in data.splitlines()]
    shares, opinion = answers(teacher, encoded(tokenizer, [row["text"] for row in raw]))
    with open(given.out, "wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as out:
        for row, share, opined in zip(raw, shares.tolist(), opinion.tolist(), strict=True):
            one, two = (round(value, 4) for value in share[1:])
            line = {
                "article": row.get("article"),
                "text": row["text"],
                "frames": dict(zip(names, (round(1 - one - two, 4), one, two), strict=True)),
                "opinion": round(opined, 4),
            }
            out.write((json.dumps(line, ensure_ascii=False) + "\n").encode())


if __name__ == "__main__":
    main()
