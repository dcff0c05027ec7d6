"""The gRPC edge, one module per service: parse, call, reply. No rules."""
