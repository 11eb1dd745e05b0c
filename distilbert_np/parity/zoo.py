"""The zoo of planted bugs: faults that real ports had, to be switched on one by one.

    with zoo.planted("gelu-tanh"):
        out = model(**inputs, trace=True)

    python -m distilbert_np zoo                      # all of them, a line each
    python -m distilbert_np zoo gelu-tanh            # the story of one, and its lines

A fault changes a line or two of the lessons. `first` is the array of a trace that is
then the first to be wrong: what a porter with this fault has to find.
"""

import difflib
import textwrap
from contextlib import AbstractContextManager
from dataclasses import dataclass

from .. import attention, embeddings, encoder, functions, heads, losses, models
from ..errors import InputError, shown
from ..pipelines import feature_extraction
from ..trace import HEADS
from . import planting
from .planting import Edit, changed_sources


@dataclass(frozen=True)
class Fault:
    """A fault that ports have.

    name       what `compare` calls it
    what       what is wrong, in one line
    story      how one comes by it, and why the usual checks let it pass
    ports      public ports that had it
    edits      the lines that change
    first      the first array that is wrong; * is the first block, 0
    heads      the models whose trace shows it
    needs      what an input must have to show it: nothing else does
    invisible  why no output, loss or gradient shows it, if none does
    """

    name: str
    what: str
    story: str
    ports: tuple[str, ...]
    edits: tuple[Edit, ...]
    first: str
    heads: tuple[str, ...] = tuple(HEADS)
    needs: str = ""
    invisible: str = ""


def planted(name: str) -> AbstractContextManager[None]:
    """Return a context in which the package has this fault.

    Raises InputError for a name that is not in the ZOO.
    """
    return planting.planted(*fault_named(name).edits)


def fault_named(name: str) -> Fault:
    """Return the fault of this name; raise InputError if there is none."""
    if name not in ZOO:
        near = difflib.get_close_matches(name, ZOO, 1)
        hint = f"; did you mean {near[0]}?" if near else f"; {SHOW} lists it"
        raise InputError(f"fault: {shown(name)} is not in the zoo{hint}")
    return ZOO[name]


SHOW = "python -m distilbert_np zoo"

# What an input must have.
HIDDEN = "hidden tokens"
BLIND = "a text with no token in sight"
IGNORED = "a label that is not asked for (−100, or an answer outside the text)"
SEVERAL = "several labels"
PADDED = "a padding token whose vector matters: in sight, or with a gradient itself"

WITH_LOSS = tuple(head for head in HEADS if head != "base")
FIRST_TOKEN = ("sequence", "multiple_choice")
BLOCK = "transformer.layer.*."
WORDS_GRADIENT = "gradients.embeddings.word_embeddings.weight"

# Ports that stand here more than once.
PICOBERT = "jaymody/picoBERT"
CANDLE = "huggingface/candle, distilbert.rs"
CHINESE = "649453932/Chinese-Text-Classification-Pytorch, Transformer.py"
ANNOTATED = "harvardnlp/annotated-transformer"

# The lines that more than one fault changes.
ROOT = "1 / np.sqrt(variance + eps)"
NORM_OF_SUM = 'x = layer_norm(summed, **params["LayerNorm"])'
OUT_LIN = 'y = linear(context, **params["out_lin"])'
SCORES = "matmul(q / math.sqrt(K), "
SOFTMAX = "weights = softmax(scores, mask_bias(mask, x.dtype))"
POSITIONS = 'positions = lookup(position_ids, **params["position_embeddings"])'
DECODER = 'linear(normalised, decoder, params["vocab_projector"]["bias"])'
COUNTED = "counted = labels != ignored"


def in_gelu(formula: str) -> tuple[Edit, ...]:
    """Return the edit that makes GELU another function."""
    right = "in_blocks(_gelu, y, np.asarray(x, y.dtype))"
    return (Edit(functions, "gelu", right, f"y[...] = {formula}"),)


def in_norm(inverse_deviation: str) -> tuple[Edit, ...]:
    """Return the edit that makes LayerNorm divide by something else."""
    return (Edit(functions, "_normalise", ROOT, inverse_deviation),)


def in_attention(text: str, replacement: str) -> tuple[Edit, ...]:
    """Return an edit of the lesson on attention."""
    return (Edit(attention, "attention", text, replacement),)


