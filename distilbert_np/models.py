"""The six classes that users call, shaped as in transformers.

A call checks its arguments, runs the encoder, then the head; with `trace=True` every
intermediate is in `out.trace`. The mathematics is in the files before this one.
"""

import os
import warnings
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from . import heads, hub, inputs, losses, weights
from .attention import used_weights
from .config import DistilBertConfig
from .embeddings import embeddings, embeddings_backward
from .encoder import transformer, transformer_backward
from .errors import ConfigError, InputError, shown
from .files import written_whole
from .functions import Array
from .outputs import (
    BaseModelOutput,
    MaskedLMOutput,
    ModelOutput,
    MultipleChoiceModelOutput,
    QuestionAnsweringModelOutput,
    SequenceClassifierOutput,
    TokenClassifierOutput,
)
from .trace import HEADS
from .trees import Tree, flatten, unflatten

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
        self._set_up(config, dtype)
        seed = inputs.check_seed(seed)
        self.params: Tree = weights.new_params(config, self.head, seed, self.dtype)
        self.load_report: weights.LoadReport | None = None

    @classmethod
    def from_pretrained(
        cls: type[Model], name_or_path: str | os.PathLike, *, dtype: Any = np.float32,
        revision: str | None = None, local_files_only: bool = False,
        cache_dir: str | os.PathLike | None = None, seed: int = 0, **changes: Any,
    ) -> Model:
        """Load a model from an embedded name, a folder, or the Hugging Face Hub.

        `changes` replace fields of the configuration, e.g. `num_labels=3`; labels that
        an embedded model's head does not know get a new head. Parameters of the head
        that the checkpoint lacks are drawn from `seed`, with one warning;
        `model.load_report` tells what became of every tensor. Raises CheckpointError
        or ConfigError where the files cannot be used.
        """
        seed = inputs.check_seed(seed)
        find = partial(
            hub.find_model, name_or_path, hub.CONFIG_FILES, hub.WEIGHT_FILES,
            revision=revision, local_files_only=local_files_only, cache_dir=cache_dir,
        )
        folder = find(head=cls.head)
        if hub.is_embedded(folder) and has_other_labels(folder, changes):
            folder = find(head="base")
        config = DistilBertConfig.read(folder).changed(**changes)
        model = cls.__new__(cls)
        try:
            model._set_up(config, dtype)
        except ConfigError as error:
            raise ConfigError(f"{folder}: {error}") from None
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

    def _set_up(self, config: DistilBertConfig, dtype: Any) -> None:
        if not isinstance(config, DistilBertConfig):
            found = shown(config)
            raise ConfigError(f"config: expected a DistilBertConfig, found {found}")
        config.check()
        self.check_config(config)
        self.config = config
        self.dtype = check_dtype(dtype)

    def check_config(self, config: DistilBertConfig) -> None:
        """Raise ConfigError where this class needs more than any DistilBERT does."""

    def save_pretrained(self, folder: str | os.PathLike) -> None:
        """Write config.json and model.safetensors, which transformers opens as well."""
        self.config.architectures = [type(self).__name__]
        self.config.dtype = self.dtype.name
        with written_whole(folder) as path:
            text = self.config.to_json_string()
            (path / "config.json").write_text(text, encoding="utf-8")
            tensors = flatten(self.params)
            weights.save_tensors(tensors, path / "model.safetensors")

    @property
    def encoder(self) -> Tree:
        """The encoder's part of the parameters."""
        return self.params.get("distilbert", self.params)

    @property
    def word_embeddings(self) -> Array:
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
        token_type_ids: Any = None, output_attentions: bool | None = None,
        output_hidden_states: bool | None = None, trace: bool = False,
        rng: "np.random.Generator | None" = None,
    ) -> BaseModelOutput:
        """Run embeddings and blocks; return the vectors (B, L, D) and what was asked.

        input_ids             (B, L) integers below vocab_size; or instead of them
        inputs_embeds         (B, L, D) vectors, used as if looked up
        attention_mask        (B, L) 1 where a token may be seen, 0 where it is hidden
        position_ids          (L,), (1, L) or (B, L) rows of the position table
        head_mask             (H,) or (N, H) factors for the heads' attention weights
        token_type_ids        ignored, with a warning: DistilBERT has none
        output_attentions     True: every block's attention weights, too
        output_hidden_states  True: every block's output, and the embeddings', too
                              (None, for either: as the configuration says)
        trace                 True: every intermediate by its name, as in trace.py
        rng                   draws what dropout drops, as in training; None: no dropout

        Raises InputError where an argument is not as described.
        """
        config = self.config
        if output_attentions is None:
            output_attentions = config.output_attentions
        if output_hidden_states is None:
            output_hidden_states = config.output_hidden_states
        inputs.check_flags(
            output_attentions=output_attentions, trace=trace,
            output_hidden_states=output_hidden_states,
        )
        given = inputs.check_inputs(
            config, self.dtype, input_ids, inputs_embeds, attention_mask, position_ids,
            head_mask, token_type_ids,
        )
        rng = inputs.check_rng(rng)
        words = given["input_ids" if inputs_embeds is None else "inputs_embeds"]
        wanted = {
            "output_layer_norm": output_hidden_states,
            "attention": output_attentions,
        }
        keep = None if trace else [name for name, asked in wanted.items() if asked]

        x, embeddings_trace = embeddings(
            words, given["position_ids"], self.encoder["embeddings"], config.dropout,
            rng,
        )
        h, stack_trace = transformer(
            x, self.encoder["transformer"], given["attention_mask"], config,
            given.get("head_mask"), keep, rng,
        )

        layers = stack_trace["layer"].values()
        out = BaseModelOutput(last_hidden_state=h)
        if output_hidden_states:
            out.hidden_states = (x, *(layer["output_layer_norm"] for layer in layers))
        if output_attentions:
            out.attentions = tuple(used_weights(layer["attention"]) for layer in layers)
        if trace:
            whole = {"inputs": given, "embeddings": embeddings_trace}
            out.trace = flatten(whole | {"transformer": stack_trace})
        return out

    def backward(self, out: ModelOutput, cotangents: Any = None) -> Tree:
        """Return the gradient of the loss for every parameter: a tree like `params`.

        `out` is what this model returned for labels and trace=True, its parameters
        unchanged since. `cotangents`, gradients of other outputs by their names, take
        the loss's place: `{"logits": dlogits}`, or `{"loss": 2, "hidden_states":
        [None, …, dh]}`. If inputs_embeds were given, their gradient joins the tree
        under that name. Raises InputError where one of these is not as described.
        """
        douts = inputs.check_cotangents(out, cotangents, self.dtype)
        if any(f"head.{name}" not in out.trace for name in HEADS[self.head]):
            raise InputError(f"out: is not from a {type(self).__name__}")
        trace = {"transformer": {"layer": {}}} | unflatten(out.trace)
        h = hidden_states(trace)[-1]
        dh, head_grads = self.head_backward(douts, h, trace)
        dwords, grads = self.encode_backward(dh, douts, trace)
        if "distilbert" in self.params:
            grads = {"distilbert": grads} | head_grads
        if "inputs_embeds" in trace["inputs"]:
            grads["inputs_embeds"] = dwords
        return grads

    def head_backward(self, douts: Tree, h: Array, trace: Tree) -> tuple[Array, Tree]:
        """Return the gradient of the vectors h (B, L, D), and those of the head."""
        raise NotImplementedError

    def encode_backward(
        self, dh: Array, douts: Tree, trace: Tree
    ) -> tuple[Array, Tree]:
        """Return the gradients of the words' vectors (B, L, D) and of the encoder."""
        given, config, states = trace["inputs"], self.config, hidden_states(trace)
        # h is one of the hidden states, and may have a gradient as an output too.
        dstates = douts.get("hidden_states", [None] * len(states))
        dstates = [0 if dstate is None else dstate for dstate in dstates]
        dstates[-1] = dstates[-1] + dh
        dx, stack_grads = transformer_backward(
            dstates, states, self.encoder["transformer"], trace["transformer"], config,
            given.get("head_mask"), douts.get("attentions"),
        )
        words = given["inputs_embeds" if "inputs_embeds" in given else "input_ids"]
        dwords, embeddings_grads = embeddings_backward(
            dx, words, given["position_ids"], self.encoder["embeddings"],
            trace["embeddings"], config.pad_token_id,
        )
        return dwords, {"embeddings": embeddings_grads, "transformer": stack_grads}


