-- $1 partitions integer[]
select run_id
from scheduler.open_runs
where partition = any ($1)
order by run_id
