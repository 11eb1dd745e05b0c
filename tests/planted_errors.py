"""Errors to plant in the backward pass, each of which a check of the gradients finds.

`planted(error)` puts one in for a while: the function's code is replaced, in the
function itself, so that whoever holds the function runs the error.
"""

import inspect
import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType
from typing import NamedTuple

from distilbert_np import (
    attention,
    embeddings,
    encoder,
    ffn,
    functions,
    heads,
    losses,
    models,
)
from distilbert_np.training import distill, optimizers, step

BACKWARD = (functions, embeddings, attention, ffn, encoder, heads, losses)


class Error(NamedTuple):
    """In `function`, `text` becomes `replacement`: what is wrong then is in `why`."""

    module: object
    function: str                                # "f", or "Class.method"
    text: str
    replacement: str
    why: str

    @property
    def name(self) -> str:
        short = self.module.__name__.rpartition(".")[2]
        return f"{short}.{self.function}: {self.why}"


@contextmanager
def planted(error: Error) -> Iterator[None]:
    """Run with the error in place, and put the code back."""
    function = error.module
    for part in error.function.split("."):
        function = getattr(function, part)
    source = without_comments(inspect.getsource(function))
    assert source.count(error.text) == 1, f"{error.name}: {error.text!r} is not there"
    right, wrong = function.__code__, source.replace(error.text, error.replacement)
    function.__code__ = code_of(wrong, right)
    try:
        yield
    finally:
        function.__code__ = right


def without_comments(source: str) -> str:
    """Return the source without comments, which quote code and may be worded anew."""
    return re.sub(r"(?m)^ *#.*\n| +#.*", "", source)


def code_of(source: str, right: CodeType) -> CodeType:
    """Return the code of a changed function; within a class, for the sake of super().
    """
    if "__class__" in right.co_freevars:
        source = "class Planted:\n" + textwrap.indent(textwrap.dedent(source), " ")
    codes = [compile(textwrap.dedent(source), "<planted error>", "exec")]
    while codes[0].co_name != right.co_name:
        inner = codes.pop(0).co_consts
        codes += [constant for constant in inner if isinstance(constant, CodeType)]
    return codes[0]


def errors_in(module: object, *entries: tuple[str, str, str, str]) -> list[Error]:
    return [Error(module, *entry) for entry in entries]


LINEAR, LOOKUP = "linear_backward", "lookup_backward"
NORM, SOFTMAX = "_layer_norm_backward", "_softmax_backward"
ATTENTION, BLOCK = "attention_backward", "transformer_block_backward"
STACK, EMBEDDINGS = "transformer_backward", "embeddings_backward"
HEAD, MASKED_LM = "sequence_head_backward", "masked_lm_head_backward"
GELU = "_gelu_backward"
ENTROPY, COSINE = "cross_entropy_backward", "cosine_loss_backward"
KL, ANSWERS = "kl_divergence_backward", "question_answering_loss_backward"

