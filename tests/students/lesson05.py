"""Answers to the exercises of lesson 5, the whole encoder."""

import numpy as np

from distilbert_np.encoder import transformer_block
from distilbert_np.teaching.exercises import lesson05_encoder
from distilbert_np.trees import flatten

# Right, and written differently from the library.
RIGHT = {}
# (a wrong answer, words of what it must be told)
WRONG = {}
# A fault of the zoo, planted in the library's own function: words of the diagnosis.
FAULTS = {}

# --- count the parameters -------------------------------------------------------------


def count_by_recursion(params):
    return sum(
        count_by_recursion(value) if isinstance(value, dict) else value.size
        for value in params.values()
    )


def count_with_a_stack(params):
    waiting, total = [params], 0
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value.values())
        else:
            total += int(np.prod(value.shape))
    return total


def count_names(params):
    total = 0
    for value in params.values():
        total += count_names(value) if isinstance(value, dict) else 1
    return total


def count_rows(params):
    if isinstance(params, np.ndarray):
        return params.shape[0]
    return sum(map(count_rows, params.values()))


def count_at_the_top(params):
    total = 0
    for value in params.values():
        if isinstance(value, dict):
            continue
        rows = value.reshape(-1, value.shape[-1])
        total += rows.shape[0] * rows.shape[1]
    return total


def count_by(measure, names=("weight", "bias")):
    """Return an answer that adds up a measure of the arrays of some names."""
    def count(params):
        total = 0
        for name, value in params.items():
            if isinstance(value, dict):
                total += count(value)
            elif name in names:
                total += measure(value)
        return total
    return count


RIGHT["count_parameters"] = [count_by_recursion, count_with_a_stack]


def stopped_at_the_first(tree):
    for value in tree.values():
        return stopped_at_the_first(value) if isinstance(value, dict) else value.size
    return 0


def not_added_up(tree):
    number = 0
    for value in tree.values():
        number = not_added_up(value) if isinstance(value, dict) else value.size
    return number


WRONG["count_parameters"] = [
    (count_names, "how many arrays there are"),
    (count_rows, "That counts rows"),
    (count_at_the_top, "at the top of the tree"),
    (count_by(lambda array: sum(array.shape)), "numbers of a shape were added"),
    (count_by(lambda array: array.size * array.itemsize), "Those are bytes"),
    (count_by(np.sum), "themselves were added up"),
    (count_by(np.size, names=("weight",)), "Biases are parameters, too"),
    (lambda params: sum(value.size for value in params.values()), "has no attribute"),
    (lambda tree: len(tree), "how many names"),
    (lambda tree: sum(value.size for value in tree.values()), "A dict has no size"),
    (stopped_at_the_first, "inside the loop"),
    (not_added_up, "Only the last"),
    (lambda tree: sum(map(np.count_nonzero, flatten(tree).values())), "that is 0"),
]

# --- run the stack --------------------------------------------------------------------


def states_with_a_counter(x, params, mask, config):
    states, i = [x], 0
    while str(i) in params["layer"]:
        x, _ = transformer_block(x, params["layer"][str(i)], mask, config)
        states.append(x)
        i += 1
    return states


def states_sorted_by_number(x, params, mask, config):
    found = (x,)
    for name in sorted(params["layer"], key=int):
        found += (transformer_block(found[-1], params["layer"][name], mask, config)[0],)
    return found


def walk(x, blocks, mask, config, first=True):
    states = [x] if first else []
    for block in blocks:
        x = transformer_block(x, block, mask, config)[0]
        states += [x]
    return states


def states_by_name(x, params, mask, config):
    return walk(x, dict(sorted(params["layer"].items())).values(), mask, config)


def states_by_items(x, params, mask, config):
    return walk(x, [block for _, block in params["layer"].items()], mask, config)


def states_unmasked(x, params, mask, config):
    blocks = [params["layer"][str(i)] for i in range(config.n_layers)]
    return walk(x, blocks, np.full_like(mask, True), config)