def has_other_labels(folder: Path, changes: dict[str, Any]) -> bool:
    """Whether a model's labels are others than these changes of fields ask for."""
    config = DistilBertConfig.read(folder)
    return config.changed(**changes).id2label != config.id2label


def check_dtype(dtype: Any) -> np.dtype:
    """Return the NumPy dtype to compute in; raise InputError for any but two."""
    try:
        checked = None if dtype is None else np.dtype(dtype)
    except Exception:                            # not of one kind
        checked = None
    if checked not in (np.float32, np.float64):
        raise InputError(f"dtype: expected float32 or float64, found {shown(dtype)}")
    return checked


def hidden_states(trace: Tree) -> list[Array]:
    """Return the N + 1 arrays (B, L, D) before, between and after the blocks."""
    first = trace["embeddings"].get("dropout", trace["embeddings"]["LayerNorm"])
    layers = trace["transformer"]["layer"]
    return [first, *(layers[str(i)]["output_layer_norm"] for i in range(len(layers)))]


def whole_trace(
    encoded: BaseModelOutput, head: Tree, loss: np.floating | None, labels: Tree
) -> dict[str, Array] | None:
    """Return the encoder's trace with the head's, the labels and the loss, if kept."""
    if encoded.trace is None:
        return None
    trace = flatten({"inputs": labels}) | encoded.trace | flatten({"head": head})
    return trace if loss is None else trace | {"loss": np.asarray(loss)}


