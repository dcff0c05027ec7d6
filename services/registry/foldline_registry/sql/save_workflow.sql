-- $1 stream, $2 state, $3 workspace, $4 workflow, $5 current release
insert into registry.workflows (stream, state, workspace, workflow, release) values ($1, $2, $3, $4, $5)
on conflict (stream) do update set state = excluded.state, release = excluded.release
