"""A small Hugging Face Hub on loopback, and what can go wrong with one."""

import hashlib
import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote, urlsplit

# What is asked for: a repository's description, the list of its files (or of those in
# one of its folders), or a file.
DESCRIPTION = re.compile(r"/api/models/(?P<name>.+?)(/revision/(?P<revision>.+))?")
LIST = re.compile(r"/api/models/(?P<name>.+?)/tree/(?P<revision>[^/]+)(?P<folder>/.+)?")
FILE = re.compile(r"/(?P<name>.+?)/resolve/(?P<revision>[^/]+)/(?P<file>.+)")


def digest(content):
    """Return 40 hexadecimal digits, such as git names commits and files by."""
    return hashlib.sha1(content).hexdigest()


class SmallHub(ThreadingHTTPServer):
    """What the Hub holds, what is wrong with it, and what it was asked for.

    repositories  name → revision → name of a file → bytes
    renamed       old name → new name
    refusals      name → the arguments of `Visit.refuse`, whatever is asked of it
    gated         names of repositories whose files are for those with a token
    mishaps       name of a file → what happens to its next downloads: a number, and the
                  connection is cut after so many bytes; a text, and that is the status
    asked         (method, path, range) of each request
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Visit)
        self.endpoint = f"http://127.0.0.1:{self.server_port}"
        self.repositories, self.renamed, self.refusals = {}, {}, {}
        self.gated, self.mishaps, self.asked = set(), {}, []
        Thread(target=self.serve_forever, daemon=True).start()

    def close(self):
        """Be gone: connections are refused."""
        self.shutdown()
        self.server_close()

    def fetched(self):
        """Return the names of the files that were downloaded, as often as they were."""
        return sorted(
            path.rsplit("/", 1)[1] for method, path, _ in self.asked
            if method == "GET" and FILE.fullmatch(path)
        )

    def commit(self, name, revision="main"):
        """Return the commit that a revision of a repository means, or None."""
        for branch in self.repositories[name]:
            commit = digest(f"{name} {branch}".encode())
            if revision in (branch, commit):
                return commit
        return None

    def files(self, name, commit):
        """Return the files of a repository at a commit."""
        branches = self.repositories[name].items()
        return next(files for b, files in branches if self.commit(name, b) == commit)


class Visit(BaseHTTPRequestHandler):
    """One request, answered in the Hub's manner."""

    def do_GET(self):
        hub, path = self.server, unquote(urlsplit(self.path).path)
        hub.asked.append((self.command, path, self.headers["Range"]))
        found = [form.fullmatch(path) for form in (LIST, FILE, DESCRIPTION)]
        wanted = next((match for match in found if match), None)
        if wanted is None:
            return self.refuse(404)
        name = wanted["name"]
        if name in hub.renamed:
            new = path.replace(f"/{name}", f"/{hub.renamed[name]}", 1)
            return self.answer(307, {"Location": new})
        if name in hub.refusals:
            return self.refuse(*hub.refusals[name])
        if name not in hub.repositories:
            return self.refuse(401, "RepoNotFound")
        commit = hub.commit(name, wanted["revision"] or "main")
        if commit is None:
            return self.refuse(404, "RevisionNotFound")
        files = hub.files(name, commit)
        if wanted.re is FILE:
            return self.give(name, commit, files, wanted["file"])
        if wanted.re is LIST and wanted["folder"]:
            return self.refuse(404, "EntryNotFound")
        return self.describe(name, commit, files, wanted.re)

    do_HEAD = do_GET

    def describe(self, name, commit, files, form):
        """Answer with a repository's description or the list of its files."""
        if form is LIST:
            about = [
                {"type": "file", "path": file, "size": len(files[file]),
                 "oid": digest(files[file])}
                for file in files
            ]
        else:
            about = {
                "id": name, "modelId": name, "sha": commit, "private": False,
                "disabled": False, "downloads": 0, "likes": 0, "tags": [],
                "siblings": [{"rfilename": file} for file in files],
            }
        self.answer(200, {}, json.dumps(about).encode())

    def give(self, name, commit, files, file):
        """Answer with a file, or with its end, if that is what is wanted."""
        if name in self.server.gated and not self.headers["Authorization"]:
            return self.refuse(401, "GatedRepo")
        if file not in files:
            return self.refuse(404, "EntryNotFound")
        mishaps = self.server.mishaps.get(file) if self.command == "GET" else None
        mishap = mishaps.pop(0) if mishaps else None
        if isinstance(mishap, str):
            return self.refuse(int(mishap))
        content = files[file]
        headers = {"ETag": f'"{digest(content)}"', "X-Repo-Commit": commit}
        if self.headers["Range"] is None:
            return self.answer(200, headers, content, mishap)
        start = int(re.fullmatch(r"bytes=(\d+)-", self.headers["Range"])[1])
        headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return self.answer(206, headers, content[start:], mishap)

    def refuse(self, status, error="", body=b""):
        """Answer with a status, and the Hub's name for the error."""
        self.answer(status, {"X-Error-Code": error} if error else {}, body)

    def answer(self, status, headers, body=b"", cut=None):
        """Send an answer, or only the first `cut` bytes of its body."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[:cut])

    def log_message(self, *_):
        """Stay quiet."""