# --- the six --------------------------------------------------------------------------
# Besides the arguments named here, each call takes the options that `encode` explains.


class DistilBertModel(DistilBertPreTrainedModel):
    """The encoder alone: ids in, a vector for each token out."""

    def __call__(
        self, input_ids: Any = None, attention_mask: Any = None,
        inputs_embeds: Any = None, position_ids: Any = None, **options: Any,
    ) -> BaseModelOutput:
        """Return the last hidden state (B, L, D) and what the options ask for."""
        return self.encode(
            input_ids, attention_mask, inputs_embeds, position_ids, **options
        )

    def head_backward(self, douts: Tree, h: Array, trace: Tree) -> tuple[Array, Tree]:
        """Return the gradient of the last hidden state: here it is an output."""
        return douts.get("last_hidden_state", np.zeros_like(h)), {}


class DistilBertWithLabels(DistilBertPreTrainedModel):
    """What three heads share: they score what they read, and compare with `labels`."""

    output_class: type[ModelOutput]

    def __call__(
        self, input_ids: Any = None, attention_mask: Any = None,
        inputs_embeds: Any = None, labels: Any = None, position_ids: Any = None,
        **options: Any,
    ) -> ModelOutput:
        """Return the head's logits, the loss if labels are given, and the options'."""
        encoded = self.encode(
            input_ids, attention_mask, inputs_embeds, position_ids, **options
        )
        logits, trace = self.score(encoded.last_hidden_state, options.get("rng"))
        loss, given = None, {}
        if labels is not None:
            given["labels"], loss = self.compare(logits, labels)
        return self.output_class(
            loss, logits, encoded.hidden_states, encoded.attentions,
            whole_trace(encoded, trace, loss, given),
        )

    def head_backward(self, douts: Tree, h: Array, trace: Tree) -> tuple[Array, Tree]:
        """Return the gradient of the vectors h (B, L, D), and those of the head."""
        logits = trace["head"]["logits"]
        dlogits = douts.get("logits", np.zeros_like(logits))
        if "loss" in douts:
            labels = trace["inputs"]["labels"]
            dlogits = dlogits + self.compare_backward(douts["loss"], logits, labels)
        return self.score_backward(dlogits, h, trace["head"])

    def score(self, h: Array, rng: Any) -> tuple[Array, Tree]:
        """Return the logits for the vectors (B, L, D), and the head's trace."""
        raise NotImplementedError

    def score_backward(
        self, dlogits: Array, h: Array, trace: Tree
    ) -> tuple[Array, Tree]:
        """Return the gradients of the vectors and of the head's parameters."""
        raise NotImplementedError

    def compare(self, logits: Array, labels: Any) -> tuple[Array, np.floating]:
        """Return the labels, checked, and the loss."""
        raise NotImplementedError

    def compare_backward(self, dloss: float, logits: Array, labels: Array) -> Array:
        """Return the gradient of the logits: mostly that of the cross-entropy."""
        return losses.cross_entropy_backward(dloss, logits, labels)


