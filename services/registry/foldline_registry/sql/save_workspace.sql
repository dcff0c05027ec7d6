-- $1 stream, $2 state, $3 workspace
insert into registry.workspaces (stream, state, workspace) values ($1, $2, $3)
on conflict (stream) do update set state = excluded.state
