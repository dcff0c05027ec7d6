"""The recorder: records of runs, folded from the ledger; live watches; facts for outsiders."""
