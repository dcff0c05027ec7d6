-- What steps with `cache` gave, by the key of code, environment and inputs; or who is about to find out. Not the
-- truth: it may be dropped at any time, which costs work that would have been saved.
create table scheduler.reuse (
    key      text        primary key,
    run_id   text        not null,
    step     text        not null,
    reuse    jsonb,               -- null while the attempt is under way
    since    timestamptz not null default now()
);

create index reuse_run on scheduler.reuse (run_id) where reuse is null;
