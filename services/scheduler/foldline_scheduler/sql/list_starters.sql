-- $1 category text, $2 workspace text, $3 name of the last one of the page before ('' for none), $4 rows
select state
from scheduler.starters
where category = $1 and workspace = $2 and name > $3 and not is_deleted
order by name
limit $4
