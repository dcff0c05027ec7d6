"""The only code that knows both domain and api: how values look in the ledger, on the bus and in RPCs."""
