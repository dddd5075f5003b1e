"""What the fuzzer starts from, and everything that it ever found, goes through without a fault."""

from __future__ import annotations

import random
from base64 import b64decode

import pytest
from fuzz.targets import TARGETS, as_text, rulebook_of, seeds

OWN = ("splitter", "quotation", "rules", "model", "readers")
# Target and input of every fault that the fuzzer found, with what was wrong.
FOUND = [
    pytest.param("splitter", "AGBhYmNkZWZnaJeba2xtbnB0cW9yc3V2dw==", id="quotation goes on into no words"),
    pytest.param("splitter", "AVdMwqtoIHLigJ4yMCBwTm8uIDUgcFBnZDs=", id="an inner one outlasts the outer"),
    pytest.param("readers", "BGxlCjEsIkEgIiKjYiIiLCBjLi0sZAoyLCwKMyx4LHksego=", id="UTF-16 by name, no mark"),
]


@pytest.mark.parametrize("name", OWN)
def test_the_seeds_of_the_fuzzer_hold(name: str) -> None:
    found = list(seeds(name))
    assert len(found) >= 4
    for data in found:
        TARGETS[name](data)


def test_rules_are_fuzzed_from_files_of_every_kind_that_load() -> None:
    loading = [data for data in seeds("rules") if rulebook_of(data)]
    assert {data[0] & 0x1F for data in loading} == set(range(8))


@pytest.mark.parametrize("name", OWN)
def test_mutated_seeds_hold(name: str) -> None:
    chance = random.Random(11)
    bodies = list(seeds(name))
    for _ in range(150):
        data = bytearray(chance.choice(bodies)[:300])
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(len(data) + 1)
            data[at : at + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
        TARGETS[name](bytes(data))


@pytest.mark.parametrize(("name", "data"), FOUND)
def test_what_the_fuzzer_found_stays_mended(name: str, data: str) -> None:
    TARGETS[name](b64decode(data))


def test_bytes_become_text_rich_in_marks() -> None:
    assert as_text(b"\x00\x02") == "“"
    assert as_text(b"\x01\xff") == "\udcff"
