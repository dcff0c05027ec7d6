-- $1 position of the last event taken in
update registry.views set position = $1 where singleton