def states_after(x, params, mask, config):
    blocks = [params["layer"][str(i)] for i in range(config.n_layers)]
    return walk(x, blocks, mask, config, first=False)


def states_from_x(x, params, mask, config):
    states = [x]
    for i in range(config.n_layers):
        y, _ = transformer_block(x, params["layer"][str(i)], mask, config)
        states.append(y)
    return states


def states_of_block_0(x, params, mask, config):
    states = [x]
    for _ in range(config.n_layers):
        states.append(
            transformer_block(states[-1], params["layer"]["0"], mask, config)[0]
        )
    return states


def states_backwards(x, params, mask, config):
    numbers = range(config.n_layers - 1, -1, -1)
    return walk(x, [params["layer"][str(i)] for i in numbers], mask, config)


def states_with_traces(x, params, mask, config):
    states = [x]
    for i in range(config.n_layers):
        x = transformer_block(x, params["layer"][str(i)], mask, config)
        states.append(x)
    return states


RIGHT["hidden_states"] = [states_with_a_counter, states_sorted_by_number]


def both_things_kept(x, params, mask, config):
    states = [x]
    for i in range(len(params["layer"])):
        x = transformer_block(x, params["layer"][str(i)], mask, config)
        states.append(x)
    return states


def by_whole_numbers(x, params, mask, config):
    states = [x]
    for i in range(len(params["layer"])):
        x, _ = transformer_block(x, params["layer"][i], mask, config)
        states.append(x)
    return states


WRONG["hidden_states"] = [
    (states_by_name, '"10" comes before "2"'),
    (states_by_items, "in which the tree lists them"),
    (states_unmasked, "see padding as if it were text"),
    (states_after, "first hidden state is missing"),
    (states_from_x, "Every block reads the embeddings"),
    (states_of_block_0, 'Block "0" runs every time'),
    (states_backwards, "The last block runs first"),
    (states_with_traces, "it is a tuple"),
    (lambda *given: states_with_a_counter(*given)[-1], "the last hidden state alone"),
    (lambda *given: states_with_a_counter(*given)[:-1], "last hidden state is missing"),
    (both_things_kept, "returns two things"),
    (by_whole_numbers, "as text"),
    (lambda x, p, m, c: np.array(
        lesson05_encoder.hidden_states(x, p, m, c)), "not a list of 2"),
]
FAULTS["hidden_states"] = [("layers-swapped", "in each other's place")]

# --- a vector for a text --------------------------------------------------------------


def mean_by_loops(h, mask):
    means = np.zeros((len(h), h.shape[-1]))
    for b in range(len(h)):
        count = 0
        for vector, seen in zip(h[b], mask[b], strict=True):
            if seen:
                means[b] += vector
                count += 1
        if count:
            means[b] /= count
    return means


def mean_by_einsum(h, mask):
    count = np.maximum(mask.sum(axis=1), 1)
    return np.einsum("bld,bl->bd", h, mask) / count[:, None]


def mean_of_zeros(h, mask):
    return np.where(mask[:, :, None] == 1, h, 0).mean(axis=1)


def mean_without_care(h, mask):
    return np.array([
        states[seen == 1].sum(axis=0) / seen.sum()
        for states, seen in zip(h, mask, strict=True)
    ])


