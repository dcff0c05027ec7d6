"""The ledger: append facts to streams, read them back in a fixed order, prove that none was changed."""
