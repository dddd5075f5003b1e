"""The report: one self-contained HTML file from records ``stance/1``, wherever they were kept.

``data`` gathers records into a frozen shape, ``figures`` counts, ``pack`` embeds the sentences for the
page's own script, ``page`` is the only door to the template library. Nothing here labels anything.
"""

from __future__ import annotations
