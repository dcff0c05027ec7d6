-- $1 run_id text, $2 steps text[]: claims of attempts that gave nothing. No steps means all of the run's.
delete from scheduler.reuse
where run_id = $1 and reuse is null and (cardinality($2::text[]) = 0 or step = any ($2))
