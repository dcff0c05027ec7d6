-- Append the events of many streams, all or none of them, in the order given.
-- Unless every expected head is there nothing is inserted: that a version is free does not prove that
-- the one before it is taken, nor by whom. A version that is taken violates the primary key.
-- $1 streams, $2 versions, $3 ids, $4 types, $5 times, $6 payloads, $7 metas, $8 hashes: one element per event
-- $9 streams, $10 versions, $11 hashes: the expected heads of streams that have events
insert into ledger.events (stream, version, id, type, time, payload, meta, hash)
select new.stream, new.version, new.id, new.type, new.time, new.payload, new.meta, new.hash
from unnest(
    $1::text[], $2::bigint[], $3::uuid[], $4::text[], $5::timestamptz[], $6::text[], $7::text[], $8::bytea[]
) with ordinality as new (stream, version, id, type, time, payload, meta, hash, place)
where not exists (
    select
    from unnest($9::text[], $10::bigint[], $11::bytea[]) as expected (stream, version, hash)
    where expected.hash is distinct from (
        select head.hash
        from ledger.events as head
        where head.stream = expected.stream and head.version = expected.version
    )
)
order by new.place
