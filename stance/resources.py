"""Where rules, models and seeds lie: inside an installed package, or beside the package in a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from stance.errors import StanceError

ResourceName = Literal["rules", "models", "seeds"]


def resource(name: ResourceName) -> Path:
    """The folder `name`; a `StanceError` if it is in neither place."""
    package = Path(__file__).resolve().parent
    for folder in (package / "_data" / name, package.parent / name):
        if folder.is_dir():
            return folder
    raise StanceError(
        f"{package}: the folder '{name}' is neither in the package nor beside it; install stance again"
    )


def default_rules() -> Path:
    """The folder of the shipped rulebook."""
    return resource("rules")
