"""The backend of containers: every attempt in a container of its own, on an engine with Docker's API."""

from foldline_executor.container.backend import Containers
from foldline_executor.container.recipe import Terms

__all__ = ["Containers", "Terms"]
