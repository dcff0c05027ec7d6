-- The newest version of each stream; none for a stream without events.
-- $1 streams
select asked.stream, newest.version
from unnest($1::text[]) asked (stream)
cross join lateral (
    select version from ledger.events where stream = asked.stream order by version desc limit 1
) newest