class DistilBertForMaskedLM(DistilBertWithLabels):
    """A score for every word of the vocabulary, at every position: what belongs here?

    Logits are (B, L, V), labels (B, L) ids; −100 is ignored.
    """

    head = "masked_lm"
    output_class = MaskedLMOutput

    @property
    def decoder(self) -> Array:
        """The matrix (V, D) of the last linear: the word embeddings, if they are tied.
        """
        return self.params["vocab_projector"].get("weight", self.word_embeddings)

    def backward(self, out: ModelOutput, cotangents: Any = None) -> Tree:
        """Return the gradient of the loss for every parameter: a tree like `params`.

        Arguments and errors are those of DistilBertPreTrainedModel.backward.
        """
        grads = super().backward(out, cotangents)
        if "weight" not in self.params["vocab_projector"]:
            # The decoder is the table of word embeddings: one table, read at the input
            # and at the output, and two gradients to add.
            table_grads = grads["distilbert"]["embeddings"]["word_embeddings"]
            table_grads["weight"] += grads["vocab_projector"].pop("weight")
        return grads

    def score(self, h: Array, rng: Any) -> tuple[Array, Tree]:
        """Return the logits (B, L, V) and the head's trace; this head drops nothing."""
        return heads.masked_lm_head(
            h, self.params, self.decoder, self.config.activation
        )

    def score_backward(
        self, dlogits: Array, h: Array, trace: Tree
    ) -> tuple[Array, Tree]:
        """Return the gradients of the vectors and of the head's parameters."""
        return heads.masked_lm_head_backward(
            dlogits, h, self.params, self.decoder, self.config.activation, trace
        )

    def compare(self, logits: Array, labels: Any) -> tuple[Array, np.floating]:
        """Return the labels, checked, and the loss."""
        labels = inputs.check_token_labels(labels, *logits.shape)
        return labels, losses.cross_entropy(logits, labels)


class DistilBertForSequenceClassification(DistilBertWithLabels):
    """A score for each class of a whole text, or numbers: classify, or regress.

    Logits are (B, C); labels are (B,) or (B, 1) classes, (B, C) truths from 0 to 1, or
    (B, C) numbers, as the configuration's problem_type says. If it says nothing, the
    first labels settle it.
    """

    head = "sequence"
    output_class = SequenceClassifierOutput

    def score(self, h: Array, rng: Any) -> tuple[Array, Tree]:
        """Return the logits (B, C) and the head's trace."""
        return heads.sequence_head(
            h, self.params, self.config.seq_classif_dropout, rng
        )

    def score_backward(
        self, dlogits: Array, h: Array, trace: Tree
    ) -> tuple[Array, Tree]:
        """Return the gradients of the vectors and of the head's parameters."""
        return heads.sequence_head_backward(dlogits, h, self.params, trace)

    def compare(self, logits: Array, labels: Any) -> tuple[Array, np.floating]:
        """Return the labels, checked, and the loss; remember the problem_type."""
        kind = inputs.problem_type(labels, self.config)
        labels = inputs.check_sequence_labels(labels, logits.shape, kind, self.dtype)
        self.config.problem_type = kind
        return labels, losses.sequence_loss(logits, labels, kind)

    def compare_backward(self, dloss: float, logits: Array, labels: Array) -> Array:
        """Return the gradient of the logits (B, C)."""
        kind = self.config.problem_type
        return losses.sequence_loss_backward(dloss, logits, labels, kind)


class DistilBertForTokenClassification(DistilBertWithLabels):
    """A score for each class at every token: tags of names, parts of speech.

    Logits are (B, L, C), labels (B, L); −100 is ignored. The attention mask does not
    touch the loss: label padding −100.
    """

    head = "token"
    output_class = TokenClassifierOutput

    def score(self, h: Array, rng: Any) -> tuple[Array, Tree]:
        """Return the logits (B, L, C) and the head's trace."""
        return heads.token_head(h, self.params, self.config.dropout, rng)

    def score_backward(
        self, dlogits: Array, h: Array, trace: Tree
    ) -> tuple[Array, Tree]:
        """Return the gradients of the vectors and of the head's parameters."""
        return heads.token_head_backward(dlogits, h, self.params, trace)

    def compare(self, logits: Array, labels: Any) -> tuple[Array, np.floating]:
        """Return the labels, checked, and the loss."""
        labels = inputs.check_token_labels(labels, *logits.shape)
        return labels, losses.cross_entropy(logits, labels)


