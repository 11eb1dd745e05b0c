"""The six classes that users call, shaped as in transformers.

A call checks its inputs, runs the encoder, then the head; every intermediate is in
`out.trace` if `trace=True`. The mathematics is in the rooms before this one.
"""

import os
import warnings
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from . import heads, hub, inputs, weights
from .config import DistilBertConfig
from .embeddings import embeddings
from .encoder import transformer
from .errors import ConfigError, InputError
from .functions import lookup
from .losses import cross_entropy
from .outputs import (
    BaseModelOutput,
    MaskedLMOutput,
    MultipleChoiceModelOutput,
    QuestionAnsweringModelOutput,
    SequenceClassifierOutput,
    TokenClassifierOutput,
)
from .trees import Tree, flatten

Array = np.ndarray
Model = TypeVar("Model", bound="DistilBertPreTrainedModel")


class DistilBertPreTrainedModel:
    """What the six classes share: parameters, their files, and the encoder.

    `Model(config, seed=0)` draws fresh parameters; `Model.from_pretrained(name)` reads
    trained ones. `model.params` is a tree of arrays named as in the checkpoint.
    """

    head = "base"                                # this class's key in weights.HEADS

    def __init__(
        self, config: DistilBertConfig, *, seed: int = 0, dtype: Any = np.float32
    ) -> None:
        self.config = config
        self.dtype = check_dtype(dtype)
        self.check_config()
        self.params: Tree = weights.new_params(config, self.head, seed, self.dtype)
        self.load_report: weights.LoadReport | None = None

    @classmethod
    def from_pretrained(
        cls: type[Model], name_or_path: str | os.PathLike, *, dtype: Any = np.float32,
        revision: str | None = None, local_files_only: bool = False,
        cache_dir: str | os.PathLike | None = None, seed: int = 0, **changes: Any,
    ) -> Model:  # fmt: skip
        """Load a model from an embedded name, a folder, or the Hugging Face Hub.

        `changes` replace fields of the configuration, e.g. `num_labels=3`. Parameters
        of the head that the checkpoint lacks are drawn from `seed`, with one warning;
        `model.load_report` tells what became of every tensor. Raises CheckpointError
        or ConfigError where the files cannot be used.
        """
        folder = hub.find_model(
            name_or_path, hub.CONFIG_FILES + hub.WEIGHT_FILES,
            revision=revision, local_files_only=local_files_only, cache_dir=cache_dir,
        )  # fmt: skip
        model = cls.__new__(cls)
        model.config = DistilBertConfig.read(folder).changed(**changes)
        model.dtype = check_dtype(dtype)
        model.check_config()
        model.params, model.load_report = weights.load_params(
            folder, model.config, cls.head, seed, model.dtype
        )
        if model.load_report.missing:
            warnings.warn(
                f"{cls.__name__}: {weights.listing(model.load_report.missing)} not in "
                f"{name_or_path}, newly initialised; train the model before you use it",
                stacklevel=2,
            )
        return model

    def save_pretrained(self, folder: str | os.PathLike) -> None:
        """Write config.json and model.safetensors, which transformers opens as well."""
        self.config.architectures = [type(self).__name__]
        self.config.dtype = self.dtype.name
        self.config.save_pretrained(folder)
        weights.save_params(self.params, Path(folder))

    def check_config(self) -> None:
        """Raise ConfigError where this class needs more than any DistilBERT does."""

    @property
    def encoder(self) -> Tree:
        """The encoder's part of the parameters."""
        return self.params.get("distilbert", self.params)

    @property
    def word_table(self) -> Array:
        """The table of word embeddings, (V, D)."""
        return self.encoder["embeddings"]["word_embeddings"]["weight"]

    def num_parameters(self) -> int:
        """Return how many numbers the model has learnt; tied ones count once."""
        return sum(array.size for array in flatten(self.params).values())

    def __repr__(self) -> str:
        size = f"{self.num_parameters():,} {self.dtype} parameters"
        return f"{type(self).__name__}({size})"

    def encode(
        self, input_ids: Any = None, attention_mask: Any = None,
        inputs_embeds: Any = None, position_ids: Any = None, *, head_mask: Any = None,
        token_type_ids: Any = None, output_attentions: bool = False,
        output_hidden_states: bool = False, trace: bool = False,
    ) -> BaseModelOutput:  # fmt: skip
        """Run embeddings and blocks; return the vectors (B, L, D) and what was asked.

        input_ids         (B, L) integers below vocab_size; or instead of them
        inputs_embeds     (B, L, D) vectors, used as if looked up
        attention_mask    (B, L) 1 where a token may be seen, 0 where it is hidden
        position_ids      (L,), (1, L) or (B, L) rows of the position table
        head_mask         (H,) or (N, H) factors for the heads' attention weights
        token_type_ids    ignored, with a warning: DistilBERT has none

        Raises InputError where an argument is not as described.
        """
        given = inputs.check_inputs(
            self.config, self.dtype, input_ids, inputs_embeds, attention_mask,
            position_ids, head_mask, token_type_ids,
        )  # fmt: skip
        if inputs_embeds is None:
            words = lookup(given["input_ids"], self.word_table)          # (B, L, D)
        else:
            words = given["inputs_embeds"]                               # (B, L, D)

        wanted = {
            "output_layer_norm": output_hidden_states,
            "attention": output_attentions,
        }
        keep = None if trace else [name for name, asked in wanted.items() if asked]

        x, embeddings_trace = embeddings(
            words, given["position_ids"], self.encoder["embeddings"]
        )
        h, stack_trace = transformer(
            x, self.encoder["transformer"], given["attention_mask"],
            self.config.n_heads, self.config.activation, given.get("head_mask"), keep,
        )  # fmt: skip

        layers = stack_trace["layer"].values()
        out = BaseModelOutput(last_hidden_state=h)
        if output_hidden_states:
            out.hidden_states = (x, *(layer["output_layer_norm"] for layer in layers))
        if output_attentions:
            out.attentions = tuple(attention_weights(layer) for layer in layers)
        if trace:
            whole = {"inputs": given, "embeddings": embeddings_trace}
            out.trace = flatten(whole | {"transformer": stack_trace})
        return out


