"""A name on the Hugging Face Hub: the real client, and a small Hub on loopback.

The client reads its environment when it is loaded: each test runs it in a new process.
"""

import importlib.util
import json
import os
import random
import re
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest
from safetensors.numpy import load_file, save
from small_hub import SmallHub

from distilbert_np import CheckpointError, DistilBertConfig
from distilbert_np.hub import CONFIG_FILES, EMBEDDED, find_model

NAME = "distilbert-base-uncased"
FILES = {path.name: path.read_bytes() for path in EMBEDDED["tiny"].iterdir()}
FILES["vocab.txt"] = b"[UNK]\n"                   # tokenizer.json goes before it
NOT_HERE = "not embedded here (tiny, tiny-teacher)"
WEIGHTS = "model.safetensors"
PICKLE = {"pytorch_model.bin": b"not to be fetched"}
WORDS = ["tokenizer.json", "tokenizer_config.json", "vocab.txt"]
OURS = ["config.json", WEIGHTS, *WORDS]

# A process that makes calls, and prints for each what came of it, as a line of JSON.
CALLS = """
import json, sys
import distilbert_np
from distilbert_np.hub import CONFIG_FILES, WEIGHT_FILES, find_model

def call(what, name, options):
    if what == "find_model":
        return str(find_model(name, CONFIG_FILES, WEIGHT_FILES, **options))
    loaded = getattr(distilbert_np, what).from_pretrained(name, **options)
    return loaded.qa_dropout if what == "DistilBertConfig" else "loaded"

for arguments in json.loads(sys.argv[1]):
    try:
        came = call(*arguments)
    except distilbert_np.DistilBertError as error:
        came = f"{type(error).__name__}: {error}"
    print(json.dumps(came), flush=True)
"""


@pytest.fixture
def hub():
    """Run a small Hub with one model, which is found by its old name too."""
    small_hub = SmallHub()
    small_hub.repositories = {f"distilbert/{NAME}": {"main": FILES | PICKLE}}
    small_hub.renamed = {NAME: f"distilbert/{NAME}"}
    yield small_hub
    small_hub.close()


def surroundings(hub, home, **settings):
    """Return an environment in which nothing but ours is said to the client."""
    ours = {"HF_HOME": str(home), "HF_ENDPOINT": hub.endpoint, **settings}
    foreign = re.compile("HF_.*|.*_OFFLINE|.*_proxy", re.IGNORECASE)
    return {key: os.environ[key] for key in os.environ if not foreign.match(key)} | ours


def ask(hub, home, *calls, before="", **settings):
    """Make calls, each (what, name, options), in a new process; return what came."""
    run = subprocess.run(
        [sys.executable, "-c", before + CALLS, json.dumps(calls)],
        stdout=subprocess.PIPE, text=True, env=surroundings(hub, home, **settings),
    )
    return [json.loads(line) for line in run.stdout.splitlines()]


def fill_mask(hub, home, name=NAME, stderr=subprocess.PIPE, **settings):
    """Run the README's command on the model of a name."""
    command = [sys.executable, "-m", "distilbert_np", "fill-mask", "--model", name]
    return subprocess.run(
        [*command, "The capital of France is [MASK]."], stdout=subprocess.PIPE,
        stderr=stderr, text=True, env=surroundings(hub, home, **settings),
    )


LOADED = [
    ("DistilBertConfig", NAME, {}), ("DistilBertTokenizer", NAME, {}),
    ("DistilBertForMaskedLM", NAME, {}),
]


# --- what is fetched, and what is kept ------------------------------------------------


def test_a_model_is_downloaded_once_and_then_found_in_the_cache(tmp_path, hub):
    run = fill_mask(hub, tmp_path)
    assert run.returncode == 0, run.stderr
    assert "paris" in run.stdout and f"model: {NAME}" in run.stdout
    assert hub.fetched() == OURS                 # and nothing else, and nothing twice

    hub.asked.clear()
    offline = fill_mask(hub, tmp_path, HF_HUB_OFFLINE="1")
    assert offline.stdout == run.stdout and hub.asked == []
    hub.close()
    down = fill_mask(hub, tmp_path)
    assert down.stdout == run.stdout
    local = [(what, name, {"local_files_only": True}) for what, name, _ in LOADED]
    assert ask(hub, tmp_path, *local) == [0.1, "loaded", "loaded"]


