"""fill-mask, classify, tag, answer, choose: ask a pipeline, and print its answers."""

import argparse
import json
import sys
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from ..errors import InputError, one_line
from ..pipelines import Pipeline
from .given import Asked, given, in_parts, whole_standard_input
from .model import load, who_answered

if TYPE_CHECKING:
    from ..training.tasks import Row

TOGETHER = 256                                   # texts read before the first is shown

Answer = dict[str, Any]


class Verb:
    """What a verb asks its pipeline, and which parts of an answer it shows."""

    name = "masks"                               # of the answers, in JSON
    columns: tuple[str, ...] = ("token_str", "score")

    def arguments(self, arguments: argparse.Namespace) -> list[Any]:
        """Return what the command asks: texts; "-" is the standard input."""
        return arguments.texts

    def row(self, row: "Row") -> Any:
        """Return what a row of a file asks."""
        return row.text("text")

    def options(self, arguments: argparse.Namespace, pipe: Pipeline) -> dict[str, Any]:
        """Return the options of the pipeline."""
        return {"top_k": arguments.top_k}


class Classify(Verb):
    """Which class is a text of? A row may hold a pair of texts."""

    name = "labels"
    columns = ("label", "score")

    def row(self, row: "Row") -> Any:
        """Return a text, or a pair."""
        if not row.cells.get("text_pair"):
            return row.text("text")
        return {name: row.text(name) for name in ("text", "text_pair")}

    def options(self, arguments: argparse.Namespace, pipe: Pipeline) -> dict[str, Any]:
        """Return the options of the pipeline; texts that are too long are cut."""
        return {"top_k": arguments.top_k, "truncation": True}


class Tag(Verb):
    """Which words are names, and of what?"""

    name = "entities"
    columns = ("word", "entity", "entity_group", "score", "start", "end")

    def options(self, arguments: argparse.Namespace, pipe: Pipeline) -> dict[str, Any]:
        """Return the options of the pipeline: long texts are read whole, in windows."""
        strategy = arguments.strategy
        stride = None if strategy == "none" else pipe.max_length // 4
        return {"aggregation_strategy": strategy, "stride": stride}


class Answering(Verb):
    """Which words of a context answer a question?"""

    name = "answers"
    columns = ("answer", "score", "start", "end")

    def arguments(self, arguments: argparse.Namespace) -> list[Any]:
        """Return the question with its context, if there is one."""
        if arguments.question is None:
            return []
        if arguments.context is None:
            raise InputError(
                "context: expected a text that holds the answer, or - for the standard "
                "input"
            )
        stands_for_input = arguments.context == "-"
        context = whole_standard_input() if stands_for_input else arguments.context
        return [{"question": arguments.question, "context": context}]

    def row(self, row: "Row") -> Any:
        """Return a question with its context."""
        return {name: row.text(name) for name in ("question", "context")}

    def options(self, arguments: argparse.Namespace, pipe: Pipeline) -> dict[str, Any]:
        """Return the options of the pipeline."""
        return {
            "top_k": arguments.top_k, "handle_impossible_answer": arguments.or_none
        }


class Choose(Verb):
    """Which of several endings goes with a text?"""

    name = "choices"
    columns = ("choice", "score")

    def arguments(self, arguments: argparse.Namespace) -> list[Any]:
        """Return the text with its choices, if there is one."""
        if arguments.text is None:
            return []
        return [{"text": arguments.text, "choices": arguments.choices}]

    def row(self, row: "Row") -> Any:
        """Return a text with its choices."""
        choices = [choice.strip() for choice in row.texts("choices", "|")]
        return {"text": row.text("text"), "choices": choices}

    def options(self, arguments: argparse.Namespace, pipe: Pipeline) -> dict[str, Any]:
        """Return no options: the pipeline has none."""
        return {}


VERBS: dict[str, Verb] = {
    "fill-mask": Verb(), "classify": Classify(), "tag": Tag(), "answer": Answering(),
    "choose": Choose(),
}