RIGHT["mean_in_sight"] = [mean_by_loops, mean_by_einsum]
WRONG["mean_in_sight"] = [
    (lambda h, mask: np.einsum("bld->bd", h) / h.shape[1], "goes over padding as well"),
    (mean_of_zeros, "divided by L"),
    (lambda h, mask: np.einsum("bld,bl->bd", h, mask), "not yet their mean"),
    (lambda h, mask: h.transpose(1, 0, 2)[0], "vector of the first token"),
    (lambda h, mask: h.mean(-1), "over the D numbers"),
    (lambda h, mask: np.average(h.reshape(-1, h.shape[-1]), 0, mask.ravel()),
     "into one mean"),
    (mean_without_care, "0 / 0"),
    (lambda h, mask: np.einsum("bld,bl->bd", h, mask) / np.count_nonzero(mask),
     "of all texts together"),
    (lambda h, m: np.array([h[i, m[i]].mean(0) for i in range(len(h))]),
     "picks the rows number 0 and 1"),
    (lambda h, m: np.array([
        h[i, : m[i].sum()].mean(0) if m[i].any() else h[i, 0] * 0 for i in range(len(h))
    ]), "may stand on the left"),
    (lambda h, m: (h * m[..., None]).sum(1) / np.maximum(m.sum(1), 1), "count loses"),
    (lambda h, m: (h * m).sum(1) / np.maximum(m.sum(1, keepdims=True), 1),
     "an axis more"),
    (lambda h, m: (h * (1 - m[..., None])).sum(1)
     / np.maximum((1 - m).sum(1, keepdims=True), 1), "the wrong way round"),
]
FAULTS["mean_in_sight"] = [("padding-averaged-in", "goes over padding as well")]

# --- rounding, or a bug? --------------------------------------------------------------


def bound(truth):
    return 1e-5 + 1.3e-6 * max(truth.max(), -truth.min())


def judged_by_loop(found, truth):
    if found.shape != truth.shape:
        return False
    allowed = bound(truth)
    return all(
        abs(x - y) <= allowed for x, y in zip(found.flat, truth.flat, strict=True)
    )


def judged_by_norm(found, truth):
    same = found.shape == truth.shape
    return same and np.linalg.norm((found - truth).ravel(), np.inf) <= bound(truth)


def not_one_too_large(found, truth):
    if found.shape != truth.shape:
        return False
    return not (np.abs(found - truth) > bound(truth)).any()


def cosine_similarity(found, truth):
    x, y = found.reshape(-1), truth.reshape(-1)
    return bool(x.dot(y) / np.linalg.norm(x) / np.linalg.norm(y) > 0.9999)


def root_mean_square(found, truth):
    if found.shape != truth.shape:
        return False
    return float(np.sqrt(np.mean((found - truth) ** 2))) <= bound(truth)


def nan_and_shapes_forgotten(found, truth):
    return bool(np.nanmax(abs(found - truth)) <= bound(truth))


RIGHT["is_within_bound"] = [judged_by_loop, judged_by_norm]
WRONG["is_within_bound"] = [
    (not_one_too_large, "NaN passes"),
    (nan_and_shapes_forgotten, "NaN passes"),
    (lambda found, truth: bool(np.max(abs(found - truth)) <= bound(truth)),
     "Arrays of two shapes pass"),
    (lambda found, truth: found.shape == truth.shape
     and bool(((found - truth) <= bound(truth)).all()), "What is too small passes"),
    (lambda found, truth: found.shape == truth.shape
     and bool(np.mean(abs(found - truth)) < bound(truth)), "one wrong number among"),
    (lambda found, truth: found.shape == truth.shape
     and bool((abs(found - truth) < 1e-5).all()), "does not grow with the numbers"),
    (lambda found, truth: found.shape == truth.shape
     and bool((abs(found - truth) <= 1e-5 + 1.3e-6 * abs(truth)).all()),
     "a bound of its own"),
    (lambda found, truth: np.allclose(found, truth), "Arrays of two shapes"),
    (lambda found, truth: found.shape == truth.shape and np.allclose(found, truth),
     "refuses what is within"),
    (lambda found, truth: found.shape == truth.shape
     and abs(found - truth).max() / abs(truth).max() <= 1.3e-6, "absolute part"),
    (lambda found, truth: found.shape == truth.shape
     and bool(abs(found - truth).max() <= bound(found)), "goes by what was found"),
    (lambda found, truth: found.shape == truth.shape
     and bool(abs(found - truth).max() <= 1e-5 + 1.3e-6 * np.max(truth)),
     "negative one"),
    (cosine_similarity, "Cosine similarity"),
    (root_mean_square, "one wrong number among"),
    (lambda found, truth: abs(found - truth).max(), "True or False"),
    (lambda found, truth: abs(found - truth) <= bound(truth), "True or False"),
]
