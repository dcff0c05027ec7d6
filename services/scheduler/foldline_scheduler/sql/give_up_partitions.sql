-- $1 owner text, $2 partitions integer[]: others may take these from now on.
update scheduler.partitions set owner = '' where owner = $1 and partition = any($2)
