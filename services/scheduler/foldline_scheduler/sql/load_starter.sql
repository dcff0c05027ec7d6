-- $1 stream text
select version, hash, state
from scheduler.starters
where stream = $1
