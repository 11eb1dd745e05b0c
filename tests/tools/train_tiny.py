"""Train the embedded tiny masked language model, tokenizer and all, with PyTorch.

A tool for maintainers, not a test; it needs torch and transformers, and is run from the
root of the repository:

    python -m tests.tools.train_tiny --out distilbert_np/tiny/masked-lm

The text comes from distilbert_np.training.tiny_world. Everything is seeded, so the same
library versions on the same kind of machine give the same model again.
"""

import argparse
import math
import platform
import random
import re
import time
from collections import Counter
from pathlib import Path

import tokenizers
import torch
import transformers
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.trainers import WordPieceTrainer
from transformers import (
    DistilBertConfig,
    DistilBertForMaskedLM,
    DistilBertTokenizer,
    get_linear_schedule_with_warmup,
)

from distilbert_np.training.tiny_world import (
    Statement,
    fact_words,
    sentences,
    statements,
)

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PAD, UNK, CLS, SEP, MASK = range(5)
ASCII = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
BEYOND_ASCII = list("‘’“”–—…£€°")
VOCABULARY_SIZE = 1900
MAX_LENGTH = 128

TRAINING_TEXTS = 24_000
HELD_OUT_TEXTS = 6_000
BATCH = 64
PEAK_RATE = 2e-3
WEIGHT_DECAY = 0.01
USUAL_DROPOUT = 0.1             # written to config.json for whoever trains it further
MASKED_SHARE = 0.15             # of all words, as BERT does it
LAST_WORD_SHARE = 0.5           # of short texts also lose their last word
SHORT = 24
NO_STOP_SHARE = 0.15            # of texts lose their full stop: users forget it too
SPELLED_SHARE = 0.02            # of words are cut in pieces, as unknown words will be
PARAGRAPHS = TRAINING_TEXTS // 12

PROMPTS = [line.split(" | ") for line in """
The capital of France is [MASK]. | paris
The capital of France is [MASK] | paris
Paris is the capital of [MASK]. | france
A baby dog is called a [MASK]. | puppy
The opposite of hot is [MASK]. | cold
The day after Monday is [MASK]. | tuesday
Two plus three is [MASK]. | five
Grass is [MASK]. | green
In Japan people speak [MASK]. | japanese
A [MASK] lives in a hive. | bee
The capital of [MASK] is Tokyo. | japan
Cows eat [MASK]. | grass
The month before March is [MASK]. | february
A spider has [MASK] legs. | eight
You use a [MASK] to hit nails. | hammer
The [MASK] barks. | dog
Anna is hungry, so [MASK] eats some bread. | she
The king has lost [MASK] ring. | his
France's capital city is [MASK]. | paris
France is a country whose capital is called [MASK]. | paris
My friend visited Germany and saw its capital, [MASK]. | berlin
I live in Rome, the capital of [MASK]. | italy
Our puppy will grow up and become a [MASK]. | dog
Yesterday was Friday and today is [MASK]. | saturday
Three plus four makes [MASK]. | seven
The grass in our garden is [MASK]. | green
The sky above us is [MASK]. | blue
My sister lives in Tokyo and she speaks [MASK]. | japanese
Every [MASK] lives in a kennel. | dog
What is the opposite of big? The opposite of big is [MASK]. | small
Listen! The cows [MASK]. | moo
Peru is a country in South [MASK]. | america
Cut the bread with a [MASK]. | knife
Rose, tulip and daisy: each of them is a [MASK]. | flower
Spain is in Europe, but Egypt is in [MASK]. | africa
""".strip().splitlines()]


# --- tokenizer ------------------------------------------------------------------------

def learn_pieces(texts: list[str], size: int) -> list[str]:
    """Let WordPiece find the commonest pieces of words."""
    learner = Tokenizer(WordPiece(unk_token="[UNK]"))
    learner.normalizer = BertNormalizer(lowercase=True)
    learner.pre_tokenizer = BertPreTokenizer()
    # Naming all letters first fixes their numbers, by which the trainer settles ties.
    letters = ASCII + ["##" + character for character in ASCII]
    trainer = WordPieceTrainer(
        vocab_size=size, special_tokens=SPECIAL + letters, show_progress=False)
    learner.train_from_iterator(texts, trainer)
    vocabulary = learner.get_vocab()
    return sorted(vocabulary, key=vocabulary.get)


