"""One error family: every message is a sentence that names the place and the cure."""

from __future__ import annotations


class StanceError(Exception):
    """Something a user can mend: the message says where it is and what to do about it."""
