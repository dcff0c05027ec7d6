-- Todos of the runs of a workspace that have any, run by run, the one that waits longest first. Of so many runs as
-- todos are wanted: each has at least one, and none of the further runs has an older one.
-- $1 workspace, $2 limit
select todos
from recorder.runs
where workspace = $1 and oldest_todo is not null
order by oldest_todo, run_id
limit $2
