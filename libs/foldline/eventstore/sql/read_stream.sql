-- Events of one stream in order.
-- $1 stream, $2 version to start behind, $3 limit (null: all)
select transaction, number, stream, version, id::text as id, type, time, payload, meta, hash
from ledger.events
where stream = $1 and version > $2
order by version
limit $3
