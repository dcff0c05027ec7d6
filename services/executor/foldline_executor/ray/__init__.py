"""The backend of Ray: attempts on the nodes of a cluster, where this executor is the resident agent."""

from foldline_executor.ray.backend import RayCluster
from foldline_executor.ray.cluster import Terms

__all__ = ["RayCluster", "Terms"]
