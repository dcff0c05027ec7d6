-- $1 stream
select state from registry.workspaces where stream = $1
