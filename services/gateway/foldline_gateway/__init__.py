"""The gateway: one address for browsers, scripts and gRPC clients, in front of all services."""
