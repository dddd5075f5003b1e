"""The shapes of all rule files as pydantic models, their faults as sentences, and the JSON Schema.

Shapes say which keys there are and what kind of value each takes. What one file says about another
(sides, lists, partners) is checked in `stance.rulefiles`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Final, Literal, TypeVar, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from stance.rulebook import suggest
from stance.ruleyaml import Loc

ShapeT = TypeVar("ShapeT", bound="Shape")
MAX_NODES: Final = 20
MAX_ID: Final = 80
KEBAB: Final = r"^[a-z0-9]+(-[a-z0-9]+)*$"
Id = Annotated[str, StringConstraints(pattern=KEBAB, max_length=MAX_ID)]
NodeName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*$", max_length=40)]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Texts = Annotated[list[Text], Field(min_length=1)]


def _as_text(value: Any) -> Any:
    return {"text": value} if isinstance(value, str) else value


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Shape(BaseModel):
    """No unknown keys, no conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class FiresShape(Shape):
    text: Text
    side: str | None = None
    voice: Literal["author", "attributed", "quoted"] | None = None
    speaker: Text | None = None
    xfail: Text | None = None


class SilentShape(Shape):
    text: Text
    xfail: Text | None = None


class ExamplesShape(Shape):
    fires: list[Annotated[FiresShape, BeforeValidator(_as_text, json_schema_input_type=str | FiresShape)]] = (
        Field(min_length=1)
    )
    silent: list[
        Annotated[SilentShape, BeforeValidator(_as_text, json_schema_input_type=str | SilentShape)]
    ] = Field(min_length=1)


class MirrorShape(Shape):
    partner: Id | None = None
    none: Text | None = None

    @model_validator(mode="after")
    def _one(self) -> MirrorShape:
        if (self.partner is None) == (self.none is None):
            raise PydanticCustomError("mirror", "needs either 'partner: RULE-ID' or 'none: \"reason\"'")
        return self


class NodeShape(Shape):
    lemma: Text | None = None
    form: Text | None = None
    list: Text | None = None
    upos: Text | None = None
    relation: Text | None = None
    under: NodeName | None = None
    within: NodeName | None = None
    above: NodeName | None = None
    side: Text | None = None
    party: bool | None = None
    actor: Text | None = None
    feats: dict[str, Text] | None = None
    optional: bool | None = None
    before: NodeName | None = None
    after: NodeName | None = None


class RuleShape(Shape):
    """What every rule says."""

    id: Id
    status: Literal["active", "trial"] = "active"
    because: Text
    rationale: Text | None = None
    sources: Texts | None = None
    examples: ExamplesShape
    mirror: MirrorShape | None = None


class LexicalShape(RuleShape):
    kind: Literal["lexical"]
    phrases: Texts
    unless: Texts | None = None


class DependencyShape(RuleShape):
    kind: Literal["dependency"]
    trees: list[Annotated[dict[NodeName, NodeShape], Field(min_length=1, max_length=MAX_NODES)]] = Field(
        min_length=1
    )
    unless: Annotated[list[NodeShape], Field(min_length=1)] | None = None
    marks: (
        Annotated[
            list[NodeName],
            Field(min_length=1),
            BeforeValidator(_as_list, json_schema_input_type=str | list[str]),
        ]
        | None
    ) = None


class FrameKeys(Shape):
    effect: Literal["frame"]
    side: Text
    test: Literal["N", "B", "L", "V", "O", "S", "Q"]
    strength: Literal["strong", "weak"]


class OpinionKeys(Shape):
    effect: Literal["opinion"]
    strength: Literal["strong", "weak"]
    cue: Literal[
        "evaluation",
        "inference",
        "motive",
        "prediction",
        "recommendation",
        "significance",
        "comparison",
        "question",
    ]


class VoiceKeys(Shape):
    effect: Literal["voice"]
    voice: Literal["attributed", "quoted"]


Cancelled = Literal["frame", "opinion", "voice", "N", "B", "L", "V", "O", "S", "Q"]


class CancelKeys(Shape):
    effect: Literal["cancel"]
    cancels: list[Cancelled] = Field(min_length=1)
    reason: Literal["negated", "mention", "balanced", "cancelled"]


class LexicalFrame(LexicalShape, FrameKeys): ...


class LexicalOpinion(LexicalShape, OpinionKeys): ...


class LexicalVoice(LexicalShape, VoiceKeys):
    covers: Literal["before", "after", "sentence", "clause-after"]
    speaker: Literal["before", "after", "inside", "none"] = "none"


class LexicalCancel(LexicalShape, CancelKeys):
    scope: Literal["match", "before", "after", "clause-after", "sentence"]


class DependencyFrame(DependencyShape, FrameKeys): ...


class DependencyOpinion(DependencyShape, OpinionKeys): ...


class DependencyVoice(DependencyShape, VoiceKeys):
    covers: NodeName
    speaker: NodeName | None = None


