-- $1 owner text, $2 count integer: take so many partitions, or fewer, whose owner is not here.
update scheduler.partitions
set owner = $1, epoch = epoch + 1
where partition in (
    select p.partition
    from scheduler.partitions as p
    where p.owner <> $1
        and not exists (
            select from scheduler.members as m where m.name = p.owner and m.expires_at >= now()
        )
    order by p.partition
    limit $2
)
returning partition
