"""What inspect tells: each number against a model that is built, run or written."""

import json
import re

import numpy as np
import ours
import pytest
from cases import SMALL, Case
from shared_data import SHARED, needs_shared
from test_checkpoints import POOLER, tensors_of, write, write_bert, write_shards

from distilbert_np import DistilBertConfig, DistilBertForMaskedLM, InputError, hub
from distilbert_np.__main__ import main
from distilbert_np.costs import flops, memory, products
from distilbert_np.inspection import as_text, describe, in_units, inspect
from distilbert_np.trees import flatten
from distilbert_np.weights import POSITIONS

HEADS = list(ours.CLASSES)
BASE = DistilBertConfig()
ODD_ONES = [
    {}, {"tie_word_embeddings": False}, {"sinusoidal_pos_embds": True}, {"n_layers": 0},
    {"n_layers": 1, "num_labels": 5}, {"n_heads": 1, "dim": 1, "hidden_dim": 1},
]


def model_of(head, **fields):
    """Return a freshly built small model; question answering has two labels."""
    if head == "question_answering":
        fields = fields | {"num_labels": 2}
    return ours.CLASSES[head](DistilBertConfig(**SMALL | fields))


def sizes(config):
    """Return what is told beside BERT-base: for each size, theirs, ours, the share."""
    found = describe(config)["beside_bert"]["sizes"]
    return {name: tuple(size.values()) for name, size in found.items()}


def printed(capsys, *arguments, status=0):
    """Return what an inspect command prints."""
    assert main(["inspect", *map(str, arguments)]) == status
    return capsys.readouterr().out


# --- parameters and memory ------------------------------------------------------------


@pytest.mark.parametrize("fields", ODD_ONES, ids=str)
@pytest.mark.parametrize("head", HEADS)
def test_the_parameters_are_those_of_a_model(head, fields):
    model = model_of(head, **fields)
    told = describe(model.config, head)
    arrays = flatten(model.params)
    assert told["class"] == type(model).__name__
    assert {n: tuple(t["shape"]) for n, t in told["tensors"].items()} == {
        name: array.shape for name, array in arrays.items()
    }
    assert list(told["tensors"]) == list(arrays)
    assert told["parameters"]["total"] == model.num_parameters()
    for group in told["parameters"]["groups"]:
        names = {f"distilbert.{name}" for name in weights_of(group)} | weights_of(group)
        in_group = [
            array.size for name, array in arrays.items()
            if without_number(name) in names
        ]
        assert group["count"] == group["times"] * group["one"] == sum(in_group)


def weights_of(group):
    """Return the names of a group's parameters, in the first layer or outside."""
    prefix = "transformer.layer.0." if group["name"] == "transformer.layer" else ""
    return {prefix + parameter["name"] for parameter in group["parameters"]}


def without_number(name):
    return re.sub(r"layer\.\d+\.", "layer.0.", name)


@pytest.mark.parametrize(
    ("head", "total"),
    [
        ("base", 66_362_880), ("masked_lm", 66_985_530), ("sequence", 66_955_010),
        ("question_answering", 66_364_418),
    ],
)
def test_the_counts_of_base_size(head, total):
    assert describe(BASE, head)["parameters"]["total"] == total
    assert f"{total:,} parameters" in as_text(describe(BASE, head))


