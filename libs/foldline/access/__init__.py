"""Who may do what: tokens, the one policy, and the gRPC interceptor that applies it to every call."""

from foldline.access.identity import Caller, bearer_metadata, caller

__all__ = ["Caller", "bearer_metadata", "caller"]
