-- $1 workspace
select state
from registry.subscriptions
where workspace = $1 and is_active
order by publisher, asset
