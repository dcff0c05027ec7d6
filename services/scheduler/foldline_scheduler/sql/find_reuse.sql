-- $1 key text: what an equal attempt gave; null where it is under way still.
select run_id, step, reuse::text as reuse
from scheduler.reuse
where key = $1
