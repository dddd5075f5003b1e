"""Made-up feed items for demonstrations: three invented outlets, two weeks, 500 items by default.

Nothing here is reporting. Outlets, quotations and events are invented; each outlet is given habits of its
own, so that a report has something to show. The same seed gives the same items.

    python benchmarks/made_up.py > items.jsonl
    stance classify items.jsonl --format jsonl -o results.jsonl
    stance report results.jsonl -o report.html
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

FIRST_DAY = datetime(2026, 3, 2, tzinfo=UTC)
OUTLETS = ("Harbour Courier", "Meridian Post", "Steppe Tribune")

SLOTS: Mapping[str, Sequence[str]] = {
    "town": (
        "Lysivka",
        "Novoselka",
        "Orikhiv",
        "Dvorichna",
        "Krynky",
        "Velyka Hora",
        "Pishchane",
        "Stara Balka",
    ),
    "what": (
        "a power substation",
        "a railway depot",
        "a grain store",
        "a school",
        "a bridge",
        "a fuel depot",
    ),
    "number": ("two", "three", "four", "seven", "eleven", "a dozen", "twenty"),
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "ukrainian": (
        "A Ukrainian minister",
        "The Ukrainian general staff",
        "A spokesman in Kyiv",
        "The mayor of Orikhiv",
    ),
    "russian": (
        "A Russian minister",
        "The Russian Defence Ministry",
        "A Kremlin spokesman",
        "A Russian general",
    ),
    "western": (
        "The German chancellor",
        "The US State Department",
        "A NATO spokesman",
        "The French president",
    ),
    "expert": (
        "the analyst Ruth Calder",
        "Jonas Weil, a historian",
        "the economist Mara Lindt",
        "an independent military observer",
    ),
    "matter": (
        "the ceasefire",
        "the grain corridor",
        "an exchange of prisoners",
        "the energy truce",
        "the next round of talks",
        "the sanctions",
    ),
    "place": ("Istanbul", "Geneva", "Abu Dhabi", "Vienna"),
}
REPORTS = (
    "Russian forces shelled {town} on {day}, wounding {number} people.",
    "Ukrainian drones struck {what} near {town} overnight.",
    "Air defence units shot down {number} drones over the region, the regional administration said.",
    "Delegations will meet in {place} on {day} to discuss {matter}.",
    "{ukrainian} said that talks on {matter} would resume on {day}.",
    "{russian} said that Moscow was ready to discuss {matter}.",
    "{western} announced a new package of air defence missiles on {day}.",
    "Repair crews restored electricity to {number} districts after the strike on {what}.",
    "The exchange rate moved little on {day}, and grain prices fell.",
    "The Ukrainian army lost control of two streets in {town}, military bloggers reported.",
    "Trains between {town} and the capital run again since {day}.",
    "Both sides confirmed that they had returned the bodies of soldiers.",
    "Parliament will vote on the budget on {day}.",
    "Rain is expected in the south until {day}.",
)
KYIV_OWN = (
    "The occupiers fled from {town} in panic.",
    "Russian terrorists destroyed {what} in {town}.",
    "Our defenders liberated {town} and pushed the enemy back.",
    "The aggressor state keeps on terrorising civilians in {town}.",
    "Russia's unprovoked war has driven {number} families out of {town}.",
    "The sham referendums at gunpoint changed nothing for the people of {town}.",
    "In the temporarily occupied territories the invaders hand out their passports by force.",
)
MOSCOW_OWN = (
    "The special military operation goes on according to plan near {town}.",
    "The Kyiv regime shelled its own people in {town} again.",
    "Ukrainian neo-Nazis hid behind civilians in {town}.",
    "The collective West wants war to the last Ukrainian.",
    "Russian troops liberated {town} from the militants of the Kyiv regime.",
    "NATO's expansion forced Russia to protect the people of Donbas.",
    "The puppet government in Kyiv takes its orders from Washington.",
)
KYIV_SAID = (
    '"The Russian occupiers will answer for every crime in {town}," {ukrainian} said.',
    "{ukrainian} said that Russia was waging a war of aggression and terror against civilians.",
    '"We will liberate every metre of our land from the invaders," {ukrainian} said.',
    "{western} called it an unprovoked and illegal war of aggression.",
)
MOSCOW_SAID = (
    '"The Kyiv regime does not want peace," {russian} said.',
    "{russian} said that NATO had provoked the conflict and was waging war to the last Ukrainian.",
    '"The goals of the special military operation will be achieved," {russian} said.',
    "{russian} said that neo-Nazis had seized power in Kyiv in the coup of 2014.",
)
OPINIONS = (
    "The offer on {matter} is likely to remain a gesture.",
    "It is doubtful whether {matter} will survive the month.",
    "The move looks like an attempt to win time before the talks in {place}.",
    "This would mark a turning point for {matter}.",
    "Both governments should stop using {matter} as a lever.",
)
EXPERT_OPINIONS = (
    "According to {expert}, {matter} is unlikely to hold for more than a few weeks.",
    '"Neither side can afford to lose {matter}," said {expert}.',
    "The step is aimed at the voters at home, {expert} said.",
)
TITLES = (
    "Talks on {matter} to resume in {place}",
    "{town}: {number} wounded after strikes",
    "What we know about {matter}",
    "Drones hit {what} near {town}",
    "{place} prepares for the delegations",
    "Power returns to {town}",
)
ARTICLE = " ".join(
    """Delegations from both sides left Geneva on Friday without naming a date for the next round.