def in_embeddings(text: str, replacement: str) -> tuple[Edit, ...]:
    """Return an edit of the lesson on embeddings."""
    return (Edit(embeddings, "embeddings", text, replacement),)


def in_masked_lm(text: str, replacement: str) -> tuple[Edit, ...]:
    """Return an edit of the masked-LM head."""
    return (Edit(heads, "masked_lm_head", text, replacement),)


def in_mask(text: str, replacement: str) -> tuple[Edit, ...]:
    """Return an edit of what the mask adds to the scores."""
    return (Edit(attention, "mask_bias", text, replacement),)


FAULTS = [
    # --- functions --------------------------------------------------------------------
    Fault(
        "gelu-tanh",
        "GELU is its tanh approximation",
        story=(
            "What a library calls gelu is often the tanh form, which DistilBERT calls "
            "gelu_new. The two differ by at most 4.7e-4: cosine similarity stays above "
            "0.9999, and a mean of signed differences cancels."
        ),
        ports=(
            PICOBERT,
            f"{CANDLE} (candle's gelu is the tanh form, gelu_erf the exact one)",
            "JuliaTransformers/DistilBERT.jl (records 6.8e-3; its check passes 1e-2)",
            "huggingface/text-embeddings-inference, pull request 753 (every gelu)",
            "Blaizzy/mlx-embeddings, issue 81 (ModernBERT)",
        ),
        edits=in_gelu("gelu_new(x)"),
        first=BLOCK + "ffn.activation",
    ),
    Fault(
        "gelu-quick",
        "GELU is x · σ(1.702 x)",
        story=(
            "The fast form that CLIP uses under the name quick_gelu. It differs by at "
            "most 0.021."
        ),
        ports=(),
        edits=in_gelu("x * sigmoid(1.702 * x)"),
        first=BLOCK + "ffn.activation",
    ),
    Fault(
        "norm-eps-1e-5",
        "LayerNorm adds 1e-5 to the variance, not 1e-12",
        story=(
            "1e-5 is the default of many libraries' LayerNorm; DistilBERT's 1e-12 "
            "stands in no configuration file. On rows of variance 1 it moves the sixth "
            "digit, and passes rtol 1e-3."
        ),
        ports=(
            "keras-team/keras-hub, issue 642 (BERT: right in the embeddings alone)",
            "nomic-ai/gpt4all, pull request 1946 (BERT)",
        ),
        edits=in_norm("1 / np.sqrt(variance + 1e-5)"),
        first="embeddings.LayerNorm",
    ),
    Fault(
        "norm-eps-1e-3",
        "LayerNorm adds 1e-3 to the variance, not 1e-12",
        story=(
            "The default of Keras. It shows most where variances are small: in the "
            "embeddings, before they are normalised."
        ),
        ports=(PICOBERT,),
        edits=in_norm("1 / np.sqrt(variance + 1e-3)"),
        first="embeddings.LayerNorm",
    ),
    Fault(
        "norm-eps-outside-root",
        "LayerNorm divides by σ + eps, not by √(σ² + eps)",
        story=(
            "The form of a much copied tutorial. With 1e-12 nobody could tell, but it "
            "comes with an eps of 1e-6 or 1e-5."
        ),
        ports=(
            f"{ANNOTATED}, LayerNorm",
            "codertimo/BERT-pytorch, issue 30 (copied from there)",
            "hkproj/pytorch-transformer, pull request 31",
        ),
        edits=in_norm("1 / (np.sqrt(variance) + 1e-5)"),
        first="embeddings.LayerNorm",
    ),
    Fault(
        "norm-unbiased-variance",
        "LayerNorm's variance divides by D − 1, not by D",
        story=(
            "What a tensor's own std or var does unless told otherwise. At D = 768 "
            "the normalised numbers are 0.07 % too small."
        ),
        ports=(f"{ANNOTATED}, pull request 119",),
        edits=(Edit(
            functions, "_moments",
            "_mean(centred, centred)",
            "_row_sums(centred, centred) / (x.shape[-1] - 1)",
        ),),
        first="embeddings.LayerNorm",
    ),
    Fault(
        "norm-params-missing",
        "LayerNorm's gain and bias were never loaded: 1 and 0",
        story=(
            "Old checkpoints call them gamma and beta. A loader that looks for weight "
            "and bias, and is not strict, leaves what they were initialised with; a "
            "model fresh from its configuration has just these, so tests on one pass."
        ),
        ports=("huggingface/transformers, issue 11809 (gamma and beta in the file)",),
        edits=(Edit(
            functions, "_layer_norm",
            "np.multiply(normalised, weight, out=y)\n    y += bias",
            "y[...] = normalised",
        ),),
        first="embeddings.LayerNorm",
    ),
    Fault(
        "float16-accumulation",
        "linear adds up its products in float16",
        story=(
            "A kernel for half precision that adds up its tiles, of 16 products here, "
            "in half precision as well: fast, and 2048 + 1 is 2048. The shorter the "
            "sums of a test, the less it shows."
        ),
        ports=(),
        edits=(Edit(
            functions, "linear",
            "return y.reshape(",
            "half = np.zeros(y.shape, np.float16)\n"
            "    for i in range(0, rows.shape[1], 16):\n"
            "        tile = rows[:, i : i + 16] @ weight[:, i : i + 16].T\n"
            "        half += tile.astype(np.float16)\n"
            "    y = half.astype(x.dtype) + bias\n"
            "    return y.reshape(",
        ),),
        first=BLOCK + "attention.q",
    ),
    # --- embeddings -------------------------------------------------------------------
    Fault(
        "positions-off-by-one",
        "positions are counted from 1",
        story=(
            "Counted as in Julia or Fortran, or from past the padding id, as in "
            "RoBERTa. Words keep their order, and no row is missing until a text has "
            "512 tokens (the last gets row 0 here)."
        ),
        ports=("graykode/nlp-tutorial, issue 73 (a Transformer)",),
        edits=in_embeddings(
            POSITIONS,
            'n = len(params["position_embeddings"]["weight"])\n'
            '    positions = lookup((position_ids + 1) % n, '
            '**params["position_embeddings"])',
        ),
        first="embeddings.positions",
    ),
    Fault(
        "sinusoidal-regenerated",
        "the table of positions is computed anew, and not read from the file",
        story=(
            "Where the configuration says sinusoidal_pos_embds, a port may compute "
            "the table and leave out the one in the file, which was trained further. "
            "Tests on models without that option pass."
        ),
        ports=("guillaume-be/rust-bert, issue 228 (mended in pull request 230)",),
        edits=in_embeddings(
            POSITIONS,
            'table = params["position_embeddings"]["weight"]\n'
            "    table = sinusoidal_table(*table.shape).astype(table.dtype)\n"
            "    positions = lookup(position_ids, table)",
        ),
        first="embeddings.positions",
    ),
    Fault(
        "token-types-added",
        "a token type's vector is added to every word",
        story=(
            "BERT has token types, DistilBERT has none. A port made from BERT adds a "
            "row of a table that no file filled; LayerNorm takes away a part of it."
        ),
        ports=(),
        edits=in_embeddings(
            "summed = words + positions",
            "types = np.random.default_rng(0).normal(0, 0.02, words.shape[-1])\n"
            "    summed = words + positions + types.astype(words.dtype)",
        ),
        first="embeddings.sum",
    ),
    Fault(
        "embeddings-not-normalised",
        "the embeddings' LayerNorm is missing",
        story=(
            "The LayerNorm of the embeddings is in no picture of a block. The next one "
            "brings the size back."
        ),
        ports=(),
        edits=in_embeddings(NORM_OF_SUM, "x = summed"),
        first="embeddings.LayerNorm",
    ),
    Fault(
        "embeddings-added-to-their-norm",
        "the sum of the embeddings is added to its LayerNorm",
        story=(
            "One character: += in place of =. Every shape is right, and the next "
            "LayerNorm brings the size back."
        ),
        ports=(PICOBERT,),
        edits=in_embeddings(NORM_OF_SUM, f"{NORM_OF_SUM} + summed"),
        first="embeddings.LayerNorm",
    ),
    Fault(
        "embeddings-scaled",
        "the words' vectors are multiplied by √D",
        story=(
            "As in the first Transformer, whose paper says so. LayerNorm takes most of "
            "it away again, and positions count for less."
        ),
        ports=("d2l-ai/d2l-en, pull request 2661 (proposed for its BERT)",),
        edits=in_embeddings(
            'words = lookup(words, **params["word_embeddings"])',
            'words = lookup(words, **params["word_embeddings"])\n'
            "        words = words * words.shape[-1] ** 0.5",
        ),
        first="embeddings.words",
    ),
    Fault(
        "positions-counted-in-sight",
        "positions are counted from the first token in sight",
        story=(
            "As is right for GPT-2 with padding on the left. DistilBERT counts places, "
            "whatever is hidden; with padding on the right the two differ only where "
            "nobody looks."
        ),
        ports=(),
        edits=(Edit(
            models, "DistilBertPreTrainedModel.encode",
            'words, given["position_ids"],',
            'words, np.maximum(given["attention_mask"].cumsum(axis=1) - 1, 0),\n'
            "           ",
        ),),
        first="embeddings.positions",
        needs=HIDDEN,
    ),
    # --- attention --------------------------------------------------------------------
    Fault(
        "query-key-swapped",
        "queries come from k_lin, and keys from q_lin",
        story=(
            "Both matrices have one shape, and the checkpoint's alphabetical order "
            "(k, out, q, v) is not the paper's. Every weight is used once, no shape is "
            "wrong; without a mask, the scores are just transposed."
        ),
        ports=(),
        edits=(
            *in_attention(
                'q = split_heads(linear(x, **params["q_lin"])',
                'q = split_heads(linear(x, **params["k_lin"])',
            ),
            *in_attention(
                'k = split_heads(linear(x, **params["k_lin"])',
                'k = split_heads(linear(x, **params["q_lin"])',
            ),
        ),
        first=BLOCK + "attention.q",
    ),
    Fault(
        "heads-not-transposed",
        "heads are cut by reshaping straight to (B, H, L, K)",
        story=(
            "The shape is right, and each head holds numbers of several tokens. A "
            "model that is trained with it learns; weights from elsewhere tell."
        ),
        ports=(f"{CHINESE}, issue 53",),
        edits=(Edit(
            attention, "split_heads",
            "x.reshape(B, L, n_heads, D // n_heads).transpose(0, 2, 1, 3)",
            "x.reshape(B, n_heads, L, D // n_heads)",
        ),),
        first=BLOCK + "attention.q",
    ),
    Fault(
        "heads-interleaved",
        "a head takes every H-th number, not K consecutive ones",
        story=(
            "Reshaped to (…, K, H), the two in the wrong order. The shape is right, "
            "and so is every number, in another head. Files whose rows were permuted "
            "for it exist; DistilBERT's is none."
        ),
        ports=(),
        edits=(Edit(
            attention, "split_heads",
            "x.reshape(B, L, n_heads, D // n_heads).transpose(0, 2, 1, 3)",
            "x.reshape(B, L, D // n_heads, n_heads).transpose(0, 3, 1, 2)",
        ),),
        first=BLOCK + "attention.q",
    ),
    Fault(
        "heads-not-merged-back",
        "heads are merged by reshaping, without transposing back",
        story=(
            "The way in was right, and the way back forgets the transpose: the shape "
            "(B, L, D) comes out, with the tokens mixed. With one token, or one head, "
            "it is right."
        ),
        ports=(
            f"{CHINESE}, issue 10",
            "jsbaan/transformer-from-scratch, pull request 6",
        ),
        edits=(Edit(
            attention, "merge_heads",
            "x.transpose(0, 2, 1, 3).reshape(B, L, H * K)",
            "x.reshape(B, L, H * K)",
        ),),
        first=BLOCK + "attention.context",
    ),
    Fault(
        "key-bias-dropped",
        "k_lin's bias is missing",
        story=(
            "Some models have no bias there, and a port of one carries it over. Only "
            "the keys and the scores themselves can tell."
        ),
        ports=(),
        edits=in_attention(
            'linear(x, **params["k_lin"])', 'x @ params["k_lin"]["weight"].T'
        ),
        first=BLOCK + "attention.k",
        invisible=(
            "The bias adds q·b to every score of a query, the same for all keys; "
            "softmax does not see what is added to a whole row. For the same reason "
            "its gradient is zero."
        ),
    ),
    Fault(
        "scores-scaled-by-dim",
        "scores are divided by √D, not by √K",
        story=(
            "The paper writes √d_k, and the code at hand knows d_model. Attention is "
            "flatter than it should be, and still adds up to 1. With one head it is "
            "right."
        ),
        ports=(
            "FareedKhan-dev/train-llm-from-scratch, pull request 3",
            "juho-lee/set_transformer, issue 18",
        ),
        edits=in_attention(SCORES, "matmul(q / math.sqrt(x.shape[-1]), "),
        first=BLOCK + "attention.scores",
    ),
    Fault(
        "scores-not-scaled",
        "scores are not divided by √K",
        story=(
            "Left out, or left to a caller who thinks that the kernel does it. Softmax "
            "is peaked then, and its rows still add up to 1."
        ),
        ports=("mlc-ai/mlc-llm, pull request 3426 (BERT: cosine 0.862)",),
        edits=in_attention(SCORES, "matmul(q, "),
        first=BLOCK + "attention.scores",
    ),
    Fault(
        "mask-ignored",
        "the attention mask is not used",
        story=(
            "Every test on one text without padding passes. In a batch, answers depend "
            "on the longest text beside them."
        ),
        ports=(f"{CHINESE} (the mask is commented out)",),
        edits=in_attention(SOFTMAX, "weights = softmax(scores)"),
        first=BLOCK + "attention.weights",
        needs=HIDDEN,
    ),
    Fault(
        "mask-inverted",
        "the attention mask hides what should be seen",
        story=(
            "1 means seen in a tokenizer's mask, and hidden in what masked_fill takes. "
            "Where all is in sight, all is hidden alike, and plain means come out."
        ),
        ports=(
            f"{CANDLE}, pull request 2878",
            "nyu-mll/jiant, pull request 465 (BERT)",
        ),
        edits=in_attention(SOFTMAX, SOFTMAX.replace("mask,", "~mask,")),
        first=BLOCK + "attention.weights",
    ),
    Fault(
        "mask-fill-1e4",
        "hidden scores get −10,000 added, not the lowest number",
        story=(
            "BERT's own code does so, and next to a token in sight it is as good. A "
            "text with none attends by its scores, where DistilBERT attends evenly."
        ),
        ports=(
            "google-research/bert, modeling.py (where it is the definition)",
            "huggingface/transformers, before pull request 17306",
        ),
        edits=in_mask("np.finfo(dtype).min", "-1e4"),
        first=BLOCK + "attention.weights",
        needs=BLIND,
    ),
    Fault(
        "mask-fill-infinity",
        "hidden scores get −∞: a text with no token in sight becomes NaN",
        story=(
            "−∞ − (−∞) is NaN. A tokenizer makes no such text; filling a batch up to a "
            "fixed size does, and NaN then spreads to the loss and every gradient."
        ),
        ports=(
            "huggingface/transformers itself, in 2022 (pull request 15326 tells)",
            CANDLE,
        ),
        edits=in_mask("np.finfo(dtype).min", "-np.inf"),
        first=BLOCK + "attention.weights",
        needs=BLIND,
    ),
    Fault(
        "mask-after-softmax",
        "the mask multiplies the weights, after softmax",
        story=(
            "Hidden tokens get weight 0, as they should, and those in sight keep what "
            "they had beside them: rows no longer add up to 1."
        ),
        ports=("huggingface/pytorch-image-models, pull request 2236 (EVA)",),
        edits=in_attention(
            SOFTMAX, "weights = softmax(scores) * mask[:, None, None]"
        ),
        first=BLOCK + "attention.weights",
        needs=HIDDEN,
    ),
    Fault(
        "causal-mask",
        "tokens do not see those after them",
        story=(
            "An attention made for GPT, whose mask is on by default. The last token "
            "sees all that it should, and so does a text of one."
        ),
        ports=("sgl-project/sglang, pull request 35434 (BERT-like models on a CPU)",),
        edits=in_attention(
            SOFTMAX,
            "causal = np.tril(np.ones(scores.shape[-2:], bool)) & mask[:, None, None]\n"
            "    bias = np.where(causal, 0, np.finfo(x.dtype).min).astype(x.dtype)\n"
            "    weights = softmax(scores, bias)",
        ),
        first=BLOCK + "attention.weights",
    ),
    Fault(
        "softmax-wrong-axis",
        "softmax goes over the queries, not over the keys",
        story=(
            "Axis 1 of a matrix is axis 3 of a stack of them, and a default may guess. "
            "The weights are between 0 and 1 all the same, and each column adds up to "
            "1."
        ),
        ports=(
            "FudanNLP/fastNLP, issue 254 (wrong with four dimensions)",
            "labmlai/annotated_deep_learning_paper_implementations, issue 146",
            "nerdai/llms-from-scratch-rs, pull request 30",
        ),
        edits=in_attention(
            SOFTMAX,
            "masked = np.where(mask[:, None, None], scores, np.finfo(x.dtype).min)\n"
            "    weights = softmax(masked.swapaxes(-1, -2)).swapaxes(-1, -2)",
        ),
        first=BLOCK + "attention.weights",
    ),
    Fault(
        "bias-dropped",
        "out_lin's bias is missing",
        story=(
            "A fresh model's biases are all 0, so tests on one pass, whichever of them "
            "is forgotten."
        ),
        ports=(),
        edits=in_attention(OUT_LIN, 'y = context @ params["out_lin"]["weight"].T'),
        first=BLOCK + "attention.out_lin",
    ),
    Fault(
        "weight-transposed",
        "out_lin multiplies by W, not by Wᵀ",
        story=(
            "PyTorch stores a linear as (out, in), TensorFlow as (in, out). Where both "
            "are D, no shape complains."
        ),
        ports=(),
        edits=in_attention(
            OUT_LIN,
            'y = context @ params["out_lin"]["weight"] + params["out_lin"]["bias"]',
        ),
        first=BLOCK + "attention.out_lin",
    ),
    # --- blocks -----------------------------------------------------------------------
    Fault(
        "residual-missing",
        "attention's output is not added to what it read",
        story=(
            "LayerNorm brings the size back. Every parameter is used, and every shape "
            "right."
        ),
        ports=(),
        edits=(Edit(
            encoder, "transformer_block",
            "attention_sum = x + attended", "attention_sum = attended",
        ),),
        first=BLOCK + "attention_sum",
    ),
    Fault(
        "residual-from-block-input",
        "the feed-forward network's output is added to the block's input",
        story=(
            "A function that keeps calling its input x has it at hand, where what the "
            "feed-forward network read is meant."
        ),
        ports=("strutive07/transformer-tensorflow2.0, issue 14",),
        edits=(Edit(
            encoder, "transformer_block",
            "ffn_sum = middle + transformed", "ffn_sum = x + transformed",
        ),),
        first=BLOCK + "ffn_sum",
    ),
    Fault(
        "norm-params-swapped",
        "a block's two LayerNorms have each other's gain and bias",
        story=(
            "Four vectors of one shape, and names that differ from library to library. "
            "In a fresh model, gains are 1 and biases 0 in either."
        ),
        ports=(),
        edits=(
            Edit(
                encoder, "transformer_block",
                'attention_sum, **params["sa_layer_norm"]',
                'attention_sum, **params["output_layer_norm"]',
            ),
            Edit(
                encoder, "transformer_block",
                'ffn_sum, **params["output_layer_norm"]',
                'ffn_sum, **params["sa_layer_norm"]',
            ),
        ),
        first=BLOCK + "sa_layer_norm",
    ),
    Fault(
        "pre-norm",
        "LayerNorm comes before attention and the feed-forward network",
        story=(
            "As in GPT-2 and most models since. Every parameter is used, every shape "
            "right, and the sums are left as they are."
        ),
        ports=("hkproj/pytorch-transformer, issue 14 (a Transformer)",),
        edits=tuple(
            Edit(encoder, "transformer_block", text, replacement)
            for text, replacement in (
                ('x, params["attention"],',
                 'layer_norm(x, **params["sa_layer_norm"]),\n'
                 '        params["attention"],'),
                ('middle = layer_norm(attention_sum, **params["sa_layer_norm"])',
                 "middle = attention_sum"),
                ('middle, params["ffn"],',
                 'layer_norm(middle, **params["output_layer_norm"]),\n'
                 '        params["ffn"],'),
                ('y = layer_norm(ffn_sum, **params["output_layer_norm"])',
                 "y = ffn_sum"),
            )
        ),
        first=BLOCK + "attention.q",
    ),
    Fault(
        "layers-swapped",
        "the first two blocks run in each other's place",
        story=(
            "Blocks come out of a map, or of a list sorted by name, in an order of its "
            "own. Each block alone is right, and so is a test on one."
        ),
        ports=(),
        edits=tuple(
            Edit(encoder, "transformer", text, replacement)
            for text, replacement in (
                ("x, trace = transformer_block(",
                 'j = {0: 1, 1: 0}.get(i, i) % len(params["layer"])\n'
                 "        x, trace = transformer_block("),
                ("str(i)], mask", "str(j)], mask"),
            )
        ),
        first=BLOCK + "attention.q",
    ),
    # --- heads ------------------------------------------------------------------------
    Fault(
        "head-activation-missing",
        "the masked-LM head has no GELU",
        story=(
            "The head is a linear, GELU, LayerNorm and a linear. GELU has no "
            "parameters, so no name in the file asks for it."
        ),
        ports=(PICOBERT,),
        edits=in_masked_lm(
            "activated = ACTIVATIONS[activation](transformed)",
            "activated = transformed",
        ),
        first="head.activation",
        heads=("masked_lm",),
    ),
    Fault(
        "decoder-untied",
        "the decoder is a fresh matrix, not the word embeddings",
        story=(
            "A file may leave a tied decoder out; a loader that is not strict keeps "
            "the one it has drawn. All hidden states are right."
        ),
        ports=(),
        edits=in_masked_lm(
            f"logits = {DECODER}",
            "fresh = np.random.default_rng(0).normal(0, 0.02, decoder.shape)\n"
            "    fresh = fresh.astype(h.dtype)\n"
            f"    logits = {DECODER.replace('decoder', 'fresh')}",
        ),
        first="head.logits",
        heads=("masked_lm",),
    ),
    Fault(
        "decoder-transposed",
        "the decoder's numbers, stored as (V, D), are read as (D, V)",
        story=(
            "The product needs a (D, V) matrix, and a reshape makes one: of the right "
            "shape, with the rows of words cut and mixed."
        ),
        ports=(),
        edits=in_masked_lm(
            f"logits = {DECODER}",
            "scrambled = decoder.reshape(decoder.shape[::-1]).T\n"
            f"    logits = {DECODER.replace('decoder', 'scrambled')}",
        ),
        first="head.logits",
        heads=("masked_lm",),
    ),
    Fault(
        "pooler-tanh",
        "the head that reads the first token has tanh, not ReLU",
        story=(
            "BERT's pooler has tanh, and so have the heads of its other relatives. "
            "The encoder is right, and so is pre_classifier."
        ),
        ports=("keras-team/keras-hub, pull request 437 (DistilBERT; seen in review)",),
        edits=(Edit(
            heads, "sequence_head",
            "activated = relu(hidden)", "activated = np.tanh(hidden)",
        ),),
        first="head.relu",
        heads=FIRST_TOKEN,
    ),
    Fault(
        "last-token-taken",
        "the last token is classified, not the first",
        story=(
            "As GPT-2's heads do. The shape is right, and every token has read the "
            "whole text; in a padded batch the last one is padding."
        ),
        ports=(),
        edits=(Edit(
            heads, "sequence_head", "first = h[:, 0]", "first = h[:, -1]",
        ),),
        first="head.first",
        heads=FIRST_TOKEN,
    ),
    Fault(
        "padding-averaged-in",
        "a text's vector is the mean over all tokens, padding as well",
        story=(
            "last_hidden_state.mean(1), with the mask given to the model and forgotten "
            "after it. A text alone is right; in a batch, its vector depends on the "
            "longest one."
        ),
        ports=(
            "HKUDS/LightRAG, pull request 3675",
            "lanterndata/lantern_extras, pull request 91",
        ),
        edits=(Edit(
            feature_extraction, "mean_in_sight",
            "seen = mask.astype(bool)", "seen = np.ones(mask.shape, bool)",
        ),),
        first="sentence.mean",
        heads=("base",),
        needs=HIDDEN,
    ),
    # --- losses and gradients ---------------------------------------------------------
    Fault(
        "ignored-labels-counted",
        "labels of −100 are taken for class 0, and count in the mean",
        story=(
            "PyTorch leaves −100 out without being asked. Elsewhere it may be clipped "
            "to 0, or wrap around; the loss falls nicely, for most labels are one "
            "class then."
        ),
        ports=(),
        edits=tuple(
            Edit(
                losses, function, COUNTED,
                "labels = np.clip(labels, 0, logits.shape[-1] - 1)\n"
                "    counted = np.ones(labels.shape, bool)",
            )
            for function in ("cross_entropy", "cross_entropy_backward")
        ),
        first="loss",
        heads=WITH_LOSS,
        needs=IGNORED,
    ),
    Fault(
        "loss-over-all-places",
        "the loss is divided by the number of all labels, those of −100 as well",
        story=(
            "A mean of what was set to 0 where nothing is asked. The loss is six times "
            "too small where a sixth of the words is asked for, and falls as it should."
        ),
        ports=(),
        edits=(
            Edit(
                losses, "cross_entropy",
                "-log_p.mean() if", "-log_p.sum() / labels.size if",
            ),
            Edit(
                losses, "cross_entropy_backward",
                "max(len(drows), 1)", "labels.size",
            ),
        ),
        first="loss",
        heads=WITH_LOSS,
        needs=IGNORED,
    ),
    Fault(
        "loss-summed",
        "the loss's gradient is that of the sum, not of the mean",
        story=(
            "The loss that is shown is a mean; what goes back forgot the division. "
            "Adam does not see the size of a gradient, so training goes well until "
            "something does: SGD, or a clip of the norm."
        ),
        ports=(),
        edits=(Edit(
            losses, "cross_entropy_backward",
            "(float(dloss) / max(len(drows), 1))", "float(dloss)",
        ),),
        first="gradients.head.logits",
        heads=WITH_LOSS,
        needs=SEVERAL,
    ),
    Fault(
        "tied-gradient-forgotten",
        "the tied table lacks the gradient that it has as the decoder",
        story=(
            "One table is read twice, and a backward pass by hand, or two buffers with "
            "an optimiser each, forget one of the two. The loss goes down all the same."
        ),
        ports=("paiml/entrenar, issue 314",),
        edits=(Edit(
            models, "DistilBertForMaskedLM.backward",
            'table_grads["weight"] += grads["vocab_projector"].pop("weight")',
            'grads["vocab_projector"].pop("weight")',
        ),),
        first=WORDS_GRADIENT,
        heads=("masked_lm",),
    ),
    Fault(
        "pad-row-gradient",
        "the padding token's row gets a gradient where it was read",
        story=(
            "PyTorch's padding_idx keeps that row as it is, which is no part of the "
            "calculus. Outputs do not change until a step of training has moved it."
        ),
        ports=(
            "pytorch/pytorch itself, issue 26302 (on a GPU)",
            "google/torchax, pull request 11",
        ),
        edits=(Edit(
            functions, "lookup_backward", "dweight[padding_id] = 0", "pass",
        ),),
        first=WORDS_GRADIENT,
        needs=PADDED,
    ),
]
ZOO = {fault.name: fault for fault in FAULTS}


