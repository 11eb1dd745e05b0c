"""The checks of what a call is given: arrays come back, or one line says why not.

NumPy would take many a wrong input in silence: −1 reads the last row of a table, a mask
of the wrong shape broadcasts. After these checks the layers can stay formulas.
"""

import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .config import DistilBertConfig
from .errors import InputError, one_line, shown
from .functions import Array
from .losses import IGNORED
from .outputs import ModelOutput


def as_array(name: str, value: Any) -> Array:
    """Return `value` as an array; nested lists may be given, ragged ones may not."""
    if isinstance(value, Mapping):
        raise InputError(f"{name}: found a dictionary; write model(**inputs)")
    if isinstance(value, np.ndarray) and np.any(getattr(value, "mask", False)):
        raise InputError(f"{name}: found masked numbers; fill them: array.filled(0)")
    try:
        array = np.asarray(value)
    except ValueError:
        message = f"{name}: expected an array, found rows of unequal length"
        raise InputError(message) from None
    except Exception as error:                   # from the value's own __array__
        message = f"{name}: cannot be made an array ({one_line(str(error))})"
        raise InputError(message) from None
    if array.dtype.kind not in "biufc":
        found = f"{array.dtype}: {shown(value)}"
        raise InputError(f"{name}: expected numbers, found {found}")
    return array


def check_shape(name: str, value: Any, *shapes: tuple[int, ...]) -> Array:
    """Return `value` as an array; raise InputError unless it has one of these shapes.

    This comes before a look at its numbers, of which there may be far too many.
    """
    array = as_array(name, value)
    if array.shape not in shapes:
        expected = " or ".join(str(shape) for shape in shapes)
        raise InputError(f"{name}: has shape {array.shape}, expected {expected}")
    return array


def refuse(name: str, array: Array, wrong: Array, expected: str) -> None:
    """Raise InputError with the first number that is wrong, and its place, if one is.
    """
    if wrong.any():
        position = tuple(map(int, np.unravel_index(wrong.argmax(), wrong.shape)))
        place = f" at position {position}" if position else ""
        raise InputError(f"{name}: found {array[position]}{place}, expected {expected}")


def as_integers(name: str, value: Any) -> Array:
    """Return `value` as an array of integers; raise InputError if it holds others."""
    array = as_array(name, value)
    if array.dtype.kind not in "iu":
        raise InputError(f"{name}: expected integers, found {array.dtype}")
    return array


def check_integers(
    name: str, value: Any, end: int, also: int | None = None
) -> Array:
    """Return an array of integers from 0 to end − 1 (or equal to `also`), as int64."""
    array = as_integers(name, value)
    outside = (array < 0) | (array >= end)
    if also is not None:
        outside &= array != also
    also_text = "" if also is None else f", or {also}"
    refuse(name, array, outside, f"0 to {end - 1}{also_text}")
    return array.astype(np.int64)


def check_numbers(name: str, value: Any, dtype: np.dtype) -> Array:
    """Return an array of finite numbers in the model's dtype."""
    array = as_array(name, value)
    if array.dtype.kind not in "fiu":
        raise InputError(f"{name}: expected numbers, found {array.dtype}")
    with np.errstate(over="ignore"):
        numbers = array.astype(dtype)
    refuse(name, array, ~np.isfinite(numbers), f"a finite number of {dtype}")
    return numbers


def check_flags(**flags: Any) -> None:
    """Raise InputError unless each switch is True or False: "no" would count as yes."""
    for name, value in flags.items():
        if type(value) is not bool:
            raise InputError(f"{name}: expected True or False, found {shown(value)}")


def check_layout(name: str, value: Any, axes: str, longest: int) -> Array:
    """Return an array with these axes, none of them empty, of at most so many tokens.
    """
    array = as_array(name, value)
    if array.ndim != axes.count(",") + 1 or 0 in array.shape:
        raise InputError(
            f"{name}: has shape {array.shape}, expected {axes}, none of them 0"
        )
    if array.shape[1] > longest:
        raise InputError(
            f"{name}: the sequences are {array.shape[1]} tokens long; this model knows "
            f"{longest} positions (max_position_embeddings)"
        )
    return array


def check_sequences(
    config: DistilBertConfig, dtype: np.dtype, input_ids: Any, inputs_embeds: Any
) -> tuple[str, Array]:
    """Return the name and array of the one of the two that was given, checked."""
    if (input_ids is None) == (inputs_embeds is None):
        raise InputError(
            "input_ids, inputs_embeds: expected exactly one of them, found "
            + ("neither" if input_ids is None else "both")
        )
    longest = config.max_position_embeddings
    if inputs_embeds is None:
        ids = check_layout("input_ids", input_ids, "(batch, length)", longest)
        return "input_ids", check_integers("input_ids", ids, config.vocab_size)
    name = "inputs_embeds"
    embeds = check_layout(name, inputs_embeds, "(batch, length, dim)", longest)
    check_shape(name, embeds, (*embeds.shape[:2], config.dim))
    return name, check_numbers(name, embeds, dtype)


