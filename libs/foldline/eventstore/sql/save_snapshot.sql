-- Keep a fold, unless a newer one of the same code is there.
-- $1 stream, $2 version, $3 hash, $4 schema, $5 state
insert into ledger.snapshots (stream, version, hash, schema, state)
values ($1, $2, $3, $4, $5)
on conflict (stream) do update
set version = excluded.version, hash = excluded.hash, schema = excluded.schema, state = excluded.state,
    saved_at = now()
where snapshots.version < excluded.version or snapshots.schema <> excluded.schema
