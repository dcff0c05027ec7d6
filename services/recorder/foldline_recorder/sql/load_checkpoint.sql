-- How far a follower has got; no row where it has not begun.
-- $1 follower
select transaction, number
from recorder.checkpoints
where follower = $1
