-- $1 name text: I leave, and nobody need wait for what I owned.
with gone as (
    delete from scheduler.members where name = $1
)
update scheduler.partitions set owner = '' where owner = $1
