"""A hub of our own on this machine: what it serves is fetched, checked and gone on with."""

import hashlib
import http.server
import json
import threading
from pathlib import Path

import pytest

from moebench.perft.base_model import BaseModelError, load_base
from moebench.perft.hub import fetch
from moebench.setting import prepare
from tests.perft.tiny import olmoe

REVISION = "0123456789abcdef0123456789abcdef01234567"
NAME = "somebody/tiny-olmoe"


class Hub(http.server.BaseHTTPRequestHandler):
    """One model at one revision; safetensors are stated by sha256, the rest as git does."""

    folder: Path
    lies = False
    served: list[str]

    def do_HEAD(self):
        self._answer(with_body=False)

    def do_GET(self):
        self._answer(with_body=True)

    def _answer(self, with_body):
        path = self.path.partition("?")[0]
        if path.startswith(f"/api/models/{NAME}/revision/{REVISION}"):
            self._send(json.dumps(self._model()).encode(), {}, with_body)
        elif path.startswith(f"/api/models/{NAME}/tree/{REVISION}"):
            self._send(json.dumps(self._tree()).encode(), {}, with_body)
        elif path.startswith(f"/{NAME}/resolve/{REVISION}/"):
            name = path.rpartition("/")[2]
            if with_body:
                self.served.append(name)
            content = (self.folder / name).read_bytes()
            headers = {"ETag": f'"{self._etag(content)}"', "X-Repo-Commit": REVISION}
            self._send(content, headers, with_body)
        else:
            self.send_error(404)

    def _send(self, content, headers, with_body):
        self.send_response(200)
        for key, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def _etag(self, content):
        return hashlib.sha256(content).hexdigest()

    def _model(self):
        files = []
        for file in sorted(self.folder.iterdir()):
            content = file.read_bytes()
            if self.lies:
                content += b"!"
            stated = {"rfilename": file.name, "size": len(content), "blobId": git_digest(content)}
            if file.suffix == ".safetensors":
                digest = hashlib.sha256(content).hexdigest()
                stated["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 1}
            files.append(stated)
        return {"id": NAME, "sha": REVISION, "siblings": files, "private": False, "tags": []}

    def _tree(self):
        return [
            {
                "type": "file",
                "path": each["rfilename"],
                "size": each["size"],
                "oid": each["blobId"],
            }
            for each in self._model()["siblings"]
        ]

    def log_message(self, *args):
        pass


def git_digest(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@pytest.fixture
def hub(tmp_path):
    source = tmp_path / "source"
    olmoe().save_pretrained(source)
    (source / "README.md").write_text("not wanted")
    handler = type("OneHub", (Hub,), {"folder": source, "served": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    handler.address = f"http://127.0.0.1:{server.server_port}"
    yield handler
    server.shutdown()
    server.server_close()


def test_a_model_is_fetched_whole_and_loads_as_any_folder_does(hub, tmp_path):
    fetch(NAME, REVISION, tmp_path / "base", hub.address)
    assert "README.md" not in hub.served
    assert load_base(tmp_path / "base", prepare("cpu", "float32", 1)).shape.num_experts == 4


def test_what_is_there_already_is_not_fetched_again(hub, tmp_path):
    fetch(NAME, REVISION, tmp_path / "base", hub.address)
    (tmp_path / "base" / "config.json").unlink()
    hub.served.clear()
    fetch(NAME, REVISION, tmp_path / "base", hub.address)
    assert hub.served == ["config.json"]


def test_a_file_that_is_not_what_the_hub_states_is_refused_and_removed(hub, tmp_path):
    hub.lies = True
    with pytest.raises(BaseModelError, match=r"config\.json: its digest .* fetch again"):
        fetch(NAME, REVISION, tmp_path / "base", hub.address)
    assert not (tmp_path / "base" / "config.json").exists()


def test_weights_that_changed_on_the_way_are_refused(hub, tmp_path):
    fetch(NAME, REVISION, tmp_path / "base", hub.address)
    weights = tmp_path / "base" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(BaseModelError, match=r"model\.safetensors: its digest"):
        fetch(NAME, REVISION, tmp_path / "base", hub.address)


def test_an_unknown_model_is_refused_in_one_line(hub, tmp_path):
    with pytest.raises(BaseModelError, match="nobody/nothing: cannot read revision") as told:
        fetch("nobody/nothing", REVISION, tmp_path / "base", hub.address)
    assert "\n" not in str(told.value)


def test_without_network_one_line_says_what_to_do(tmp_path):
    with pytest.raises(BaseModelError, match="connect to the network") as told:
        fetch(NAME, REVISION, tmp_path / "base", "http://127.0.0.1:9")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("revision", ["main", REVISION[:12], REVISION.upper()])
def test_a_revision_that_is_not_pinned_is_refused(revision, tmp_path):
    with pytest.raises(BaseModelError, match="is not pinned"):
        fetch(NAME, revision, tmp_path)
