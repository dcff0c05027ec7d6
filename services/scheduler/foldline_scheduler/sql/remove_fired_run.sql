-- $1 run_id text
delete from scheduler.fired_runs
where run_id = $1
