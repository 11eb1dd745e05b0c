"""Checkpoints: what is written is read back, what comes from elsewhere fits or is
refused. The files are made by hand here, byte by byte, so that none is too odd."""

import json
import math
import os

import numpy as np
import ours
import pytest
from cases import SMALL, Case
from shared_data import SHARED

from distilbert_np import CheckpointError, DistilBertConfig, InputError
from distilbert_np.embeddings import sinusoidal_table
from distilbert_np.trees import flatten
from distilbert_np.weights import POSITIONS, WORDS, parameter_shapes

HEADS = list(ours.CLASSES)
CODES = {"float64": "F64", "float32": "F32", "float16": "F16", "uint16": "BF16",
         "int64": "I64", "int8": "I8", "uint8": "F8_E4M3", "bool": "BOOL"}
QUERY = "transformer.layer.1.attention.q_lin.weight"     # the tensor that goes wrong


# --- making, reading and comparing ----------------------------------------------------


def tensors_of(head="base", **config):
    """Return random float32 parameters by their names without prefix."""
    return Case(f"a checkpoint, {head}", head, config).tensors()


def build(head="base", dtype="float32", **config):
    """Return a model of random parameters, of all 53 bits where it is of float64."""
    model = ours.build(Case(f"a checkpoint, {head}", head, config), dtype)
    for array in flatten(model.params).values():
        array *= model.dtype.type(1.1)
    return model


