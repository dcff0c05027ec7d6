"""`foldline chaos`: hurt an installation by seed while workflows run, then check what the ledger says.

    plan       what will be hurt and after which events, from the seed alone (pure)
    workload   generated workflows, and how they must end (pure)
    wires      connections to NATS and Postgres that can be cut
    faults     hurting processes, connections, files, NATS and Postgres for real
    histories  the ledger as it grows
    people     who answers what the runs ask
    checker    what must hold of every history, whatever happened (pure; `attempts`, `families`)
    campaign   one seed from start to verdict

The checker believes nobody but the ledger, the artifact store, and the witness: a folder in which every
attempt leaves a file the moment its function is called, so that one that was started twice is seen.
"""
