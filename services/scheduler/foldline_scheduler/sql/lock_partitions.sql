-- Taking is for one at a time: a statement that waited for another's take would check the rows again, but not
-- who is here.
select pg_advisory_xact_lock(hashtext('scheduler.partitions'))
