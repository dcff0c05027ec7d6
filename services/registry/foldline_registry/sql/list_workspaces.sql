-- $1 names to choose from; null for all
select state
from registry.workspaces
where $1::text[] is null or workspace = any ($1)
order by workspace