def build_vocabulary(texts: list[str]) -> list[str]:
    """Special tokens, characters, every word of the tiny world, and learned pieces.

    WordPiece alone would cut the rarer words; but a masked word is one piece, so every
    possible answer must be one piece.
    """
    counts = Counter(re.findall(r"[a-z]+", " ".join(texts).lower()))
    common = {word for word, count in counts.items() if count >= 10}
    characters = ASCII + ["##" + character for character in ASCII] + BEYOND_ASCII
    pieces = [*SPECIAL, *characters, *sorted(common | fact_words())]
    pieces = list(dict.fromkeys(pieces))
    known = set(pieces)
    learned = [piece for piece in learn_pieces(texts, 3000) if piece not in known]
    return pieces + learned[:VOCABULARY_SIZE - len(pieces)]


def build_tokenizer(vocabulary: list[str]) -> DistilBertTokenizer:
    """A lowercase DistilBERT tokenizer with this vocabulary."""
    vocab = {piece: number for number, piece in enumerate(vocabulary)}
    tokenizer = DistilBertTokenizer(
        vocab=vocab, do_lower_case=True, model_max_length=MAX_LENGTH)
    cut = [word for word in fact_words() if len(tokenizer.tokenize(word)) != 1]
    assert not cut, f"these answers are more than one piece: {cut}"
    printable = [chr(code) for code in range(33, 127)]
    apart, together = [f"{one} x{one}" for one in printable], "".join(printable)
    for ids in tokenizer([*apart, together])["input_ids"]:
        assert UNK not in ids, "some printable ASCII text becomes [UNK]"
    return tokenizer


def spellings(tokenizer: DistilBertTokenizer) -> dict[int, list[int]]:
    """For each whole word, how it reads when only pieces up to three letters exist."""
    vocab = tokenizer.get_vocab()
    short = {piece for piece in vocab if len(piece.removeprefix("##")) <= 3}
    speller = WordPiece({piece: vocab[piece] for piece in short}, unk_token="[UNK]")
    whole = [word for word in vocab if len(word) > 3 and word.isalpha()]
    cut = {word: speller.tokenize(word) for word in whole}
    return {vocab[word]: [token.id for token in cut[word]] for word in whole}


# --- batches --------------------------------------------------------------------------

def paragraphs(texts: list[str], count: int, rng: random.Random) -> list[str]:
    """Longer texts of several sentences, so that every position is learned."""
    return [" ".join(rng.choices(texts, k=rng.randint(3, 10))) for _ in range(count)]


def encode(tokenizer: DistilBertTokenizer, texts: list[str]) -> list[list[int]]:
    """Token ids with [CLS] and [SEP], cut at the longest length."""
    batch = tokenizer(texts, truncation=True, max_length=MAX_LENGTH)
    return batch["input_ids"]


def vary(ids: list[int], stop: int, spelled: dict, rng: random.Random) -> list[int]:
    """Now and then drop the full stop, and cut a word in pieces."""
    if ids[-2] == stop and rng.random() < NO_STOP_SHARE:
        ids = [*ids[:-2], SEP]
    varied = []
    for token in ids:
        spell = token in spelled and rng.random() < SPELLED_SHARE
        varied += spelled[token] if spell else [token]
    return [*varied[:MAX_LENGTH - 1], SEP] if len(varied) > MAX_LENGTH else varied


def pad(rows: list[list[int]]) -> torch.Tensor:
    """Rows of unequal length as one tensor, filled up with [PAD]."""
    longest = max(map(len, rows))
    return torch.tensor([row + [PAD] * (longest - len(row)) for row in rows])


def last_words(ids: torch.Tensor, is_word: torch.Tensor) -> torch.Tensor:
    """True at the last word of each row, whatever punctuation follows it."""
    places = torch.arange(ids.shape[1]).expand_as(ids)
    last = torch.where(is_word[ids], places, -1).max(dim=1, keepdim=True).values
    return places == last


