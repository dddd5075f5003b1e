"""A person's decisions about sentences: which to show, what was decided, and how far two readings agree.

``cases`` chooses and draws, ``journal`` keeps (nothing is ever overwritten), ``session`` asks, sentence by
sentence, ``agreement`` compares. The terminal itself is in ``stance.cli.review``.
"""

from __future__ import annotations
