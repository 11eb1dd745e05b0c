"""The command line, as a user types it."""

import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys

import pytest
from answers import TAGS, Checkpoints, Question

import distilbert_np
from distilbert_np import (
    DistilBertError,
    DistilBertForMaskedLM,
    DistilBertModel,
    DistilBertTokenizer,
    pipeline,
)
from distilbert_np.__main__ import main, make_parser
from distilbert_np.commands.model import REAL, TAUGHT
from distilbert_np.pipelines import ALIASES

VERBS = ("fill-mask", "classify", "tag", "answer", "choose", "embed", "train", "bench")
FRANCE = "The capital of France is [MASK]."


def test_the_first_command_answers_paris(capsys):
    assert main(["fill-mask", FRANCE]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == FRANCE
    word, percent = lines[2].split()
    assert word == "paris" and float(percent.rstrip("%")) > 50
    assert "model: tiny" in out and "--model distilbert-base-uncased" in out


def test_json_is_for_machines(capsys):
    assert main(["fill-mask", FRANCE, "--json", "--top-k", "2"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["model"] == "tiny"
    (mask,) = answer["masks"]
    assert len(mask) == 2 and mask[0]["token_str"] == "paris"
    assert mask[0]["sequence"] == "the capital of france is paris."
    assert mask[0]["score"] > mask[1]["score"]


def test_two_masks_get_two_tables(capsys):
    text = "[MASK] is the capital of [MASK]."
    assert main(["fill-mask", text, "--top-k=1", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)["masks"]
    assert first[0]["sequence"].startswith(f"[CLS] {first[0]['token_str']} is the")
    assert second[0]["sequence"].startswith("[CLS] [MASK] is the capital")
    assert second[0]["sequence"].endswith(f"{second[0]['token_str']}. [SEP]")
    assert main(["fill-mask", text, "--top-k=1"]) == 0
    assert capsys.readouterr().out.count("%") == 2


def test_float64_says_the_same(capsys):
    scores = []
    for dtype in ("float32", "float64"):
        main(["fill-mask", FRANCE, "--json", "--dtype", dtype])
        scores.append(json.loads(capsys.readouterr().out)["masks"][0][0]["score"])
    assert scores[0] == pytest.approx(scores[1], rel=1e-5) and scores[0] != scores[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fill-mask", "No gap here."], ["[MASK]", "No gap here."]),
        (["fill-mask"], ["nothing to read", "--file", "--help"]),
        (["fill-mask", "[MASK] " * 200], ["202 tokens", "128 positions"]),
    ],
)
def test_bad_input_is_one_line_and_status_2(capsys, arguments, words):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert all(word in err for word in words)


@pytest.mark.parametrize(
    "arguments",
    [[], ["fill"], ["fill-mask", "x", "--topk", "3"], ["fill-mask", "x", "--top-k=0"]],
)
def test_bad_usage_is_one_line_and_status_2(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    out, err = capsys.readouterr()
    assert caught.value.code == 2 and out == "" and err.count("\n") == 1
    assert "--help" in err


def test_a_model_that_cannot_be_had_says_how_to_go_on(tmp_path):
    # Port 9 of this machine: nobody listens, so the network is as good as pulled.
    surroundings = os.environ | {
        "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path),
    }
    command = [sys.executable, "-m", "distilbert_np", "fill-mask", "[MASK]"]
    run = subprocess.run(
        [*command, "--model", "distilbert-base-uncased"],
        capture_output=True, text=True, env=surroundings,
    )
    assert run.returncode == 2 and run.stdout == ""
    assert "Traceback" not in run.stderr
    last = run.stderr.splitlines()[-1]
    assert "distilbert-base-uncased" in last and "model.safetensors" in last


def test_a_folder_of_the_embedded_model_s_name_is_not_taken_for_it(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    model = DistilBertForMaskedLM.from_pretrained("tiny")
    DistilBertTokenizer.from_pretrained("tiny").save_pretrained("tiny")
    model.save_pretrained("tiny")
    assert main(["fill-mask", FRANCE]) == 0
    assert "tiny world" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("answer-everything",), "task"),
        (("fill-mask", DistilBertModel), "model"),
        (("fill-mask", None), "model"),
    ],
)
def test_a_pipeline_of_something_else(arguments, word):
    with pytest.raises(DistilBertError, match=f"^{word}: expected"):
        pipeline(*arguments)


def test_a_pipeline_of_what_is_already_loaded():
    model = DistilBertForMaskedLM.from_pretrained("tiny")
    tokenizer = DistilBertTokenizer.from_pretrained("tiny")
    fill = pipeline("fill-mask", model, tokenizer)
    assert fill.model is model and fill(FRANCE)[0]["token_str"] == "paris"
    with pytest.raises(DistilBertError, match=r"^tokenizer: a loaded model"):
        pipeline("fill-mask", model)


# --- classify, tag, answer, choose ----------------------------------------------------


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory):
    """Return a function that writes a checkpoint of random weights for a task."""
    checkpoints = Checkpoints(tmp_path_factory.mktemp("checkpoints"))
    return lambda task, **config: str(checkpoints.of(Question(task, "", config=config)))


@pytest.fixture
def says(capsys):
    """Return a function that runs a command and returns what it prints."""

    def run(*arguments):
        assert main([str(argument) for argument in arguments]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return out

    return run


ADA = "Ada lives in London with a big dog."
QUESTION = {"question": "Who?", "context": ADA}


def test_classify(folder_of, says):
    labels = {0: "good", 1: "so so", 2: "bad"}
    folder = folder_of("text-classification", id2label=labels)
    command = ["classify", ADA, "--model", folder]
    best = pipeline("text-classification", folder, top_k=None)(ADA)[0]
    head, empty, *rows, end, model = says(*command).splitlines()
    assert (head, empty, end) == (ADA, "", "") and model.startswith("model: ")
    assert rows == [f"  {one['label']:<5}  {one['score']:7.2%}" for one in best]
    line = says(*command, "--top-k", "1").splitlines()[2]
    assert line.split() == rows[0].split()


def test_the_numbers_of_a_regression_are_no_percentages(folder_of, says):
    folder = folder_of("text-classification", num_labels=1, problem_type="regression")
    (answer,) = pipeline("text-classification", folder)(ADA)
    out = says("classify", ADA, "--model", folder)
    assert f"LABEL_0  {answer['score']:.4f}" in out and "%" not in out


def test_tag(folder_of, says):
    folder = folder_of("token-classification", id2label=TAGS)
    options = {"aggregation_strategy": "first", "stride": 10}
    entities = pipeline("token-classification", folder, **options)(ADA)
    out = says("tag", ADA, "--model", folder)
    assert len(entities) > 1
    for entity in entities:
        words = ADA[entity["start"] : entity["end"]]
        (line,) = [line for line in out.splitlines() if line.startswith(f"  {words} ")]
        assert line.split()[-3:] == [
            entity["entity_group"], f"{entity['score']:.2%}",
            f"{entity['start']}–{entity['end']}",
        ]


def test_of_nothing_found_the_table_says_so(folder_of, says):
    folder = folder_of("token-classification", id2label={0: "O", 1: "O-TOO"})
    assert says("tag", "", "--model", folder).splitlines()[2] == "  nothing"


def test_answer(folder_of, says, monkeypatch):
    folder = folder_of("question-answering")
    answer = pipeline("question-answering", folder)(**QUESTION)
    command = ["answer", "Who?", ADA, "--model", folder]
    line = says(*command).splitlines()[2]
    place = f"{answer['start']}–{answer['end']}"
    assert line == f"  {answer['answer']}  {answer['score']:7.2%}  {place}"
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{ADA}\n"))
    assert says(*command[:2], "-", *command[3:]).splitlines()[2] == line
    several = says(*command, "--top-k", "99", "--or-none").splitlines()[2:-2]
    assert len(several) > 9 and any("(none)" in row for row in several)


def test_choose(folder_of, says):
    folder = folder_of("multiple-choice")
    choices = ["It barks.", "It is a number."]
    best, other = pipeline("multiple-choice", folder)(ADA, choices)
    rows = says("choose", ADA, *choices, "--model", folder).splitlines()[2:4]
    assert rows[0] == f"  {best['choice']:<15}  {best['score']:7.2%}"
    assert rows[1] == f"  {other['choice']:<15}  {other['score']:7.2%}"


@pytest.mark.parametrize(
    ("verb", "asked", "name"),
    [
        ("classify", [ADA], "labels"), ("tag", [ADA], "entities"),
        ("answer", ["Who?", ADA], "answers"), ("choose", [ADA, "a", "b"], "choices"),
    ],
)
def test_json_is_what_the_pipeline_says(folder_of, says, verb, asked, name):
    folder = folder_of(ALIASES[verb])
    found = json.loads(says(verb, *asked, "--model", folder, "--json"))
    options = {
        "classify": {"top_k": None}, "tag": {"aggregation_strategy": "first"},
    }.get(verb, {})
    given = [asked[0], asked[1:]] if verb == "choose" else asked
    expected = pipeline(verb, folder)(*given, **options)
    expected = expected if isinstance(expected, list) else [expected]
    assert found["model"] == folder
    assert json.dumps(found[name]) == json.dumps(expected)
    text = "question" if verb == "answer" else "text"
    assert found[text] == asked[0]


@pytest.mark.parametrize("verb", ["classify", "tag", "answer", "choose"])
def test_a_head_that_nobody_trained_gives_no_answer(capsys, verb):
    asked = {"answer": ["Who?", ADA], "choose": [ADA, "a", "b"]}.get(verb, [ADA])
    assert main([verb, *asked, "--model", "tiny-teacher"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert f"--model tiny-teacher: its head for {verb} is not trained" in err
    assert f"train --task {verb}" in err


def test_a_head_that_was_trained_for_something_else_gives_no_answer(capsys, folder_of):
    # Both heads have a classifier of this shape: only their names tell them apart.
    folder = folder_of("text-classification")
    assert main(["tag", ADA, "--model", folder]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert "not trained (it is a DistilBertForSequenceClassification); train" in err


# --- who answered ---------------------------------------------------------------------

ASKED = {
    "fill-mask": ["Anna has a [MASK]."], "classify": ["Anna is good."],
    "tag": ["Anna has a dog."], "answer": ["Where is Anna?", "Anna is in Paris."],
    "choose": ["Anna is good", "she is good.", "she is bad."], "embed": ["A dog."],
}


@pytest.mark.parametrize("verb", ASKED)
def test_the_embedded_model_tells_what_it_knows_and_where_a_real_one_is(says, verb):
    who, real = says(verb, *ASKED[verb]).splitlines()[-2:]
    assert who.startswith("model: tiny, ")
    assert who.endswith(f"; it knows only a tiny world of {TAUGHT[verb]}.")
    expected = REAL[verb][0] if verb in REAL else "FOLDER, which train --task choose"
    assert f" --model {expected} " in real


@pytest.mark.parametrize("verb", ASKED)
def test_it_tells_the_words_that_it_has_never_seen(says, verb):
    *asked, last = ASKED[verb]
    asked = [*asked, f"The Zorblax, {last} And no blockchain; no Zorblax!"]
    unknown = says(verb, *asked).splitlines()[-2]
    assert unknown == "It does not know: Zorblax, blockchain"
    words = json.loads(says(verb, *asked, "--json"))["unknown_words"]
    assert (words[0] if verb == "embed" else words) == ["Zorblax", "blockchain"]
    words = json.loads(says(verb, *ASKED[verb], "--json"))["unknown_words"]
    assert words == ([[]] if verb == "embed" else [])


def test_it_tells_at_most_five_such_words_of_all_texts(says, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    texts = ["Zaa zbb zcc.", "Zcc 東 zdd.", "A dog and 4711 zee."]
    out = says("classify", *texts).splitlines()
    unknown = "It does not know: Zaa, zbb, zcc, Zcc, 東 and 3 more"
    assert [line for line in out if "not know" in line] == [unknown] == [out[-2]]


def test_of_another_model_no_word_is_told(folder_of, says):
    folder = folder_of("text-classification")
    command = ["classify", "The zorblax.", "--model", folder]
    assert says(*command).splitlines()[-1].startswith(f"model: {folder}, ")
    assert "unknown_words" not in says(*command, "--json")


def test_the_teacher_answers_too(says):
    out = says("fill-mask", FRANCE, "--model", "tiny-teacher")
    assert "model: tiny-teacher, " in out and "a tiny world of simple facts" in out


# --- many texts -----------------------------------------------------------------------

LINES = ["The [MASK] is small.", "A\t[MASK] or a [MASK]?", "[MASK]"]


def test_lines_for_a_pipe(says, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(LINES)))
    lines = says("fill-mask", "-", "--top-k", "2").splitlines()
    answers = pipeline("fill-mask")(LINES, top_k=2)
    flat = [(LINES[0], 1, one) for one in answers[0]]
    for number, mask in enumerate(answers[1], start=1):
        flat += [("A [MASK] or a [MASK]?", number, one) for one in mask]
    flat += [(LINES[2], 1, one) for one in answers[2]]
    assert lines == [
        f"{text}\t{number}\t{one['token_str']}\t{one['score']:.6f}"
        for text, number, one in flat
    ]


def test_lines_as_windows_ends_and_begins_them(says, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("\ufeffThe [MASK].\r\n[MASK]\r\n"))
    found = says("fill-mask", "-", "--json").splitlines()
    assert [json.loads(line)["text"] for line in found] == ["The [MASK].", "[MASK]"]


def test_tables_on_a_terminal(says, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    out = says("fill-mask", *LINES)
    assert out.count("%") == 20 and all(line in out for line in LINES)
    assert out.count("model: tiny") == 1


@pytest.mark.parametrize("name", ["texts.txt", "texts.csv", "texts.jsonl"])
def test_texts_in_a_file(tmp_path, says, name):
    rows = {
        "texts.txt": "\ufeff" + "\r\n".join(LINES),
        "texts.csv": "text\n" + "\n".join(f'"{line}"' for line in LINES),
        "texts.jsonl": "\n".join(json.dumps({"text": line}) for line in LINES),
    }
    (tmp_path / name).write_text(rows[name])
    found = says("fill-mask", "--file", tmp_path / name, "--json").splitlines()
    assert [json.loads(line)["text"] for line in found] == LINES
    expected = pipeline("fill-mask")(LINES)
    assert json.loads(found[2])["masks"] == [expected[2]]
    assert json.loads(found[1])["masks"] == expected[1]


def test_questions_and_choices_in_files(tmp_path, says, folder_of):
    questions = tmp_path / "questions.jsonl"
    questions.write_text("\n".join(json.dumps(QUESTION) for _ in range(3)))
    folder = folder_of("question-answering")
    rows = says("answer", "--file", questions, "--model", folder).splitlines()
    one = pipeline("question-answering", folder)(**QUESTION)
    cells = [one["answer"], f"{one['score']:.6f}", str(one["start"]), str(one["end"])]
    assert rows == ["\t".join(["Who?", *cells])] * 3
    choices = tmp_path / "choices.csv"
    choices.write_text(f"text,choices\n{ADA},It barks. | It is a number.\n")
    folder = folder_of("multiple-choice")
    rows = says("choose", "--file", choices, "--model", folder).splitlines()
    best = pipeline("multiple-choice", folder)(ADA, ["It barks.", "It is a number."])
    assert [row.split("\t")[1] for row in rows] == [one["choice"] for one in best]


def test_pairs_in_a_file(tmp_path, says, folder_of):
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("text,text_pair\na dog,a cat\na dog,\n")
    folder = folder_of("text-classification")
    found = says("classify", "--file", pairs, "--model", folder, "--json").splitlines()
    expected = pipeline("text-classification", folder, top_k=None)(
        [{"text": "a dog", "text_pair": "a cat"}, "a dog"]
    )
    assert [json.loads(line)["labels"] for line in found] == expected
    assert json.loads(found[0])["text_pair"] == "a cat"


def test_more_texts_than_are_read_at_once(says, monkeypatch):
    monkeypatch.setattr("distilbert_np.commands.ask.TOGETHER", 2)
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(LINES * 3)))
    found = says("fill-mask", "-", "--json").splitlines()
    assert [json.loads(line)["text"] for line in found] == LINES * 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fill-mask", "-"], ["standard input, line 2", "no [MASK]", "'Nothing.'"]),
        (["fill-mask", "[MASK]", "Nothing."], ["texts[1]", "no [MASK]"]),
        (["fill-mask", "--file", "texts.txt"], ["texts.txt, line 2", "no [MASK]"]),
        (["fill-mask", "--file", "nowhere.csv"], ["nowhere.csv", "no regular file"]),
        (["fill-mask", "--file", "texts.pdf"], ["texts.pdf", ".csv, .jsonl or .txt"]),
        (["answer", "--file", "texts.txt"], ["texts.txt, line 1", "question"]),
        (["answer", "Who?"], ["context: expected a text", "- for the standard input"]),
        (["choose", "It"], ["choices: expected one text or more", "found []"]),
        (["embed", "--file", "texts.txt", "\udcff"], ["texts[0]", "surrogate"]),
        (["tag"], ["nothing to read"]),
    ],
)
def test_bad_texts_are_told_by_their_place(
    tmp_path, monkeypatch, capsys, folder_of, arguments, words
):
    (tmp_path / "texts.txt").write_text("[MASK]\nNothing.\n[MASK]")
    monkeypatch.setattr(sys, "stdin", io.StringIO("[MASK]\nNothing.\n"))
    if arguments[0] == "choose":
        arguments = [*arguments, "--model", folder_of("multiple-choice")]
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert "Nothing" not in out and err.count("\n") == 1
    assert all(word in err for word in words)


# --- as a process ---------------------------------------------------------------------


def start(*arguments, **options):
    """Start the command line in a process of its own."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    command = [sys.executable, "-m", "distilbert_np", *arguments]
    return subprocess.Popen(command, **pipes, **options)


@pytest.mark.skipif(os.name != "posix", reason="pipes as POSIX has them")
def test_a_reader_who_has_had_enough(tmp_path):
    texts = tmp_path / "texts.txt"
    texts.write_text("The [MASK] is small.\n" * 3000)
    with start("fill-mask", "--file", str(texts)) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b"" and process.wait() == 141


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_is_quiet():
    with start("fill-mask", "-") as process:     # it waits for more of its input
        process.stdin.write(b"The [MASK] is small.\n" * 300)
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == b"" and process.wait() == 130


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_is_quiet_while_it_loads():
    # Python tells of each import when it is done: our first one, then the signal.
    telling = os.environ | {"PYTHONPROFILEIMPORTTIME": "1"}
    with start("fill-mask", "-", env=telling) as run:
        while b"distilbert_np.runtime" not in run.stderr.readline():
            pass
        run.send_signal(signal.SIGINT)
        assert b"Traceback" not in run.stderr.read()
        assert run.wait() in (130, -signal.SIGINT)


def test_a_terminal_that_knows_ascii_alone():
    ascii_only = os.environ | {"PYTHONIOENCODING": "ascii"}
    out, err = start("embed", "The cat is here.", env=ascii_only).communicate()
    assert err == b"" and b"? (96 numbers)" in out


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full device")
def test_an_output_that_is_full():
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            [sys.executable, "-m", "distilbert_np", "fill-mask", FRANCE],
            stdout=full, stderr=subprocess.PIPE, text=True,
        )
    assert process.returncode == 2
    assert process.stderr.count("\n") == 1 and "No space left" in process.stderr


def test_input_that_cannot_be_decoded():
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    with start("fill-mask", "-", env=os.environ | ascii_only) as process:
        _, err = process.communicate(b"caf\xe9 [MASK]\n")
    assert b"standard input: cannot be decoded" in err and process.returncode == 2


def test_the_version(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"distilbert_np {distilbert_np.__version__}\n"


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_verb_shows_an_example_that_would_run(capsys, verb):
    with pytest.raises(SystemExit) as caught:
        main([verb, "--help"])
    assert caught.value.code == 0
    example = re.search(
        "^example: python -m distilbert_np (.*)$", capsys.readouterr().out, re.M
    )
    assert make_parser().parse_args(shlex.split(example[1])).verb == verb
