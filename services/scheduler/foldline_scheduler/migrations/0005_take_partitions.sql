-- Takes so many free partitions, or fewer, for a scheduler; in one statement, so that one that stands still holds
-- back nobody. Taking is for one at a time: a statement that waited for another's take would check the rows again,
-- but not who is here; after the lock is had, the next statement of a function sees both.
create function scheduler.take_partitions_v1(taker text, most integer) returns setof integer
language plpgsql as $$
begin
    perform pg_advisory_xact_lock(hashtext('scheduler.partitions'));
    return query
    update scheduler.partitions as p
    set owner = taker, epoch = p.epoch + 1
    where p.partition in (
        select free.partition
        from scheduler.partitions as free
        where free.owner <> taker
            and not exists (
                select from scheduler.members as m where m.name = free.owner and m.expires_at >= now()
            )
        order by free.partition
        limit most
    )
    returning p.partition;
end;
$$;