def safetensors(tensors):
    """Return the bytes of a safetensors file."""
    header, data = {}, b""
    for name, array in tensors.items():
        end = len(data) + array.nbytes
        header[name] = {"dtype": CODES[array.dtype.name], "shape": array.shape,
                        "data_offsets": [len(data), end]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def write(folder, tensors, **config):
    """Write a checkpoint folder; return it."""
    (folder / "config.json").write_text(json.dumps(SMALL | config))
    (folder / "model.safetensors").write_bytes(safetensors(tensors))
    return folder


def write_shards(folder, *shards, names=("a.safetensors", "b.safetensors")):
    """Write a checkpoint folder of shards with their index; return it."""
    (folder / "config.json").write_text(json.dumps(SMALL))
    weight_map = {}
    for name, tensors in zip(names, shards, strict=False):
        weight_map |= dict.fromkeys(tensors, name)
        (folder / os.path.basename(name)).write_bytes(safetensors(tensors))
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def load(folder, head="base", **options):
    return ours.CLASSES[head].from_pretrained(folder, **options)


def plain(model):
    """Return a model's parameters by their names without prefix."""
    leaves = flatten(model.params)
    return {name.removeprefix("distilbert."): array for name, array in leaves.items()}


def assert_same(found, expected):
    """Assert that two sets of named arrays are the same, bit for bit."""
    assert found.keys() == expected.keys()
    for name in found:
        assert found[name].dtype == expected[name].dtype, name
        assert found[name].shape == expected[name].shape, name
        assert found[name].tobytes() == expected[name].tobytes(), name


def refusal(folder, head="base"):
    """Return the one-line message of the CheckpointError that loading must raise."""
    with pytest.raises(CheckpointError) as caught:
        load(folder, head)
    message = str(caught.value)
    assert "\n" not in message and message.startswith(str(folder))
    return message.removeprefix(str(folder)).removeprefix("/")


# --- mapped, not copied ---------------------------------------------------------------


def buffer_of(array):
    """Return the object whose memory an array shows."""
    while isinstance(array, np.ndarray):
        array = array.base
    return array


def test_parameters_are_views_of_one_mapped_file(tmp_path):
    build().save_pretrained(tmp_path)
    buffers = {id(buffer_of(array)) for array in plain(load(tmp_path)).values()}
    assert len(buffers) == 1 and id(None) not in buffers


def test_writing_to_a_parameter_leaves_file_and_other_readers_alone(tmp_path):
    build().save_pretrained(tmp_path)
    before = (tmp_path / "model.safetensors").read_bytes()
    one, other = load(tmp_path), load(tmp_path)
    for array in plain(one).values():
        array[:] = 7
    assert (tmp_path / "model.safetensors").read_bytes() == before
    assert_same(plain(other), plain(build()))


# --- names ----------------------------------------------------------------------------


def as_gamma_beta(name):
    path, _, leaf = name.rpartition(".")
    old = {"weight": "gamma", "bias": "beta"}
    return f"{path}.{old[leaf] if 'orm' in path else leaf}"


def is_encoder(name):
    return name.startswith(("embeddings.", "transformer."))


def prefixed(name):
    return f"distilbert.{name}" if is_encoder(name) else name


RENAMED = {
    "no prefix": lambda name: name,
    "prefix": prefixed,
    "gamma and beta": as_gamma_beta,
    "prefix, gamma and beta": lambda name: prefixed(as_gamma_beta(name)),
}


@pytest.mark.parametrize("rename", RENAMED.values(), ids=RENAMED)
@pytest.mark.parametrize("head", HEADS)
def test_names_with(tmp_path, head, rename):
    tensors = tensors_of(head)
    write(tmp_path, {rename(name): array for name, array in tensors.items()})
    assert_same(plain(load(tmp_path, head)), tensors)


def test_shards_are_one_checkpoint(tmp_path):
    items = list(tensors_of().items())
    write_shards(tmp_path, dict(items[::2]), dict(items[1::2]))
    assert_same(plain(load(tmp_path)), dict(items))


def test_a_whole_file_comes_before_shards(tmp_path):
    write_shards(tmp_path, tensors_of(n_layers=1))
    write(tmp_path, tensors_of())
    assert_same(plain(load(tmp_path)), tensors_of())


# --- types ----------------------------------------------------------------------------


def as_bfloat16(array):
    """Return the upper halves of float32 numbers."""
    return (array.view(np.uint32) >> 16).astype(np.uint16)


def from_bfloat16(array):
    """Return bfloat16 numbers, counted out from sign, exponent and fraction."""
    array = array.astype(np.int64)
    sign, exponent, fraction = array >> 15, (array >> 7) & 255, array & 127
    return np.where(sign, -1.0, 1.0) * np.ldexp(1 + fraction / 128, exponent - 127)


STORED = {
    "F64": (lambda array: array * math.pi, lambda stored: stored),
    "F32": (lambda array: array, lambda stored: stored),
    "F16": (lambda array: array.astype(np.float16), lambda stored: stored),
    "BF16": (as_bfloat16, from_bfloat16),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("code", STORED)
def test_weights_may_be_stored_as(tmp_path, code, dtype):
    store, value = STORED[code]
    kind = np.float64 if code == "F64" else np.float32
    stored = {name: store(a.astype(kind)) for name, a in tensors_of().items()}
    model = load(write(tmp_path, stored), dtype=dtype)
    assert_same(plain(model), {n: value(a).astype(dtype) for n, a in stored.items()})
    assert model.load_report.dtypes == {code: len(stored)}


@pytest.mark.parametrize("dtype", ["float16", "int32", "bfloat16", "no such", 5])
def test_a_dtype_to_compute_in_is_float32_or_float64(tmp_path, dtype):
    with pytest.raises(InputError, match=r"^dtype: expected float32 or float64, found"):
        load(write(tmp_path, tensors_of()), dtype=dtype)


# --- what a file may lack or add ------------------------------------------------------


def untied():
    """Return a masked-LM checkpoint with a decoder of its own."""
    return tensors_of("masked_lm", tie_word_embeddings=False)


DECODERS = {
    "absent": lambda tensors: tensors.pop("vocab_projector.weight"),
    "equal": lambda tensors: tensors.update({"vocab_projector.weight": tensors[WORDS]}),
}


@pytest.mark.parametrize("twist", DECODERS.values(), ids=DECODERS)
def test_a_tied_decoder_may_be(tmp_path, twist):
    tensors = untied()
    twist(tensors)
    model = load(write(tmp_path, tensors), "masked_lm")
    tensors.pop("vocab_projector.weight", None)
    assert_same(plain(model), tensors)
    assert model.load_report.tied == {"vocab_projector.weight": WORDS}
    assert model.load_report.unexpected == []
    assert model.config.tie_word_embeddings


@pytest.mark.parametrize("said", [True, False])
def test_a_decoder_that_differs_is_its_own(tmp_path, said):
    model = load(write(tmp_path, untied(), tie_word_embeddings=said), "masked_lm")
    assert_same(plain(model), untied())
    assert not model.load_report.tied and not model.config.tie_word_embeddings


def head_names(head):
    return [name for name in tensors_of(head) if not is_encoder(name)]


@pytest.mark.parametrize("head", HEADS[1:])
def test_a_base_checkpoint_gives_a_head_its_encoder(tmp_path, head):
    write(tmp_path, tensors_of())
    with pytest.warns(UserWarning, match="newly initialised") as warned:
        model = load(tmp_path, head, seed=3)
    assert model.load_report.missing == head_names(head)
    assert len(warned) == 1 and warned[0].filename == __file__
    encoder = {name: array for name, array in plain(model).items() if is_encoder(name)}
    assert_same(encoder, tensors_of())


def test_a_new_head_is_drawn_as_transformers_draws_it(tmp_path):
    write(tmp_path, tensors_of(dim=96), dim=96, initializer_range=0.5)
    with pytest.warns(UserWarning, match="newly initialised"):
        models = [load(tmp_path, "masked_lm", seed=seed) for seed in (3, 3, 4)]
    one, again, other = (model.params for model in models)
    weight = one["vocab_transform"]["weight"]
    assert abs(weight.std() - 0.5) < 0.02 and abs(weight.mean()) < 0.02
    assert (one["vocab_layer_norm"]["weight"] == 1).all()
    assert not one["vocab_projector"]["bias"].any()
    assert np.array_equal(weight, again["vocab_transform"]["weight"])
    assert not np.array_equal(weight, other["vocab_transform"]["weight"])


SHARED_CLASSIFIERS = {"sequence", "token", "multiple_choice"}
PAIRS = [
    (stored, head) for stored in HEADS[1:] for head in HEADS
    if stored != head and not {stored, head} <= SHARED_CLASSIFIERS
]


@pytest.mark.filterwarnings("ignore:.*newly initialised")
@pytest.mark.parametrize(("stored", "head"), PAIRS)
def test_another_heads_weights_are_left_out_and_listed(tmp_path, stored, head):
    report = load(write(tmp_path, tensors_of(stored)), head).load_report
    assert report.unexpected == head_names(stored)
    assert report.missing == head_names(head)


def test_a_classifier_that_fits_is_used(tmp_path):
    write(tmp_path, tensors_of("sequence"))
    report = load(tmp_path, "token").load_report
    assert report.unexpected == ["pre_classifier.weight", "pre_classifier.bias"]
    assert report.missing == []


def test_a_sinusoidal_table_may_be_absent(tmp_path):
    tensors = tensors_of()
    del tensors[POSITIONS]
    model = load(write(tmp_path, tensors, sinusoidal_pos_embds=True))
    table = sinusoidal_table(12, 12).astype(np.float32)
    np.testing.assert_array_equal(plain(model)[POSITIONS], table)
    assert model.load_report.missing == []
    assert model.load_report.computed == {POSITIONS: "sines and cosines"}


def test_a_stored_table_wins_over_the_sinusoidal_one(tmp_path):
    model = load(write(tmp_path, tensors_of(), sinusoidal_pos_embds=True))
    assert_same(plain(model), tensors_of())


def test_a_buffer_of_position_ids_is_left_out(tmp_path):
    buffer = {"distilbert.embeddings.position_ids": np.arange(12)[None]}
    model = load(write(tmp_path, tensors_of() | buffer))
    assert_same(plain(model), tensors_of())
    assert model.load_report.unexpected == ["embeddings.position_ids"]


def test_labels_may_be_counted_anew_where_the_head_is_new(tmp_path):
    write(tmp_path, tensors_of())
    with pytest.warns(UserWarning, match="newly initialised"):
        model = load(tmp_path, "token", num_labels=5)
    assert model.params["classifier"]["weight"].shape == (5, 12)


# --- the load report ------------------------------------------------------------------


def test_the_load_report_prints_well(tmp_path):
    tensors = tensors_of("token", n_layers=0)
    tensors |= {name: tensors[name].astype(np.float16) for name in (WORDS, POSITIONS)}
    write(tmp_path, tensors, n_layers=0)
    with pytest.warns(UserWarning, match="newly initialised"):
        report = load(tmp_path, "masked_lm").load_report
    assert str(report) == (
        f"loaded from {tmp_path}/model.safetensors\n"
        "  used        4 tensors (stored as 2 F16, 2 F32)\n"
        "  tied        vocab_projector.weight = embeddings.word_embeddings.weight\n"
        "  missing     vocab_transform.weight: newly initialised\n"
        "              vocab_transform.bias: newly initialised\n"
        "              vocab_layer_norm.weight: newly initialised\n"
        "              vocab_layer_norm.bias: newly initialised\n"
        "              vocab_projector.bias: newly initialised\n"
        "  unexpected  classifier.weight: left out\n"
        "              classifier.bias: left out"
    )


# --- counts ---------------------------------------------------------------------------

COUNTS = {
    "base": 66_362_880, "masked_lm": 66_985_530, "sequence": 66_955_010,
    "question_answering": 66_364_418,
}


def count(head, config):
    return sum(math.prod(shape) for shape in parameter_shapes(config, head).values())


@pytest.mark.parametrize(("head", "expected"), COUNTS.items())
def test_parameters_of_the_published_models(head, expected):
    assert count(head, DistilBertConfig()) == expected


def test_parameters_of_bert_base_without_its_pooler_and_token_types():
    token_types = 2 * 768
    assert count("base", DistilBertConfig(n_layers=12)) + token_types == 108_891_648


@pytest.mark.parametrize("head", HEADS)
def test_a_model_has_the_parameters_that_are_counted(head):
    model = ours.CLASSES[head](DistilBertConfig(**SMALL))
    assert model.num_parameters() == count(head, model.config)


# --- BERT -----------------------------------------------------------------------------

TO_BERT = {
    "transformer.layer.": "encoder.layer.",
    "attention.q_lin": "attention.self.query", "attention.k_lin": "attention.self.key",
    "attention.v_lin": "attention.self.value",
    "attention.out_lin": "attention.output.dense",
    "sa_layer_norm": "attention.output.LayerNorm",
    "ffn.lin1": "intermediate.dense", "ffn.lin2": "output.dense",
    "output_layer_norm": "output.LayerNorm",
    "vocab_transform": "cls.predictions.transform.dense",
    "vocab_layer_norm": "cls.predictions.transform.LayerNorm",
    "vocab_projector.weight": "cls.predictions.decoder.weight",
    "vocab_projector.bias": "cls.predictions.bias",
}
BERT_CONFIG = {
    "model_type": "bert", "hidden_size": 12, "num_hidden_layers": 2,
    "num_attention_heads": 3, "intermediate_size": 20, "type_vocab_size": 2,
}
TOKEN_TYPES = "embeddings.token_type_embeddings.weight"
POOLER = {"pooler.dense.weight": np.ones((12, 12)), "pooler.dense.bias": np.ones(12)}


def in_bert(name, prefix):
    encoder = is_encoder(name)
    for here, there in TO_BERT.items():
        name = name.replace(here, there)
    return prefix * encoder + name


def write_bert(folder, tensors, prefix="", token_types=None, config=None):
    """Write DistilBERT tensors (and others) as a BERT's; return the folder."""
    if token_types is None:
        token_types = np.random.RandomState(1).random_sample((2, 12)).astype(np.float32)
    names = {in_bert(name, prefix): array for name, array in tensors.items()}
    names[prefix + TOKEN_TYPES] = token_types
    write(folder, names)
    fields = {name: SMALL[name] for name in ("vocab_size", "max_position_embeddings")}
    fields |= BERT_CONFIG | (config or {})
    (folder / "config.json").write_text(json.dumps(fields))
    return folder


@pytest.mark.parametrize("prefix", ["", "bert."])
@pytest.mark.parametrize("head", ["base", "masked_lm", "token", "question_answering"])
def test_a_bert_is_folded_in(tmp_path, head, prefix):
    types = np.float32([[2] * 12, [5] * 12])
    expected = tensors_of(head)
    model = load(write_bert(tmp_path, expected, prefix, types), head)
    expected[POSITIONS] = expected[POSITIONS] + np.float32(2)
    assert_same(plain(model), expected)
    assert model.load_report.computed == {POSITIONS: "token type 0 added to every row"}
    assert (model.load_report.missing, model.load_report.unexpected) == ([], [])


@pytest.mark.parametrize("prefix", ["", "bert."])
def test_berts_pooler_is_reported(tmp_path, prefix):
    pooler = {prefix + name: array for name, array in POOLER.items()}
    model = load(write_bert(tmp_path, tensors_of() | pooler, prefix))
    assert model.load_report.unexpected == list(POOLER)


def test_a_classifier_behind_berts_pooler_is_left_out(tmp_path):
    tensors = tensors_of("token") | {f"bert.{n}": array for n, array in POOLER.items()}
    write_bert(tmp_path, tensors, "bert.")
    with pytest.warns(UserWarning, match=r"classifier\.weight.*newly initialised"):
        report = load(tmp_path, "token").load_report
    assert report.missing == ["classifier.weight", "classifier.bias"]
    assert "pooler.classifier.weight" in report.unexpected


def test_a_bert_is_saved_as_a_distilbert(tmp_path):
    model = load(write_bert(tmp_path, tensors_of("masked_lm"), "bert."), "masked_lm")
    model.save_pretrained(tmp_path)
    assert_same(plain(load(tmp_path, "masked_lm")), plain(model))
    saved = json.loads((tmp_path / "config.json").read_text())
    assert saved["model_type"] == "distilbert" and "hidden_size" not in saved


@pytest.mark.parametrize("shape", [(2, 11), (12,), (0, 12), (), (2, 2, 12)])
def test_berts_token_types_must_fit(tmp_path, shape):
    types = np.ones(shape, np.float32)
    message = refusal(write_bert(tmp_path, tensors_of(), token_types=types))
    assert message.startswith(f"model.safetensors: {TOKEN_TYPES} has shape {shape}")


@pytest.mark.parametrize(("table", "types"), [
    (1, np.nan), (np.inf, -np.inf), (3e38, 3e38),
])
def test_berts_token_types_must_add_up_to_numbers(tmp_path, table, types):
    tensors = replaced(np.full((12, 12), table, np.float32), POSITIONS)
    write_bert(tmp_path, tensors, token_types=np.full((2, 12), types, np.float32))
    assert refusal(tmp_path) == f"{KEYS}NaN or infinity in {POSITIONS}"


@pytest.mark.parametrize("field", [
    {"layer_norm_eps": 1e-5}, {"position_embedding_type": "relative_key"},
], ids=str)
def test_a_bert_that_computes_something_else_is_refused(tmp_path, field):
    write_bert(tmp_path, tensors_of(), config=field)
    with pytest.raises(ValueError, match=next(iter(field))):
        load(tmp_path)


# --- what is refused ------------------------------------------------------------------

KEYS = "model.safetensors: "


def without(name):
    return {n: array for n, array in tensors_of().items() if n != name}


def replaced(array, name=QUERY):
    return tensors_of() | {name: array}


NAN, INFINITE = np.float32([[np.nan] * 12] * 12), np.float32([[np.inf] * 12] * 12)
WEIGHT = np.ones((12, 12), np.float32)
FIRST = "missing embeddings.word_embeddings.weight, "
BAD_TENSORS = {
    "nothing": ({}, FIRST),
    "no query": (without(QUERY), f"missing {QUERY}"),
    "no words": (without(WORDS), f"missing {WORDS}"),
    "no positions": (without(POSITIONS), f"missing {POSITIONS}"),
    "a layer too few": (tensors_of(n_layers=1), "missing transformer.layer.1."),
    "a layer too many": (tensors_of(n_layers=3), "unexpected transformer.layer.2."),
    "a stranger": (tensors_of() | {"lora.a": WEIGHT}, "unexpected lora.a"),
    "a nameless one": (tensors_of() | {"": WEIGHT}, "unexpected "),
    "a strange prefix": ({f"model.{n}": a for n, a in tensors_of().items()}, FIRST),
    "a shape": (replaced(WEIGHT[1:]), f"{QUERY} has shape (11, 12), expected (12, 12)"),
    "flat": (replaced(WEIGHT[0]), f"{QUERY} has shape (12,), expected (12, 12)"),
    "another vocabulary": (
        tensors_of(vocab_size=39), f"{WORDS} has shape (39, 12), expected (40, 12)"
    ),
    "prefixed and bare": (
        tensors_of() | {prefixed(QUERY): WEIGHT}, f"holds two tensors each for {QUERY}"
    ),
    "gamma and weight": (
        tensors_of() | {"embeddings.LayerNorm.gamma": WEIGHT[0]},
        "holds two tensors each for embeddings.LayerNorm.weight",
    ),
    "8-bit floats": (
        replaced(WEIGHT.astype(np.uint8)),
        f"{QUERY} is stored as F8_E4M3, expected one of F64, F32, F16, BF16",
    ),
    "integers": (replaced(WEIGHT.astype(np.int8)), f"{QUERY} is stored as I8, "),
    "booleans": (replaced(WEIGHT.astype(bool)), f"{QUERY} is stored as BOOL, "),
    "NaN": (replaced(NAN), f"NaN or infinity in {QUERY}"),
    "infinity": (replaced(INFINITE), f"NaN or infinity in {QUERY}"),
    "signalling NaN": (
        replaced(np.full((12, 12), 0x7FF0000000000001).view(np.float64)),
        f"NaN or infinity in {QUERY}",
    ),
    "16-bit NaN": (replaced(as_bfloat16(NAN)), f"NaN or infinity in {QUERY}"),
    "beyond float32": (
        replaced(np.full((12, 12), 1e300)), f"NaN or infinity in {QUERY}"
    ),
}


@pytest.mark.parametrize(("tensors", "said"), BAD_TENSORS.values(), ids=BAD_TENSORS)
def test_tensors_that_do_not_fit_are_named(tmp_path, tensors, said):
    assert refusal(write(tmp_path, tensors)).startswith(KEYS + said)


def test_many_names_are_cut_short(tmp_path):
    assert refusal(write(tmp_path, {})).endswith(" and 31 more")


def test_large_weights_are_no_infinities(tmp_path):
    tensors = replaced(np.full((12, 12), 3e38, np.float32))
    assert_same(plain(load(write(tmp_path, tensors))), tensors)


def test_a_head_of_another_size_is_refused(tmp_path):
    write(tmp_path, tensors_of("token", num_labels=3), num_labels=2)
    said = "classifier.weight has shape (3, 12), expected (2, 12)"
    assert refusal(tmp_path, "token").startswith(KEYS + said)


WHOLE = safetensors(tensors_of())
SPAN = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def header(entries, size=8):
    """Return a file with this header and `size` bytes of data."""
    text = json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text + bytes(size)


GARBAGE = {
    "empty": b"",
    "7 bytes": WHOLE[:7],
    "no header": WHOLE[:8],
    "half a header": WHOLE[:200],
    "half the data": WHOLE[: len(WHOLE) // 2],
    "a byte short": WHOLE[:-1],
    "a byte more": WHOLE + b"\0",
    "zeros": bytes(1000),
    "text": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "a huge header": (1 << 60).to_bytes(8, "little") + WHOLE[8:],
    "overlap": header({"a": SPAN, "b": SPAN}),
    "a hole": header({"a": SPAN | {"data_offsets": [4, 12]}}, 12),
    "a shape that lies": header({"a": SPAN | {"shape": [3]}}),
    "beyond the end": header({"a": SPAN | {"data_offsets": [0, 1 << 40]}}),
    "no such type": header({"a": SPAN | {"dtype": "F31"}}),
}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE)
def test_a_damaged_file_is_refused(tmp_path, content):
    write(tmp_path, {})
    (tmp_path / "model.safetensors").write_bytes(content)
    said = refusal(tmp_path)
    assert said.startswith("model.safetensors: not a safetensors file (")


@pytest.mark.parametrize("name", ["model.safetensors", "model.safetensors.index.json"])
@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_only_regular_files_are_opened(tmp_path, name, make):
    (write(tmp_path, {}) / "model.safetensors").unlink()
    make(tmp_path / name)
    assert refusal(tmp_path) == f"{name}: there is no regular file of this name"


def test_a_pickle_is_refused(tmp_path):
    (write(tmp_path, {}) / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    said = refusal(tmp_path)
    assert "only pytorch_model.bin is here" in said and "save_pretrained" in said


def test_a_folder_without_weights_is_refused(tmp_path):
    (write(tmp_path, {}) / "model.safetensors").unlink()
    assert refusal(tmp_path) == ": there is no model.safetensors here"


def test_a_name_that_is_nowhere_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"'no/where'.*copy a folder") as caught:
        load("no/where", local_files_only=True, cache_dir=tmp_path)
    assert "\n" not in str(caught.value)


INDEX = "model.safetensors.index.json: "


@pytest.mark.parametrize("escape", ["../a.safetensors", "/a.safetensors", "x/../../a",
                                    "./a.safetensors"])
def test_a_shard_outside_the_folder_is_refused(tmp_path, escape):
    (tmp_path / "x").mkdir()
    write_shards(tmp_path / "x", tensors_of(), names=[escape])
    (tmp_path / "a.safetensors").write_bytes(WHOLE)
    said = f"{INDEX}a shard outside the folder: {escape!r}"
    assert refusal(tmp_path / "x") == said


def test_a_shard_that_is_not_there_is_named(tmp_path):
    (write_shards(tmp_path, tensors_of()) / "a.safetensors").unlink()
    assert refusal(tmp_path) == "a.safetensors: there is no regular file of this name"


def test_a_tensor_in_two_shards_is_named(tmp_path):
    write_shards(tmp_path, tensors_of(), {QUERY: WEIGHT})
    assert refusal(tmp_path) == f"{INDEX}two shards hold {QUERY}"


def test_a_tensor_that_no_shard_holds_is_named(tmp_path):
    write_shards(tmp_path, tensors_of())
    (tmp_path / "a.safetensors").write_bytes(safetensors(without(QUERY)))
    assert refusal(tmp_path) == f"{INDEX}no shard holds {QUERY}"


@pytest.mark.parametrize("content", [
    "", "{", "[]", "{}", '{"weight_map": []}', '{"weight_map": null}',
    '{"weight_map": {"a": 5}}', '{"weight_map": {"a": ["a.safetensors"]}}',
])
def test_an_index_must_map_names_to_shards(tmp_path, content):
    write_shards(tmp_path, tensors_of())
    (tmp_path / "model.safetensors.index.json").write_text(content)
    said = refusal(tmp_path)
    assert said.startswith(INDEX) and ("JSON" in said or "weight_map" in said)


# --- a checkpoint from elsewhere ------------------------------------------------------


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data are not here")
def test_a_checkpoint_that_transformers_wrote_opens():
    model = load(SHARED / "tiny-random-distilbert")
    out = model(np.arange(24).reshape(2, 12), output_hidden_states=True)
    assert (model.config.n_layers, model.config.hidden_act) == (5, "gelu")
    assert out.last_hidden_state.shape == (2, 12, 32) and len(out.hidden_states) == 6
    assert (model.load_report.missing, model.load_report.unexpected) == ([], [])
