-- $1 key text, $2 run_id text, $3 step text, $4 reuse text: what an attempt gave, for equal ones.
insert into scheduler.reuse (key, run_id, step, reuse)
values ($1, $2, $3, $4::jsonb)
on conflict (key) do update
set run_id = excluded.run_id, step = excluded.step, reuse = excluded.reuse, since = now()
