-- $1 run_id text, $2 partition integer
insert into scheduler.open_runs (run_id, partition)
values ($1, $2)
on conflict (run_id) do nothing