@pytest.mark.parametrize(
    "what, files",
    [
        ("DistilBertConfig", ["config.json"]),
        ("DistilBertTokenizer", WORDS),
        ("DistilBertModel", ["config.json", WEIGHTS]),
    ],
)
def test_only_the_files_that_are_needed_are_fetched(tmp_path, hub, what, files):
    assert len(ask(hub, tmp_path, (what, NAME, {}))) == 1
    assert hub.fetched() == files


def test_weights_in_shards_are_all_fetched(tmp_path, hub):
    tensors = load_file(EMBEDDED["tiny"] / WEIGHTS)
    names = sorted(tensors)
    shards = {
        f"model-0000{i}-of-00002.safetensors": {name: tensors[name] for name in part}
        for i, part in ((1, names[:9]), (2, names[9:]))
    }
    index = {name: shard for shard, held in shards.items() for name in held}
    files = {shard: save(held) for shard, held in shards.items()} | {
        "config.json": FILES["config.json"],
        "model.safetensors.index.json": json.dumps({"weight_map": index}).encode(),
    }
    hub.repositories["sharded"] = {"main": files | PICKLE}
    assert ask(hub, tmp_path, ("DistilBertForMaskedLM", "sharded", {})) == ["loaded"]
    assert hub.fetched() == sorted(files)


def test_a_revision_is_a_branch_or_a_commit(tmp_path, hub):
    old = FILES | {"config.json": json.dumps({"qa_dropout": 0.5}).encode()}
    hub.repositories["two"] = {"main": FILES, "old": old}
    revisions = [None, "old", hub.commit("two", "old"), "main", hub.commit("two")]
    calls = [("DistilBertConfig", "two", {"revision": one}) for one in revisions]
    assert ask(hub, tmp_path, *calls) == [0.1, 0.5, 0.5, 0.1, 0.1]
    hub.close()
    assert ask(hub, tmp_path, *calls) == [0.1, 0.5, 0.5, 0.1, 0.1]


def test_cache_dir_is_another_place_for_the_cache(tmp_path, hub):
    options = {"cache_dir": str(tmp_path / "mine")}
    calls = [(what, name, options) for what, name, _ in LOADED]
    assert ask(hub, tmp_path / "home", *calls) == [0.1, "loaded", "loaded"]
    assert list((tmp_path / "mine").glob(f"models--*/snapshots/*/{WEIGHTS}"))
    assert not list((tmp_path / "home").rglob(WEIGHTS))
    options["local_files_only"] = True
    assert ask(hub, tmp_path / "home", *calls) == [0.1, "loaded", "loaded"]


LARGE = random.Random(0).randbytes(11_600_000)   # the client keeps each 10 MiB


def test_a_download_that_breaks_off_goes_on_where_it_stopped(tmp_path, hub):
    hub.repositories["large"] = {"main": FILES | {WEIGHTS: LARGE}}
    hub.mishaps[WEIGHTS] = [11_000_000]
    # From 1.0 on the client tries again itself; before, the next call goes on.
    *_, folder = ask(hub, tmp_path, *[("find_model", "large", {})] * 2)
    assert tmp_path / "hub" in Path(folder).parents
    assert (Path(folder) / WEIGHTS).read_bytes() == LARGE
    assert [found for *_, found in hub.asked if found] == [f"bytes={10 << 20}-"]


def test_after_a_download_that_failed_the_next_call_gets_it_whole(tmp_path, hub):
    hub.repositories["large"] = {"main": FILES | {WEIGHTS: LARGE}}
    hub.mishaps[WEIGHTS] = [11_000_000, "500"]
    first, *_, folder = ask(hub, tmp_path, *[("find_model", "large", {})] * 3)
    assert first.startswith("CheckpointError: model 'large': ")
    assert (Path(folder) / WEIGHTS).read_bytes() == LARGE


