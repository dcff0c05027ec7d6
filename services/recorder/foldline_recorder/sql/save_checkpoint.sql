-- Keep how far a follower has got; the position only grows. The commit does not wait for the disk: a follower
-- does again what it did since, and whoever it does it for is used to that.
-- $1 follower, $2 transaction, $3 number
with saved as (
    insert into recorder.checkpoints as old (follower, transaction, number)
    values ($1, $2::xid8, $3)
    on conflict (follower) do update
    set transaction = excluded.transaction, number = excluded.number
    where (old.transaction, old.number) < (excluded.transaction, excluded.number)
)
select set_config('synchronous_commit', 'off', true)
