"""A name on the Hugging Face Hub: the real client, and a small Hub on loopback."""

import hashlib
import json
import os
import subprocess
import sys
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from distilbert_np import CheckpointError, DistilBertConfig
from distilbert_np.hub import CONFIG_FILES, EMBEDDED, find_model

NAME = "distilbert-base-uncased"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {path.name: path for path in EMBEDDED["tiny"].iterdir()}
FILES["pytorch_model.bin"] = None                # what must not be fetched


class SmallHub(BaseHTTPRequestHandler):
    """Serves one repository as the Hub does: its description, its tree, its files."""

    def __init__(self, asked, *arguments):
        self.asked = asked
        super().__init__(*arguments)

    def do_HEAD(self):
        self.respond(with_body=False)

    def do_GET(self):
        self.respond(with_body=True)

    def respond(self, with_body):
        path = self.path.split("?")[0]
        self.asked.append(path)
        headers, body = {}, None
        if path.startswith(f"/api/models/{NAME}/tree/"):
            body = json.dumps([self.entry(name) for name in FILES]).encode()
        elif path.startswith(f"/api/models/{NAME}"):
            siblings = [{"rfilename": name} for name in FILES]
            about = {"id": NAME, "modelId": NAME, "sha": COMMIT, "siblings": siblings}
            body = json.dumps(about).encode()
        elif path.startswith(f"/{NAME}/resolve/"):
            body = self.content(path.rsplit("/", 1)[1])
            headers = {"ETag": f'"{self.digest(body)}"', "X-Repo-Commit": COMMIT}
        self.send_response(404 if body is None else 200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        if with_body and body:
            self.wfile.write(body)

    def content(self, name):
        return FILES[name].read_bytes() if FILES.get(name) else b"not to be fetched"

    def digest(self, body):
        return hashlib.sha1(body).hexdigest()

    def entry(self, name):
        body = self.content(name)
        return {
            "type": "file", "path": name, "size": len(body), "oid": self.digest(body),
        }

    def log_message(self, *_):
        """Stay quiet."""


@pytest.fixture
def hub():
    """Run the small Hub; give its address and the paths it was asked for."""
    asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SmallHub, asked))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def fill_mask(name, home, endpoint, **surroundings):
    """Run the README's command on the model of a name, in a process of its own."""
    command = [sys.executable, "-m", "distilbert_np", "fill-mask", "--model", name]
    return subprocess.run(
        [*command, "The capital of France is [MASK]."],
        capture_output=True, text=True,
        env=os.environ | {"HF_HOME": str(home), "HF_ENDPOINT": endpoint} | surroundings,
    )


def test_a_model_is_downloaded_once_and_then_found_in_the_cache(tmp_path, hub):
    endpoint, asked = hub
    run = fill_mask(NAME, tmp_path, endpoint)
    assert run.returncode == 0, run.stderr
    assert "paris" in run.stdout and f"model: {NAME}" in run.stdout
    fetched = {path.rsplit("/", 1)[1] for path in asked if "/resolve/" in path}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= fetched
    assert not fetched & {"pytorch_model.bin", "README.md"}

    asked.clear()
    again = fill_mask(NAME, tmp_path, endpoint, HF_HUB_OFFLINE="1")
    assert again.stdout == run.stdout and asked == []


def test_a_name_that_does_not_exist(tmp_path, hub):
    endpoint, _ = hub
    run = fill_mask("nobody", tmp_path, endpoint)
    assert run.returncode == 2 and "Traceback" not in run.stderr
    assert "'nobody'" in run.stderr.splitlines()[-1]


@pytest.mark.parametrize("path", ["./nowhere", "/nowhere/at/all", "~/nowhere"])
def test_a_path_that_leads_nowhere_is_not_sought_on_the_hub(path):
    with pytest.raises(CheckpointError, match=f"'{path}': there is no such folder"):
        find_model(path, CONFIG_FILES)


def test_a_folder_goes_before_an_embedded_model_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_model("tiny", CONFIG_FILES) == EMBEDDED["tiny"]
    DistilBertConfig(n_layers=1).save_pretrained("tiny")
    assert DistilBertConfig.from_pretrained("tiny").n_layers == 1