def test_a_token_opens_a_gated_repository(tmp_path, hub):
    hub.repositories["gated"] = {"main": FILES}
    hub.gated.add("gated")
    call = ("DistilBertForMaskedLM", "gated", {})
    assert ask(hub, tmp_path, call, HF_TOKEN="hf_0") == ["loaded"]


# --- a cache and no network -----------------------------------------------------------

AWAY = ["HF_HUB_OFFLINE", "local_files_only", "down"]
WAYS_OUT = "copy a folder with config.json, model.safetensors, tokenizer.json"
REASONS = {
    "HF_HUB_OFFLINE": "and HF_HUB_OFFLINE forbids downloads; unset that, or ",
    "local_files_only": "and local_files_only forbids downloads; leave that out",
    "down": "and the connection to the Hugging Face Hub fails (Connection refused); ",
}


def ask_away(hub, home, way, *calls):
    """Make calls when the Hub is not to be reached, in one of three ways."""
    local = {"local_files_only": True} if way == "local_files_only" else {}
    settings = {"HF_HUB_OFFLINE": "1"} if way == "HF_HUB_OFFLINE" else {}
    if way == "down":
        hub.close()
    else:
        hub.asked.clear()
    came = ask(hub, home, *[(*call[:2], local) for call in calls], **settings)
    assert way == "down" or hub.asked == []
    return came


def fill_cache(home, name, files):
    """Write a cache as transformers leaves it, with the files that it was asked for."""
    repository = home / "hub" / f"models--{name}"
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    for file in files:
        (snapshot / file).write_bytes(FILES[file])


def is_explained(said, way):
    """Whether a message is one line that tells why, and the way by a folder."""
    return (
        said.startswith(f"CheckpointError: model '{NAME}': {NOT_HERE}, ")
        and REASONS[way] in said and WAYS_OUT in said and "\n" not in said
    )


def test_a_cache_that_transformers_filled_is_enough(tmp_path, hub):
    if importlib.util.find_spec("transformers") is None:
        pytest.skip("transformers is not installed")
    script = f"""
from transformers import AutoTokenizer, DistilBertForMaskedLM
DistilBertForMaskedLM.from_pretrained("{NAME}"), AutoTokenizer.from_pretrained("{NAME}")
"""
    subprocess.run(
        [sys.executable, "-c", script], check=True, env=surroundings(hub, tmp_path)
    )
    for way in AWAY:
        assert ask_away(hub, tmp_path, way, *LOADED) == [0.1, "loaded", "loaded"]


@pytest.mark.parametrize("way", AWAY)
def test_a_cache_of_the_usual_layout_is_enough(tmp_path, hub, way):
    fill_cache(tmp_path, NAME, OURS)
    assert ask_away(hub, tmp_path, way, *LOADED) == [0.1, "loaded", "loaded"]


@pytest.mark.parametrize("way", AWAY)
def test_a_cache_with_config_json_alone_gives_the_configuration(tmp_path, hub, way):
    fill_cache(tmp_path, NAME, ["config.json"])
    config, tokenizer, model = ask_away(hub, tmp_path, way, *LOADED)
    assert config == 0.1
    assert is_explained(tokenizer, way) and is_explained(model, way)


def test_an_interrupted_download_is_no_model(tmp_path, hub):
    hub.mishaps[WEIGHTS] = [1_000, *["403"] * 9]
    (first,) = ask(hub, tmp_path, ("DistilBertForMaskedLM", NAME, {}))
    assert first.startswith("CheckpointError")
    for way in AWAY:
        config, model = ask_away(hub, tmp_path, way, *LOADED[::2])
        assert config == 0.1 and is_explained(model, way)


@pytest.mark.parametrize("way", AWAY)
def test_no_cache_and_no_network(tmp_path, hub, way):
    assert all(is_explained(one, way) for one in ask_away(hub, tmp_path, way, *LOADED))


# --- what can be wrong ----------------------------------------------------------------

