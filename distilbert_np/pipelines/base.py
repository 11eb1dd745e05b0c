"""What the pipelines share: texts become rows of ids, and rows are read in batches."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..config import one_of
from ..errors import InputError, shown
from ..functions import Array
from ..inputs import check_flags, is_whole
from ..models import DistilBertPreTrainedModel
from ..outputs import ModelOutput
from ..tokenizer import (
    TRUNCATION,
    BatchEncoding,
    DistilBertTokenizer,
    check_text,
    choose,
    is_string,
)

if TYPE_CHECKING:
    from ..tokenizer import Encoding

Answer = dict[str, Any]

# What a parameter of `run` is: an input, with or without its name, or an option.
INPUT = inspect.Parameter.POSITIONAL_OR_KEYWORD
OPTION = inspect.Parameter.KEYWORD_ONLY

# What a call may pass on to the tokenizer.
TOKENIZER_OPTIONS = ("add_special_tokens", "padding", "truncation", "max_length")


class Pipeline:
    """A model with its tokenizer: text in, answer out.

    Called with one input it answers that, with a list it answers each. Options given
    when it is made hold for all calls that do not give them anew.
    """

    model_class: type[DistilBertPreTrainedModel]

    def __init__(
        self, model: DistilBertPreTrainedModel, tokenizer: DistilBertTokenizer,
        **options: Any,
    ) -> None:
        check_kind("model", model, self.model_class)
        check_kind("tokenizer", tokenizer, DistilBertTokenizer)
        self.model = model
        self.tokenizer = tokenizer
        self.options = self.known(options, OPTION)

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Return the answers; `run` says to what, and with which options.

        Every pipeline has these, too: texts of like length go through the model
        together, at most `batch_size` of them (None: any number) and at most
        `max_tokens_per_batch` tokens, padding counted; a longer text goes alone. This
        changes answers by rounding alone. `progress` says whether there is a bar (None:
        for several texts, if stderr is a terminal). Raises InputError, naming the text,
        where one cannot be read.
        """
        return self.run(*inputs, **(self.options | self.known(options, OPTION, INPUT)))

    def run(self, *inputs: Any, **options: Any) -> Any:
        """Return the answers to some inputs."""
        raise NotImplementedError

    def known(self, given: dict[str, Any], *kinds: Any) -> dict[str, Any]:
        """Return what is given; raise InputError for what is of none of these kinds."""
        names = {
            parameter.name
            for method in (self.run, self.batches)
            for parameter in inspect.signature(method).parameters.values()
            if parameter.kind in kinds
        }
        for name in given.keys() - names:
            from difflib import get_close_matches  # here, since it takes its time

            near = get_close_matches(name, names, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {sorted(names)}"
            raise InputError(f"unknown option {name!r} of this pipeline; {hint}")
        return given

    @property
    def max_length(self) -> int:
        """The most tokens that this model, by its tokenizer, reads at once."""
        return min(
            self.model.config.max_position_embeddings, self.tokenizer.model_max_length
        )

    def encode(
        self, name: str, text: Any, text_pair: Any = None, **options: Any
    ) -> BatchEncoding:
        """Return the ids of a text or a pair; the options are those of the tokenizer.

        Unless max_length is given, truncation is to what the model can read.
        """
        check_text(name, text, is_string)
        if text_pair is not None:
            check_text(f"{name}, text_pair", text_pair, is_string)
        strategy = choose("truncation", options.get("truncation"), TRUNCATION)
        if strategy and options.get("max_length") is None:
            options["max_length"] = self.max_length
        return self.tokenizer(text, text_pair, **options)

    def row(self, name: str, encoded: BatchEncoding) -> Array:
        """Return the ids (L,) of one text, without padding; it must not be too long."""
        seen = np.array(encoded.attention_mask) == 1
        ids = np.array(encoded.input_ids, np.int32)[seen]
        if not len(ids):
            raise InputError(f"{name}: has no tokens")
        limit = self.model.config.max_position_embeddings
        if len(ids) > limit:
            raise InputError(
                f"{name}: is {len(ids)} tokens long; this model knows {limit} positions"
            )
        return ids

    def batches(
        self, rows: Sequence[Array], /, *, batch_size: int | None = None,
        max_tokens_per_batch: int = 1024, progress: bool | None = None,
    ) -> Iterator[tuple[Array, Array, Array]]:
        """Yield the numbers of some rows, their ids (B, L) and their mask (B, L)."""
        check_whole("max_tokens_per_batch", max_tokens_per_batch)
        if batch_size is not None:
            check_whole("batch_size", batch_size)
        if progress is not None:
            check_flags(progress=progress)
        from tqdm import tqdm  # here, since it takes its time

        hidden = not progress
        if progress is None:                     # tqdm asks if stderr is a terminal
            hidden = None if len(rows) > 1 else True
        with tqdm(total=len(rows), unit="text", leave=False, disable=hidden) as bar:
            for numbers in batches_by_tokens(rows, max_tokens_per_batch, batch_size):
                yield numbers, *padded([rows[i] for i in numbers])
                bar.update(len(numbers))

    def read(
        self, rows: Sequence[Array], compute: Callable[[Array, Array], Iterable[Any]],
        **batching: Any,
    ) -> list[Any]:
        """Return, for each row, what `compute` makes of ids and masks (B, L)."""
        results: list[Any] = [None] * len(rows)
        for numbers, ids, mask in self.batches(rows, **batching):
            for i, result in zip(numbers, compute(ids, mask), strict=True):
                results[i] = result
        return results

    def read_windows(
        self, windows: "Sequence[Sequence[Encoding]]",
        output: Callable[[ModelOutput], Array], **batching: Any,
    ) -> list[list[Array]]:
        """Return, for each window on each text, its part (L, …) of an output (B, L, …).
        """
        rows = [np.array(w.ids, np.int32) for of_text in windows for w in of_text]
        outputs = self.read(
            rows, lambda ids, mask: output(self.model(ids, mask)), **batching
        )
        parts = (out[: len(row)] for row, out in zip(rows, outputs, strict=True))
        return [[next(parts) for _ in of_text] for of_text in windows]


def check_kind(name: str, value: Any, kind: type) -> None:
    """Raise InputError unless a value is of a class."""
    if not isinstance(value, kind):
        raise InputError(f"{name}: expected a {kind.__name__}, found {shown(value)}")


def check_whole(name: str, value: Any) -> None:
    """Raise InputError unless a value is a whole number above 0."""
    if not is_whole(value, 1):
        raise InputError(
            f"{name}: expected a whole number above 0, found {shown(value)}"
        )


def tokenizer_options(name: str, options: Any) -> dict[str, Any]:
    """Return the options that a call passes on to the tokenizer, checked."""
    if options is None:
        return {}
    if not isinstance(options, dict) or not options.keys() <= {*TOKENIZER_OPTIONS}:
        raise InputError(
            f"{name}: expected a dictionary of {', '.join(TOKENIZER_OPTIONS)}, "
            f"found {shown(options)}"
        )
    return options


def check_one_of(name: str, value: Any, known: Sequence[Any]) -> None:
    """Raise InputError unless a value is one of those known."""
    if not one_of(*known)(value):
        raise InputError(
            f"{name}: expected one of {', '.join(map(repr, known))}, "
            f"found {shown(value)}"
        )


def by_name(
    inputs: Any, is_one: Callable[[Any], bool] = is_string, name: str = "text"
) -> dict[str, Any]:
    """Return inputs by the names that errors call them: one text, or texts[0] …"""
    if is_one(inputs):
        return {name: inputs}
    if not isinstance(inputs, (list, tuple)):
        raise InputError(
            f"{name}s: expected a {name} or a list of them, found {shown(inputs)}"
        )
    return {f"{name}s[{i}]": one for i, one in enumerate(inputs)}


def batches_by_tokens(
    rows: Sequence[Array], max_tokens: int, most: int | None = None
) -> list[Array]:
    """Return the numbers of all rows in batches of like length, the longest first.

    A batch has at most `max_tokens` tokens, padding counted, or only one row; and no
    more than `most` rows. With the longest first, memory peaks at once, and the time
    left is not guessed too short.
    """
    lengths = np.array([len(row) for row in rows], int)
    order = np.argsort(-lengths, kind="stable")
    batches, start = [], 0
    while start < len(order):
        size = max(1, max_tokens // int(lengths[order[start]]))
        size = size if most is None else min(size, most)
        batches.append(order[start : start + size])
        start += size
    return batches


def padded(rows: Sequence[Array]) -> tuple[Array, Array]:
    """Return rows of ids (L,) as an array (B, L), and the mask that hides its padding.

    Padded on the right, wherever the tokenizer pads: on the left, a token's position
    would depend on the batch.
    """
    lengths = np.array([len(row) for row in rows])                       # (B,)
    mask = np.arange(lengths.max()) < lengths[:, None]                   # (B, L)
    ids = np.zeros(mask.shape, np.int32)                                 # (B, L)
    ids[mask] = np.concatenate(rows)
    return ids, mask