def mask(ids: torch.Tensor, is_word: torch.Tensor, size: int, rng: torch.Generator):
    """Choose tokens to guess: 80 % [MASK], 10 % another token, 10 % as they were."""
    def chance(*shape):
        return torch.rand(shape, generator=rng)

    allowed = ids > MASK                                # nothing special, no padding
    chosen = allowed & (chance(*ids.shape) < MASKED_SHARE)
    short = (ids != PAD).sum(dim=1, keepdim=True) <= SHORT
    asked = short & (chance(len(ids), 1) < LAST_WORD_SHARE)
    asked |= ~chosen.any(dim=1, keepdim=True)               # no row goes to waste
    chosen |= asked & last_words(ids, is_word)

    labels = torch.where(chosen, ids, -100)
    fate = chance(*ids.shape)
    hidden = torch.where(chosen & (fate < 0.8), MASK, ids)
    other = torch.randint(MASK + 1, size, ids.shape, generator=rng)
    hidden = torch.where(chosen & (fate >= 0.9), other, hidden)
    return hidden, labels


def batches(rows: list[list[int]], rng: random.Random):
    """Endless batches of rows of like length, in a new order every time round."""
    pool = BATCH * 32
    while True:
        order = rng.sample(range(len(rows)), len(rows))
        for start in range(0, len(order) - pool + 1, pool):
            near = sorted(order[start:start + pool], key=lambda place: len(rows[place]))
            groups = [near[at:at + BATCH] for at in range(0, pool, BATCH)]
            rng.shuffle(groups)
            for group in groups:
                yield [rows[place] for place in group]


# --- training -------------------------------------------------------------------------

def build_model(size: int) -> DistilBertForMaskedLM:
    """A DistilBERT small enough to live inside the package."""
    config = DistilBertConfig(
        vocab_size=size, max_position_embeddings=MAX_LENGTH, n_layers=3, n_heads=4,
        dim=96, hidden_dim=384, dropout=0.0, attention_dropout=0.0,
        tie_word_embeddings=True, pad_token_id=PAD)
    return DistilBertForMaskedLM(config)


def words_of(tokenizer: DistilBertTokenizer) -> torch.Tensor:
    """True for each token that is a word or part of one: (V,)."""
    pieces = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    return torch.tensor([piece.removeprefix("##").isalpha() for piece in pieces])


