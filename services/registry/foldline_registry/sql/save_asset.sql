-- $1 stream, $2 state, $3 publisher, $4 asset, $5 visibility, $6 workspaces of the group, $7 words to search
insert into registry.assets (stream, state, publisher, asset, visibility, workspaces, words)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (stream) do update set
    state = excluded.state,
    visibility = excluded.visibility,
    workspaces = excluded.workspaces,
    words = excluded.words
