-- Runs have ended; those that nobody's schedule or trigger started are not there.
-- $1 ids of runs text[], $2 their statuses text[]
update scheduler.fired_runs as fired
set status = ended.status
from unnest($1::text[], $2::text[]) as ended (run_id, status)
where fired.run_id = ended.run_id
