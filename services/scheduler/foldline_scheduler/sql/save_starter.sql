-- $1 stream text, $2 category text, $3 workspace text, $4 name text, $5 partition integer, $6 version bigint,
-- $7 hash bytea, $8 is_deleted boolean, $9 state text
insert into scheduler.starters (stream, category, workspace, name, partition, version, hash, is_deleted, state)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (stream) do update
set version = excluded.version, hash = excluded.hash, is_deleted = excluded.is_deleted, state = excluded.state
