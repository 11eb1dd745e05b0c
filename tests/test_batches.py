"""Batches: every example once, like lengths together, filled up, masked."""

import math

import numpy as np
import pytest

from distilbert_np import DistilBertForMaskedLM, DistilBertTokenizer
from distilbert_np.errors import InputError
from distilbert_np.losses import IGNORED
from distilbert_np.training import (
    batches_by_length,
    evaluate,
    make_batch,
    mask_tokens,
    mask_weights,
    pad,
)
from distilbert_np.training.batches import POOL, length, n_labels

# --- which examples make a batch ------------------------------------------------------


def some_lengths(n, seed=0):
    return np.random.RandomState(seed).randint(3, 100, size=n)


def batches(lengths, batch_size, seed=0):
    return batches_by_length(lengths, batch_size, np.random.default_rng(seed))


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 64, 255, 256, 257, 1000])
@pytest.mark.parametrize("batch_size", [1, 2, 7, 8, 300])
def test_every_example_is_in_one_batch(n, batch_size):
    made = batches(some_lengths(n), batch_size)
    assert sorted(np.concatenate(made)) == list(range(n))
    assert len(made) == math.ceil(n / batch_size)
    sizes = sorted(len(rows) for rows in made)
    assert sizes[1:] == [batch_size] * (len(made) - 1)
    assert 0 < sizes[0] <= batch_size


def padding(lengths, made):
    """Return the share of places that are filled up."""
    places = sum(len(rows) * lengths[rows].max() for rows in made)
    return 1 - lengths.sum() / places


@pytest.mark.parametrize("n", [POOL * 8, POOL * 8 * 3 + 5])
def test_like_lengths_are_together(n):
    lengths = some_lengths(n)
    order = np.random.RandomState(1).permutation(n)
    at_random = [order[start : start + 8] for start in range(0, n, 8)]
    assert padding(lengths, at_random) > 0.35
    assert padding(lengths, batches(lengths, 8)) < 0.05


def test_batches_come_in_random_order():
    lengths = some_lengths(POOL * 8)
    longest = np.array([lengths[rows].max() for rows in batches(lengths, 8)])
    rises = (np.diff(longest) > 0).mean()
    assert 0.2 < rises < 0.8


def test_company_changes_from_epoch_to_epoch():
    # No two lengths are equal: if all were sorted together, each would meet the same.
    lengths = np.random.RandomState(0).permutation(POOL * 8 * 3)
    first, second = batches(lengths, 8, seed=1), batches(lengths, 8, seed=2)
    same = {frozenset(rows) for rows in first} & {frozenset(rows) for rows in second}
    assert len(same) < len(first) / 10


def test_the_seed_says_it_all():
    lengths = some_lengths(100)
    for rows, again in zip(batches(lengths, 8), batches(lengths, 8), strict=True):
        assert np.array_equal(rows, again)


def test_length_of_an_example():
    assert length({"input_ids": [5, 6, 7]}) == 3
    assert length({"input_ids": np.array([5, 6, 7])}) == 3
    assert length({"input_ids": [[5, 6], [5, 6, 7, 8]]}) == 4


# --- filling up -----------------------------------------------------------------------


def test_shorter_texts_are_filled_up_and_the_filling_hidden():
    examples = [{"input_ids": [5, 6, 7], "labels": 2}, {"input_ids": [8], "labels": 0}]
    batch = pad(examples, pad_token_id=9, token_labels=False)
    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, 9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["labels"].tolist() == [2, 0]
    assert all(array.dtype == np.int64 for array in batch.values())


def test_a_padding_token_of_the_text_itself_is_seen():
    batch = pad([{"input_ids": [9, 5, 9]}, {"input_ids": [5]}], 9, False)
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]