# --- for people -----------------------------------------------------------------------


def table() -> str:
    """Return a line for each fault: its name, what is wrong first, what is wrong."""
    rows = [("fault", "first wrong", "what is wrong")]
    rows += [(fault.name, fault.first, fault.what) for fault in FAULTS]
    return "\n".join(f"{name:32}{first:45}{what}" for name, first, what in rows)


def story(fault: Fault) -> str:
    """Return all that is known of a fault, with the lines that change."""
    every = fault.heads == tuple(HEADS)
    facts = [
        ("first wrong", fault.first),
        ("shown by", "every model" if every else ", ".join(fault.heads)),
        ("needs", fault.needs),
        ("invisible", fault.invisible),
        *(("had by", port) for port in fault.ports),
    ]
    known = [paragraph(f"{label:13}{fact}", 13) for label, fact in facts if fact]
    return "\n\n".join([
        f"{fault.name}: {fault.what}", paragraph(fault.story), "\n".join(known),
        diff(fault),
    ])


def paragraph(text: str, indent: int = 0) -> str:
    """Return a text in lines of a terminal, those after the first indented."""
    return textwrap.fill(text, width=88, subsequent_indent=" " * indent)


def diff(fault: Fault) -> str:
    """Return the lines that a fault changes: - right, + wrong."""
    lines = []
    for function, (right, wrong) in changed_sources(fault.edits).items():
        lines.append(f"{function.__module__}, {function.__qualname__}")
        changes = difflib.unified_diff(
            right.splitlines(), wrong.splitlines(), n=0, lineterm=""
        )
        _, _, *changed = changes                 # without the names of the files
        lines += [line for line in changed if not line.startswith("@@")]
    return "\n".join(lines)
