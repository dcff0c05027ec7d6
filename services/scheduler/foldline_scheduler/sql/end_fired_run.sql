-- $1 run_id text, $2 status text
update scheduler.fired_runs
set status = $2
where run_id = $1