ERRORS = [
    *errors_in(
        functions,
        (LINEAR, "dx = (dy_rows", "dx = (-dy_rows", "sign of dx"),
        (LINEAR, "dy_rows @ weight", "x_rows @ weight.T @ weight",
         "y in place of dy"),
        (LINEAR, '"weight": dy_rows.T', '"weight": -dy_rows.T', "sign of dW"),
        (LINEAR, "dy_rows.T @ x_rows", "x_rows.T @ dy_rows", "dW transposed"),
        (LINEAR, "@ x_rows", "@ x_rows / len(x_rows)", "dW is a mean over rows"),
        (LINEAR, "dy_rows.sum(axis=0)", "dy_rows.sum(axis=1)",
         "db over the wrong axis"),
        (LINEAR, "dy_rows.sum", "dy_rows.mean", "db is a mean over rows"),
        (LINEAR, "dy_rows.sum(axis=0)", "dy_rows[0]", "db of the first row alone"),
        (LOOKUP, "np.add.at(dweight, ids, dy)", "dweight[ids] += dy",
         "a repeated id counts once"),
        (LOOKUP, "np.add.at(dweight, ids, dy)", "dweight[ids] = dy",
         "the last of repeated ids wins"),
        (LOOKUP, "dweight[padding_id] = 0", "pass", "the pad row gets a gradient"),
        (LOOKUP, "dweight[padding_id]", "dweight[:, padding_id]",
         "a column in place of the pad row"),
        (LOOKUP, "if padding_id is not None", "if padding_id",
         "a pad row of number 0 is none"),
        ("softmax_backward", "dx, dy, y", "dx, y, dy", "y and dy are swapped"),
        (SOFTMAX, "_row_sums(dy, y)", "0", "the sum is forgotten"),
        (SOFTMAX, "dx *= y", "pass", "y is forgotten"),
        (SOFTMAX, "_row_sums(dy, y)", "_row_sums(dy)", "y is forgotten in the sum"),
        (SOFTMAX, "np.subtract", "np.add", "sign of the sum"),
        (SOFTMAX, "_row_sums(dy, y)", "(dy * y).sum(axis=-2, keepdims=True)",
         "the wrong axis"),
        ("layer_norm_backward", "dx, dy, x", "dx, x, dy", "x and dy are swapped"),
        (NORM, "dnormalised, mean_part", "dnormalised, 0", "the mean term is missing"),
        (NORM, "dx -= normalised * deviation_part", "pass",
         "the deviation term is missing"),
        (NORM, "dx *= inverse_deviation", "pass", "the deviation is missing"),
        (NORM, "normalised * deviation_part", "deviation_part",
         "the deviation moves all alike"),
        (NORM, "dx -= normalised", "dx += normalised", "sign of the deviation term"),
        (NORM, "mean_part = _mean(dnormalised)",
         "mean_part = _mean(dnormalised) * x.shape[-1]", "a sum in place of the mean"),
        (NORM, "mean_part = _mean(dnormalised)",
         "mean_part = dnormalised.mean(axis=-2, keepdims=True)",
         "mean over the wrong axis"),
        (NORM, "dnormalised = dy * weight", "dnormalised = dy", "the gain is missing"),
        (NORM, "as_rows(dy * normalised)", "as_rows(dy * x)",
         "gain's gradient from x not normalised"),
        (NORM, "as_rows(dy * normalised).sum", "as_rows(dy * normalised).mean",
         "gain's gradient is a mean"),
        (NORM, "dbias = as_rows(dy).sum(axis=0)", "dbias = dy.sum(axis=0)[0]",
         "bias's gradient of some rows"),
        (NORM, "_normalise(x, eps)", "_normalise(x, 1e-12)", "eps is forgotten"),
        ("gelu_backward", "dy, np.asarray(x", "x, np.asarray(dy",
         "x and dy are swapped"),
        (GELU, "_slope_over_turn", "_tail", "the tail in place of the slope"),
        (GELU, "turn - a + (_TURN - float(turn))", "np.ones_like(a)", "no turn"),
        (GELU, "slope += 1", "slope += 0", "all of it is lower by a half"),
        (GELU, "below *= slope", "pass", "sign of the left half"),
        (GELU, "np.multiply(dy, ", "np.multiply(1, ", "dy is forgotten"),
        ("_bell", "/ -2", "/ -1", "φ without its 2"),
        ("gelu_new_backward", "3 * 0.044715", "0.044715", "the 3 of x³"),
        ("gelu_new_backward", " * (1 - gate)", "", "half of the sigmoid's slope"),
        ("gelu_new_backward", "gate + x *", "gate + ", "x is missing"),
        ("relu_backward", "x > 0", "x < 0", "the other half"),
        ("relu_backward", "np.where(x > 0, dy, 0)", "dy", "no half at all"),
        ("silu_backward", "gate + x * gate * (1 - gate)", "gate",
         "the sigmoid's slope is missing"),
        ("silu_backward", "1 - gate", "1 + gate", "sign in the sigmoid's slope"),
        ("tanh_backward", "1 - y * y", "1 - y", "tanh is not squared"),
        ("tanh_backward", "np.tanh(x)", "x", "x in place of tanh"),
        ("dropout", "1 / (1 - p)", "1", "what is kept is not scaled up"),
        ("dropout", ">= p", "< p", "kept and dropped are swapped"),
        ("dropout_backward", 'trace["dropout_factors"] if', "1 if", "is forgotten"),
        ("dropout_backward", 'dy * trace["dropout_factors"]',
         'dy * (trace["dropout_factors"] > 0)', "what is kept is not scaled up"),
    ),
    *errors_in(
        embeddings,
        (EMBEDDINGS, "dropout_backward(dy, trace)", "dy", "dropout is forgotten"),
        (EMBEDDINGS, 'trace["sum"], gain', 'trace["LayerNorm"], gain',
         "LayerNorm at its output"),
        (EMBEDDINGS, "dsummed.sum(axis=0, keepdims=True)", "dsummed[:1]",
         "positions of the first row alone"),
        (EMBEDDINGS, "dsummed.sum(axis=0", "dsummed.mean(axis=0",
         "positions are a mean over the batch"),
        (EMBEDDINGS, "dsummed, words, word_table, padding_id",
         "dsummed, words, word_table", "the pad row is forgotten"),
        (EMBEDDINGS, "dpositions, position_ids, position_table",
         "dpositions, position_ids, position_table, 0",
         "position 0 is taken for padding"),
        (EMBEDDINGS, "return dsummed,", "return dx,",
         "LayerNorm is forgotten for the vectors"),
        (EMBEDDINGS, 'gain = params["LayerNorm"]["weight"]',
         'gain = params["LayerNorm"]["bias"]', "bias in place of gain"),
    ),
    *errors_in(
        attention,
        (ATTENTION, "k)) / math.sqrt(K)", "k))", "√K is missing for q"),
        (ATTENTION, "q / math.sqrt(K)", "q", "√K is missing for k"),
        (ATTENTION, "k)) / math.sqrt(K)", "k)) / math.sqrt(K * n_heads)",
         "√D for √K"),
        (ATTENTION, "q / math.sqrt(K)", "q / K", "K for √K"),
        (ATTENTION, "matmul(dscores.swapaxes(-1, -2), q", "matmul(dscores, q",
         "scores are not transposed for k"),
        (ATTENTION, "weights.swapaxes(-1, -2), dcontext", "weights, dcontext",
         "weights are not transposed for v"),
        (ATTENTION, "matmul(dcontext, v", "matmul(dcontext, k", "k in place of v"),
        (ATTENTION, "used_weights(trace)", 'trace["weights"]',
         "values meet weights without dropout and head mask"),
        (ATTENTION, "dweights = dweights * head_mask[:, None, None]", "pass",
         "head_mask is forgotten"),
        (ATTENTION, "dropout_backward(dweights, trace)", "dweights",
         "dropout is forgotten"),
        (ATTENTION, 'softmax_backward(dweights, trace["weights"])', "dweights",
         "softmax is forgotten"),
        (ATTENTION, 'dweights, trace["weights"])', "dweights, weights)",
         "softmax from the weights after dropout"),
        (ATTENTION, "dweights = dweights + dattentions", "pass",
         "the attentions' own gradient is forgotten"),
        (ATTENTION, "split_heads(dcontext, n_heads)",
         "dcontext.reshape(q.shape)", "heads are split without the transpose"),
        (ATTENTION, "merge_heads(matmul(dscores, k))",
         "matmul(dscores, k).reshape(x.shape)",
         "heads are merged without the transpose"),
        (ATTENTION, "dx_q + dx_k + dx_v", "dx_q + dx_v",
         "the way through k is missing"),
        (ATTENTION, "dx_q + dx_k + dx_v", "dx_q + dx_k",
         "the way through v is missing"),
        (ATTENTION, '"q_lin": q_grads, "k_lin": k_grads',
         '"q_lin": k_grads, "k_lin": q_grads', "q and k are swapped"),
        (ATTENTION, 'linear_backward(dy, trace["context"], out_weight)',
         'linear_backward(dy, trace["out_lin"], out_weight)',
         "out_lin at its output"),
    ),
    *errors_in(
        ffn,
        ("ffn_backward", "dropout_backward(dy, trace)", "dy", "dropout is forgotten"),
        ("ffn_backward", 'dactivated, trace["lin1"]', 'dactivated, trace["activation"]',
         "the slope at the activation's output"),
        ("ffn_backward", 'ACTIVATIONS_BACKWARD[activation]',
         'ACTIVATIONS_BACKWARD["relu"]', "relu whatever the activation"),
        ("ffn_backward", 'ACTIVATIONS_BACKWARD[activation](dactivated, trace["lin1"])',
         "dactivated", "the activation is forgotten"),
        ("ffn_backward", 'dprojected, trace["activation"]', 'dprojected, trace["lin1"]',
         "lin2 read what came before the activation"),
    ),
    *errors_in(
        encoder,
        (BLOCK, "dmiddle = dffn_sum + dmiddle_ffn", "dmiddle = dmiddle_ffn",
         "the residual around the feed-forward network is forgotten"),
        (BLOCK, "dmiddle = dffn_sum + dmiddle_ffn", "dmiddle = dffn_sum",
         "the feed-forward network is forgotten"),
        (BLOCK, "dx = dattention_sum + dx_attention", "dx = dx_attention",
         "the residual around attention is forgotten"),
        (BLOCK, "dx = dattention_sum + dx_attention", "dx = dattention_sum",
         "attention is forgotten"),
        (BLOCK, "dattention_sum + dx_", "dmiddle + dx_",
         "the residual passes by LayerNorm"),
        (BLOCK, 'trace["ffn_sum"], gain', 'trace["output_layer_norm"], gain',
         "LayerNorm at its output"),
        (BLOCK, '"attention_sum"], gain', '"sa_layer_norm"], gain',
         "the first LayerNorm at its output"),
        (BLOCK, 'gain = params["sa_layer_norm"]["weight"]', "",
         "the gain of the other LayerNorm"),
        (BLOCK, "        dattentions,\n", "",
         "the attentions' own gradient is not passed on"),
        (BLOCK, "], head_mask,\n", "], None,\n",
         "head_mask is not passed on"),
        (BLOCK, "dffn_sum, middle, params", "dffn_sum, x, params",
         "the feed-forward network read x"),
        (STACK, "dx, states[i], params", "dx, states[i + 1], params",
         "a block's output in place of its input"),
        (STACK, "reversed(range(len(params[\"layer\"])))",
         "range(len(params[\"layer\"]))", "the first block first"),
        (STACK, "dx = dx + dstates[i]", "pass",
         "the hidden states' own gradients are forgotten"),
        (STACK, "else head_mask[i]", "else head_mask[0]",
         "every block has the first one's head_mask"),
        (STACK, "else dattentions[i]", "else dattentions[-1]",
         "every block has the last one's attentions"),
    ),
    *errors_in(
        heads,
        (HEAD, "dh[:, 0] = dfirst", "dh[:] = dfirst[:, None]",
         "the first token's gradient is spread"),
        (HEAD, "dh[:, 0] = dfirst", "dh[:, -1] = dfirst",
         "the first token's gradient goes to the last"),
        (HEAD, 'relu_backward(dactivated, trace["pre_classifier"])', "dactivated",
         "relu is forgotten"),
        (HEAD, 'relu_backward(dactivated, trace["pre_classifier"])',
         'ACTIVATIONS_BACKWARD["gelu"](dactivated, trace["pre_classifier"])',
         "gelu in place of relu"),
        ("choice_head_backward", "dlogits.reshape(-1, 1)", "dlogits.T.reshape(-1, 1)",
         "choices and texts are swapped"),
        ("last_linear_backward", 'trace.get("dropout", x)', "x",
         "the linear read what dropout had not dropped"),
        ("last_linear_backward", "dropout_backward(dfeatures, trace)", "dfeatures",
         "dropout is forgotten"),
        ("token_head_backward", "return dh,", "return -dh,", "sign of dh"),
        ("question_answering_head_backward", "return dh,", "return dh / 2,",
         "half of dh"),
        (MASKED_LM, 'ACTIVATIONS_BACKWARD[activation](dactivated, transformed)',
         "dactivated", "the activation is forgotten"),
        (MASKED_LM, 'dnormalised, trace["activation"], gain',
         "dnormalised, trace[\"vocab_layer_norm\"], gain", "LayerNorm at its output"),
        (MASKED_LM, 'dlogits, trace["vocab_layer_norm"], decoder',
         'dlogits, trace["activation"], decoder',
         "the decoder read what came before LayerNorm"),
    ),
    *errors_in(
        losses,
        (ENTROPY, "labels[counted]] -= 1", "labels[counted]] += 1",
         "sign of the label"),
        (ENTROPY, "drows[np.arange(len(drows)), labels[counted]] -= 1", "pass",
         "the label is forgotten"),
        (ENTROPY, "max(len(drows), 1)", "max(labels.size, 1)",
         "a mean over all and not what counts"),
        (ENTROPY, " / max(len(drows), 1)", "",
         "a sum in place of the mean"),
        (ENTROPY, "float(dloss) /", "1 /", "dloss is forgotten"),
        (ENTROPY, "max(len(drows), 1)", "len(drows)", "a mean over nothing"),
        (ENTROPY, "labels != ignored", "labels != -100", "ignored is forgotten"),
        ("mse_backward", "2 * float", "float", "the 2 of the square"),
        ("mse_backward", "predictions - targets", "targets - predictions", "sign"),
        ("mse_backward", "predictions.size", "len(predictions)", "mean over rows"),
        ("bce_with_logits_backward", "logits.size", "len(logits)", "mean over rows"),
        ("bce_with_logits_backward", "sigmoid(logits) - targets", "logits - targets",
         "the sigmoid is forgotten"),
        (KL, " * temperature", "", "a T is missing"),
        (KL, " * temperature", " * temperature**2", "a T too many"),
        (KL, "(q - p)", "(p - q)", "sign"),
        (KL, "len(q)", "q.size", "mean over all and not over rows"),
        (KL, "softmax(student_logits / temperature)", "softmax(student_logits)",
         "the student is not softened"),
        (COSINE, " - x * (product / x_squared)", "", "x below the line is forgotten"),
        (COSINE, "product / x_squared", "product / y_squared", "the other length"),
        (COSINE, "-float(dloss)", "float(dloss)", "sign"),
        (COSINE, " / len(x)", "", "a sum in place of the mean"),
        (COSINE, "/ np.sqrt(x_squared * y_squared)", "", "the lengths are forgotten"),
        ("sequence_loss_backward", "return mse_backward(dloss, logits, labels)",
         "return bce_with_logits_backward(dloss, logits, labels)",
         "the loss of another problem"),
        ("sequence_loss_backward", "return bce_with_logits_backward(dloss, ",
         "return mse_backward(dloss, ", "the loss of one more problem"),
        (ANSWERS, "dloss / 2, logits[..., 0]", "dloss, logits[..., 0]",
         "the 2 of the mean, for starts"),
        (ANSWERS, "dloss / 2, logits[..., 1]", "dloss, logits[..., 1]",
         "the 2 of the mean, for ends"),
        (ANSWERS, "np.clip(starts, 0, L)", "np.clip(starts, None, L)",
         "places below 0 are not clamped"),
        (ANSWERS, "[dstart, dend]", "[dend, dstart]", "start and end are swapped"),
    ),
    *errors_in(
        models,
        ("DistilBertForMaskedLM.backward",
         'table_grads["weight"] += grads["vocab_projector"].pop("weight")',
         'grads["vocab_projector"].pop("weight")',
         "the tied decoder's gradient is forgotten"),
        ("DistilBertForMaskedLM.backward",
         'table_grads["weight"] +=', 'table_grads["weight"] =',
         "the tied table's gradient as input is forgotten"),
        ("DistilBertForMultipleChoice.backward",
         "flat.reshape(*out.logits.shape, *flat.shape[1:])", "flat",
         "inputs_embeds' gradient without its choices"),
        ("DistilBertPreTrainedModel.backward", 'grads["inputs_embeds"] = dwords',
         "pass", "inputs_embeds' gradient is forgotten"),
        ("DistilBertPreTrainedModel.backward", "hidden_states(trace)[-1]",
         "hidden_states(trace)[0]", "the head read the first hidden state"),
        ("DistilBertPreTrainedModel.encode_backward",
         "dstates[-1] = dstates[-1] + dh", "dstates[-1] = dh",
         "the last hidden state's own gradient is forgotten"),
        ("DistilBertPreTrainedModel.encode_backward",
         'douts.get("hidden_states", [None] * len(states))', "[None] * len(states)",
         "the hidden states' own gradients are forgotten"),
        ("DistilBertPreTrainedModel.encode_backward", ', douts.get("attentions"),',
         ",", "the attentions' own gradients are forgotten"),
        ("DistilBertPreTrainedModel.encode_backward", 'given.get("head_mask"), ',
         "None, ", "head_mask is forgotten"),
        ("DistilBertPreTrainedModel.encode_backward", "config.pad_token_id", "0",
         "the pad row is row 0"),
        ("hidden_states", '.get("dropout", trace["embeddings"]["LayerNorm"])',
         '["LayerNorm"]', "the first block read what dropout had not dropped"),
        ("DistilBertModel.head_backward",
         'douts.get("last_hidden_state", np.zeros_like(h))', "np.zeros_like(h)",
         "the output's gradient is forgotten"),
        ("DistilBertWithLabels.head_backward",
         "dlogits = dlogits + self", "dlogits = self",
         "the logits' own gradient is forgotten"),
        ("DistilBertWithLabels.head_backward", 'douts["loss"], logits', "1.0, logits",
         "the loss's gradient is taken for 1"),
        ("DistilBertForQuestionAnswering.head_backward",
         "dlogits += losses", "dlogits = losses",
         "the logits' own gradients are forgotten"),
        ("DistilBertForQuestionAnswering.head_backward",
         'given["start_positions"], given["end_positions"]',
         'given["end_positions"], given["start_positions"]',
         "start and end are swapped"),
        ("DistilBertForMultipleChoice.head_backward",
         "dlogits = dlogits + losses", "dlogits = losses",
         "the logits' own gradient is forgotten"),
    ),
]

