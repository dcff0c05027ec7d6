-- $1 owner text, $2 count integer: take so many partitions, or fewer, whose owner is not here.
select partition
from scheduler.take_partitions_v1($1, $2) as taken (partition)
