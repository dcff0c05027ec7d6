-- Ids of a workspace's started runs that begin with the given characters, at most so many.
-- $1 workspace, $2 beginning (of hexadecimal digits and dashes, which come before a tilde), $3 limit
select run_id
from recorder.runs
where workspace = $1 and parent = '' and run_id >= $2 and run_id < $2 || '~'
order by run_id
limit $3
