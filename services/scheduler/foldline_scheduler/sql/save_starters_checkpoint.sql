-- $1 position text
update scheduler.starters_checkpoint set position = $1