¶ "We came for an exchange of prisoners and we leave with a list of names," a Ukrainian deputy minister said.
A Kremlin spokesman said that NATO had provoked the conflict and was waging war to the last Ukrainian.
¶ In the temporarily occupied territories, the invaders keep handing out passports by force.
Repair crews restored electricity to three districts of Orikhiv overnight.
¶ "The Kyiv regime does not want peace," the Russian Defence Ministry said.
The energy truce is unlikely to survive the winter, said Ruth Calder, an analyst at an institute in Vienna.
¶ Kyiv denied that it had broken the truce. Trains to the south run again since Monday.""".split()
).replace(" ¶ ", "\n\n")
# How often an outlet writes a sentence of each kind.
HABITS: Mapping[str, Sequence[tuple[Sequence[str], float]]] = {
    "Harbour Courier": (
        (REPORTS, 0.70), (KYIV_SAID, 0.07), (MOSCOW_SAID, 0.07), (OPINIONS, 0.04), (EXPERT_OPINIONS, 0.10),
        (KYIV_OWN, 0.012), (MOSCOW_OWN, 0.008),
    ),
    "Meridian Post": (
        (REPORTS, 0.52), (KYIV_SAID, 0.03), (MOSCOW_SAID, 0.15), (OPINIONS, 0.08), (EXPERT_OPINIONS, 0.04),
        (KYIV_OWN, 0.01), (MOSCOW_OWN, 0.17),
    ),
    "Steppe Tribune": (
        (REPORTS, 0.56), (KYIV_SAID, 0.13), (MOSCOW_SAID, 0.03), (OPINIONS, 0.09), (EXPERT_OPINIONS, 0.05),
        (KYIV_OWN, 0.13), (MOSCOW_OWN, 0.01),
    ),
}  # fmt: skip


def items(number: int = 500, days: int = 14, seed: int = 7) -> Iterator[dict[str, Any]]:
    """Feed items as rows that `stance classify` reads: id, title, outlet, time, link, text."""
    chance = random.Random(seed)
    for position in range(number):
        outlet = chance.choices(OUTLETS, weights=(5, 3, 4))[0]
        moment = FIRST_DAY + timedelta(days=position * days // number, seconds=chance.randrange(86400))
        name = outlet.lower().replace(" ", "-")
        kinds, weights = zip(*HABITS[outlet], strict=True)
        chosen = chance.choices(kinds, weights=weights, k=chance.randint(3, 8))
        sentences = [_filled(chance.choice(kind), chance) for kind in chosen]
        middle = len(sentences) // 2
        yield {
            "id": f"{name}-{position:04d}",
            "title": _filled(chance.choice(TITLES), chance),
            "outlet": outlet,
            "time": moment.isoformat(),
            "link": f"https://{name}.example/{position:04d}",
            "text": " ".join(sentences[:middle]) + "\n\n" + " ".join(sentences[middle:]),
        }


def _filled(template: str, chance: random.Random) -> str:
    text = template.format_map({name: chance.choice(values) for name, values in SLOTS.items()})
    return text[:1].upper() + text[1:]


def main() -> None:
    options = argparse.ArgumentParser(description="Made-up feed items as JSONL.")
    options.add_argument("--items", type=int, default=500)
    options.add_argument("--days", type=int, default=14)
    options.add_argument("--seed", type=int, default=7)
    given = options.parse_args()
    for item in items(given.items, given.days, given.seed):
        sys.stdout.write(json.dumps(item, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
