-- $1 stream
select state from registry.subscriptions where stream = $1
