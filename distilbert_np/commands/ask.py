"""fill-mask, classify, tag, answer, choose: ask a pipeline, and print its answers."""

import argparse
import json
import sys
from collections.abc import Iterator
from itertools import chain
from typing import Any

from ..errors import InputError, one_line
from ..pipelines import Pipeline
from ..pipelines.base import Answer
from ..rows import Row
from .given import Asked, given, in_parts, whole_standard_input
from .model import limits, load, unknown_words, who_answered

TOGETHER = 256                                   # texts read before the first is shown


class Verb:
    """What a verb asks its pipeline, and which parts of an answer it shows."""

    answers_key: str                             # in JSON
    columns: tuple[str, ...]

    def asked(self, arguments: argparse.Namespace) -> list[Any]:
        """Return what the command asks: texts; "-" is the standard input."""
        return arguments.texts

    def row(self, row: Row) -> Any:
        """Return what a row of a file asks."""
        return row.text("text")

    def options(self, arguments: argparse.Namespace, pipe: Pipeline) -> dict[str, Any]:
        """Return the options of the pipeline."""
        return {"top_k": arguments.top_k}


class FillMask(Verb):
    """Which words belong at each [MASK]?"""

    answers_key = "masks"
    columns = ("token_str", "score")


class Classify(Verb):
    """Which class is a text of? A row may hold a pair of texts."""

    answers_key = "labels"
    columns = ("label", "score")

    def row(self, row: Row) -> Any:
        """Return a text, or a pair."""
        texts = row.pair()
        named = dict(zip(("text", "text_pair"), texts, strict=False))
        return named if len(texts) > 1 else texts[0]

    def options(self, arguments: argparse.Namespace, pipe: Pipeline) -> dict[str, Any]:
        """Return the options of the pipeline; texts that are too long are cut."""
        return {"top_k": arguments.top_k, "truncation": True}


class Tag(Verb):
    """Which words are names, and of what?"""

    answers_key = "entities"
    columns = ("word", "entity", "entity_group", "score", "start", "end")

    def options(self, arguments: argparse.Namespace, pipe: Pipeline) -> dict[str, Any]:
        """Return the options of the pipeline: long texts are read whole, in windows."""
        strategy = arguments.strategy
        stride = None if strategy == "none" else pipe.max_length // 4
        return {"aggregation_strategy": strategy, "stride": stride}


class Answering(Verb):
    """Which words of a context answer a question?"""

    answers_key = "answers"
    columns = ("answer", "score", "start", "end")

    def asked(self, arguments: argparse.Namespace) -> list[Any]:
        """Return the question with its context, if there is one."""
        question, context = arguments.question, arguments.context
        if question is None:
            return []
        if context is None:
            raise InputError(
                "context: expected a text that holds the answer, or - for the standard "
                "input"
            )
        context = whole_standard_input() if context == "-" else context
        return [{"question": question, "context": context}]

    def row(self, row: Row) -> Any:
        """Return a question with its context."""
        return {name: row.text(name) for name in ("question", "context")}

    def options(self, arguments: argparse.Namespace, pipe: Pipeline) -> dict[str, Any]:
        """Return the options of the pipeline."""
        return {
            "top_k": arguments.top_k, "handle_impossible_answer": arguments.or_none
        }


class Choose(Verb):
    """Which of several endings goes with a text?"""

    answers_key = "choices"
    columns = ("choice", "score")

    def asked(self, arguments: argparse.Namespace) -> list[Any]:
        """Return the text with its choices, if there is one."""
        if arguments.text is None:
            return []
        return [{"text": arguments.text, "choices": arguments.choices}]

    def row(self, row: Row) -> Any:
        """Return a text with its choices."""
        return {"text": row.text("text"), "choices": row.choices()}

    def options(self, arguments: argparse.Namespace, pipe: Pipeline) -> dict[str, Any]:
        """Return no options: the pipeline has none."""
        return {}


VERBS: dict[str, Verb] = {
    "fill-mask": FillMask(), "classify": Classify(), "tag": Tag(),
    "answer": Answering(), "choose": Choose(),
}