class DistilBertForQuestionAnswering(DistilBertPreTrainedModel):
    """Two scores at every token: the answer to the question starts, or ends, here."""

    head = "question_answering"

    def check_config(self, config: DistilBertConfig) -> None:
        """Raise ConfigError unless there are two labels: start and end."""
        if config.num_labels != 2:
            raise ConfigError(
                f"num_labels: question answering needs 2 (start and end), found "
                f"{config.num_labels}"
            )

    def __call__(
        self, input_ids: Any = None, attention_mask: Any = None,
        inputs_embeds: Any = None, start_positions: Any = None,
        end_positions: Any = None, position_ids: Any = None, **options: Any,
    ) -> QuestionAnsweringModelOutput:
        """Return two logits (B, L), and the loss if both positions (B,) are given.

        Positions below 0 count as 0; those of L or more are ignored.
        """
        encoded = self.encode(
            input_ids, attention_mask, inputs_embeds, position_ids, **options
        )
        h = encoded.last_hidden_state
        logits, trace = heads.question_answering_head(
            h, self.params, self.config.qa_dropout, options.get("rng")
        )
        asked = {"start_positions": start_positions, "end_positions": end_positions}
        given = {
            name: inputs.check_answer(name, positions, len(h))
            for name, positions in asked.items()
            if positions is not None
        }
        loss = None
        if len(given) == 2:
            loss = losses.question_answering_loss(logits, *given.values())
        return QuestionAnsweringModelOutput(
            loss, logits[..., 0], logits[..., 1], encoded.hidden_states,
            encoded.attentions, whole_trace(encoded, trace, loss, given),
        )

    def head_backward(self, douts: Tree, h: Array, trace: Tree) -> tuple[Array, Tree]:
        """Return the gradient of the vectors h (B, L, D), and those of the head."""
        logits, given = trace["head"]["logits"], trace["inputs"]
        dlogits = np.zeros_like(logits)
        for end, name in enumerate(("start_logits", "end_logits")):
            dlogits[..., end] = douts.get(name, 0)
        if "loss" in douts:
            dlogits += losses.question_answering_loss_backward(
                douts["loss"], logits, given["start_positions"], given["end_positions"]
            )
        return heads.question_answering_head_backward(
            dlogits, h, self.params, trace["head"]
        )


class DistilBertForMultipleChoice(DistilBertPreTrainedModel):
    """A score for each of several endings of a text: which one fits best?"""

    head = "multiple_choice"

    def __call__(
        self, input_ids: Any = None, attention_mask: Any = None,
        inputs_embeds: Any = None, labels: Any = None, position_ids: Any = None,
        **options: Any,
    ) -> MultipleChoiceModelOutput:
        """Return logits (B, C), and the loss for labels (B,), from inputs (B, C, L)."""
        choices = inputs.check_choices(
            input_ids=input_ids, attention_mask=attention_mask,
            inputs_embeds=inputs_embeds,
        )
        encoded = self.encode(**choices.flat, position_ids=position_ids, **options)
        logits, trace = heads.choice_head(
            encoded.last_hidden_state, self.params, choices.count,
            self.config.seq_classif_dropout, options.get("rng"),
        )
        loss, given = None, {}
        if labels is not None:
            given["labels"] = inputs.check_class_labels(labels, *logits.shape)
            loss = losses.cross_entropy(logits, given["labels"])
        return MultipleChoiceModelOutput(
            loss, logits, encoded.hidden_states, encoded.attentions,
            whole_trace(encoded, trace, loss, given),
        )

    def backward(self, out: ModelOutput, cotangents: Any = None) -> Tree:
        """Return the gradient of the loss for every parameter: a tree like `params`.

        Arguments and errors are those of DistilBertPreTrainedModel.backward; the
        gradient of inputs_embeds has their shape, (B, C, L, D).
        """
        grads = super().backward(out, cotangents)
        if "inputs_embeds" in grads:
            flat = grads["inputs_embeds"]
            grads["inputs_embeds"] = flat.reshape(*out.logits.shape, *flat.shape[1:])
        return grads

    def head_backward(self, douts: Tree, h: Array, trace: Tree) -> tuple[Array, Tree]:
        """Return the gradient of the vectors h (B·C, L, D), and those of the head."""
        logits = trace["head"]["logits"]
        dlogits = douts.get("logits", np.zeros_like(logits))
        if "loss" in douts:
            dlogits = dlogits + losses.cross_entropy_backward(
                douts["loss"], logits, trace["inputs"]["labels"]
            )
        return heads.choice_head_backward(dlogits, h, self.params, trace["head"])


CLASSES: dict[str, type[DistilBertPreTrainedModel]] = {
    model_class.head: model_class
    for model_class in (
        DistilBertModel,
        DistilBertForMaskedLM,
        DistilBertForSequenceClassification,
        DistilBertForTokenClassification,
        DistilBertForQuestionAnswering,
        DistilBertForMultipleChoice,
    )
}
