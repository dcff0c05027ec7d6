"""The locked packages of a release: `lock` them when it is made, `build` them where its steps run. By uv."""

from __future__ import annotations

from foldline.environments.locks import lock
from foldline.environments.uv import Tell
from foldline.environments.venvs import Environments, build

__all__ = ["Environments", "Tell", "build", "lock"]