def check_mask(mask: Any, batch: int, length: int) -> Array:
    """Return the attention mask (B, L) as booleans, true where a token may be seen."""
    if mask is None:
        return np.ones((batch, length), bool)
    name, expected = "attention_mask", "0 (hidden) or 1 (seen)"
    mask = check_shape(name, mask, (batch, length))
    if mask.dtype.kind not in "biuf":
        raise InputError(f"{name}: expected {expected}, found {mask.dtype}")
    refuse(name, mask, (mask != 0) & (mask != 1), expected)
    return mask.astype(bool)


def check_positions(position_ids: Any, batch: int, length: int, end: int) -> Array:
    """Return the position ids (1 or B, L): 0, 1, 2, … unless others are given."""
    if position_ids is None:
        return np.arange(length)[None]                            # (1, L)
    shapes = (length,), (1, length), (batch, length)
    positions = check_shape("position_ids", position_ids, *shapes)
    return check_integers("position_ids", positions, end).reshape(-1, length)


def check_head_mask(
    head_mask: Any, n_layers: int, n_heads: int, dtype: np.dtype
) -> Array:
    """Return a factor for each head of each layer, (N, H), from (H,) or (N, H)."""
    factors = check_shape("head_mask", head_mask, (n_heads,), (n_layers, n_heads))
    factors = check_numbers("head_mask", factors, dtype)
    return np.broadcast_to(factors, (n_layers, n_heads))


def check_inputs(
    config: DistilBertConfig, dtype: np.dtype, input_ids: Any, inputs_embeds: Any,
    attention_mask: Any, position_ids: Any, head_mask: Any, token_type_ids: Any,
) -> dict[str, Array]:
    """Return the encoder's inputs by name, checked and completed.

    Raises InputError, naming the argument, what was found and what was expected.
    """
    name, sequences = check_sequences(config, dtype, input_ids, inputs_embeds)
    B, L = sequences.shape[:2]
    inputs = {
        name: sequences,
        "attention_mask": check_mask(attention_mask, B, L),
        "position_ids": check_positions(
            position_ids, B, L, config.max_position_embeddings
        ),
    }
    if head_mask is not None:
        inputs["head_mask"] = check_head_mask(
            head_mask, config.n_layers, config.n_heads, dtype
        )
    if token_type_ids is not None:
        warnings.warn(
            "token_type_ids are ignored: DistilBERT has no token types", stacklevel=4
        )
    return inputs


class Choices(NamedTuple):
    """Several choices for each text, laid out as texts of their own."""

    count: int                                   # C
    flat: dict[str, Array]                       # (B·C, L) or (B·C, L, D), by name


def check_choices(**given: Any) -> Choices:
    """Return inputs (B, C, L) flattened to (B·C, L), and C; None stays out."""
    arrays = {name: as_array(name, v) for name, v in given.items() if v is not None}
    shapes = []
    for name, array in arrays.items():
        if array.ndim != (4 if name == "inputs_embeds" else 3):
            raise InputError(
                f"{name}: has shape {array.shape}, expected (batch, choices, length"
                + (", dim)" if name == "inputs_embeds" else ")")
            )
        shapes.append(array.shape[:3])
        check_shape(name, array, shapes[0] + array.shape[3:])
    B, C = shapes[0][:2] if shapes else (0, 0)
    flat = {name: a.reshape(B * C, *a.shape[2:]) for name, a in arrays.items()}
    return Choices(C, flat)


def check_rng(rng: Any) -> "np.random.Generator | None":
    """Return the generator that dropout draws from; None means that it drops nothing.
    """
    if rng is not None and not isinstance(rng, np.random.Generator):
        raise InputError(
            f"rng: expected a np.random.Generator, such as np.random.default_rng(0), "
            f"found {shown(rng)}"
        )
    return rng


def is_whole(value: Any, at_least: int, at_most: float = np.inf) -> bool:
    """Whether a value is a whole number in a range, Python's or NumPy's, but no truth.
    """
    is_number = isinstance(value, (int, np.integer)) and type(value) is not bool
    return is_number and at_least <= value <= at_most


