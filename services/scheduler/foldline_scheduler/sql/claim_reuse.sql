-- $1 key text, $2 run_id text, $3 step text, $4 abandoned_run_id text: be the one whose attempt others wait for.
-- A claim of an abandoned run, which has ended without giving anything, is taken over.
insert into scheduler.reuse (key, run_id, step)
values ($1, $2, $3)
on conflict (key) do update set run_id = excluded.run_id, step = excluded.step, since = now()
where scheduler.reuse.reuse is null and scheduler.reuse.run_id = $4
returning run_id
