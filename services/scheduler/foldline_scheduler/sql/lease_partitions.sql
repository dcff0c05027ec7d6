-- $1 owner text, $2 seconds double precision: take every partition that is mine or free.
update scheduler.partitions
set owner = $1,
    epoch = epoch + case when owner = $1 then 0 else 1 end,
    expires_at = now() + make_interval(secs => $2)
where owner = $1 or expires_at < now()
returning partition, epoch
