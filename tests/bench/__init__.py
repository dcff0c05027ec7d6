"""Measurements: `make bench`. They print numbers and assert nothing."""
