-- Write rows and the follower's position in one statement, so in one short transaction. A row is only ever
-- replaced by a newer one, and the position only grows, so several recorders may do the same work at once.
-- The commit does not wait for the disk: what a crash loses is derived again, for the position is lost with it.
-- $1 run ids, $2 workspaces, $3 workflows, $4 statuses, $5 transactions, $6 numbers, $7 versions, $8 runs as JSON,
-- $9 runs that they are inside of, $10 todos as JSON, $11 since when the oldest todo waits
-- $12 follower, $13 transaction, $14 number
with written as (
    insert into recorder.runs as old (
        run_id, workspace, workflow, status, transaction, number, version, run, parent, todos, oldest_todo
    )
    select
        new.run_id, new.workspace, new.workflow, new.status, new.transaction, new.number, new.version, new.run,
        new.parent, new.todos, new.oldest_todo
    from unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::xid8[], $6::bigint[], $7::bigint[], $8::text[],
        $9::text[], $10::text[], $11::timestamptz[]
    ) as new (
        run_id, workspace, workflow, status, transaction, number, version, run, parent, todos, oldest_todo
    )
    order by new.run_id
    on conflict (run_id) do update
    set
        status = excluded.status,
        version = excluded.version,
        run = excluded.run,
        todos = excluded.todos,
        oldest_todo = excluded.oldest_todo
    where old.version < excluded.version
),
saved as (
    insert into recorder.checkpoints as old (follower, transaction, number)
    values ($12, $13::xid8, $14)
    on conflict (follower) do update
    set transaction = excluded.transaction, number = excluded.number
    where (old.transaction, old.number) < (excluded.transaction, excluded.number)
)
select set_config('synchronous_commit', 'off', true)