class DependencyCancel(DependencyShape, CancelKeys):
    scope: NodeName


AnyRule = (
    LexicalFrame
    | LexicalOpinion
    | LexicalVoice
    | LexicalCancel
    | DependencyFrame
    | DependencyOpinion
    | DependencyVoice
    | DependencyCancel
)
RULE_SHAPES: Final[Mapping[tuple[str, str], type[AnyRule]]] = {
    ("lexical", "frame"): LexicalFrame,
    ("lexical", "opinion"): LexicalOpinion,
    ("lexical", "voice"): LexicalVoice,
    ("lexical", "cancel"): LexicalCancel,
    ("dependency", "frame"): DependencyFrame,
    ("dependency", "opinion"): DependencyOpinion,
    ("dependency", "voice"): DependencyVoice,
    ("dependency", "cancel"): DependencyCancel,
}
RULE_KEYS: Final = tuple(dict.fromkeys(key for shape in RULE_SHAPES.values() for key in shape.model_fields))


class ActorShape(Shape):
    id: Id
    names: Texts
    side: str | None = None
    speaker: str | None = None
    kind: str
    ally: bool | None = None
    expert: bool | None = None
    mirror: Id | None = None
    unless: Texts | None = None


class ListShape(Shape):
    words: Texts


class IrregularShape(Shape):
    verbs: dict[str, Texts] | None = None
    nouns: dict[str, Texts] | None = None


class SideShape(Shape):
    label: Text
    name: Text


class SidesShape(Shape):
    codebook: Text
    sides: dict[Id, SideShape]
    speakers: list[Id] = Field(min_length=1)
    speaker_of_nobody: Id
    speaker_of_others: Id


def faults_of(error: ValidationError, shape: type[Shape], what: str, limit: int) -> Iterator[tuple[Loc, str]]:
    """The faults of a failed validation, one more than `limit` at most: place, what is wrong, and cure."""
    for detail in error.errors(include_url=False)[: limit + 1]:
        yield _place(detail), _sentence(detail, shape, what)


def salvage(error: ValidationError, shape: type[ShapeT], data: Mapping[str, Any]) -> ShapeT:
    """As much of a faulty shape as is right, so that one fault does not hide the others.

    Keys that are wrong are left out; what then misses a required part is left out as a whole, and is no
    attribute of the result if it has no default.
    """
    rest = copy.deepcopy(dict(data))
    for detail in error.errors(include_url=False):
        _drop(rest, _place(detail))
    values = {name: _field(shape, name, rest[name]) for name in shape.model_fields if name in rest}
    return shape.model_construct(**{name: value for name, value in values.items() if value is not None})


def _drop(data: Any, loc: Loc) -> None:
    """Delete the key at a place; items of lists stay, so that the places of the others do not shift."""
    for part in loc[:-1]:
        known = data if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ()
        if part not in known:
            return
        data = data[part]
    if loc and isinstance(data, dict):
        data.pop(loc[-1], None)


def _field(shape: type[Shape], name: str, value: Any) -> Any:
    """The value of one field on its own, or None if it is wrong."""
    try:
        return _adapter(shape, name).validate_python(value, strict=True)
    except ValidationError:
        if shape.model_fields[name].annotation is not ExamplesShape or not isinstance(value, dict):
            return None
    fires, silent = (_field(ExamplesShape, key, value.get(key)) or [] for key in ("fires", "silent"))
    return ExamplesShape.model_construct(fires=fires, silent=silent)


@cache
def _adapter(shape: type[Shape], name: str) -> TypeAdapter[Any]:
    """What reads one field alone; making it takes longer than reading a file."""
    info = shape.model_fields[name]
    annotation: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
    return TypeAdapter(annotation)


def _place(detail: ErrorDetails) -> Loc:
    """Where pydantic saw it, without its own marks for keys of mappings."""
    return tuple(part for part in detail["loc"] if part != "[key]")


def _sentence(detail: ErrorDetails, shape: type[Shape], what: str) -> str:
    loc, kind, value = _place(detail), detail["type"], detail["input"]
    name = _name(loc)
    context = detail.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown(str(loc[-1]), loc, shape, what)
    if kind == "missing":
        return f"{_owner(loc, what)} needs '{loc[-1]}'"
    if kind == "literal_error":
        expected = str(context["expected"]).replace(" or ", ", ").replace("'", "")
        return not_one_of(name, value, expected.split(", "))
    if kind == "too_short" and loc[-1] in ("fires", "silent"):
        return f"a rule needs at least one '{loc[-1]}' example"
    if kind in ("too_short", "string_too_short"):
        return f"{name} is empty; fill it in or leave the key out"
    if kind == "too_long":
        return f"{name} has more than {MAX_NODES} nodes; say it with fewer"
    if kind == "string_too_long":
        return f"{name} is longer than {context['max_length']} characters; shorten it"
    if kind == "string_pattern_mismatch":
        return f"{name} is {_clip(value)}; small letters and digits with hyphens between, please: like-this"
    return f"{name} {_wanted(kind, detail['msg'], value)}"


