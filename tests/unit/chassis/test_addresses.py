from __future__ import annotations

import pytest

from foldline.chassis import addresses


@pytest.mark.parametrize(
    ("address", "parts"),
    [("127.0.0.1:80", ("127.0.0.1", 80)), ("[::1]:0", ("::1", 0)), ("registry:65535", ("registry", 65535))],
)
def test_an_address_is_a_host_and_a_port(address: str, parts: tuple[str, int]) -> None:
    assert addresses.split(address) == parts


@pytest.mark.parametrize("address", ["", "80", ":80", "host:", "host:x", "host:65536", "host:-1"])
def test_anything_else_is_refused_by_name(address: str) -> None:
    with pytest.raises(ValueError, match="is not an address"):
        addresses.split(address)