SIGN_UP = "set HF_TOKEN to a token of yours (huggingface.co/settings/tokens)"
NO_NAME = (
    f"{NOT_HERE}, not a folder, and no name for the Hugging Face Hub; expected one "
    "such as distilbert-base-uncased or owner/model"
)
UNKNOWN = (
    f"{NOT_HERE}, not a folder, and not on the Hugging Face Hub, or not for everyone; "
    f"check the spelling, or {SIGN_UP}"
)
TERMS = (
    "its owners want their terms accepted; do so at https://huggingface.co/gated and "
    f"{SIGN_UP}"
)
REFUSES = "the Hugging Face Hub answers {}; check HF_TOKEN if it is set, try again "
NO_REVISION = "it has no revision {!r}; expected a branch, a tag or a commit, or None "
NO_FILE = "its repository holds no "
ONLY_A_PICKLE = (
    "only pytorch_model.bin is here, a pickle, which could run code when opened; "
    "convert it with transformers: from_pretrained, then save_pretrained(folder), and "
    "give that folder"
)
NO_TEXT = "expected a name or a path, found "
NO_CACHE = "the cache of downloads cannot be read or written ([Errno {}] {}"


def without(*files):
    """Return the files of a repository that lacks some, and has a pickle."""
    return {name: FILES[name] for name in FILES if name not in files} | PICKLE


HELD = {
    "sound": FILES, "gated": FILES, "bare": {"README.md": b"Nothing yet."},
    "pickle": without(WEIGHTS), "no-config": without("config.json"),
    "no-words": without("tokenizer.json", "vocab.txt"),
}
REFUSED = {
    "private": (404, "RepoNotFound"), "s401": (401, "", b"No."), "s403": (403,),
    "s429": (429,), "s500": (500,), "s520": (520,),
    "login": (200, "", b"<html>Your room number?</html>"), "other": (200, "", b"{}"),
}
# A name, options, and what is said of them.
WRONG = [
    ("nobody", {}, UNKNOWN),
    ("nobody/has-this", {}, UNKNOWN),
    ("private", {}, UNKNOWN),
    ("gated", {}, TERMS),
    ("s401", {}, REFUSES.format("401 (Unauthorized)")),
    ("s403", {}, REFUSES.format("403 (Forbidden)")),
    ("s429", {}, REFUSES.format("429 (Too Many Requests)")),
    ("s500", {}, REFUSES.format("500 (Internal Server Error)")),
    ("s520", {}, REFUSES.format("520 (an error)")),
    ("login", {}, "what answers is not the Hugging Face Hub; log in to this network, "),
    ("other", {}, "not to be had from the Hugging Face Hub (KeyError('id')); copy a "),
    ("no-config", {}, NO_FILE + "config.json"),
    ("no-words", {}, NO_FILE + "tokenizer.json or vocab.txt"),
    ("bare", {}, NO_FILE + "config.json"),
    ("pickle", {}, ONLY_A_PICKLE),
    ("pickle", {"revision": "old"}, NO_FILE + f"{WEIGHTS} or {WEIGHTS}."),
    ("sound", {"revision": "nix"}, NO_REVISION.format("nix")),
    ("sound", {"revision": "0" * 40}, NO_REVISION.format("0" * 40)),
    ("a/b/c", {}, NO_NAME),
    ("two words", {}, NO_NAME),
    ("owner/", {}, NO_NAME),
    ("x" * 300, {}, NO_NAME),
    ("x\ny", {}, NO_NAME),
    ("", {}, NO_TEXT + "''"),
    ("x\0", {}, NO_TEXT + r"'x\x00'"),
    ("x\ud800", {}, NO_TEXT + r"'x\ud800'"),
    (None, {}, NO_TEXT + "None"),
    (["tiny"], {}, NO_TEXT + "['tiny']"),
    *[
        ("sound", {option: value}, NO_TEXT + repr(value))
        for option in ("revision", "cache_dir") for value in ("", "x\0", "x\ud800", 5)
    ],
    ("sound", {"cache_dir": __file__}, NO_CACHE.format(20, "Not a directory: '")),
    ("sound", {"cache_dir": "x" * 300}, NO_CACHE.format(36, "File name too long: '")),
]


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """Return what is said of each wrong call, all made in one process, and the Hub."""
    hub = SmallHub()
    hub.repositories = {name: {"main": files} for name, files in HELD.items()}
    hub.repositories["pickle"]["old"] = {"config.json": FILES["config.json"]}
    hub.refusals, hub.gated = REFUSED, {"gated"}
    calls = [
        ("DistilBertTokenizer" if name == "no-words" else "DistilBertForMaskedLM", name,
         options) for name, options, _ in WRONG
    ]
    yield ask(hub, tmp_path_factory.mktemp("home"), *calls), hub
    hub.close()


