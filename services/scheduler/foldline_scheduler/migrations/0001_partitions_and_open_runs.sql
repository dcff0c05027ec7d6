-- Who owns which runs. A run hashes to a partition; a partition is leased by one scheduler at a time.
create table scheduler.partitions (
    partition   integer     primary key,
    owner       text        not null default '',
    epoch       bigint      not null default 0,
    expires_at  timestamptz not null default '-infinity'
);

insert into scheduler.partitions (partition) select generate_series(0, 15);

-- Read model: the runs that have not ended, for taking over a partition. Follows the ledger.
create table scheduler.open_runs (
    run_id     text    primary key,
    partition  integer not null
);

create index open_runs_partition on scheduler.open_runs (partition);

create table scheduler.checkpoint (
    singleton boolean primary key default true check (singleton),
    position  text    not null
);
