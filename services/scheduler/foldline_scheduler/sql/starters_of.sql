-- $1 category text, $2 partitions integer[]: a deleted one stays for as long as a run of it is open.
select stream, version
from scheduler.starters
where category = $1
    and partition = any ($2)
    and (not is_deleted or exists (select from scheduler.fired_runs where fired_runs.stream = starters.stream))