def test_labels_of_tokens_are_filled_with_minus_100():
    examples = [
        {"input_ids": [5, 6, 7], "labels": [1, 0, 2]},
        {"input_ids": [8, 8], "labels": [0, 3]},
    ]
    batch = pad(examples, 0, token_labels=True)
    assert batch["labels"].tolist() == [[1, 0, 2], [0, 3, -100]]


def test_choices_are_filled_up_to_the_longest_of_all():
    examples = [
        {"input_ids": [[5, 6], [7]], "labels": 1},
        {"input_ids": [[8], [5, 6, 7]], "labels": 0},
    ]
    batch = pad(examples, 0, False)
    assert batch["input_ids"].tolist() == [
        [[5, 6, 0], [7, 0, 0]], [[8, 0, 0], [5, 6, 7]]
    ]
    assert batch["attention_mask"].tolist() == [
        [[1, 1, 0], [1, 0, 0]], [[1, 0, 0], [1, 1, 1]]
    ]
    assert batch["labels"].tolist() == [1, 0]


def test_a_mask_that_is_given_stays():
    examples = [
        {"input_ids": [5, 6, 7], "attention_mask": [0, 1, 1]},
        {"input_ids": [8, 9], "attention_mask": [1, 0]},
    ]
    batch = pad(examples, 0, False)
    assert batch["attention_mask"].tolist() == [[0, 1, 1], [1, 0, 0]]


def test_labels_that_are_numbers_stay_numbers():
    examples = [
        {"input_ids": [5], "labels": [0.0, 1.0, 0.5]},
        {"input_ids": [6, 7], "labels": [1.0, 1.0, 0.0]},
    ]
    labels = pad(examples, 0, False)["labels"]
    assert labels.dtype == np.float64
    assert labels.tolist() == [[0, 1, 0.5], [1, 1, 0]]


def test_answers():
    examples = [
        {"input_ids": [5, 6], "start_positions": 0, "end_positions": 1},
        {"input_ids": [5, 6, 7], "start_positions": 2, "end_positions": 2},
    ]
    batch = pad(examples, 0, False)
    assert batch["start_positions"].tolist() == [0, 2]
    assert batch["end_positions"].tolist() == [1, 2]


def test_arrays_are_filled_up_like_lists():
    lists = [{"input_ids": [5, 6, 7]}, {"input_ids": [8]}]
    arrays = [{"input_ids": np.array(example["input_ids"])} for example in lists]
    from_lists, from_arrays = pad(lists, 0, False), pad(arrays, 0, False)
    for name, array in from_lists.items():
        assert np.array_equal(array, from_arrays[name])


def test_examples_stay_as_they_are():
    examples = [{"input_ids": [5, 6], "labels": [1, 0]}]
    examples += [{"input_ids": [8], "labels": [0]}]
    pad(examples, 0, True)
    assert examples[1] == {"input_ids": [8], "labels": [0]}


def test_as_many_choices_everywhere():
    examples = [{"input_ids": [[5], [6]]}, {"input_ids": [[5], [6], [7]]}]
    with pytest.raises(InputError, match="in each example, found 2 and 3"):
        pad(examples, 0, False)


@pytest.mark.parametrize(
    ("batch", "n"),
    [
        ({"labels": np.array([[1, -100, 0], [-100, -100, 2]])}, 3),
        ({"labels": np.array([4, -100])}, 1),
        ({"labels": np.array([[0.0, 1.0], [1.0, 1.0]])}, 4),
        ({"start_positions": np.array([3, 1]), "end_positions": np.array([4, 1]),
          "input_ids": np.zeros((2, 5))}, 2),
        ({"start_positions": np.array([5, 1]), "end_positions": np.array([6, 1]),
          "input_ids": np.zeros((2, 5))}, 1),
        ({"start_positions": np.array([3, 1]), "end_positions": np.array([5, 1]),
          "input_ids": np.zeros((2, 5))}, 1),
    ],
)
def test_labels_that_count(batch, n):
    assert n_labels(batch) == n


# --- masking --------------------------------------------------------------------------