# Errors in training: steps that are not PyTorch's.
UPDATE, CLIP, SCHEDULE = "Adam.update", "clip_by_global_norm", "linear_schedule"
DENOMINATOR = "np.sqrt(v) / math.sqrt(v_share) + self.eps"
DECAY, ADAM = "p *= 1 - lr * weight_decay", (
    "super().update(p, g, m, v, lr=lr, weight_decay=0)"
)
TRAINING_ERRORS = [
    *errors_in(
        optimizers,
        (UPDATE, DENOMINATOR, "np.sqrt(v / v_share + self.eps)", "eps inside the root"),
        (UPDATE, DENOMINATOR, "(np.sqrt(v) + self.eps) / math.sqrt(v_share)",
         "eps before the correction"),
        (UPDATE, "1 - beta1**self.n_steps, 1 - beta2**self.n_steps", "1, 1",
         "no bias correction"),
        (UPDATE, "(lr / m_share) * m", "lr * m", "no bias correction of m"),
        (UPDATE, " / math.sqrt(v_share)", "", "no bias correction of v"),
        (UPDATE, "beta1, beta2 = self.betas", "beta2, beta1 = self.betas",
         "β₁ and β₂ swapped"),
        (UPDATE, "* (g * g)", "* np.abs(g)", "v is not of squares"),
        ("AdamW.update", DECAY, "p *= 1 - weight_decay", "decay without lr"),
        ("AdamW.update", "weight_decay=0)", "weight_decay=weight_decay)",
         "decay in the gradient too"),
        ("AdamW.update", DECAY, "pass", "no decay"),
        ("AdamW.update", f"{DECAY}\n        {ADAM}", f"{ADAM}\n        {DECAY}",
         "decay after the step"),
        ("SGD.update", "b *= self.momentum", "b *= 1 - self.momentum",
         "the share that goes, not that stays"),
        ("SGD.update", "b += g", "b += (1 - self.momentum) * g", "velocity damped"),
        ("SGD.update", "p -= lr * b", "p -= lr * (g + self.momentum * b)",
         "Nesterov's momentum"),
        ("decays", 'not name.endswith("bias") and', "", "decay on biases"),
        ("decays", '"norm" not in name.lower()', '"LayerNorm" not in name',
         "decay on some LayerNorms"),
        (CLIP, "if factor < 1:", "if True:", "short gradients lengthened"),
        (CLIP, "= max_norm / (norm + 1e-6)", "= max_norm / norm",
         "without PyTorch's 1e-6"),
        (CLIP, "gradient *= factor", "gradient = gradient * factor",
         "a copy is shortened"),
        ("_square", "(g * g)", "np.abs(g)", "not of squares"),
        (SCHEDULE, "return step / warmup_steps", "return (step + 1) / warmup_steps",
         "one step ahead on the way up"),
        (SCHEDULE, "total_steps - step)", "total_steps - step - 1)",
         "one step ahead on the way down"),
        (SCHEDULE, "max(1, total_steps - warmup_steps)", "max(1, total_steps)",
         "down from below 1"),
    ),
    *errors_in(
        step,
        ("train_step", "optimizer.step(grads, lr)", "optimizer.step(grads)",
         "schedule not followed"),
    ),
]