def _wanted(kind: str, message: str, value: Any) -> str:
    """What kind of value was wanted, what stands there, and the cure."""
    if kind == "mirror":
        return message
    if value is None:
        return "is empty; fill it in or leave the key out"
    if kind == "string_type":
        cure = "put it in quotation marks" if isinstance(value, (bool, dict)) else "write one text"
        return f"must be text, not {_kind_of(value)}; {cure}"
    if kind == "bool_type":
        return f"must be true or false, not {_kind_of(value)}"
    if kind == "list_type":
        return f"must be a list, not {_kind_of(value)}; write [one, two] or a line with '- ' for each"
    if kind in ("dict_type", "model_type", "model_attributes_type"):
        return f"must hold 'key: value' pairs, not {_kind_of(value)}"
    return f"is not valid: {message}"


def _unknown(key: str, loc: Loc, shape: type[Shape], what: str) -> str:
    known = _keys_at(shape, loc[:-1])
    if len(loc) == 1 and key in RULE_KEYS and what != "an actor":
        return f"key '{key}' does not belong in {what}; leave it out"
    cure = suggest(key, known) or f"; the keys here are {', '.join(known)}"
    return f"unknown key {short(key)}{cure}"


def not_one_of(name: str, value: Any, choices: list[str] | tuple[str, ...]) -> str:
    """The sentence for a value outside a closed set."""
    near = suggest(value, choices) if isinstance(value, str) else ""
    return f"{name} {_clip(value)} is not one of {', '.join(choices)}{near}"


def _keys_at(shape: type[Shape], loc: Loc) -> list[str]:
    """The keys that are known at a place."""
    current: Any = shape
    for part in loc:
        model = _model_in(current)
        if model is not None and part in model.model_fields:
            current = model.model_fields[str(part)].annotation
    model = _model_in(current)
    return list(model.model_fields) if model is not None else []


def _model_in(annotation: Any) -> type[Shape] | None:
    """The model at the bottom of an annotation such as ``list[Annotated[Model, ...]] | None``."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return annotation if issubclass(annotation, Shape) else None
    for part in get_args(annotation):
        model = _model_in(part)
        if model is not None:
            return model
    return None


def _name(loc: Loc) -> str:
    """What a message calls a place: ``'side'``, ``item 2 of 'phrases'``."""
    if not loc:
        return "the file"
    if isinstance(loc[-1], int):
        return f"item {loc[-1] + 1} of {_name(loc[:-1])}"
    return short(str(loc[-1]))


def _owner(loc: Loc, what: str) -> str:
    around = loc[:-1]
    if not around:
        return what
    if isinstance(around[-1], int) and len(around) > 1 and around[-2] in ("fires", "silent"):
        return "an example"
    return _name(around)


def short(text: str) -> str:
    """A quoted text as messages show it: clipped, control characters escaped."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _clip(value: Any) -> str:
    return short(value) if isinstance(value, str) else _kind_of(value)


def _kind_of(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a mapping"


def rule_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a rule file, for editors: one rule, or `defaults` and `rules`."""
    schema: dict[str, Any] = TypeAdapter(AnyRule).json_schema(mode="validation")
    definitions = schema.pop("$defs")
    names = [shape.__name__ for shape in RULE_SHAPES.values()]
    loose = _loose([definitions[name] for name in names])
    definitions["Defaults"] = {"type": "object", "properties": loose, "additionalProperties": False}
    definitions["Entry"] = {
        "type": "object",
        "properties": loose,
        "required": ["id"],
        "additionalProperties": False,
    }
    definitions["Collection"] = {
        "type": "object",
        "properties": {
            "defaults": {"$ref": "#/$defs/Defaults"},
            "rules": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/Entry"}},
        },
        "required": ["rules"],
        "additionalProperties": False,
    }
    definitions["SwitchedOff"] = {
        "type": "object",
        "description": "in an overlay: switches a rule off",
        "properties": {**loose, "status": {"const": "off"}},
        "required": ["id", "status"],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "stance rule file",
        "anyOf": [{"$ref": f"#/$defs/{name}"} for name in (*names, "Collection", "SwitchedOff")],
        "$defs": definitions,
    }


def _loose(shapes: list[dict[str, Any]]) -> dict[str, Any]:
    """All properties of all rule shapes; where shapes differ, any of theirs."""
    variants: dict[str, list[Any]] = {}
    for shape in shapes:
        for key, value in shape["properties"].items():
            if value not in variants.setdefault(key, []):
                variants[key].append(value)
    return {key: found[0] if len(found) == 1 else {"anyOf": found} for key, found in variants.items()}
