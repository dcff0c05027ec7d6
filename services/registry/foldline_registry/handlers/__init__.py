"""The use cases, one module per noun: read streams, let the aggregate decide, store, answer with states."""
