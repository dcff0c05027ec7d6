-- $1 run_id text, $2 stream text, $3 partition integer
insert into scheduler.fired_runs (run_id, stream, partition)
values ($1, $2, $3)
on conflict (run_id) do nothing
