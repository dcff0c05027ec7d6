-- $1 name text, $2 seconds double precision: I am here for so long from now. How many schedulers are here, and
-- the partitions that are mine.
with me as (
    insert into scheduler.members (name, expires_at)
    values ($1, now() + make_interval(secs => $2))
    on conflict (name) do update set expires_at = excluded.expires_at
    returning name
),
forgotten as (
    delete from scheduler.members where expires_at < now() - interval '1 hour'
)
select
    (
        select count(*)
        from (
            select name from scheduler.members where expires_at >= now() union select name from me
        ) as here
    ) as members,
    array(select partition from scheduler.partitions where owner = $1 order by partition) as mine
