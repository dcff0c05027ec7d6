-- $1 owner text: let go of everything, so that another scheduler need not wait for the lease to run out.
update scheduler.partitions
set expires_at = '-infinity'
where owner = $1
