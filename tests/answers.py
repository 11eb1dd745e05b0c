"""What the pipelines are asked: one grid for transformers' side and for ours.

Checkpoints are of random weights (see cases.py) with the tokenizer of the embedded
model, so both sides can build them; texts are ragged, long, empty and in many scripts.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

import ours
import pytest
from cases import Case

from distilbert_np import DistilBertTokenizer

FILE = Path(__file__).parent / "reference" / "pipelines.json"
POSITIONS = 40
BOUND = 1e-5                                     # of a score

TEXTS = [
    "The cat is small.", "", " ", "A dog can run, and a bird can fly over the house.",
    "Ünïcödé façade naïve Łódź İstanbul", "你好,世界 — 東京 is a city",
    "🤗 I love 👩\u200d👩\u200d👧 it!", "supercalifragilisticexpialidocious",
    "Anna lives in Paris.\nBen\tlives in Rome.", "don't stop-me now... (please)",
    "zzz qqq 12,345.67 %", "[SEP] in [CLS] a text [PAD]", "مرحبا بالعالم", "hot",
    "a\u0301 e\u0301 combined",
]
LONG = "The dog of Anna went to the big market in Paris and saw a cat . " * 12
MASKED = [
    "The [MASK] is small.", "[MASK]", "[MASK] and [MASK] are 你好 🤗.", "Ünï [MASK]!",
    "In [MASK] there is a dog, and in the house [MASK] [MASK].",
]
WORDS = ["Anna", "lives", "in", "Łódź", "supercalifragilistic", "你好", "don't", "!"]
CONTEXTS = [
    "Anna lives in Paris, paris, PARIS.", LONG, "hot",
    "Ünïcödé façade, naïve Łódź & İstanbul!",
    "你好,世界 — 東京 is a city 🤗 of many people", "supercalifragilistic unbelievably",
    "Ben saw a cat. It was black.\n\nThen the cat saw Ben, and ran to the house. " * 4,
]
TAGS = dict(enumerate(["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "MISC"]))


@dataclass
class Question:
    """One call of a pipeline: which task and checkpoint, what it is given, how."""

    task: str
    inputs: Any
    options: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Which question it is: its task, checksum and first words."""
        shown = json.dumps([self.inputs, self.options, self.config], ensure_ascii=False)
        return f"{self.task} {crc32(shown.encode()):08x} {shown[:40]}"


class Checkpoints:
    """The checkpoints that questions are put to, each written once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written: dict[str, Path] = {}

    def of(self, question: Question) -> Path:
        """Return the folder of a question's checkpoint."""
        key = f"{question.task} {question.config}"
        if key not in self.written:
            self.written[key] = self.folder / str(len(self.written))
            write_checkpoint(self.written[key], question)
        return self.written[key]


HEADS = {
    "fill-mask": "masked_lm", "text-classification": "sequence",
    "token-classification": "token", "question-answering": "question_answering",
    "feature-extraction": "base", "multiple-choice": "multiple_choice",
    "embed": "base",
}


def fill_mask() -> list[Question]:
    options = [
        {}, {"top_k": 1}, {"top_k": 7}, {"targets": "dog"},
        {"targets": ["cat", "dog", "##s"]},
        {"tokenizer_kwargs": {"add_special_tokens": False}},
    ]
    asked = [Question("fill-mask", MASKED, some) for some in options]
    asked += [Question("fill-mask", MASKED[i]) for i in (0, 2, slice(1))]
    long = {"tokenizer_kwargs": {"truncation": True}}
    return [*asked, Question("fill-mask", f"[MASK] {LONG}", long)]


def text_classification() -> list[Question]:
    kinds = [
        {}, {"num_labels": 1}, {"problem_type": "regression"},
        {"id2label": {i: f"feeling {i}" for i in range(7)}},
        {"num_labels": 3, "problem_type": "multi_label_classification"},
    ]
    options = [
        {}, {"top_k": None}, {"top_k": 1}, {"top_k": 2},
        {"function_to_apply": "sigmoid"}, {"function_to_apply": "softmax"},
        {"function_to_apply": "none", "top_k": 3},
    ]
    cut = [
        {"truncation": True}, {"truncation": True, "max_length": 9},
        {"truncation": True, "padding": "max_length"},
    ]
    pair = {"text": "A dog.", "text_pair": "A cat?"}
    asked = [(TEXTS, some, kind) for kind in kinds for some in options]
    asked += [
        (texts, some, {}) for texts in (TEXTS[3], TEXTS[:1], "") for some in options[:3]
    ]
    asked += [([LONG, *TEXTS], some, {}) for some in cut]
    asked += [(pair, {}, {}), ({"text": "A dog."}, {}, {}), ([pair, pair], {}, {}),
              (pair | {"text_pair": ""}, {}, {}), ([pair], {"top_k": 2}, {})]
    return [Question("text-classification", *one) for one in asked]


