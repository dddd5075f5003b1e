"""``stance rules``: read and check the rules."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from stance.cli import loading, options
from stance.cli.root import LazyGroup, StanceCommand, complain
from stance.errors import StanceError
from stance.sinks.inert import one_line, visible

if TYPE_CHECKING:
    from stance.rulebook import Example, Node, Rule, Rulebook
    from stance.rulestats import RuleStats

_COLUMNS = (
    "rule effect status side strength hits articles groups counted right precision overlap conflict "
    "author attributed quoted misses"
).split()


@click.group(
    cls=LazyGroup,
    examples=(
        "stance rules list --effect frame --side 'other(X)'",
        "stance rules show RULE-ID",
        "stance rules check --overlay our-rules",
        "stance rules stats labelled.jsonl more.jsonl --below",
    ),
)
def command() -> None:
    """Read and check the rules."""


@command.command(
    "list",
    cls=StanceCommand,
    examples=(
        "stance rules list",
        "stance rules list --effect voice",
        "stance rules list --family naming --format jsonl",
    ),
)
@click.option(
    "--effect", type=click.Choice(("frame", "opinion", "voice", "cancel")), help="Only this effect."
)
@click.option("--kind", type=click.Choice(("lexical", "dependency")), help="Only this kind.")
@click.option("--family", help="Only this family.")
@click.option("--side", help="Only this side, as the rule files write it.")
@click.option(
    "-f", "--format", "form", type=click.Choice(("text", "jsonl")), default="text", show_default=True
)
@options.rule_folder_options
def list_rules(
    effect: str | None,
    kind: str | None,
    family: str | None,
    side: str | None,
    form: str,
    rules: str | None,
    overlay: str | None,
) -> None:
    """One line a rule: id, what it does, and because of what."""
    book = loading.rulebook(rules, overlay)
    wanted = [
        rule
        for rule in book.rules
        if (effect is None or rule.effect == effect)
        and (kind is None or rule.kind == kind)
        and (family is None or rule.family == family)
        and (side is None or rule.side == side)
    ]
    if form == "jsonl":
        for rule in wanted:
            click.echo(json.dumps(_entry(rule), ensure_ascii=False))
        return
    width = max((len(rule.id) for rule in wanted), default=0)
    for rule in wanted:
        trial = " (trial)" if rule.status == "trial" else ""
        click.echo(one_line(f"{rule.id:<{width}}  {_does(rule):<28}  {rule.because}{trial}"))
    complain(f"{len(wanted)} of {len(book.rules)} rules, digest {book.digest}")


@command.command(
    "show", cls=StanceCommand, examples=("stance rules list --family naming", "stance rules show RULE-ID")
)
@click.argument("rule_id", metavar="ID")
@options.rule_folder_options
def show(rule_id: str, rules: str | None, overlay: str | None) -> None:
    """Everything about the rule ID: what it matches, why, and the examples that test it."""
    book = loading.rulebook(rules, overlay)
    for line in _page(_found(book, rule_id), rules, overlay):
        click.echo(visible(line))


@command.command("schema", cls=StanceCommand, examples=("stance rules schema > rule.json",))
def schema() -> None:
    """Print the JSON Schema of a rule file, for editors."""
    from stance.ruleshapes import rule_schema

    click.echo(json.dumps(rule_schema(), indent=1, ensure_ascii=False))


@command.command(
    "check",
    cls=StanceCommand,
    short_help="Run every rule's examples, as written and with the sides swapped.",
    examples=("stance rules check", "stance rules check RULE-ID", "stance rules check --overlay our-rules"),
)
@click.argument("rule_id", required=False, metavar="[ID]")
@options.rule_folder_options
def check(rule_id: str | None, rules: str | None, overlay: str | None) -> int:
    """Run every rule's examples, as written and with the sides swapped; exit code 1 if one fails.

    Then look for what is no fault but probably not meant (duplicate phrases, unused lists, names without a
    partner in the mirror); these notes do not change the exit code.
    """
    from stance.rulecheck import check as run
    from stance.rulelint import lint

    book = loading.rulebook(rules, overlay)
    if rule_id is not None:
        _found(book, rule_id)
    report = run(book, only=rule_id)
    for fault in report.faults:
        complain(f"{_place(fault.path, rules, overlay)}:{fault.line}: {fault.message}")
    notes = lint(book) if rule_id is None else []
    for note in notes:
        complain(f"note: {_place(note.path, rules, overlay)}:{note.line}: {note.message}")
    click.echo(
        f"{report.rules} rules, {report.examples} examples, {report.mirrored} of them mirrored: "
        f"{len(report.faults)} faults, {len(notes)} notes"
    )
    return 1 if report.faults else 0


@command.command(
    "stats",
    cls=StanceCommand,
    short_help="What each rule does on files of labelled sentences.",
    examples=(
        "stance rules stats labelled.jsonl",
        "stance rules stats labelled.jsonl more.jsonl --below",
        "stance rules stats labelled.jsonl --wrong RULE-ID",
        "stance rules stats labelled.jsonl --format csv > rules.csv",
    ),
)
@click.argument("corpora", metavar="CORPUS...", nargs=-1, required=True)
@click.option(
    "-f", "--format", "form", type=click.Choice(("table", "json", "csv")), default="table", show_default=True
)
@click.option("--below", is_flag=True, help="Only active rules that miss what an active rule owes.")
@click.option("--wrong", metavar="ID", help="The hits of this rule that the labels contradict.")
@click.option(
    "--sort",
    type=click.Choice(("id", "hits", "precision")),
    default="id",
    show_default=True,
    help="Most hits first, or the least precise first.",
)
@options.rule_folder_options
def stats(
    corpora: tuple[str, ...],
    form: str,
    below: bool,
    wrong: str | None,
    sort: str,
    rules: str | None,
    overlay: str | None,
) -> None:
    """What each rule does on CORPUS, one or more files of labelled sentences (JSONL, TSV or CSV).

    Hits, articles, groups of outlets; precision is the share of counted hits that the labels bear out.
    An active rule owes hits in 3 articles of 2 groups of outlets and a precision of 0.7, unless its words
    stand in the codebook or its mirror partner owes nothing (a pair stands or falls together).
    """
    from pathlib import Path

    from stance.gold import read
    from stance.rulestats import stats as run

    book = loading.rulebook(rules, overlay)
    chosen = None if wrong is None else _found(book, wrong)
    rows = run(book, [item for corpus in corpora for item in read(Path(corpus))])
    if chosen is not None:
        (row,) = (row for row in rows if row.rule.id == chosen.id)
        for item in row.wrong:
            marked = f"{item.text[: item.start]}[{item.text[item.start : item.end]}]{item.text[item.end :]}"
            click.echo(one_line(f"{item.id}  {item.gold}  {marked}"))
        complain(f"{len(row.wrong)} of {row.counted} counted hits of {chosen.id} are wrong")
        return
    missing = [row for row in rows if row.misses is not None]
    _print_stats(_sorted(missing if below else rows, sort), form)
    due = sum(row.rule.status == "active" and row.rule.effect in ("frame", "opinion") for row in rows)
    complain(f"{len(missing)} of {due} active rules of evidence miss what an active rule owes")


def _sorted(rows: Sequence[RuleStats], sort: str) -> list[RuleStats]:
    """Rules without a counted hit have no precision: they come last."""
    if sort == "hits":
        return sorted(rows, key=lambda row: (-row.hits, row.rule.id))
    if sort == "precision":
        return sorted(rows, key=lambda row: (row.precision is None, row.precision or 0.0, row.rule.id))
    return list(rows)


def _kind_of(rule: Rule) -> str:
    """The effect, with what makes a rule count less: a weak hint, or a trial."""
    marks = ["weak"] if rule.effect in ("frame", "opinion") and rule.strength == "weak" else []
    return " ".join([rule.effect, *marks, *(["trial"] if rule.status == "trial" else [])])


def _print_stats(rows: Sequence[RuleStats], form: str) -> None:
    entries = [row.to_dict() for row in rows]
    kinds = [_kind_of(row.rule) for row in rows]
    if form == "json":
        click.echo(json.dumps(entries, indent=1, ensure_ascii=False))
    elif form == "csv":
        import csv
        import io

        text = io.StringIO()
        writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(entries)
        click.echo(text.getvalue(), nl=False)
    else:
        width = max((len(entry["rule"]) for entry in entries), default=4)
        heads = "hits  art  grp  counted  prec  overlap  conflict  author/attr/quoted"
        broad = max((len(kind) for kind in kinds), default=6)
        click.echo(f"{'rule':<{width}}  {'effect':<{broad}}  {heads}")
        for entry, kind in zip(entries, kinds, strict=True):
            precision = "   –" if entry["precision"] is None else f"{entry['precision']:.2f}"
            voices = f"{entry['author']}/{entry['attributed']}/{entry['quoted']}"
            note = f"  below: {entry['misses']}" if entry["misses"] else ""
            click.echo(
                f"{entry['rule']:<{width}}  {kind:<{broad}}{entry['hits']:>6}{entry['articles']:>5}"
                f"{entry['groups']:>5}{entry['counted']:>9}  {precision}{entry['overlap']:>9}"
                f"{entry['conflict']:>10}  {voices}{note}"
            )


def _found(book: Rulebook, rule_id: str) -> Rule:
    import difflib

    for rule in book.rules:
        if rule.id == rule_id:
            return rule
    near = difflib.get_close_matches(rule_id, [rule.id for rule in book.rules], n=1)
    cure = f"did you mean '{near[0]}'?" if near else "`stance rules list` shows them all"
    raise StanceError(f"no rule has the id '{rule_id}'; {cure}")


def _does(rule: Rule) -> str:
    if rule.effect == "frame":
        return f"frame {rule.side} {rule.test} {rule.strength}"
    if rule.effect == "opinion":
        return f"opinion {rule.cue or ''} {rule.strength}"
    if rule.effect == "voice":
        return f"voice {rule.voice}"
    return f"cancel {' '.join(rule.cancels)}"


def _entry(rule: Rule) -> dict[str, Any]:
    names = (
        "id",
        "kind",
        "effect",
        "status",
        "family",
        "side",
        "test",
        "strength",
        "cue",
        "voice",
        "cancels",
    )
    entry = {name: getattr(rule, name) for name in names}
    return {**entry, "because": rule.because, "path": rule.path, "line": rule.line}


def _place(path: str, rules: str | None, overlay: str | None) -> str:
    """The path of a rule file as the user would write it."""
    for folder in (overlay, rules):
        if folder is not None and os.path.exists(os.path.join(folder, path)):
            return os.path.join(folder, path)
    return f"rules/{path}"


def _page(rule: Rule, rules: str | None, overlay: str | None) -> Iterator[str]:
    yield f"{rule.id}   {_place(rule.path, rules, overlay)}:{rule.line}"
    yield f"  {rule.kind} · {_does(rule)} · {rule.status}"
    yield f"  because   {rule.because}"
    if rule.rationale:
        yield f"  rationale {one_line(rule.rationale)}"
    for source in rule.sources:
        yield f"  source    {source}"
    if rule.effect == "voice":
        yield f"  covers    {rule.covers}, speaker {rule.speaker}"
    if rule.effect == "cancel":
        yield f"  reason    {rule.reason}, scope {rule.scope}"
    if rule.mirror_partner:
        yield f"  mirror    {rule.mirror_partner}"
    if rule.mirror_none:
        yield f"  mirror    none: {rule.mirror_none}"
    yield from _section("phrases", rule.phrases)
    for number, tree in enumerate(rule.trees, start=1):
        yield from _section(f"tree {number}", [_node(node) for node in tree])
    yield from _section("unless", [*rule.unless_phrases, *(_node(node) for node in rule.unless_nodes)])
    yield from _section("must fire", [_example(e) for e in rule.examples if e.fires])
    yield from _section("must stay silent", [_example(e) for e in rule.examples if not e.fires])


def _section(title: str, lines: Any) -> Iterator[str]:
    if lines:
        yield f"  {title}"
        yield from (f"    {line}" for line in lines)


def _node(node: Node) -> str:
    facts = [f"{node.name}:"]
    if node.parent:
        facts.append(" ".join(node.parent))
    for name in ("relation", "lemma", "form", "upos", "actor"):
        values = getattr(node, name)
        if values:
            facts.append(f"{name} {'|'.join(values)}")
    for name in ("list", "side", "before", "after"):
        if getattr(node, name):
            facts.append(f"{name} {getattr(node, name)}")
    facts += [f"{key}={value}" for key, value in node.feats]
    facts += [name for name in ("party", "optional") if getattr(node, name)]
    return "  ".join(facts)


def _example(example: Example) -> str:
    from stance.sinks.text import cut

    text = "".join(piece for piece, _ in cut(example.text, 0, example.marks, brackets=True))
    answers = [value for value in (example.side, example.voice, example.speaker) if value]
    known = f"   known miss: {example.xfail}" if example.xfail else ""
    return text + (f"   → {', '.join(answers)}" if answers else "") + known
