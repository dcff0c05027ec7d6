-- $1 partitions integer[]
select run_id, stream, status
from scheduler.fired_runs
where partition = any ($1) and status <> ''
