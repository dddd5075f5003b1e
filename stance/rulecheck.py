"""Rules as tests of themselves: every example of every rule is run, as written and mirrored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from stance import segment
from stance.gather import Gathered, Gatherer
from stance.mirroring import Mirror
from stance.rulebook import Example, Fault, Rule, Rulebook
from stance.syntax import Parser
from stance.voice import Context


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found: examples run, faults, and known misses that have come right."""

    rules: int
    examples: int
    mirrored: int
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class _Case:
    rule: Rule
    example: Example
    text: str
    mirrored: bool


def check(rulebook: Rulebook, parser: Parser | None = None, *, only: str | None = None) -> Report:
    """Run the examples of all rules (of one rule with ``only``); those on trial included."""
    gatherer = Gatherer(rulebook, trial=True)
    parser = parser or Parser()
    rules = [rule for rule in rulebook.rules if only is None or rule.id == only]
    cases = list(_cases(rules, Mirror(rulebook, exact=True)))
    faults = [
        Fault(rule.path, rule.line, f"{rule.id}: uses {problem}, which the pipeline never sets; mend it")
        for rule in rules
        for problem in parser.unsupported(rule)
    ]
    for case, gathered in zip(cases, _gather(gatherer, parser, cases), strict=True):
        problem = _problem(case, gathered, rulebook)
        if case.example.xfail is not None and not case.mirrored:
            if problem is None:
                faults.append(_fault(case, "is marked xfail but comes right now; take the mark away"))
        elif problem is not None and case.example.xfail is None:
            faults.append(_fault(case, problem))
    return Report(len(rules), len(cases), sum(c.mirrored for c in cases), tuple(faults))


def _cases(rules: Sequence[Rule], mirror: Mirror) -> Iterator[_Case]:
    for rule in rules:
        for example in rule.examples:
            yield _Case(rule, example, example.text, False)
            if example.fires and rule.effect == "frame" and rule.side in ("X", "other(X)"):
                swapped = mirror(example.text)
                if swapped.changed:
                    yield _Case(rule, example, swapped.text, True)


def _gather(gatherer: Gatherer, parser: Parser, cases: Sequence[_Case]) -> Iterator[Gathered]:
    """Evidence for each case; tree rules of voice and scope get their tree also without a frame."""
    seen = [gatherer.surface(segment.sentence(case.text), Context()) for case in cases]
    whole = [c.rule.kind == "dependency" and c.rule.effect in ("voice", "cancel") for c in cases]
    wanted = [i for i, s in enumerate(seen) if s.wants_tree or whole[i]]
    trees = dict(zip(wanted, parser.parse([cases[i].text for i in wanted]), strict=True))
    for i, s in enumerate(seen):
        yield gatherer.complete(s, trees.get(i), whole=whole[i])


def _problem(case: _Case, gathered: Gathered, rulebook: Rulebook) -> str | None:
    places = list(_places(case.rule, gathered))
    if not case.example.fires:
        return "fires, but must be silent; make the phrase narrower or add 'unless'" if places else None
    if not places:
        return "does not fire; widen the rule or mend the example"
    marks = () if case.mirrored else case.example.marks
    fitting = [p for p in places if not marks or any(p[0] < end and start < p[1] for start, end in marks)]
    if not fitting:
        found = ", ".join(f"“{case.text[a:b]}”" for a, b, *_ in places)
        return f"fires at {found}, not at the marked words; mark what decides"
    return _wrong_answer(case, fitting, rulebook)


def _wrong_answer(
    case: _Case, places: Iterable[tuple[int, int, str | None, str | None, str | None]], rulebook: Rulebook
) -> str | None:
    example = case.example
    side = example.side
    if side is not None and case.mirrored:
        side = rulebook.other(side)
    found = list(places)
    if side is not None:
        found = [p for p in found if p[2] == side] or found
        if found[0][2] != side:
            return f"fires for side {found[0][2]}, the example says {side}"
    if example.voice is not None and not any(p[3] == example.voice for p in found):
        return f"fires with voice {found[0][3]}, the example says {example.voice}"
    if (
        example.speaker is not None
        and not case.mirrored
        and not any(example.speaker in (p[4] or "") for p in found)
    ):
        return f"names the speaker {found[0][4]!r}, the example says {example.speaker!r}"
    return None


def _places(rule: Rule, gathered: Gathered) -> Iterator[tuple[int, int, str | None, str | None, str | None]]:
    """Start, end, side, voice and speaker of every place where the rule counts."""
    if rule.effect in ("frame", "opinion"):
        for piece in gathered.evidence:
            if piece.rule == rule.id and (piece.counted or rule.effect == "opinion"):
                name = None if piece.speaker is None else piece.speaker.text
                yield piece.start, piece.end, piece.side, piece.voice.value, name
    elif rule.effect == "voice":
        for scope in gathered.voices.scopes:
            if scope.rule == rule.id:
                yield scope.start, scope.end, None, scope.voice.value, scope.speaker.text
    else:
        for start, end in gathered.cancelled(rule.id):
            yield start, end, None, None, None


def _fault(case: _Case, problem: str) -> Fault:
    what = "mirrored example" if case.mirrored else "example"
    return Fault(case.rule.path, case.example.line, f"{case.rule.id}: {what} “{case.text}” {problem}")