# Errors in distillation: another loss, or gradients that are not the loss's.
PARTS, PARTS_BACKWARD = "Distillation.parts", "Distillation.parts_backward"
ASKED = "out.logits[asked], soft.logits[asked]"
DISTILLATION_ERRORS = errors_in(
    distill,
    (PARTS, ASKED, "out.logits, soft.logits", "KL over all places"),
    (PARTS, ASKED, "soft.logits[asked], out.logits[asked]", "KL the other way round"),
    (PARTS, "self.temperature", "1.0", "KL at temperature 1"),
    (PARTS, "self.temperature\n            )",
     "self.temperature\n            ) / self.temperature**2", "KL without T²"),
    (PARTS, "cosine_loss(h[seen], soft_h[seen])", "cosine_loss(h, soft_h)",
     "cosine of what is hidden"),
    (PARTS, "out.hidden_states[-1]", "out.hidden_states[-2]",
     "cosine of another layer"),
    (PARTS_BACKWARD, "dloss * self.kl", "self.kl", "share ignored in KL"),
    (PARTS_BACKWARD, "dloss * self.mlm", "self.mlm", "share ignored in MLM"),
    (PARTS_BACKWARD, "dloss * self.cos", "self.cos", "share ignored in cosine"),
    (PARTS_BACKWARD, "self.temperature", "1.0", "KL's gradient at temperature 1"),
    (PARTS_BACKWARD, "dlogits += cross", "dlogits = cross", "KL's gradient forgotten"),
    (PARTS_BACKWARD, "if self.mlm:", "if False:", "MLM's gradient forgotten"),
    (PARTS_BACKWARD, "if self.cos:", "if False:", "cosine's gradient forgotten"),
    (PARTS_BACKWARD, "self.cos, h[seen], soft_h[seen]",
     "self.cos, soft_h[seen], h[seen]", "student and teacher swapped"),
    (PARTS_BACKWARD, "[*before, dh]", "[dh, *before]", "the gradient of another layer"),
    ("counted", "== 1", ">= 0", "hidden tokens counted"),
    ("counted", "!= IGNORED", "< np.inf", "all words asked for"),
)
