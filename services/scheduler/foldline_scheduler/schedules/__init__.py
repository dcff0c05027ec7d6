"""Schedules and triggers: what starts runs without a person, driven by the owners of partitions (ADR 8)."""