def check_dtype(dtype: Any) -> np.dtype:
    """Return the NumPy dtype to compute in; raise InputError for any but two."""
    try:
        checked = None if dtype is None else np.dtype(dtype)
    except TypeError:
        checked = None
    if checked not in (np.float32, np.float64):
        raise InputError(f"dtype: expected float32 or float64, found {dtype!r}")
    return checked


def attention_weights(layer: Tree) -> Array:
    """Return the weights (B, H, L, L) that a block used, head_mask included."""
    return layer["attention"].get("masked_weights", layer["attention"]["weights"])


def whole_trace(
    encoded: BaseModelOutput, head: Tree, loss: np.floating | None, **labels: Any
) -> dict[str, Array] | None:
    """Return the encoder's trace with the head's, the labels and the loss, if kept."""
    if encoded.trace is None:
        return None
    given = {name: value for name, value in labels.items() if value is not None}
    trace = flatten({"inputs": given}) | encoded.trace | flatten({"head": head})
    return trace if loss is None else trace | {"loss": np.asarray(loss)}


# --- the six --------------------------------------------------------------------------
# Options of every call, besides those that are named: head_mask, token_type_ids,
# output_attentions, output_hidden_states, trace, as `encode` explains them.


class DistilBertModel(DistilBertPreTrainedModel):
    """The encoder alone: text in, one vector for each token out."""

    def __call__(
        self, input_ids: Any = None, attention_mask: Any = None,
        inputs_embeds: Any = None, position_ids: Any = None, **options: Any,
    ) -> BaseModelOutput:  # fmt: skip
        """Return the last hidden state (B, L, D) and what the options ask for."""
        return self.encode(
            input_ids, attention_mask, inputs_embeds, position_ids, **options
        )


class DistilBertForMaskedLM(DistilBertPreTrainedModel):
    """A score for every word of the vocabulary, at every place: what belongs here?"""

    head = "masked_lm"

    def __call__(
        self, input_ids: Any = None, attention_mask: Any = None,
        inputs_embeds: Any = None, labels: Any = None, position_ids: Any = None,
        **options: Any,
    ) -> MaskedLMOutput:  # fmt: skip
        """Return logits (B, L, V), and the loss for labels (B, L); −100 is ignored."""
        encoded = self.encode(
            input_ids, attention_mask, inputs_embeds, position_ids, **options
        )
        h = encoded.last_hidden_state
        logits, trace = heads.masked_lm_head(
            h, self.params, self.word_table, self.config.activation
        )
        loss = None
        if labels is not None:
            labels = inputs.check_token_labels(labels, *logits.shape)
            loss = cross_entropy(logits, labels)
        return MaskedLMOutput(
            loss, logits, encoded.hidden_states, encoded.attentions,
            whole_trace(encoded, trace, loss, labels=labels),
        )  # fmt: skip


