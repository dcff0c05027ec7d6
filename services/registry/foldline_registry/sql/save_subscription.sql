-- $1 stream, $2 state, $3 workspace, $4 publisher, $5 asset, $6 is it active
insert into registry.subscriptions (stream, state, workspace, publisher, asset, is_active)
values ($1, $2, $3, $4, $5, $6)
on conflict (stream) do update set state = excluded.state, is_active = excluded.is_active
