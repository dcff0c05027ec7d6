-- The changes of a page of the ledger and the position behind it, together. The position's row comes first: two
-- schedulers that save the same page take turns.
-- $1 ids of runs that are open text[], $2 their partitions integer[], $3 ids of runs that have ended text[],
-- $4 position text
with saved as (
    insert into scheduler.checkpoint (position)
    values ($4)
    on conflict (singleton) do update set position = excluded.position
    returning singleton
),
opened as (
    insert into scheduler.open_runs (run_id, partition)
    select run.run_id, run.partition
    from saved, unnest($1::text[], $2::integer[]) as run (run_id, partition)
    on conflict (run_id) do nothing
)
delete from scheduler.open_runs
using saved
where run_id = any ($3::text[])