@pytest.mark.parametrize("i", range(len(WRONG)), ids=lambda i: repr(WRONG[i][:2])[:40])
def test_what_is_wrong_is_said_in_one_line(said, i):
    name, options, expected = WRONG[i]
    what = f"model {name!r:.98}"
    if expected.startswith(NO_TEXT):
        what = next(iter(options), "model")
    family = "FileError" if expected.startswith(NO_CACHE[:9]) else "CheckpointError"
    assert said[0][i].startswith(f"{family}: {what}: {expected}")
    assert "\n" not in said[0][i] and len(said[0][i]) < 500


def test_a_pickle_is_not_fetched(said):
    assert "pytorch_model.bin" not in said[1].fetched()


def test_a_full_disk(tmp_path, hub):
    pytest.importorskip("resource")
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10**6,) * 2)"
    words, model = ask(hub, tmp_path, LOADED[1], LOADED[2], before=limit)
    assert words == "loaded"
    expected = NO_CACHE.format(27, "File too large")
    assert model.startswith(f"FileError: model '{NAME}': {expected}")


@pytest.mark.parametrize("name", ["nobody", NAME])
def test_the_last_line_of_a_command_says_what_is_wrong(tmp_path, hub, name):
    if name == NAME:
        hub.close()
    run = fill_mask(hub, tmp_path, name)
    assert run.returncode == 2 and run.stdout == "" and "Traceback" not in run.stderr
    assert run.stderr.splitlines()[-1].startswith(f"fill-mask: model '{name}': ")


def shown_on_a_terminal(hub, home, name):
    """Return all that the command writes to a terminal of 80 columns as its stderr."""
    pty, fcntl, termios = map(pytest.importorskip, ("pty", "fcntl", "termios"))
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))

    def run():
        fill_mask(hub, home, name, stderr=theirs)
        os.close(theirs)

    Thread(target=run).start()
    shown = b""
    with suppress(OSError):                      # which is how a terminal ends
        while piece := os.read(ours, 4096):
            shown += piece
    os.close(ours)
    return shown.decode()


@pytest.mark.parametrize("name", ["gated", "pickle"])
def test_on_a_terminal_nothing_is_drawn_over_that_line(tmp_path, hub, name):
    hub.repositories |= {"pickle": {"main": without(WEIGHTS)}, "gated": {"main": FILES}}
    hub.gated = {"gated"}
    shown = shown_on_a_terminal(hub, tmp_path, name)
    assert "Fetching" in shown
    assert re.search(rf"[\r\n]fill-mask: model '{name}': [^\r\n\x1b]+\r\n$", shown)


# --- folders --------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["./nowhere", "/not/at/all", "~/nowhere"])
def test_a_path_that_leads_nowhere_is_not_sought_on_the_hub(path):
    with pytest.raises(CheckpointError, match=f"'{path}': there is no such folder"):
        find_model(path, CONFIG_FILES)


def test_a_file_is_not_sought_on_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(WEIGHTS).touch()
    with pytest.raises(CheckpointError, match=f"'{WEIGHTS}': is a file; give its f"):
        find_model(WEIGHTS, CONFIG_FILES, local_files_only=True)


def test_a_folder_goes_before_an_embedded_model_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_model("tiny", CONFIG_FILES) == EMBEDDED["tiny"]
    DistilBertConfig(n_layers=1).save_pretrained("tiny")
    assert DistilBertConfig.from_pretrained("tiny").n_layers == 1
    assert DistilBertConfig.from_pretrained(b"tiny").n_layers == 1