def test_a_tied_decoder_is_marked_and_counts_nothing():
    tied, untied = (
        describe(BASE.changed(tie_word_embeddings=tie), "masked_lm")
        for tie in (True, False)
    )
    decoders = [
        told["parameters"]["groups"][2]["parameters"][4] for told in (tied, untied)
    ]
    assert [d["name"] for d in decoders] == ["vocab_projector.weight"] * 2
    assert [d["count"] for d in decoders] == [0, 30522 * 768]
    words = "embeddings.word_embeddings.weight"
    assert [d["tied_to"] for d in decoders] == [words, None]
    assert "vocab_projector.weight" not in tied["tensors"]
    assert untied["tensors"]["vocab_projector.weight"]["shape"] == [30522, 768]
    assert f"tied: vocab_projector.weight is {words}, counted once" in as_text(tied)
    assert "tied, 30522" in as_text(tied) and "tied" not in as_text(untied)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_memory_is_that_of_the_arrays(dtype):
    config = DistilBertConfig(**SMALL)
    arrays = flatten(DistilBertForMaskedLM(config, dtype=dtype).params).values()
    n_bytes = sum(array.nbytes for array in arrays)
    assert describe(config, "masked_lm")["memory"][dtype] == {
        "parameters": n_bytes, "gradients": n_bytes, "moments": 2 * n_bytes,
        "training": 4 * n_bytes,
    }


def test_the_memory_that_readme_names():
    once, _, moments, _ = memory(66_985_530, "float32").values()
    assert (round(once / 1e6), round(moments / 1e6)) == (268, 536)
    text = as_text(describe(BASE, "masked_lm"))
    assert re.search(r"^  \+ gradients +268 MB +536 MB$", text, re.MULTILINE)
    assert re.search(r"^  \+ Adam's two moments +536 MB +1\.07 GB$", text, re.MULTILINE)


@pytest.mark.parametrize("head", HEADS)
def test_the_trace_is_that_of_a_pass(head):
    model = model_of(head, num_labels=5)
    ids = np.ones((1, 1, 7) if head == "multiple_choice" else (1, 7), int)
    trace = model(ids, trace=True).trace
    n = sum(a.size for name, a in trace.items() if not name.startswith("inputs."))
    config = model.config.changed(max_position_embeddings=7)
    assert describe(config, head)["sequences"][-1]["trace_numbers"] == n


# --- the products of a pass -----------------------------------------------------------


class Counted(np.ndarray):
    """An array that notes the FLOPs of each matrix product it takes part in."""

    done = ()

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **options):
        plain = [np.asarray(x) if isinstance(x, Counted) else x for x in inputs]
        if out:
            options["out"] = tuple(np.asarray(array) for array in out)
        if ufunc is np.matmul:
            Counted.done.append(2 * plain[0].size * plain[1].shape[-1])
        result = getattr(ufunc, method)(*plain, **options)
        return result.view(Counted) if isinstance(result, np.ndarray) else result


@pytest.fixture
def counted(monkeypatch):
    """Return a list that receives the FLOPs of each product of arrays of that kind."""
    straight = np.ascontiguousarray              # which would make plain ones of them
    monkeypatch.setattr(
        np, "ascontiguousarray", lambda array: straight(array).view(type(array))
    )
    monkeypatch.setattr(Counted, "done", [])
    return Counted.done


@pytest.mark.parametrize("length", [7, 140])     # few rows, and more: linear differs
@pytest.mark.parametrize("head", HEADS)
def test_the_flops_are_those_of_a_pass(counted, head, length):
    case = Case("to count", head, {"max_position_embeddings": length})
    model = ours.build(case, "float32")
    for holder, name in leaves(model.params):
        holder[name] = holder[name].view(Counted)
    ids = np.ones((3, length), int)
    model(ids[None] if head == "multiple_choice" else ids)
    sizes = products(model.config, 3, length, head)
    assert counted == [flops([size]) for size in sizes] != []
    assert flops(sizes) == sum(counted)

    counted.clear()
    model(ids[None, :1] if head == "multiple_choice" else ids[:1])
    told = describe(model.config, head)["sequences"][-1]
    assert told["length"] == length and told["flops"]["total"] == sum(counted)