def check_seed(seed: Any) -> int:
    """Return the seed that parameters are drawn from, a whole number of at least 0."""
    if not is_whole(seed, 0):
        raise InputError(
            f"seed: expected a whole number of at least 0, found {shown(seed)}"
        )
    return int(seed)


# --- labels ---------------------------------------------------------------------------


def check_token_labels(labels: Any, batch: int, length: int, end: int) -> Array:
    """Return one label below `end`, or −100, for each token, (B, L)."""
    labels = check_shape("labels", labels, (batch, length))
    return check_integers("labels", labels, end, also=IGNORED)


def check_class_labels(labels: Any, batch: int, end: int) -> Array:
    """Return one label below `end`, or −100, for each sequence: (B,), or (B, 1)."""
    labels = check_shape("labels", labels, (batch,), (batch, 1))
    return check_integers("labels", labels, end, also=IGNORED).reshape(batch)


def problem_type(labels: Any, config: DistilBertConfig) -> str:
    """Return the configuration's problem_type; if it has none, what the labels say.

    One output means regression; else integers name classes, and floats are the truth of
    each label on its own.
    """
    if config.problem_type is not None:
        return config.problem_type
    if config.num_labels == 1:
        return "regression"
    if as_array("labels", labels).dtype.kind in "iu":
        return "single_label_classification"
    return "multi_label_classification"


def check_sequence_labels(
    labels: Any, shape: tuple[int, int], problem_type: str, dtype: np.dtype
) -> Array:
    """Return labels for logits of this shape (B, C): (B,) classes or (B, C) numbers."""
    B, C = shape
    if problem_type == "single_label_classification":
        return check_class_labels(labels, B, C)
    labels = check_shape("labels", labels, (B, C), *([(B,)] if C == 1 else []))
    numbers = check_numbers("labels", labels, dtype)
    if problem_type == "multi_label_classification":
        outside = (numbers < 0) | (numbers > 1)
        refuse("labels", numbers, outside, "truths from 0 to 1")
    return numbers.reshape(B, C)


def check_answer(name: str, positions: Any, batch: int) -> Array:
    """Return where each answer starts, or ends, as (B,), also from (B, 1).

    Any integer will do: the loss knows what those outside the text mean.
    """
    positions = check_shape(name, positions, (batch,), (batch, 1))
    positions = as_integers(name, positions)
    # Of uint64, what is beyond int64 would turn negative.
    largest = min(np.iinfo(positions.dtype).max, np.iinfo(np.int64).max)
    return np.minimum(positions, largest).astype(np.int64).reshape(batch)


# --- gradients ------------------------------------------------------------------------


def check_cotangents(out: Any, cotangents: Any, dtype: np.dtype) -> dict[str, Any]:
    """Return the gradients that backward starts from, by field of the output.

    `hidden_states` and `attentions` are sequences, with None where there is nothing.
    Without any, it is the loss that is differentiated.
    """
    if not isinstance(out, ModelOutput):
        raise InputError(f"out: expected what the model returned, found {shown(out)}")
    fields = dict(out.items())
    if "trace" not in fields:
        raise InputError("out: has no trace; call the model with trace=True")
    if cotangents is None:
        if "loss" not in fields:
            raise InputError(
                "out: has no loss; call the model with labels, or give a dictionary of "
                f"gradients of what it has: {', '.join(list(fields)[:-1])}"
            )
        return {"loss": 1.0}
    if not isinstance(cotangents, Mapping) or not cotangents:
        raise InputError(
            "cotangents: expected a dictionary such as {'logits': dlogits}, "
            f"found {shown(cotangents)}"
        )
    del fields["trace"]
    for name in cotangents:
        if name not in fields:
            expected = ", ".join(fields)
            raise InputError(
                f"cotangents: found {shown(name)}, expected some of {expected}"
            )
    return {
        name: check_cotangent(f"cotangents[{name!r}]", gradient, fields[name], dtype)
        for name, gradient in cotangents.items()
    }


def check_cotangent(name: str, gradient: Any, output: Any, dtype: np.dtype) -> Any:
    """Return the gradient of one output, checked: it has the output's shape."""
    if not isinstance(output, tuple):
        gradient = check_shape(name, gradient, np.shape(output))
        return check_numbers(name, gradient, dtype)
    is_list = isinstance(gradient, (list, tuple))
    if not is_list or len(gradient) != len(output):
        found = len(gradient) if is_list else shown(gradient)
        raise InputError(
            f"{name}: expected a list of {len(output)} arrays (or None), found {found}"
        )
    return [
        None if d is None else check_cotangent(f"{name}[{i}]", d, output[i], dtype)
        for i, d in enumerate(gradient)
    ]
