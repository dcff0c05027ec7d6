"""The port on which ranks meet."""

from __future__ import annotations

import socket

from foldline.runtime import ports
from foldline.runtime.ports import MeetingPort


def test_a_port_is_free_for_rank_0_and_reserved_from_other_launchers() -> None:
    with MeetingPort() as port:
        with socket.create_server(("127.0.0.1", port.number)):
            assert ports._reserved(port.number) is None
        assert ports._reserved(port.number) is None

    again = ports._reserved(port.number)
    assert again is not None
    again.close()


def test_a_port_that_somebody_listens_on_is_not_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert ports._reserved(server.getsockname()[1]) is None
