-- How many of these events stand in the stream: settles whether a commit whose answer was lost took place.
-- $1 stream, $2 first version, $3 ids in order of version
select count(*)
from unnest($3::uuid[]) with ordinality as mine (id, place)
join ledger.events as event
    on event.stream = $1 and event.version = $2::bigint + mine.place - 1 and event.id = mine.id
