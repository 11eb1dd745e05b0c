"""What the models return: named fields, also by key and by number, as transformers'."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from .functions import Array

Arrays = tuple[Array, ...]


@dataclass(eq=False, repr=False)
class ModelOutput:
    """Fields by attribute (`out.logits`), key (`out["logits"]`) or number (`out[0]`).

    Keys and numbers pass over the fields that are None, because nobody asked for them.
    """

    def items(self) -> list[tuple[str, Any]]:
        """Return the fields that are there, with their names."""
        pairs = [(field.name, getattr(self, field.name)) for field in fields(self)]
        return [(name, value) for name, value in pairs if value is not None]

    def keys(self) -> list[str]:
        """Return the names of the fields that are there."""
        return [name for name, _ in self.items()]

    def values(self) -> list[Any]:
        """Return the fields that are there."""
        return [value for _, value in self.items()]

    def get(self, name: str, default: Any = None) -> Any:
        """Return a field, or `default` if it is not there."""
        return dict(self.items()).get(name, default)

    def to_tuple(self) -> tuple[Any, ...]:
        """Return the fields that are there, as the older interface did."""
        return tuple(self.values())

    def __getitem__(self, key: str | int | slice) -> Any:
        return dict(self.items())[key] if isinstance(key, str) else self.to_tuple()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, name: object) -> bool:
        return name in self.keys()

    def __len__(self) -> int:
        return len(self.items())

    def __repr__(self) -> str:
        shown = (f"{name}={summary(value)}" for name, value in self.items())
        return f"{type(self).__name__}({', '.join(shown)})"


def summary(value: Any) -> str:
    """Return a number as it is, and of an array or a collection of them the shape."""
    if isinstance(value, dict):
        return f"{{{len(value)} arrays}}"
    if isinstance(value, tuple):
        return f"({len(value)} × {summary(value[0])})" if value else "()"
    return f"{value.dtype} {value.shape}" if np.ndim(value) else f"{value:.6g}"


@dataclass(eq=False, repr=False)
class BaseModelOutput(ModelOutput):
    """The encoder's vectors (B, L, D), and what else was asked for.

    `hidden_states` are N + 1 arrays (B, L, D), the embeddings' first; `attentions` are
    N arrays (B, H, L, L); `trace` holds every intermediate by its dotted name.
    """

    last_hidden_state: Array
    hidden_states: Arrays | None = None
    attentions: Arrays | None = None
    trace: dict[str, Array] | None = None


@dataclass(eq=False, repr=False)
class ScoredOutput(ModelOutput):
    """Loss, if there were labels, and logits; what four of the heads return."""

    loss: np.floating | None = None
    logits: Array | None = None
    hidden_states: Arrays | None = None
    attentions: Arrays | None = None
    trace: dict[str, Array] | None = None


class MaskedLMOutput(ScoredOutput):
    """Loss, and logits (B, L, V)."""


class SequenceClassifierOutput(ScoredOutput):
    """Loss, and logits (B, C)."""


class TokenClassifierOutput(ScoredOutput):
    """Loss, and logits (B, L, C)."""


class MultipleChoiceModelOutput(ScoredOutput):
    """Loss, and logits (B, C), one for each choice."""


@dataclass(eq=False, repr=False)
class QuestionAnsweringModelOutput(ModelOutput):
    """Loss, and two logits (B, L) for each place: the answer starts, or ends, there."""

    loss: np.floating | None = None
    start_logits: Array | None = None
    end_logits: Array | None = None
    hidden_states: Arrays | None = None
    attentions: Arrays | None = None
    trace: dict[str, Array] | None = None
