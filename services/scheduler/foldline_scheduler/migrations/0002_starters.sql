-- Read model: schedules and triggers, which start runs without a person. Follows the ledger and may be dropped.
create table scheduler.starters (
    stream      text    primary key,
    category    text    not null,
    workspace   text    not null,
    name        text    not null,
    partition   integer not null,
    version     bigint  not null,
    hash        bytea   not null,
    is_deleted  boolean not null,
    state       text    not null
);

create index starters_partition on scheduler.starters (partition) where not is_deleted;

create index starters_name on scheduler.starters (category, workspace, name) where not is_deleted;

-- Runs that they started and that the stream does not know to have ended; status is how the run ended.
create table scheduler.fired_runs (
    run_id     text    primary key,
    stream     text    not null,
    partition  integer not null,
    status     text    not null default ''
);

create index fired_runs_ended on scheduler.fired_runs (partition) where status <> '';

create table scheduler.starters_checkpoint (
    singleton boolean primary key default true check (singleton),
    position  text    not null
);

insert into scheduler.starters_checkpoint (position) values ('0.0');
