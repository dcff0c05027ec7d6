"""A container engine for the tests: started where Docker is installed and we may, with an image made here."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest

IMAGE = "foldline-test-base"
"""The programs and libraries of this machine that a Python needs; no Python."""

_PATIENCE_SECONDS = 60.0
_LINKED = (
    *("ld-linux*", "libc", "libm", "libdl", "libpthread", "libutil", "librt", "libgcc_s", "libselinux"),
    *("libz", "libssl", "libcrypto", "libffi", "libbz2", "liblzma", "libexpat", "libuuid", "libcrypt"),
    "libpcre2-8",
)
_LIBRARIES = ("usr/lib64", "usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu")
_FOLDERS = ("tmp", "etc", "proc", "dev", "sys", "opt", "root", "usr", "usr/bin", "usr/lib", *_LIBRARIES)
_PROGRAMS = ("sh", "cat", "sleep", "env", "ls", "head", "seq", "dd", "touch", "tr", "ln", "grep")


class NoEngine(Exception):
    """Why none can be had here."""


@contextmanager
def engine() -> Iterator[Path]:
    """The socket of an engine of our own. Where there can be none the tests that ask for it are skipped."""
    try:
        with _engine() as socket:
            yield socket
    except NoEngine as reason:
        pytest.skip(f"no container engine: {reason}")


@contextmanager
def _engine() -> Iterator[Path]:
    if os.getuid() != 0:
        raise NoEngine("only root may start a container engine")
    missing = [name for name in ("dockerd", "containerd", "runc", "docker") if shutil.which(name) is None]
    if missing:
        raise NoEngine(f"not installed: {', '.join(missing)}")
    # The socket's path must be short, and its folders are large.
    root = Path(tempfile.mkdtemp(prefix="engine-"))
    socket, log = root / "docker.sock", root / "log"
    command = [
        "dockerd",
        "--storage-driver=vfs",
        f"--data-root={root / 'data'}",
        f"--exec-root={root / 'exec'}",
    ]
    command += [f"--host=unix://{socket}", f"--pidfile={root / 'pid'}"]
    command += ["--bridge=none", "--iptables=false", "--ip-masq=false"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
    try:
        _wait_for(socket, process, log)
        _import(socket, IMAGE, _system())
        yield socket
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(root, ignore_errors=True)


def docker(socket: Path, *arguments: str, content: bytes = b"") -> str:
    done = subprocess.run(
        ["docker", "--host", f"unix://{socket}", *arguments], input=content, capture_output=True, check=False
    )
    if done.returncode:
        raise NoEngine(f"docker {' '.join(arguments)}: {done.stderr.decode()}")
    return done.stdout.decode()


def _wait_for(socket: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise NoEngine(f"dockerd ended: {log.read_text()[-500:]}")
        try:
            docker(socket, "info")
        except NoEngine:
            time.sleep(0.1)
        else:
            return
    raise NoEngine(f"dockerd does not answer: {log.read_text()[-500:]}")


def _import(socket: Path, name: str, archive: bytes) -> None:
    docker(socket, "import", "-", name, content=archive)


def _system() -> bytes:
    """An archive of a minimal system: some programs and all shared libraries of this machine's own."""
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for folder in _FOLDERS:
            made = tarfile.TarInfo(folder)
            made.type, made.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            archive.addfile(made)
        for program in _PROGRAMS:
            found = Path(shutil.which(program) or f"/bin/{program}").resolve()
            archive.add(found, f"usr/bin/{program}")
        for link, target in (("bin", "usr/bin"), ("lib", "usr/lib"), ("lib64", "usr/lib64")):
            made = tarfile.TarInfo(link)
            made.type, made.linkname = tarfile.SYMTYPE, target
            archive.addfile(made)
        for library in _libraries():
            archive.add(
                library, str(library).lstrip("/") if str(library).startswith("/usr") else f"usr{library}"
            )
    return out.getvalue()


def _libraries() -> Iterator[Path]:
    """What Python and the programs are linked with, links to it included."""
    for root in (Path("/") / folder for folder in _LIBRARIES):
        for name in _LINKED:
            yield from sorted(root.glob(f"{name}.so*"))
