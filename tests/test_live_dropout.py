"""Training mode beside PyTorch's: the same outputs, loss and gradients.

PyTorch draws other numbers than NumPy, so its dropout is made to drop what ours did:
each of its dropouts, in the order of the calls, multiplies by our trace's factors.
"""

from dataclasses import replace

import numpy as np
import ours
import pytest
from cases import CASES

from distilbert_np.trees import flatten

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch_side

CHANCES = {
    "dropout": 0.25, "attention_dropout": 0.4, "seq_classif_dropout": 0.5,
    "qa_dropout": 0.3,
}
NAMES = [
    *ours.CLASSES, "masked_lm, untied", "base, head_mask", "token, head_mask",
    "base, inputs_embeds", "masked_lm, nothing asked", "base, no layers",
]
BOUND = 1e-12                                    # of the largest value


def agree(result, truth, name, largest=None):
    """Check one array against PyTorch's."""
    assert result.shape == truth.shape, name
    if np.isnan(truth).any():
        np.testing.assert_array_equal(result, truth, err_msg=name)
        return
    largest = np.abs(truth).max() if largest is None else largest
    assert np.abs(result - truth).max() <= BOUND * largest, name


@pytest.mark.parametrize("name", NAMES)
def test_training_mode(name, monkeypatch):
    case = replace(CASES[name], config=CASES[name].config | CHANCES)
    model = ours.build(case, np.float64)
    rng = np.random.default_rng(0)
    out = model(**case.arguments(), **ours.EVERYTHING, rng=rng)
    grads = flatten(model.backward(out, case.cotangents()))
    ours_dropped = [
        array for name, array in out.trace.items() if name.endswith(".dropout_factors")
    ]

    def drop_the_same(x, p=0.5, training=True, inplace=False):
        factors = torch.from_numpy(ours_dropped.pop(0))
        assert training and factors.shape == x.shape
        assert ((factors == 0) | (factors == 1 / (1 - p))).all()
        return x * factors

    monkeypatch.setattr(torch.nn.functional, "dropout", drop_the_same)
    theirs, arguments = torch_side.prepare(case, torch.float64)
    theirs.train()
    for module in theirs.modules():
        module.record = lambda name, value: None
    leaves = dict(theirs.named_parameters())
    if "inputs_embeds" in arguments:
        leaves["inputs_embeds"] = arguments["inputs_embeds"].requires_grad_()
    expected = theirs(**arguments, output_attentions=True, output_hidden_states=True)
    assert ours_dropped == []                    # theirs dropped as often as ours

    exact = {
        key: (value if isinstance(value, tuple) else (value,))
        for key, value in expected.items()
        if value is not None
    }
    assert set(exact) <= set(out.keys())
    for key, values in exact.items():
        if key == "attentions" and "head_mask" in arguments:
            continue
        result = out[key] if isinstance(out[key], tuple) else (out[key],)
        for mine, value in zip(result, values, strict=False):
            agree(np.asarray(mine), value.detach().numpy(), key)

    if case.labels:
        expected.loss.backward()
    else:
        cotangent = torch.from_numpy(case.cotangents()["last_hidden_state"])
        expected.last_hidden_state.backward(cotangent)
    truth = {
        key: np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.numpy()
        for key, leaf in leaves.items()
    }
    assert set(truth) == set(grads)
    largest = max(np.abs(array).max() for array in truth.values())
    for key, array in truth.items():
        # Of k_lin.bias, and of the one bias of all choices, the true gradient is 0, as
        # softmax does not see shifts: measured by the others.
        zero = np.abs(array).max() <= 1e-12 * largest
        agree(grads[key], array, key, largest if zero else None)