class DistilBertForSequenceClassification(DistilBertPreTrainedModel):
    """A score for each class of a whole text, or numbers: classify, or regress."""

    head = "sequence"

    def __call__(
        self, input_ids: Any = None, attention_mask: Any = None,
        inputs_embeds: Any = None, labels: Any = None, position_ids: Any = None,
        **options: Any,
    ) -> SequenceClassifierOutput:  # fmt: skip
        """Return logits (B, C), and the loss by the configuration's problem_type.

        Labels are (B,) or (B, 1) classes, (B, C) truths from 0 to 1, or (B, C) numbers.
        """
        encoded = self.encode(
            input_ids, attention_mask, inputs_embeds, position_ids, **options
        )
        logits, trace = heads.sequence_head(encoded.last_hidden_state, self.params)
        loss = None
        if labels is not None:
            labels = inputs.check_sequence_labels(
                labels, len(logits), self.config, self.dtype
            )
            loss = heads.sequence_loss(logits, labels, self.config.problem_type)
        return SequenceClassifierOutput(
            loss, logits, encoded.hidden_states, encoded.attentions,
            whole_trace(encoded, trace, loss, labels=labels),
        )  # fmt: skip


class DistilBertForTokenClassification(DistilBertPreTrainedModel):
    """A score for each class at every token: tags of names, parts of speech."""

    head = "token"

    def __call__(
        self, input_ids: Any = None, attention_mask: Any = None,
        inputs_embeds: Any = None, labels: Any = None, position_ids: Any = None,
        **options: Any,
    ) -> TokenClassifierOutput:  # fmt: skip
        """Return logits (B, L, C), and the loss for labels (B, L); −100 is ignored.

        The attention mask does not touch the loss: label padding −100.
        """
        encoded = self.encode(
            input_ids, attention_mask, inputs_embeds, position_ids, **options
        )
        logits, trace = heads.token_head(encoded.last_hidden_state, self.params)
        loss = None
        if labels is not None:
            labels = inputs.check_token_labels(labels, *logits.shape)
            loss = cross_entropy(logits, labels)
        return TokenClassifierOutput(
            loss, logits, encoded.hidden_states, encoded.attentions,
            whole_trace(encoded, trace, loss, labels=labels),
        )  # fmt: skip


class DistilBertForQuestionAnswering(DistilBertPreTrainedModel):
    """Two scores at every token: the answer to the question starts, or ends, here."""

    head = "question_answering"

    def check_config(self) -> None:
        """Raise ConfigError unless there are two labels: start and end."""
        if self.config.num_labels != 2:
            raise ConfigError(
                f"num_labels: question answering needs 2 (start and end), found "
                f"{self.config.num_labels}"
            )

    def __call__(
        self, input_ids: Any = None, attention_mask: Any = None,
        inputs_embeds: Any = None, start_positions: Any = None,
        end_positions: Any = None, position_ids: Any = None, **options: Any,
    ) -> QuestionAnsweringModelOutput:  # fmt: skip
        """Return two logits (B, L), and the loss if both positions (B,) are given.

        Positions below 0 count as 0; those of L or more are not asked for.
        """
        encoded = self.encode(
            input_ids, attention_mask, inputs_embeds, position_ids, **options
        )
        h = encoded.last_hidden_state
        logits, trace = heads.question_answering_head(h, self.params)
        loss = None
        if start_positions is not None and end_positions is not None:
            B = len(h)
            start_positions = inputs.check_answer("start_positions", start_positions, B)
            end_positions = inputs.check_answer("end_positions", end_positions, B)
            loss = heads.question_answering_loss(logits, start_positions, end_positions)
        whole = whole_trace(
            encoded, trace, loss,
            start_positions=start_positions, end_positions=end_positions,
        )  # fmt: skip
        return QuestionAnsweringModelOutput(
            loss, logits[..., 0], logits[..., 1], encoded.hidden_states,
            encoded.attentions, whole,
        )  # fmt: skip


class DistilBertForMultipleChoice(DistilBertPreTrainedModel):
    """A score for each of several endings of a text: which one fits best?"""

    head = "multiple_choice"

    def __call__(
        self, input_ids: Any = None, attention_mask: Any = None,
        inputs_embeds: Any = None, labels: Any = None, position_ids: Any = None,
        **options: Any,
    ) -> MultipleChoiceModelOutput:  # fmt: skip
        """Return logits (B, C), and the loss for labels (B,), from inputs (B, C, L)."""
        choices = inputs.check_choices(
            input_ids=input_ids, attention_mask=attention_mask,
            inputs_embeds=inputs_embeds,
        )  # fmt: skip
        encoded = self.encode(**choices.flat, position_ids=position_ids, **options)
        logits, trace = heads.choice_head(
            encoded.last_hidden_state, self.params, choices.count
        )
        loss = None
        if labels is not None:
            labels = inputs.check_class_labels(labels, *logits.shape)
            loss = cross_entropy(logits, labels)
        return MultipleChoiceModelOutput(
            loss, logits, encoded.hidden_states, encoded.attentions,
            whole_trace(encoded, trace, loss, labels=labels),
        )  # fmt: skip
