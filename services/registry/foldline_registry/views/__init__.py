"""Read models: what lists are made of. Schema `registry`; derived from the ledger alone, may be dropped."""
