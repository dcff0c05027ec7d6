-- $1 stream
select state from registry.releases where stream = $1
