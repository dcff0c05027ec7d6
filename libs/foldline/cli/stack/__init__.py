"""The embedded stack: Postgres and NATS from wheels, and the supervisor that keeps the processes running."""