def leaves(tree):
    """Yield the dict that holds each leaf, and its name there."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value)
        else:
            yield tree, name


def test_the_parts_of_the_flops_by_hand():
    config = BASE.changed(n_layers=2)
    N, L, D, F, V = 2, 8, 768, 3072, 30522
    assert describe(config, "masked_lm")["sequences"][0] == {
        "length": L,
        "flops": {
            "projections": N * 4 * 2 * L * D * D,
            "scores and context": N * 2 * 2 * L * L * D,
            "feed-forward": N * 2 * 2 * L * D * F,
            "head": 2 * L * D * D + 2 * L * D * V,
            "total": N * (8 * L * D * D + 4 * L * L * D + 4 * L * D * F)
            + 2 * L * D * (D + V),
        },
        "trace_numbers": 4 * L * D + N * (10 * L * D + 2 * 12 * L * L + 2 * L * F)
        + 3 * L * D + L * V,
    }


@pytest.mark.parametrize("head", HEADS)
def test_the_formulas_are_the_flops(head):
    config = DistilBertConfig(**SMALL | {"num_labels": 2 + 3 * (head == "token")})
    told = describe(config, head)
    for cost in told["sequences"]:
        letters = told["letters"] | {"L": cost["length"]}
        for part, formula in told["formulas"].items():
            code = formula.replace("²", "**2").replace(" + ", "+").replace(" ", "*")
            assert eval(code, {}, letters) == cost["flops"][part], part
    assert told["formulas"]["scores and context"] == "4 N L² D"
    assert ("head" in told["formulas"]) == (head != "base")


@pytest.mark.parametrize(
    ("longest", "expected"),
    [(512, [8, 32, 128, 512]), (513, [8, 32, 128, 512, 513]), (100, [8, 32, 100]),
     (8, [8]), (3, [3])],
)
def test_the_lengths_end_with_the_longest(longest, expected):
    told = describe(BASE.changed(max_position_embeddings=longest))
    assert [cost["length"] for cost in told["sequences"]] == expected
    assert told["beside_bert"]["length"] == min(longest, 128)


# --- beside BERT-base -----------------------------------------------------------------


def test_distilbert_beside_bert_base():
    found = sizes(BASE)
    assert found["layers"] == (12, 6, 0.5)
    assert found["parameters"][:2] == (108_891_648, 66_362_880)
    assert found["with_pooler"][:2] == (109_482_240, 66_362_880)
    assert found["in_layers"][2] == found["flops"][2] == 0.5
    assert found["embeddings"][0] - found["embeddings"][1] == 2 * 768
    for what in range(2):
        assert found["embeddings"][what] + found["in_layers"][what] == (
            found["parameters"][what]
        )
    assert found["flops"][0] == 12 * 128 * (8 * 768**2 + 4 * 128 * 768 + 4 * 768 * 3072)


def test_the_sentence_of_distilbert_is_computed():
    text = " ".join(as_text(describe(BASE)).split())
    assert text.endswith(
        "39.1% fewer parameters than BERT-base (39.4% fewer with its pooler): 50.0% of "
        "those in the layers, 100.0% of those in the embeddings; so the paper says "
        "40%, not 50%."
    )


def test_the_sentence_of_another_does_not_speak_of_the_paper():
    text = " ".join(as_text(describe(BASE.changed(n_layers=24))).split())
    assert text.endswith(
        "78.1% more parameters than BERT-base (77.1% more with its pooler): 200.0% of "
        "those in the layers, 100.0% of those in the embeddings."
    )


def test_bert_base_is_as_large_as_transformers_has_it():
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    with torch.device("meta"):
        bert = transformers.BertModel(transformers.BertConfig())
    count = sum(parameter.numel() for parameter in bert.parameters())
    pooler = sum(parameter.numel() for parameter in bert.pooler.parameters())
    found = sizes(BASE)
    assert found["with_pooler"][0] == count
    assert found["parameters"][0] == count - pooler


# --- which model, which head, which weights -------------------------------------------


def with_config(folder, **fields):
    """Write a config.json alone; return the folder."""
    (folder / "config.json").write_text(json.dumps(SMALL | fields))
    return folder


@pytest.mark.parametrize("prefix", ["DistilBert", "Bert"])
@pytest.mark.parametrize("head", HEADS)
def test_the_head_is_the_one_that_config_json_names(tmp_path, head, prefix):
    name = ours.CLASSES[head].__name__.replace("DistilBert", prefix)
    told = inspect(with_config(tmp_path, architectures=["Other", name]))
    assert (told["head"], told["weights"]) == (head, None)


@pytest.mark.parametrize("names", [None, [], "DistilBertForMaskedLM", [5], 5])
def test_without_a_name_it_is_the_encoder_alone(tmp_path, names):
    assert inspect(with_config(tmp_path, architectures=names))["head"] == "base"


@pytest.mark.parametrize("named", ["DistilBertForMultipleChoice", "DistilBertModel"])
@pytest.mark.parametrize("head", HEADS)
def test_the_head_is_one_that_the_weights_hold(tmp_path, head, named):
    write(tmp_path, tensors_of(head), architectures=[named])
    told = inspect(tmp_path)
    if named == "DistilBertModel":               # every file holds the encoder
        assert told["head"] == "base"
    elif head == "sequence":                     # the tensors are those of both
        assert told["head"] == "multiple_choice"
    else:
        assert told["head"] == head and told["weights"]["unexpected"] == []


def test_the_head_that_is_asked_for(tmp_path):
    write(tmp_path, tensors_of("masked_lm"), architectures=["DistilBertForMaskedLM"])
    told = inspect(tmp_path, "token")
    assert told["head"] == "token"
    assert told["weights"]["missing"] == ["classifier.weight", "classifier.bias"]
    assert len(told["weights"]["unexpected"]) == 5
    assert told["weights"]["complaints"] == []


def test_a_head_of_no_such_name():
    for ask in (lambda: describe(BASE, "masked-lm"), lambda: inspect("tiny", "x")):
        with pytest.raises(InputError, match=r"^head: expected one of base, masked_lm"):
            ask()


def test_a_decoder_of_its_own_is_found_in_the_weights(tmp_path):
    tensors = tensors_of("masked_lm", tie_word_embeddings=False)
    told = inspect(write(tmp_path, tensors))
    assert "vocab_projector.weight" in told["tensors"] and not told["weights"]["tied"]
    assert told["parameters"]["total"] == sum(array.size for array in tensors.values())
    assert told["config"]["tie_word_embeddings"] is False


def test_a_folder_with_config_json_alone(tmp_path, capsys):
    out = printed(capsys, with_config(tmp_path))
    assert out.splitlines()[1] == (
        "no model.safetensors: all of this follows from config.json"
    )
    (tmp_path / "pytorch_model.bin").touch()     # a pickle is not opened
    assert printed(capsys, tmp_path) == out


def test_the_weights_are_told_without_being_read(tmp_path, capsys):
    tensors = tensors_of("sequence")
    tensors[POSITIONS][:] = np.nan               # from_pretrained refuses it
    spare = {"vocab_projector.bias": np.ones(40), "pooler.dense.bias": np.ones(12)}
    write(tmp_path, tensors | spare)
    held = inspect(tmp_path)["weights"]
    assert held["dtypes"] == {"F32": len(tensors)}
    assert held["bytes"] == sum(a.nbytes for a in (tensors | spare).values())
    assert (held["unexpected"], held["missing"]) == ([*spare], [])
    lines = printed(capsys, tmp_path).splitlines()
    assert lines[1] == (
        f"model.safetensors, 13.2 kB: {len(tensors)} tensors used "
        f"(stored as {len(tensors)} F32)"
    )
    assert lines[2:4] == [
        "  unexpected  vocab_projector.bias", "              pooler.dense.bias",
    ]


def test_what_a_checkpoint_ties_is_told(tmp_path):
    told = inspect(write(tmp_path, tensors_of("masked_lm")))
    words = "embeddings.word_embeddings.weight"
    assert told["weights"]["tied"] == {"vocab_projector.weight": words}


def test_shards_are_told_as_one(tmp_path, capsys):
    items = list(tensors_of().items())
    write_shards(tmp_path, dict(items[::2]), dict(items[1::2]))
    assert inspect(tmp_path)["weights"]["used"] == [name for name, _ in items]
    assert f"{len(items)} tensors used" in printed(capsys, tmp_path)


@pytest.mark.parametrize("head", ["base", "masked_lm", "token"])
def test_a_bert_is_told_as_the_distilbert_it_becomes(tmp_path, capsys, head):
    told = inspect(write_bert(tmp_path, tensors_of(head), "bert."))
    assert told["head"] == head
    assert told["parameters"]["total"] == model_of(head).num_parameters()
    assert told["weights"]["computed"] == {
        POSITIONS: "token type 0 added to every row"
    }
    assert f"  computed    {POSITIONS}: token type 0" in printed(capsys, tmp_path)


def test_a_classifier_behind_berts_pooler_is_no_head(tmp_path):
    classifier = {
        "classifier.weight": np.float32(np.ones((2, 12))),
        "classifier.bias": np.float32(np.ones(2)),
    }
    write_bert(
        tmp_path, tensors_of() | POOLER | classifier, "bert.",
        config={"architectures": ["BertForSequenceClassification"]},
    )
    told = inspect(tmp_path)
    assert told["head"] == "base"
    assert "pooler.classifier.weight" in told["weights"]["unexpected"]


def test_of_the_hub_config_json_alone_is_fetched(tmp_path, monkeypatch):
    asked = []

    def find(name, files, **_):
        asked.append((name, tuple(files)))
        return with_config(tmp_path)

    monkeypatch.setattr(hub, "find_model", find)
    assert inspect("someone/something")["model"] == "someone/something"
    assert asked == [("someone/something", ("config.json",))]


# --- what is wrong --------------------------------------------------------------------


def test_weights_that_do_not_fit_are_told_and_then_refused(tmp_path, capsys):
    tensors = tensors_of()
    tensors[POSITIONS] = tensors[POSITIONS][:5]
    del tensors["embeddings.LayerNorm.bias"]
    write(tmp_path, tensors | {"more.bias": np.ones(3)})
    for options in ([], ["--json"]):
        assert main(["inspect", str(tmp_path), *options]) == 2
        out, err = capsys.readouterr()
        assert "embeddings.LayerNorm.bias" in out and "more.bias" in out
        assert err == (
            f"inspect: {tmp_path / 'model.safetensors'}: missing "
            "embeddings.LayerNorm.bias; unexpected more.bias; "
            f"{POSITIONS} has shape (5, 12), expected (12, 12)\n"
        )
    assert len(json.loads(out)["weights"]["complaints"]) == 3


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("config.json", None, ["config.json", "no regular file"]),
        ("config.json", "{", ["config.json", "not a JSON file"]),
        ("config.json", '{"n_layers": -1}', ["n_layers", "-1"]),
        ("config.json", '{"model_type": "gpt2"}', ["model_type", "gpt2"]),
        ("model.safetensors", "no header", ["model.safetensors"]),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(tmp_path, capsys, name, content, words):
    with_config(tmp_path)
    (tmp_path / name).unlink(missing_ok=True)
    if content is not None:
        (tmp_path / name).write_text(content)
    assert main(["inspect", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("inspect: ")
    assert all(word in err for word in words)


def test_a_folder_that_is_not_there(tmp_path, capsys):
    assert main(["inspect", str(tmp_path / "nowhere")]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "there is no such folder" in err


def test_a_wrong_option_is_one_line(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["inspect", "--head", "tail"])
    out, err = capsys.readouterr()
    assert caught.value.code == 2 and out == "" and err.count("\n") == 1


# --- as text and as JSON --------------------------------------------------------------


def test_the_embedded_model_as_text(capsys):
    out = printed(capsys)
    assert out == printed(capsys, "tiny") == as_text(inspect("tiny")) + "\n"
    assert out.splitlines()[:2] == [
        "tiny: DistilBertForMaskedLM, 541,804 parameters",
        "model.safetensors, 1.08 MB: 57 tensors used (stored as 57 F16)",
    ]
    heads = [line.split()[0] for line in out.splitlines() if re.match(r"\w", line)]
    assert heads == ["tiny:", "model.safetensors,", "configuration", "parameters",
                     "memory", "FLOPs", "trace,", "beside"]
    rows = {" ".join(line.split()) for line in out.splitlines()}
    assert {
        "D dim 96 V vocab_size 1,900",
        "word_embeddings V D 1900 × 96 182,400 33.7%",
        "transformer.layer.i 3 × 111,840 335,520 61.9%",
        "ffn.lin1 F D, F 384 × 96, 384 3 × 37,248 20.6%",
        "head 11,404 2.1%",
        "vocab_projector V D, V tied, 1900 1,900 0.4%",
        "total 541,804 100.0%",
        "layers 12 3 25.0%",
    } <= rows


COSTS_OF_BASE = """\
FLOPs of one sequence               L =        8       32      128     512
  projections                  8 N L D²    226 M    906 M   3.62 G  14.5 G
  scores and context           4 N L² D   1.18 M   18.9 M    302 M  4.83 G
  feed-forward                4 N L D F    453 M   1.81 G   7.25 G  29.0 G
  head                 2 L D² + 2 L D V    384 M   1.54 G   6.15 G  24.6 G
  total                                   1.07 G   4.27 G   17.3 G  72.9 G
  quadratic share      4 N L² D / total     0.1%     0.4%     1.7%    6.6%
  Matrix products alone are counted, a multiply-add as 2.

