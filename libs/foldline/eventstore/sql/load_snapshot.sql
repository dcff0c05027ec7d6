-- The saved fold of a stream.
-- $1 stream
select stream, version, hash, schema, state
from ledger.snapshots
where stream = $1
