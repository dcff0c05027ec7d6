"""Delivery between processes and to outsiders, over NATS. Never truth: it can be dropped and rebuilt."""
