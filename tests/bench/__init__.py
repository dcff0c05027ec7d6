"""Measurements: `make bench`. They print numbers and assert nothing. What each means: docs/performance.md."""
