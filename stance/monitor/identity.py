"""Which items are the same: by guid, by link and by their words. And making them safe to keep."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from stance.monitor.sketch import digest
from stance.sinks.inert import harmless, visible
from stance.sources.encoding import without_surrogates
from stance.sources.markup import Entry

MAX_TEXT: Final = 400_000  # characters of one item: more than any article, a minute of work
_TRACKING: Final = re.compile(
    r"(?:utm_|at_|ns_|mc_)\w*|fbclid|gclid|dclid|msclkid|xtor|cmp|cmpid|ocid|smid|icid", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An item of a feed with what it is known by; its texts are safe to show and to store."""

    guid: str | None
    address: str | None
    digest: str
    name: str
    text: str
    meta: Mapping[str, str]


def candidates(feed: str, entries: Sequence[Entry]) -> list[Candidate]:
    """The items of one download in its order.

    A guid or link that several different items of the download share says nothing and is left out.
    """
    digests = [digest(safe_text(entry.text)) for entry in entries]
    addresses = [address(entry.meta.get("link")) for entry in entries]
    guids = [_guid(entry) for entry in entries]
    shared_guids = _shared(zip(guids, digests, strict=True))
    shared_addresses = _shared(zip(addresses, digests, strict=True))
    found = []
    for entry, guid, link, words in zip(entries, guids, addresses, digests, strict=True):
        meta = {name: visible(without_surrogates(value)) for name, value in entry.meta.items()}
        found.append(
            Candidate(
                guid=None if guid in shared_guids else guid,
                address=None if link in shared_addresses else link,
                digest=words,
                name=meta.get("link") or guid or f"{feed}#{words[:12]}",
                text=safe_text(entry.text),
                meta=meta,
            )
        )
    return found


def safe_text(text: str) -> str:
    """`text` without what could act on a terminal or be refused by the store; every offset stays."""
    return harmless(without_surrogates(text))[:MAX_TEXT]


def address(link: str | None) -> str | None:
    """A link without what only says how it was found; None where it names no page of its own."""
    if not link:
        return None
    try:
        parts = urlsplit(visible(without_surrogates(link)))
        host = (parts.hostname or "").lower()
        port = f":{parts.port}" if parts.port not in (None, 80, 443) else ""
    except ValueError:
        return None
    given = parse_qsl(parts.query, keep_blank_values=True)
    kept = [(name, value) for name, value in given if not _TRACKING.fullmatch(name)]
    query = parts.query if len(kept) == len(given) else urlencode(kept)
    if not host or (parts.path in ("", "/") and not query and not parts.fragment):
        return None
    fragment = "" if _TRACKING.match(parts.fragment) else parts.fragment  # a live blog's item is a fragment
    return urlunsplit(("https", host + port, parts.path or "/", query, fragment))


def _guid(entry: Entry) -> str | None:
    """The feed's id of an item; where the reader put a link to no page of its own in its place, None."""
    if entry.id is None or (entry.id == entry.meta.get("link") and address(entry.id) is None):
        return None
    return visible(without_surrogates(entry.id)) or None


def _shared(pairs: Iterable[tuple[str | None, str]]) -> set[Hashable]:
    """Keys that stand beside more than one digest."""
    beside: defaultdict[Hashable, set[str]] = defaultdict(set)
    for key, words in pairs:
        if key is not None:
            beside[key].add(words)
    return {key for key, words in beside.items() if len(words) > 1}
