select position
from scheduler.checkpoint