def token_classification() -> list[Question]:
    strategies = [
        {"aggregation_strategy": name}
        for name in ("none", "simple", "first", "average", "max")
    ]
    asked = [([LONG, *TEXTS], some) for some in strategies]
    ignored = {"ignore_labels": ["PER", "B-PER"]}
    asked += [(TEXTS, some | ignored) for some in strategies]
    asked += [
        (TEXTS[8], {}), ("", {}), (TEXTS[:1], strategies[1]), (LONG, strategies[2])
    ]
    asked += [
        ([LONG, *TEXTS[:4]], some | {"stride": stride})
        for some in strategies[1:] for stride in (0, 3, 20)
    ]
    split = {"is_split_into_words": True}
    asked += [
        (words, split | some | {"delimiter": delimiter})
        for words in (WORDS, [WORDS, WORDS[3:], ["hot"]]) for some in strategies[:3]
        for delimiter in (None, "", "_-_")
    ]
    return [
        Question("token-classification", *one, {"id2label": TAGS}) for one in asked
    ]


def question_answering() -> list[Question]:
    options = [
        {}, {"top_k": 3}, {"handle_impossible_answer": True}, {"align_to_words": False},
        {"top_k": 2, "max_answer_len": 2}, {"doc_stride": 5}, {"max_seq_len": 25},
        {"top_k": 4, "handle_impossible_answer": True, "align_to_words": False},
        {"max_seq_len": 30, "doc_stride": 0, "top_k": 2},
    ]
    asked = [
        {"question": question, "context": context}
        for question in ("Who?", "Where does Łukasz 你 live, and why?")
        for context in CONTEXTS
    ]
    questions = [Question("question-answering", asked, some) for some in options]
    questions += [Question("question-answering", one) for one in (asked[0], asked[:1])]
    return questions


def feature_extraction() -> list[Question]:
    texts = ["The cat is small.", "", "你好 🤗"]
    return [
        Question("feature-extraction", texts), Question("feature-extraction", texts[0]),
        Question("feature-extraction", texts[:1]),
        Question("feature-extraction", [LONG], {"truncation": True}),
        Question("feature-extraction", texts[2],
                 {"tokenize_kwargs": {"add_special_tokens": False}}),
    ]


QUESTIONS = [
    *fill_mask(), *text_classification(), *token_classification(),
    *question_answering(), *feature_extraction(),
]


def write_checkpoint(folder: Path, question: Question) -> None:
    """Write the checkpoint that a question is put to."""
    tokenizer = DistilBertTokenizer.from_pretrained("tiny")
    tokenizer.model_max_length = POSITIONS
    tokenizer.save_pretrained(folder)
    sizes = {"vocab_size": len(tokenizer), "max_position_embeddings": POSITIONS}
    case = Case(question.task, HEADS[question.task], sizes | question.config)
    ours.build(case, "float32").save_pretrained(folder)


def rounded(answer: Any) -> Any:
    """Return an answer as JSON keeps it: plain numbers, of eight digits."""
    if isinstance(answer, dict):
        return {key: rounded(value) for key, value in answer.items()}
    if isinstance(answer, (list, tuple)):
        return [rounded(one) for one in answer]
    if hasattr(answer, "item"):
        answer = answer.item()
    return float(f"{answer:.8g}") if isinstance(answer, float) else answer


def possible(answers: list[Any]) -> list[Any]:
    """Return answers to questions without those of probability 0.

    Where there are fewer than top_k spans, transformers fills up with impossible ones,
    such as one that ends before it starts; which ones is up to NumPy's argpartition.
    """
    kept = []
    for answer in answers:
        if isinstance(answer, list):
            answer = [one for one in answer if one["score"] > 0]
            answer = answer[0] if len(answer) == 1 else answer
        kept.append(answer)
    return kept


def assert_same(found: Any, expected: Any) -> None:
    """Assert that answers are the same in kinds, keys and words, and near in scores."""
    if isinstance(expected, list):
        assert isinstance(found, list) and len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, dict):
        assert isinstance(found, dict) and found.keys() == expected.keys()
        for key in expected:
            assert_same(found[key], expected[key])
    elif isinstance(expected, float):
        assert type(found) is float
        assert found == pytest.approx(expected, rel=0, abs=BOUND)
    else:
        assert type(found) is type(expected) and found == expected