def ask(arguments: argparse.Namespace) -> None:
    """Answer a command: ask its pipeline about each text, and print what it says.

    On a terminal each text gets a table, and a single one does everywhere; several get
    lines elsewhere, with tabs between the cells. With --json each gets an object. After
    the tables stands who answered, and which of all the words it does not know.
    """
    verb = VERBS[arguments.verb]
    texts = verb.asked(arguments)
    asked = given(texts, arguments.file, verb.row)
    asked = chain([next(asked)], asked)          # none? said before a model is loaded
    pipe = load(arguments.verb, arguments.model, arguments.dtype)
    options = verb.options(arguments, pipe)
    is_single = len(texts) == 1 and texts != ["-"] and not arguments.file
    as_table = is_single or sys.stdout.isatty()
    all_unknown: dict[str, None] = {}            # in the order they come, each once
    for part in in_parts(asked, TOGETHER):
        for one, answer in zip(part, answered(pipe, part, options), strict=True):
            groups, unknown = in_groups(answer), unknown_words(pipe, one.inputs)
            all_unknown |= dict.fromkeys(unknown)
            if arguments.json:
                told = as_data(arguments.model, verb, one.inputs, groups)
                print(json.dumps(told | limits(pipe, unknown)))
            elif as_table:
                print(as_block(verb, one.inputs, groups, shows_percent(pipe)))
            else:
                sys.stdout.writelines(as_lines(verb, one.inputs, groups))
        sys.stdout.flush()                       # for whoever waits at a pipe's end
    if as_table and not arguments.json:
        print(who_answered(arguments.verb, arguments.model, pipe, all_unknown))


def answered(
    pipe: Pipeline, part: list[Asked], options: dict[str, Any]
) -> Iterator[Any]:
    """Yield the answer to each text of a part; an error says where its text stood."""
    if len(part) > 1:
        try:
            yield from pipe([one.inputs for one in part], **options)
        except InputError:                       # which text was it? one by one, then
            for one in part:
                yield from answered(pipe, [one], options)
        return
    try:
        yield pipe(part[0].inputs, **options)
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


def as_data(
    model: str, verb: Verb, inputs: Any, groups: list[list[Answer]]
) -> dict[str, Any]:
    """Return the answers to one text as plain data, ready for JSON."""
    asked = inputs if isinstance(inputs, dict) else {"text": inputs}
    found = groups if isinstance(verb, FillMask) else groups[0]
    return {"model": model} | asked | {verb.answers_key: found}


def as_lines(verb: Verb, inputs: Any, groups: list[list[Answer]]) -> Iterator[str]:
    """Yield a line for each answer to one text: the text and the cells, tabs between.

    For fill-mask the number of the mask, from 1, stands between the two.
    """
    for number, group in enumerate(groups, start=1):
        masks = [str(number)] if isinstance(verb, FillMask) else []
        for answer in group:
            cells = as_cells(verb, inputs, answer, ".6f", "\t")
            yield "\t".join([one_line(heading(inputs)), *masks, *cells]) + "\n"


def as_block(
    verb: Verb, inputs: Any, groups: list[list[Answer]], percent: bool
) -> str:
    """Return a text, and below it its answers, their columns aligned."""
    lines = [heading(inputs), ""]
    for group in groups:
        rows = [
            as_cells(verb, inputs, answer, "7.2%" if percent else ".4f", "–")
            for answer in group
        ]
        rows = rows or [["nothing"]]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = map(str.ljust, row, widths)
            lines.append(f"  {'  '.join(cells)}".rstrip())
        lines.append("")
    return "\n".join(lines)


def as_cells(
    verb: Verb, inputs: Any, answer: Answer, score_format: str, to: str
) -> list[str]:
    """Return what is shown of one answer: words, score, and from where `to` where."""
    cells = []
    for name in verb.columns:
        if name == "score":
            cells.append(format(answer[name], score_format))
        elif name == "end" and name in answer:
            cells.append(f"{answer['start']}{to}{answer['end']}")
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
