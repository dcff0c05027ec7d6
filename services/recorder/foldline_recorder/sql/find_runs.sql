-- Ids of a workspace's runs that begin with the given characters, at most so many.
-- $1 workspace, $2 beginning, $3 limit
select run_id
from recorder.runs
where workspace = $1 and run_id >= $2 and starts_with(run_id, $2)
order by run_id
limit $3