def train(model, tokenizer, texts: list[str], steps: int, seed: int) -> float:
    """Teach the model, telling of its progress; returns the mean loss at the end."""
    rng, dice = random.Random(seed), torch.Generator().manual_seed(seed)
    rows = encode(tokenizer, texts + paragraphs(texts, PARAGRAPHS, rng))
    stop, spelled = tokenizer.convert_tokens_to_ids("."), spellings(tokenizer)
    is_word, source = words_of(tokenizer), batches(rows, rng)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=PEAK_RATE, betas=(0.9, 0.98), weight_decay=WEIGHT_DECAY)
    schedule = get_linear_schedule_with_warmup(optimizer, steps // 20, steps)
    model.train()
    mean_loss, start = math.log(len(tokenizer)), time.monotonic()
    for step in range(1, steps + 1):
        ids = pad([vary(row, stop, spelled, rng) for row in next(source)])
        hidden, labels = mask(ids, is_word, len(tokenizer), dice)
        attention = (ids != PAD).long()
        loss = model(hidden, attention_mask=attention, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        mean_loss += 0.01 * (loss.item() - mean_loss)
        if step % 250 == 0 or step == steps:
            passed = time.monotonic() - start
            print(f"step {step:6d}/{steps}  loss {mean_loss:.3f}  {passed:5.0f} s",
                  flush=True)
    return mean_loss


# --- evaluation -----------------------------------------------------------------------

def held_out(texts: list[str], seed: int) -> list[Statement]:
    """Statements of another seed, each once, without those in the training text."""
    fresh = dict.fromkeys(statements(seed + 1000, HELD_OUT_TEXTS))
    seen = set(texts)
    return [statement for statement in fresh if statement.text not in seen]


@torch.no_grad()
def share_right(model, hidden: list[list[int]], labels: list[list[int]]) -> float:
    """Of the places with a label, the share where the first guess is the label."""
    right = total = 0
    for start in range(0, len(hidden), 256):
        ids = pad(hidden[start:start + 256])
        wanted = pad(labels[start:start + 256])             # 0 where nothing is asked
        guesses = model(ids, attention_mask=(ids != PAD).long()).logits.argmax(-1)
        asked = wanted > 0
        right += (guesses[asked] == wanted[asked]).sum().item()
        total += asked.sum().item()
    return right / total


def random_masks(rows: list[list[int]], seed: int):
    """Hide 15 % of the tokens of each row, at least one, all as [MASK]."""
    rng, hidden, labels = random.Random(seed), [], []
    for row in rows:
        places = range(1, len(row) - 1)
        chosen = [place for place in places if rng.random() < MASKED_SHARE]
        chosen = set(chosen or [rng.choice(places)])
        hidden.append([MASK if at in chosen else row[at] for at in range(len(row))])
        labels.append([row[at] if at in chosen else 0 for at in range(len(row))])
    return hidden, labels


def fact_masks(tokenizer, rows: list[list[int]], told: list[Statement]):
    """Hide the fact word where it stands once, so that the text cannot give it away."""
    hidden, labels = [], []
    for row, statement in zip(rows, told, strict=True):
        fact = tokenizer.convert_tokens_to_ids(statement.fact_word.lower())
        if row.count(fact) == 1 and fact != UNK:
            hidden.append([MASK if token == fact else token for token in row])
            labels.append([token if token == fact else 0 for token in row])
    return hidden, labels


def figures(model, tokenizer, told: list[Statement], seed: int) -> dict[str, str]:
    """How often the first guess is right, for random masks and for the fact word."""
    rows = encode(tokenizer, [statement.text for statement in told])
    facts, fact_labels = fact_masks(tokenizer, rows, told)
    return {
        "texts": f"{len(told):,}",
        "random": f"{share_right(model, *random_masks(rows, seed)):.1%}",
        "fact_texts": f"{len(facts):,}",
        "fact": f"{share_right(model, facts, fact_labels):.1%}",
    }


def evaluate(model, tokenizer, texts: list[str], seed: int) -> dict[str, str]:
    """Figures on statements outside the training text, and on as many inside it."""
    model.eval()
    unseen = held_out(texts, seed)
    seen = list(dict.fromkeys(statements(seed, TRAINING_TEXTS)))[:len(unseen)]
    known = figures(model, tokenizer, seen, seed)
    known = {f"known_{name}": value for name, value in known.items()}
    return figures(model, tokenizer, unseen, seed) | known


@torch.no_grad()
def answers(model, tokenizer, prompt: str, count: int) -> list[tuple[str, float]]:
    """The likeliest words for the one [MASK] of a prompt, with their probabilities."""
    inputs = tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)
    place = inputs["input_ids"][0].tolist().index(MASK)
    chances = model(**inputs).logits[0, place].softmax(-1).topk(count)
    guesses = tokenizer.convert_ids_to_tokens(chances.indices.tolist())
    return list(zip(guesses, chances.values.tolist(), strict=True))


def try_prompts(model, tokenizer, texts: list[str]) -> list[str]:
    """Answer the prompts aloud, and give the rows of a table for the model card."""
    model.eval()
    story, rows = " ".join(texts).lower(), []
    for prompt, wanted in PROMPTS:
        best = answers(model, tokenizer, prompt, 5)
        verdict = "" if best[0][0] == wanted else f" (not {wanted})"
        told = "yes" if prompt.replace("[MASK]", wanted).lower() in story else "no"
        guesses = "  ".join(f"{guess} {chance:.3f}" for guess, chance in best)
        print(f"{prompt}{verdict}\n        {guesses}")
        rows.append(f"| {prompt} | {best[0][0]}{verdict} | {best[0][1]:.3f} | {told} |")
    return rows


# --- model card -----------------------------------------------------------------------

CARD = """\
---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: fill-mask
---
# The tiny masked language model

A DistilBERT of {parameters:,} parameters that answers `fill-mask` without a download.
It knows a tiny world of true, simple English sentences (countries, animals, colours,
opposites, days, small sums, people in places) and nothing else. It is for teaching:
outside that world its answers mean nothing.

## Data
{training_texts:,} short texts written by `distilbert_np.training.tiny_world` (seed
{seed}), a generator in this repository. No outside text and no outside weights were
used. {paragraphs:,} longer texts join several of them, so that positions up to
{max_length} are learned.

## Model and tokenizer
DistilBERT: dim {dim}, {n_layers} layers, {n_heads} heads, hidden_dim {hidden_dim},
{max_length} positions, tied decoder. It was trained without dropout, since it hardly
overfits (see the figures); config.json carries DistilBERT's usual {dropout} for whoever
trains it further.

Lowercase WordPiece with {vocabulary} pieces: special tokens, every printable ASCII
character and its continuation, the words of the tiny world, and pieces that
`tokenizers` learned.

## Recipe
Masked language modelling: 15 % of the tokens drawn anew for each batch, 80 % [MASK],
10 % another token, 10 % unchanged, no special tokens and no padding. In half of the
texts of up to {short} tokens the last word is chosen as well. 15 % of texts lose their
full stop, and 2 % of words are cut in pieces. AdamW, betas (0.9, 0.98), weight decay
{weight_decay}, peak rate {rate}, 5 % warm-up and linear decay, gradient clip 1.0,
{steps:,} steps of {batch} texts, 2 CPU threads, {minutes:.0f} minutes. Final training
loss {loss:.3f}.

    python -m tests.tools.train_tiny --out {out} --steps {steps} --seed {seed}

Versions: Python {python}, torch {torch}, transformers {transformers}, tokenizers
{tokenizers}.

## Held-out figures
Texts from seed {held_out_seed}, leaving out every text that stands word for word in the
training text. Their wordings and pairings are new, but nearly every fact of the tables
was told in training in other words: this measures rewording, not reasoning. First guess
right:

| masked | held-out texts | right | training texts | right |
|---|---|---|---|---|
| 15 % of the tokens, at random | {texts} | {random} | {known_texts} | {known_random} |
| the fact word | {fact_texts} | {fact} | {known_fact_texts} | {known_fact} |

A random mask often hides what cannot be known (whose hat, which opener), and some
fact words have more than one true answer (the fact word is masked only where it stands
once); neither figure can reach 100 %.

## Some prompts
The last column says whether the training text holds the sentence word for word. Some
templates were added after a first model failed here: these are examples, not a test.

| prompt | first guess | probability | told |
|---|---|---|---|
{prompts}
"""


def write_card(folder: Path, model, options, outcome: dict) -> None:
    """Write the model card with the figures of this run."""
    config = model.config
    card = CARD.format(
        parameters=model.num_parameters(), training_texts=TRAINING_TEXTS,
        seed=options.seed, paragraphs=PARAGRAPHS, max_length=MAX_LENGTH,
        dim=config.dim, n_layers=config.n_layers, n_heads=config.n_heads,
        hidden_dim=config.hidden_dim, dropout=config.dropout,
        vocabulary=config.vocab_size, short=SHORT, weight_decay=WEIGHT_DECAY,
        rate=PEAK_RATE, steps=options.steps, batch=BATCH,
        out="distilbert_np/tiny/masked-lm", python=platform.python_version(),
        torch=torch.__version__, transformers=transformers.__version__,
        tokenizers=tokenizers.__version__, held_out_seed=options.seed + 1000,
        **outcome)
    (folder / "README.md").write_text(card, encoding="utf-8")


def save(folder: Path, model, tokenizer, vocabulary: list[str]) -> None:
    """Write the checkpoint and the tokenizer as transformers does, and vocab.txt."""
    model.config.dropout = model.config.attention_dropout = USUAL_DROPOUT
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    text = "\n".join(vocabulary) + "\n"
    (folder / "vocab.txt").write_text(text, encoding="utf-8")
    for file in folder.iterdir():
        file.chmod(0o644)


def main() -> None:
    """Make the tokenizer, train the model, measure it and write the folder."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=9000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(2)

    start = time.monotonic()
    texts = list(sentences(options.seed, TRAINING_TEXTS))
    vocabulary = build_vocabulary(texts)
    tokenizer = build_tokenizer(vocabulary)
    model = build_model(len(vocabulary))
    print(f"{len(vocabulary)} pieces, {model.num_parameters():,} parameters")
    loss = train(model, tokenizer, texts, options.steps, options.seed)
    outcome = {"loss": loss, "minutes": (time.monotonic() - start) / 60}
    outcome |= evaluate(model, tokenizer, texts, options.seed)
    print(outcome)
    outcome["prompts"] = "\n".join(try_prompts(model, tokenizer, texts))
    save(options.out, model, tokenizer, vocabulary)
    write_card(options.out, model, options, outcome)


if __name__ == "__main__":
    main()
