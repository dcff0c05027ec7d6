-- Read models of the recorder. All of it is derived from the ledger: drop the schema, migrate, restart, and it is
-- there again, byte for byte. Nothing here depends on the clock or on when it was written.

create table recorder.runs (
    run_id text collate "C" primary key,
    workspace text collate "C" not null,
    workflow text collate "C" not null,
    status text not null,
    transaction xid8 not null,
    number bigint not null,
    version bigint not null,
    run text not null
);

comment on table recorder.runs is 'One row per run, for lists and for finding a run by the beginning of its id.';
comment on column recorder.runs.transaction is 'With number: place of RunCreated in the global order, by which lists are sorted.';
comment on column recorder.runs.version is 'Version of the run''s stream that the row is of.';
comment on column recorder.runs.run is 'foldline.api.recorder.v1.Run as JSON.';

create index runs_newest on recorder.runs (workspace, transaction desc, number desc);
create index runs_newest_of_workflow on recorder.runs (workspace, workflow, transaction desc, number desc);

create table recorder.checkpoints (
    follower text primary key,
    transaction xid8 not null,
    number bigint not null
);

comment on table recorder.checkpoints is 'How far each follower of the ledger has got; missing means: not begun.';
