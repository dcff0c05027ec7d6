"""Schedules and triggers: what starts runs without a person, driven by the owner of the partitions (ADR 8)."""
