select position from scheduler.starters_checkpoint for update
