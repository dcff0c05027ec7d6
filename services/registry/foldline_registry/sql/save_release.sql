-- $1 stream, $2 state, $3 release
insert into registry.releases (stream, state, release) values ($1, $2, $3)
on conflict (stream) do update set state = excluded.state
