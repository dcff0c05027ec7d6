"""What pip is told is told to uv, unless uv is told something of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from foldline.environments import surroundings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(surroundings, "SYSTEM", tmp_path / "etc")
    return tmp_path


def told(home: Path, *, is_choosing: bool = True, **variables: str) -> dict[str, str]:
    """What uv is told on a machine with that home and nothing system-wide."""
    environ = {"HOME": str(home), "XDG_CONFIG_DIRS": str(home / "xdg"), **variables}
    return surroundings.of_uv(environ, is_choosing=is_choosing)


def pip_conf(home: Path, text: str) -> None:
    folder = home / ".config" / "pip"
    folder.mkdir(parents=True)
    (folder / "pip.conf").write_text(text)


def test_uv_never_downloads_python_and_trusts_the_machines_certificates(home: Path) -> None:
    found = told(home)

    assert found["UV_PYTHON_DOWNLOADS"] == "never"
    assert found["UV_SYSTEM_CERTS"] == "1"


def test_secrets_of_the_installation_are_not_told(home: Path) -> None:
    assert "FOLDLINE_TOKEN_KEY" not in told(home, FOLDLINE_TOKEN_KEY="secret")


def test_pips_file_is_translated(home: Path) -> None:
    (home / "ca.pem").touch()
    (home / "limits.txt").touch()
    pip_conf(
        home,
        f"""[global]
        index-url = https://mirror.example/simple
        extra-index-url = https://a.example/simple
            https://b.example/simple
        trusted-host = mirror.example
        cert = {home}/ca.pem
        [install]
        constraint = {home}/limits.txt
        """,
    )

    found = told(home)

    assert found["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert found["UV_INDEX"] == "https://a.example/simple https://b.example/simple"
    assert found["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert found["UV_INSECURE_HOST"] == "mirror.example"
    assert found["SSL_CERT_FILE"] == f"{home}/ca.pem"
    assert found["UV_CONSTRAINT"] == f"{home}/limits.txt"
    assert "UV_CONSTRAINT" not in told(home, is_choosing=False)


def test_pips_variables_win_over_its_files(home: Path) -> None:
    pip_conf(home, "[global]\nindex-url = https://file.example/simple\n")

    assert told(home, PIP_INDEX_URL="https://var.example/simple")["UV_DEFAULT_INDEX"] == (
        "https://var.example/simple"
    )


def test_a_folder_that_is_not_there_is_left_out(home: Path) -> None:
    (home / "wheels").mkdir()

    found = told(
        home,
        PIP_EXTRA_INDEX_URL=f"file://{home}/none/simple file://{home}/wheels",
        PIP_FIND_LINKS=f"{home}/none {home}/wheels",
    )

    assert found["UV_INDEX"] == f"file://{home}/wheels"
    assert found["UV_FIND_LINKS"] == f"{home}/wheels"


def test_what_uv_is_told_itself_stands_alone(home: Path) -> None:
    found = told(
        home,
        UV_DEFAULT_INDEX="https://uv.example/simple",
        PIP_INDEX_URL="https://pip.example/simple",
        PIP_EXTRA_INDEX_URL="https://more.example/simple",
    )

    assert found["UV_DEFAULT_INDEX"] == "https://uv.example/simple"
    assert "UV_INDEX" not in found


def test_uvs_own_file_stands_alone(home: Path) -> None:
    (home / ".config" / "uv").mkdir(parents=True)
    (home / ".config" / "uv" / "uv.toml").touch()

    assert "UV_DEFAULT_INDEX" not in told(home, PIP_INDEX_URL="https://pip.example/simple")


def test_certificates_that_are_set_stay(home: Path) -> None:
    (home / "ca.pem").touch()

    assert told(home, SSL_CERT_FILE="/own.pem", PIP_CERT=f"{home}/ca.pem")["SSL_CERT_FILE"] == "/own.pem"


def test_a_file_that_pip_could_not_read_does_no_harm(home: Path) -> None:
    pip_conf(home, "index-url without a section\n")

    assert "UV_DEFAULT_INDEX" not in told(home)
