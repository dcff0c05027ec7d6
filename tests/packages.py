"""Packages made by tests: wheels and sources of a few lines, in a folder or served as a package index."""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
_COPY = """
import os, shutil, time
from pathlib import Path

def build_wheel(folder, *_):
    {code}
    shutil.copy({wheel!r}, folder)
    return os.path.basename({wheel!r})
"""


class Packages:
    """A folder of them. What is made is given as the line of a lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        """Paths that were asked of the served index."""
        folder.mkdir(parents=True, exist_ok=True)

    def wheel(
        self, name: str, version: str, *, requires: Sequence[str] = (), tag: str = "py3-none-any"
    ) -> str:
        """A module of that name with its VERSION."""
        return self._locked(name, version, _wheel(self.folder, name, version, requires, tag))

    def source(self, name: str, version: str, code: str) -> str:
        """There is no wheel, and building one runs `code`."""
        built = self.folder.parent / "built"
        built.mkdir(exist_ok=True)
        wheel = _wheel(built, name, version, (), "py3-none-any")
        path = self.folder / f"{name}-{version}.tar.gz"
        contents = {
            "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            "pyproject.toml": _PROJECT,
            "backend.py": _COPY.format(code=code, wheel=str(wheel)),
        }
        with tarfile.open(path, "w:gz") as archive:
            for file, text in contents.items():
                entry = tarfile.TarInfo(f"{name}-{version}/{file}")
                entry.size = len(text)
                archive.addfile(entry, io.BytesIO(text.encode()))
        return self._locked(name, version, path)

    @contextmanager
    def served(self, status: int = 200) -> Iterator[str]:
        """The address of a package index on this machine; it answers with that status."""
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, status))
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/simple"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def _locked(self, name: str, version: str, path: Path) -> str:
        return f"{name}=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def _wheel(folder: Path, name: str, version: str, requires: Sequence[str], tag: str) -> Path:
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    contents = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = "".join(f"{file},sha256={_digest(text)},{len(text)}\n" for file, text in contents.items())
    path = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in {**contents, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(file, text)
    return path


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def _handler(packages: Packages, status: int) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            packages.asked.append(self.path)
            *_, folder, name = self.path.rstrip("/").split("/")
            files = sorted(packages.folder.glob(f"{name}-*"))
            if status != 200:
                self._answer(status, b"")
            elif folder == "files":
                self._answer(200, (packages.folder / name).read_bytes())
            elif not files:
                self._answer(404, b"")
            else:
                links = "".join(f'<a href="/files/{file.name}">{file.name}</a>' for file in files)
                self._answer(200, f"<html><body>{links}</body></html>".encode(), "text/html")

        def _answer(self, status: int, body: bytes, kind: str = "application/octet-stream") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
