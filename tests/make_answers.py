"""Write tests/reference/pipelines.json: what transformers' own pipelines answer.

    pip install "transformers<5" torch
    python tests/make_answers.py

transformers 5 has no pipeline for question answering any more; 4.57 has all.
"""

import json
import sys
import tempfile
import warnings
from pathlib import Path

import torch
import transformers

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from answers import FILE, QUESTIONS, Question, possible, rounded, write_checkpoint


class Theirs:
    """transformers' pipelines on the checkpoints of the questions, each made once."""

    def __init__(self) -> None:
        self.made: dict[str, transformers.Pipeline] = {}

    def answer(self, question: Question) -> object:
        """Return what transformers answers, as JSON keeps it."""
        key = f"{question.task} {question.config}"
        if key not in self.made:
            with tempfile.TemporaryDirectory() as folder:
                write_checkpoint(Path(folder), question)
                self.made[key] = transformers.pipeline(question.task, folder)
        with warnings.catch_warnings():          # dicts of questions are deprecated
            warnings.simplefilter("ignore", FutureWarning)
            answer = rounded(self.made[key](question.inputs, **question.options))
        is_list = question.task == "question-answering" and isinstance(answer, list)
        return possible(answer) if is_list else answer


def in_json(value: object) -> str:
    """Return JSON without blanks."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def main() -> None:
    """Ask every question and write the answers down."""
    theirs = Theirs()
    versions = {"transformers": transformers.__version__, "torch": torch.__version__}
    about = {"written by": "tests/make_answers.py"} | versions
    answers = ",\n".join(                        # a line for each
        f"{in_json(question.name)}: {in_json(theirs.answer(question))}"
        for question in QUESTIONS
    )
    text = f"{json.dumps(about)[:-1]},\n\"answers\": {{\n{answers}\n}}}}\n"
    FILE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