PAD, CLS, SEP, MASK = range(4)
SPECIAL = [PAD, CLS, SEP, MASK]
V = 50


def texts(n, size):
    """Return texts [CLS] … [SEP], every second one half padding."""
    ids = np.random.RandomState(0).randint(4, V, size=(n, size))
    ids[:, 0], ids[:, -1] = CLS, SEP
    ids[::2, size // 2] = SEP
    ids[::2, size // 2 + 1 :] = PAD
    return ids


def masked(input_ids, seed=0, **options):
    rng = np.random.default_rng(seed)
    return mask_tokens(input_ids, rng, MASK, SPECIAL, V, **options)


def near(count, n, p):
    """Whether `count` of n is what chance p gives, within 5 standard deviations."""
    return abs(count - n * p) <= 5 * math.sqrt(n * p * (1 - p))


@pytest.mark.parametrize("share", [0.15, 0.4])
def test_shares(share):
    ids = texts(400, 500)
    found, labels = masked(ids, share=share)
    chosen, n = labels != IGNORED, (ids >= 4).sum()
    assert n > 1e5
    assert near(chosen.sum(), n, share)
    n_chosen = chosen.sum()
    # One in V of the tokens drawn at random is the mask, and one is what was there.
    assert near((found == MASK)[chosen].sum(), n_chosen, 0.8 + 0.1 / V)
    assert near((found == ids)[chosen].sum(), n_chosen, 0.1 + 0.1 / V)
    drawn = found[chosen & (found != MASK) & (found != ids)]
    assert near(drawn.size, n_chosen, 0.1 * (1 - 2 / V))
    for token in range(V):
        if token != MASK:                        # special tokens may be drawn, too
            kept = 1 if token in SPECIAL else 1 - 1 / (V - 4)
            assert near((drawn == token).sum(), n_chosen, 0.1 / V * kept)


def test_one_call_chooses_15_percent_unless_told_otherwise():
    ids = texts(400, 500)
    _, labels = masked(ids)
    _, expected = masked(ids, share=0.15)
    assert np.array_equal(labels, expected)


def test_labels_are_the_tokens_that_were_there():
    ids = texts(40, 50)
    found, labels = masked(ids)
    chosen = labels != IGNORED
    assert chosen.any()
    assert np.array_equal(labels[chosen], ids[chosen])
    assert np.array_equal(found[~chosen], ids[~chosen])
    assert found.shape == labels.shape == ids.shape
    assert found.dtype == labels.dtype == ids.dtype


def test_special_tokens_are_never_chosen():
    ids = texts(200, 100)
    _, labels = masked(ids, share=0.9)
    assert (labels[np.isin(ids, SPECIAL)] == IGNORED).all()
    assert (labels[ids >= 4] != IGNORED).any()


def test_places_and_rows_are_chosen_alike():
    ids = np.full((300, 300), 7)
    chosen = masked(ids)[1] != IGNORED
    for axis in (0, 1):
        assert all(near(count, 300, 0.15) for count in chosen.sum(axis=axis))


@pytest.mark.parametrize("seed", range(50))
def test_at_least_one_token_is_chosen(seed):
    ids = np.array([[CLS, 5, SEP, PAD], [CLS, 6, 7, SEP]])
    _, labels = masked(ids, seed)
    assert (labels != IGNORED).any()
    _, labels = masked(ids, seed, share=0.0)
    assert (labels != IGNORED).sum() == 1


@pytest.mark.parametrize("seed", range(20))
def test_with_nothing_to_choose_nothing_is_asked(seed):
    ids = np.array([[CLS, SEP, PAD], [CLS, MASK, SEP]])
    found, labels = masked(ids, seed)
    assert np.array_equal(found, ids)
    assert (labels == IGNORED).all()


def test_the_text_itself_stays():
    ids = texts(40, 50)
    before = ids.copy()
    found, _ = masked(ids)
    assert np.array_equal(ids, before) and not np.shares_memory(found, ids)


def test_the_seed_says_what_is_masked():
    ids = texts(40, 50)
    (found, labels), (again, labels_again) = masked(ids), masked(ids)
    assert np.array_equal(found, again) and np.array_equal(labels, labels_again)
    assert not np.array_equal(labels, masked(ids, seed=1)[1])


# --- a batch for a model --------------------------------------------------------------


@pytest.fixture(scope="module")
def tokenizer():
    return DistilBertTokenizer.from_pretrained("tiny")


@pytest.fixture(scope="module")
def masked_lm():
    return DistilBertForMaskedLM.from_pretrained("tiny")


def sentences(tokenizer):
    texts = ["The capital of France is Paris.", "Paris.", "A dog is an animal."]
    return [{"input_ids": ids} for ids in tokenizer(texts)["input_ids"]]


def test_each_epoch_masks_anew(tokenizer, masked_lm):
    examples = sentences(tokenizer)
    rng = np.random.default_rng(0)
    first, second = (make_batch(examples, masked_lm, tokenizer, rng) for _ in range(2))
    assert not np.array_equal(first["labels"], second["labels"])
    plain = pad(examples, tokenizer.pad_token_id, True)
    for batch in (first, second):
        chosen = batch["labels"] != IGNORED
        assert chosen.any()
        assert np.array_equal(batch["attention_mask"], plain["attention_mask"])
        assert np.array_equal(batch["input_ids"][~chosen], plain["input_ids"][~chosen])
        assert np.array_equal(batch["labels"][chosen], plain["input_ids"][chosen])
        assert not chosen[np.isin(plain["input_ids"], tokenizer.all_special_ids)].any()


def test_labels_that_are_given_are_not_masked_over(masked_lm):
    examples = [{"input_ids": [5, 6, 7], "labels": [-100, 6, -100]},
                {"input_ids": [5, 6], "labels": [5, -100]}]
    batch = make_batch(examples, masked_lm, None, np.random.default_rng(0))
    assert batch["input_ids"].tolist()[0] == [5, 6, 7]
    assert batch["labels"].tolist() == [[-100, 6, -100], [5, -100, -100]]


def test_masking_needs_a_tokenizer(masked_lm):
    with pytest.raises(InputError, match="tokenizer: needed to mask"):
        make_batch([{"input_ids": [5]}], masked_lm, None, np.random.default_rng(0))


# --- masked by weight -----------------------------------------------------------------


def ones(*special):
    """Return a weight of 1 for each token but these and those that are always special.
    """
    weights = np.ones(V)
    weights[[*SPECIAL, *special]] = 0
    return weights


@pytest.mark.parametrize(("n", "size"), [(1, 5), (1, 7), (3, 20), (8, 21), (40, 50)])
def test_just_15_percent_of_all_tokens_are_chosen_rounded_up(n, size):
    ids = texts(n, size)
    mask = (ids != PAD).astype(int)
    _, labels = masked(ids, weights=ones(), attention_mask=mask)
    chosen = labels != IGNORED
    assert chosen.sum() == math.ceil(0.15 * mask.sum())      # [CLS], [SEP] counted too
    assert not chosen[np.isin(ids, SPECIAL)].any()
    assert np.array_equal(labels[chosen], ids[chosen])


def test_tokens_are_drawn_in_proportion_to_their_weights():
    # Of 5, 6, 7 one is drawn; then of 5, 6, 7, 8 two, one after the other.
    weights = np.zeros(V)
    weights[5:9] = 1, 2, 5, 2
    n, first, pairs = 20_000, np.zeros(V), np.zeros(V)
    rng = np.random.default_rng(0)
    for _ in range(n):
        for ids, counts, share in (([5, 6, 7], first, 0.3), ([5, 6, 7, 8], pairs, 0.5)):
            row = np.array([ids])
            _, labels = mask_tokens(row, rng, MASK, SPECIAL, V, share, weights=weights)
            counts[row[labels != IGNORED]] += 1
    assert all(near(first[5 + i], n, p) for i, p in enumerate((1 / 8, 2 / 8, 5 / 8)))
    assert pairs.sum() == 2 * n
    shares = weights / weights.sum()
    for i in range(5, 9):                        # drawn first, or after another
        others = [k for k in range(5, 9) if k != i]
        second = sum(shares[k] * shares[i] / (1 - shares[k]) for k in others)
        assert near(pairs[i], n, shares[i] + second)


def test_no_more_are_chosen_than_there_are():
    ids = np.array([[CLS, 5, 6, 6, SEP, PAD], [CLS, 7, 7, SEP, PAD, PAD]])
    mask = (ids != PAD).astype(int)
    _, labels = masked(ids, share=1.0, weights=ones(6), attention_mask=mask)
    assert np.array_equal(labels != IGNORED, (ids == 5) | (ids == 7))
    _, labels = masked(ids, weights=np.zeros(V), attention_mask=mask)
    assert (labels == IGNORED).all()


def test_what_is_hidden_is_not_asked_for():
    ids = np.full((4, 10), 7)
    mask = np.ones_like(ids)
    mask[:, :5] = 0
    _, labels = masked(ids, share=1.0, weights=ones(), attention_mask=mask)
    assert np.array_equal(labels != IGNORED, mask == 1)


def test_without_weights_masking_is_what_it_was():
    # As recorded before there were any: a run of then must go on as it began.
    ids = np.arange(4, 24).reshape(2, 10)
    found, labels = masked(ids, seed=3, share=0.4)
    assert labels[labels != IGNORED].tolist() == [4, 5, 8, 11, 13, 14, 20, 23]
    assert found[labels != IGNORED].tolist() == [3, 41, 8, 3, 3, 3, 3, 3]


def test_rare_tokens_weigh_more():
    texts = [CLS, 5, 5, 6, SEP], np.array([CLS, 5, SEP])
    examples = [{"input_ids": ids} for ids in texts]
    weights = mask_weights(examples, V, SPECIAL)
    assert weights.shape == (V,) and (weights[SPECIAL] == 0).all()
    assert weights[5] == 3**-0.7 and weights[6] == weights[9] == 1
    assert mask_weights(examples, V, SPECIAL, smoothing=0.0)[5] == 1


def test_weights_reach_the_batch_and_the_evaluation():
    tokenizer = DistilBertTokenizer.from_pretrained("tiny")
    model = DistilBertForMaskedLM.from_pretrained("tiny")
    ids = tokenizer(["The cat sleeps in its basket.", "The dog is an animal."])
    examples = [{"input_ids": row} for row in ids["input_ids"]]
    cat = tokenizer.convert_tokens_to_ids("cat")
    weights = np.zeros(model.config.vocab_size)
    weights[cat] = 1
    rng = np.random.default_rng(0)
    labels = make_batch(examples, model, tokenizer, rng, weights)["labels"]
    assert labels[labels != IGNORED].tolist() == [cat]
    assert evaluate(model, examples, tokenizer, mask_weights=weights) != evaluate(
        model, examples, tokenizer
    )


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(5), r"mask_weights: has shape \(5,\), expected \(1900,\)"),
        (np.full(1900, -1.0), r"mask_weights: found -1\.0 at position \(0,\), expected "
         "a weight of at least 0"),
        (np.full(1900, np.nan), "mask_weights: found nan at position"),
        ("rare", "mask_weights: expected numbers"),
    ],
)
def test_weights_that_cannot_be_used(weights, message):
    model = DistilBertForMaskedLM.from_pretrained("tiny")
    examples = [{"input_ids": [2, 5, 6, 3]}]
    with pytest.raises(InputError, match=message):
        evaluate(model, examples, mask_weights=weights)