def ask(arguments: argparse.Namespace) -> None:
    """Answer a command: ask its pipeline about each text, and print what it says.

    On a terminal each text gets a table, and a single one does everywhere; several get
    lines elsewhere, with tabs between the cells. With --json each gets an object.
    """
    verb = VERBS[arguments.verb]
    texts = verb.arguments(arguments)
    asked = given(texts, arguments.file, verb.row)
    asked = chain([next(asked)], asked)          # none? said before a model is loaded
    pipe = load(arguments.verb, arguments.model, arguments.dtype)
    options = verb.options(arguments, pipe)
    is_single = len(texts) == 1 and texts != ["-"] and not arguments.file
    as_table = is_single or sys.stdout.isatty()
    for part in in_parts(asked, TOGETHER):
        for one, answer in zip(part, answered(pipe, part, options), strict=True):
            groups = in_groups(answer)
            if arguments.json:
                print(as_json(arguments.model, verb, one.inputs, groups))
            elif as_table:
                print(as_block(verb, one.inputs, groups, shows_percent(pipe)))
            else:
                sys.stdout.writelines(as_lines(verb, one.inputs, groups))
        sys.stdout.flush()                       # for whoever waits at a pipe's end
    if as_table and not arguments.json:
        print(who_answered(arguments.model, pipe.model))


def answered(pipe: Pipeline, part: list[Asked], options: dict[str, Any]) -> list[Any]:
    """Return the answer to each text of a part; an error says where its text stood."""
    if len(part) > 1:
        try:
            return pipe([one.inputs for one in part], **options)
        except InputError:                       # which text was it? one by one, then
            return [
                answer for one in part for answer in answered(pipe, [one], options)
            ]
    try:
        return [pipe(part[0].inputs, **options)]
    except InputError as error:
        place = f"{part[0].place}: " if part[0].place else ""
        raise InputError(f"{place}{error}") from None


def in_groups(answer: Any) -> list[list[Answer]]:
    """Return an answer in groups: one for each mask, or one of all there is."""
    if isinstance(answer, dict):
        answer = [answer]
    return answer if answer and isinstance(answer[0], list) else [answer]


def shows_percent(pipe: Pipeline) -> bool:
    """Whether scores are probabilities: all but the numbers of a regression."""
    return pipe.model.config.problem_type != "regression"


# --- how answers look -----------------------------------------------------------------


def as_json(model: str, verb: Verb, inputs: Any, groups: list[list[Answer]]) -> str:
    """Return the answers to one text as an object of JSON, in one line."""
    asked = inputs if isinstance(inputs, dict) else {"text": inputs}
    found = groups if verb.name == "masks" else groups[0]
    asked = {name: value for name, value in asked.items() if name != verb.name}
    return json.dumps({"model": model} | asked | {verb.name: found})


def as_lines(verb: Verb, inputs: Any, groups: list[list[Answer]]) -> Iterator[str]:
    """Yield a line for each answer to one text: the text and the cells, tabs between.
    """
    for group in groups:
        for answer in group:
            cells = [answer[name] for name in verb.columns if name in answer]
            cells = [f"{c:.6f}" if isinstance(c, float) else str(c) for c in cells]
            yield "\t".join(map(one_line, [heading(inputs), *cells])) + "\n"


def as_block(
    verb: Verb, inputs: Any, groups: list[list[Answer]], percent: bool
) -> str:
    """Return a text, and below it its answers, their columns aligned."""
    lines = [heading(inputs), ""]
    for group in groups:
        rows = [as_cells(verb, inputs, answer, percent) for answer in group]
        rows = rows or [["nothing"]]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = map(str.ljust, row, widths)
            lines.append(f"  {'  '.join(cells)}".rstrip())
        lines.append("")
    return "\n".join(lines)


def as_cells(verb: Verb, inputs: Any, answer: Answer, percent: bool) -> list[str]:
    """Return what is shown of one answer: words, score, and the place they stand at."""
    cells = []
    for name in verb.columns:
        if name == "score":
            cells.append(format(answer[name], "7.2%" if percent else ".4f"))
        elif name == "end" and name in answer:
            cells.append(f"{answer['start']}–{answer['end']}")
        elif name == "word" and answer["end"] > answer["start"]:  # as it is written
            cells.append(one_line(inputs[answer["start"] : answer["end"]]))
        elif name in answer and name != "start":
            cells.append(one_line(answer[name]) or "(none)")
    return cells


def heading(inputs: Any) -> str:
    """Return the text, or the question, that answers stand below."""
    if isinstance(inputs, dict):
        inputs = inputs.get("question") or inputs["text"]
    return inputs
