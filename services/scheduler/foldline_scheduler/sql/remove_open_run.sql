-- $1 run_id text
delete from scheduler.open_runs
where run_id = $1
