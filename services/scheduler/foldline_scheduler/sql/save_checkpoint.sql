-- $1 position text
insert into scheduler.checkpoint (position)
values ($1)
on conflict (singleton) do update set position = excluded.position
