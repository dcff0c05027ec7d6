"""A real S3 server for tests: SeaweedFS from its wheel, on the loopback, in a folder that goes with the test.

It is a test dependency only. Its memory is bounded, and it is ended with SIGKILL: a graceful end takes it
half a minute, and its data are thrown away.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from foldline.cli.stack.leash import leash
from foldline.cli.stack.ports import free_port

BUCKET = "artifacts"
KEY = "foldline-test-key"
SECRET = "this-secret-must-never-be-seen"

_PORTS = ("master", "volume", "filer", "s3")
_START_SECONDS = 60.0
_MEMORY = "256MiB"


class S3Server:
    """`weed mini`: master, volume, filer and S3 gateway in one process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = {name: free_port() for name in (*_PORTS, *(f"{one}.grpc" for one in _PORTS))}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._ports['s3']}"

    @property
    def environment(self) -> Mapping[str, str]:
        """What a client reads of it; see docs/artifacts.md."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }

    def start(self) -> None:
        (self._folder / "data").mkdir(parents=True, exist_ok=True)
        config = self._folder / "s3.json"
        config.write_text(json.dumps(_CONFIG))
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(Path(sys.executable).with_name("weed")),
                    *("-logtostderr=true", "mini", f"-dir={self._folder / 'data'}"),
                    *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-admin.ui=false", "-webdav=false"),
                    *("-s3.iam=false", f"-s3.config={config}", "-s3.port.iceberg=0", f"-bucket={BUCKET}"),
                    *("-master.telemetry=false", "-master.volumeSizeLimitMB=256"),
                    *(
                        f"-{name.partition('.')[0]}.port{_grpc(name)}={port}"
                        for name, port in self._ports.items()
                    ),
                ],
                cwd=self._folder,
                env={"PATH": "/usr/bin:/bin", "HOME": str(self._folder), "GOMEMLIMIT": _MEMORY},
                preexec_fn=leash(signal.SIGKILL),
                stdout=log,
                stderr=log,
            )
        self._wait()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self._has_bucket():
            assert self._process is not None
            assert self._process.poll() is None, self._log()
            assert time.monotonic() < deadline, f"the S3 server does not answer:\n{self._log()}"
            time.sleep(0.05)

    def _has_bucket(self) -> bool:
        import obstore
        from obstore import exceptions
        from obstore.store import S3Store

        try:
            with urllib.request.urlopen(self.endpoint, timeout=2):
                pass
        except urllib.error.HTTPError:
            pass  # it answers: not to strangers
        except OSError:
            return False
        store = S3Store(
            BUCKET,
            endpoint=self.endpoint,
            access_key_id=KEY,
            secret_access_key=SECRET,
            region="us-east-1",
            client_options={"allow_http": True, "timeout": "5s"},
            retry_config={"max_retries": 0},
        )
        try:
            obstore.put(store, "ready", b"", mode="overwrite")
        except (exceptions.BaseError, OSError):
            return False
        return True

    def _log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")[-4000:]


def _grpc(name: str) -> str:
    return ".grpc" if name.endswith(".grpc") else ""


_CONFIG = {
    "identities": [
        {
            "name": "foldline",
            "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
    ]
}


@contextmanager
def running(folder: Path) -> Iterator[S3Server]:
    server = S3Server(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
