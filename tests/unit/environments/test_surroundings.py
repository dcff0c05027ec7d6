"""What pip is told is told to uv, unless uv is told something of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from foldline.environments import surroundings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(surroundings, "SYSTEM", tmp_path / "etc")
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path


def told(home: Path, **variables: str) -> dict[str, str]:
    """What uv is told for choosing versions, on a machine with that home and nothing system-wide."""
    return surroundings.of_uv(environ(home, **variables), is_choosing=True)


def environ(home: Path, **variables: str) -> dict[str, str]:
    return {"HOME": str(home), "XDG_CONFIG_DIRS": str(home / "xdg"), **variables}


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
    assert "UV_CONSTRAINT" not in surroundings.of_uv(environ(home), is_choosing=False)


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


def uv_toml(folder: Path, text: str, name: str = "uv.toml") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


@pytest.mark.parametrize(
    "text", ['[[index]]\nurl = "https://uv.example/simple"\n', '[pip]\nfind-links = ["/wheels"]\n']
)
def test_uvs_own_file_stands_alone(home: Path, text: str) -> None:
    uv_toml(home / ".config" / "uv", text)

    assert "UV_DEFAULT_INDEX" not in told(home, PIP_INDEX_URL="https://pip.example/simple")


def test_a_file_of_uvs_that_names_no_index_leaves_that_to_pip(home: Path) -> None:
    uv_toml(home / ".config" / "uv", 'link-mode = "copy"\n')

    found = told(home, PIP_INDEX_URL="https://pip.example/simple")

    assert found["UV_DEFAULT_INDEX"] == "https://pip.example/simple"


def test_the_index_of_the_project_counts_for_a_lock_but_not_for_building(home: Path) -> None:
    index = '[[tool.uv.index]]\nurl = "https://project.example/simple"\n'
    uv_toml(home / "project", index, "pyproject.toml")

    pip = {"PIP_INDEX_URL": "https://pip.example/simple"}

    assert "UV_DEFAULT_INDEX" not in told(home, **pip)
    building = surroundings.of_uv(environ(home, **pip), is_choosing=False)
    assert building["UV_DEFAULT_INDEX"] == "https://pip.example/simple"


@pytest.mark.parametrize("name", ["PYTHONDONTWRITEBYTECODE", "UV_PYTHON", "UV_SYSTEM_PYTHON", "VIRTUAL_ENV"])
def test_what_would_lead_uv_to_another_place_is_not_told(home: Path, name: str) -> None:
    assert name not in told(home, **{name: "1"})


def test_certificates_that_are_set_stay(home: Path) -> None:
    (home / "ca.pem").touch()

    assert told(home, SSL_CERT_FILE="/own.pem", PIP_CERT=f"{home}/ca.pem")["SSL_CERT_FILE"] == "/own.pem"


def test_a_file_that_pip_could_not_read_does_no_harm(home: Path) -> None:
    pip_conf(home, "index-url without a section\n")

    assert "UV_DEFAULT_INDEX" not in told(home)
