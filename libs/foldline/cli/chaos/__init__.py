"""`foldline chaos`: hurt an installation by seed while workflows run, then check what the ledger says.

    plan       what will be run and what will be hurt, from the seed alone (pure)
    workload   generated workflows, and what they must give (pure)
    faults     hurting processes, NATS and Postgres for real
    checker    what must hold of every history, whatever happened (pure)
    campaign   one seed from start to verdict

The checker believes nobody but the ledger, the artifact store, and the witness: a folder in which every
attempt leaves a file the moment its function is called, so that one that was started twice is seen.
"""
