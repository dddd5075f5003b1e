"""Settings: ``stance.toml``, environment variables and the command line, which wins.

``stance.toml`` is looked for in the current folder, then in the user's configuration folder; the first
one found holds. Keys at its top hold for every command, a table ``[classify]`` for that command only:

    engine = "hybrid"
    overlay = "our-rules"        # paths count from the folder of the file

    [classify]
    policy = "own"

An environment variable is STANCE_ and the option's name, as in STANCE_ENGINE or STANCE_ANY_LANGUAGE.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from stance.errors import StanceError

FILE_NAME: Final = "stance.toml"
# What may stand at the top of the file, because more than one command knows it.
SHARED: Final = (
    "allow_private",
    "any_language",
    "color",
    "engine",
    "model",
    "overlay",
    "policy",
    "progress",
    "rules",
    "store",
    "timeout",
    "width",
)
# What no file may say: whoever runs a scheduler runs code in the processes that talk to it.
COMMAND_LINE_ONLY: Final = frozenset({"scheduler"})


@dataclass(frozen=True, slots=True)
class Settings:
    """What one ``stance.toml`` says; `path` is None where there is none."""

    path: Path | None = None
    shared: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, Any] = field(default_factory=dict)

    def of(self, command: Sequence[str], known: Collection[str]) -> dict[str, Any]:
        """The settings of a command (``("rules", "check")``), its own table over the shared keys.

        Raises:
            StanceError: its table holds a key that the command does not know, or that no file may hold.
        """
        table: Any = self.tables
        for word in command:
            table = table.get(word, {})
            if not isinstance(table, dict):
                raise StanceError(f"{self.path}: '{word}' is a command; write its settings under [{word}]")
        own = {key.replace("-", "_"): value for key, value in table.items() if not isinstance(value, dict)}
        for key in own:
            if key in COMMAND_LINE_ONLY and key in known:
                raise StanceError(f"{self.path}: '{key}' is no setting for a file; give it as --{key}")
            if key not in known:
                raise StanceError(
                    f"{self.path}: [{'.'.join(command)}] has no setting '{key}'{_suggestion(key, known)}"
                )
        return {key: value for key, value in {**self.shared, **own}.items() if key in known}

    def placed(self, value: str) -> str:
        """A path in the file, counted from the file's folder."""
        assert self.path is not None
        return str(self.path.parent / Path(value).expanduser())


def find(folder: Path, environ: Mapping[str, str]) -> Path | None:
    """The file that holds: STANCE_CONFIG, the current folder's, the user's, or none."""
    named = environ.get("STANCE_CONFIG")
    if named:
        return Path(named)
    base = environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    for path in (folder / FILE_NAME, Path(base) / "stance" / FILE_NAME):
        if path.is_file():
            return path
    return None


def read(path: Path | None, commands: Collection[str]) -> Settings:
    """The settings in `path`; `commands` are the tables that may stand in it.

    Raises:
        StanceError: the file cannot be read, is not TOML, or holds an unknown key or table.
    """
    if path is None:
        return Settings()
    import tomllib

    try:
        data = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as fault:
        raise StanceError(
            f"{path}: cannot be read ({fault.strerror}); name another with --config or STANCE_CONFIG"
        ) from None
    except UnicodeDecodeError as fault:
        raise StanceError(f"{path}: byte {fault.start} is not UTF-8; save the file as UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as fault:
        raise StanceError(f"{path}: not TOML ({fault}); mend that line") from None
    tables = {key: value for key, value in data.items() if key in commands}
    shared = {key.replace("-", "_"): value for key, value in data.items() if key not in commands}
    for key in shared:
        if key not in SHARED:
            near = _suggestion(key, [*SHARED, *commands])
            raise StanceError(
                f"{path}: '{key}' is no setting for every command{near}; "
                "settings of one command stand in its table"
            )
    return Settings(path, shared, tables)


def _suggestion(key: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(key, list(known), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""
