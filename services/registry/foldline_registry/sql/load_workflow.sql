-- $1 stream
select state from registry.workflows where stream = $1