trace, float32                           3.84 MB  15.8 MB  70.3 MB  394 MB

beside BERT-base, without heads     BERT-base  this model   share
  layers                                   12           6   50.0%
  parameters in the embeddings     23,837,184  23,835,648  100.0%
  parameters in the layers         85,054,464  42,527,232   50.0%
  parameters                      108,891,648  66,362,880   60.9%
  parameters, with BERT's pooler  109,482,240  66,362,880   60.6%
  FLOPs at L = 128                     22.3 G      11.2 G   50.0%
"""


def test_the_tables_of_base_size():
    assert COSTS_OF_BASE in as_text(describe(BASE, "masked_lm"))


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (999_499, "999 kB"),
     (999_500, "1.00 MB"), (267_942_120, "268 MB"), (12_345_678, "12.3 MB"),
     (10**21, "1.00e+03 EB")],
)
def test_a_number_in_three_digits(number, text):
    assert in_units(number, "B") == text


def test_of_a_long_path_the_last_part_is_shown(tmp_path, capsys):
    folder = tmp_path / ("x" * 32) / "my-model"
    folder.mkdir(parents=True)
    out = printed(capsys, with_config(folder))
    assert out.startswith("my-model: DistilBertModel, ")
    assert json.loads(printed(capsys, folder, "--json"))["model"] == str(folder)


@pytest.mark.parametrize("head", HEADS)
def test_the_shares_make_up_the_whole(head):
    tree = as_text(describe(BASE, head)).split("\n\nparameters ")[1]
    tree = tree.split("\n  total")[0].splitlines()
    groups, modules = (
        [float(line.split()[-1].rstrip("%")) for line in tree[1:]
         if re.match(rf" {{{indent}}}\w", line)]
        for indent in (2, 4)
    )
    assert len(groups) == 2 + (head != "base")
    assert sum(groups) == pytest.approx(100, abs=0.2)
    assert sum(modules) == pytest.approx(100, abs=0.05 * len(modules))


def test_full_lists_the_names_that_a_checkpoint_has(capsys, tmp_path):
    model = DistilBertForMaskedLM(DistilBertConfig(**SMALL))
    model.save_pretrained(tmp_path)
    out = printed(capsys, tmp_path, "--full")
    assert out.startswith(printed(capsys, tmp_path).rstrip("\n"))
    listed = out.split("tensors, by their names in a checkpoint\n")[1].splitlines()
    assert [line.split()[0] for line in listed] == list(flatten(model.params))
    assert listed[0].endswith("  V D  40 × 12")


def test_many_names_are_cut_short_unless_all_are_asked_for(tmp_path, capsys):
    spare = {f"vocab_projector.{i}": np.ones(1, np.float32) for i in range(8)}
    write(tmp_path, tensors_of() | spare)
    assert "and 3 more" in printed(capsys, tmp_path)
    out = printed(capsys, tmp_path, "--full")
    assert "vocab_projector.7" in out and "more\n" not in out


@pytest.mark.parametrize("head", HEADS)
def test_json_is_one_document_and_complete(capsys, tmp_path, head):
    folder = write(tmp_path, tensors_of(head))
    out = printed(capsys, folder, "--json", "--head", head)
    told = json.loads(out)
    assert out.count("\n") == 1
    assert told == json.loads(json.dumps(inspect(folder, head)))
    assert list(told) == [
        "model", "class", "head", "config", "letters", "parameters", "tensors",
        "memory", "formulas", "sequences", "beside_bert", "weights",
    ]
    config = DistilBertConfig.from_dict(told["config"])
    assert describe(config, head)["tensors"] == told["tensors"]
    # The text says nothing that is not in the document.
    assert as_text(told) == printed(capsys, folder, "--head", head).rstrip("\n")


HUGE = [
    {"vocab_size": 10**6, "dim": 12288, "n_heads": 96, "hidden_dim": 49152,
     "n_layers": 1000, "max_position_embeddings": 10**6, "num_labels": 10**4},
    {"vocab_size": 10**6, "dim": 10**6, "hidden_dim": 10**6, "n_heads": 10**6,
     "n_layers": 100, "max_position_embeddings": 10**6},
]


@pytest.mark.parametrize("fields", HUGE)
@pytest.mark.parametrize("head", HEADS)
def test_no_line_is_longer_than_88_columns(head, fields):
    told = describe(BASE.changed(tie_word_embeddings=False, **fields), head)
    told |= {"model": "a/very/long/path/" * 9, "weights": None}
    assert max(map(len, as_text(told, full=True).splitlines())) <= 88


def test_of_a_large_model_no_number_is_cut_off():
    told = describe(BASE.changed(**HUGE[0]), "masked_lm")
    assert "…" not in as_text(told, full=True)


def test_a_stack_of_no_layers():
    text = as_text(describe(BASE.changed(n_layers=0)))
    rows = {" ".join(line.split()) for line in text.splitlines()}
    assert {
        "transformer.layer.i 0 × 7,087,872 0 0.0%", "total 0 0 0 0",
        "quadratic share 4 N L² D / total – – – –", "layers 12 0 0.0%",
    } <= rows


def test_positions_of_sines_and_cosines():
    told = describe(BASE.changed(sinusoidal_pos_embds=True))
    assert "positions sines and cosines" in as_text(told)
    assert "positions learnt" in as_text(describe(BASE))


def test_help_shows_an_example(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["inspect", "--help"])
    assert caught.value.code == 0
    assert "inspect distilbert-base-uncased" in capsys.readouterr().out


@needs_shared
def test_the_real_configuration(capsys):
    out = printed(capsys, SHARED / "distilbert-base-uncased")
    assert "DistilBertForMaskedLM, 66,985,530 parameters" in out
    assert "39.1% fewer parameters than BERT-base" in out
