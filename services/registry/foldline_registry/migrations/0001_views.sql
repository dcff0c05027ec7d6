-- Read models of the registry. Every row but the position is the fold of one stream (column stream) as JSON,
-- beside the columns that lists are found and ordered by. To rebuild: empty all tables, position back to 0.0.

create table registry.views (
    singleton boolean primary key default true check (singleton),
    position  text    not null
);

comment on table registry.views is 'How far the ledger was followed; changes with the rows it accounts for.';

insert into registry.views (position) values ('0.0');

create table registry.workspaces (
    stream     text collate "C" primary key,
    workspace  text collate "C" not null unique,
    state      json not null
);

create table registry.releases (
    stream   text collate "C" primary key,
    release  text collate "C" not null unique,
    state    json not null
);

create table registry.workflows (
    stream     text collate "C" primary key,
    workspace  text collate "C" not null,
    workflow   text collate "C" not null,
    release    text collate "C" not null,
    state      json not null,
    unique (workspace, workflow)
);

create table registry.assets (
    stream      text collate "C" primary key,
    publisher   text collate "C" not null,
    asset       text collate "C" not null,
    visibility  text not null,
    workspaces  text[] not null,
    words       text not null,
    state       json not null,
    unique (publisher, asset)
);

comment on column registry.assets.words is 'Case-folded publisher, name and title, for searching.';

create table registry.subscriptions (
    stream     text collate "C" primary key,
    workspace  text collate "C" not null,
    publisher  text collate "C" not null,
    asset      text collate "C" not null,
    is_active  boolean not null,
    state      json not null,
    unique (workspace, publisher, asset)
);
