-- $1 stream
select state from registry.assets where stream = $1
