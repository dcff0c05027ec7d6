-- The ledger. What each column is for, and why the order is what it is: docs/adr/0003.

-- Roles belong to the whole cluster, so another database (or a concurrent migration of one) may have made them.
do $$
declare
    service text;
begin
    foreach service in array array['foldline_registry', 'foldline_scheduler', 'foldline_recorder'] loop
        begin
            if not exists (select from pg_roles where rolname = service) then
                execute format('create role %I nologin', service);
            end if;
        exception
            when duplicate_object or unique_violation then null;
        end;
        -- A login that is no superuser must be a member to act as the role.
        if not pg_has_role(current_user, service, 'usage') then
            execute format('grant %I to %I', service, current_user);
        end if;
    end loop;
end
$$;

create sequence ledger.event_number as bigint;

create table ledger.events (
    transaction xid8 not null default pg_current_xact_id(),
    number bigint not null default nextval('ledger.event_number'),
    stream text collate "C" not null,
    version bigint not null check (version > 0),
    id uuid not null,
    type text not null,
    time timestamptz not null,
    payload text not null,
    meta text not null,
    hash bytea not null check (octet_length(hash) = 32),
    primary key (stream, version)
) partition by range (stream);

comment on table ledger.events is 'Every fact, appended once, never changed (docs/adr/0003).';
comment on column ledger.events.transaction is 'First part of the global order.';
comment on column ledger.events.number is 'Second part of the global order: orders the events of one transaction.';
comment on column ledger.events.payload is 'JSON text exactly as hashed.';
comment on column ledger.events.hash is 'SHA-256 over the hash before it in the stream and this event.';

create table ledger.events_default partition of ledger.events default;

create index events_order on ledger.events (transaction, number);

create function ledger.refuse_change_v1() returns trigger language plpgsql as $$
begin
    raise exception 'the ledger is append-only: % on %.% refused', tg_op, tg_table_schema, tg_table_name
        using errcode = 'integrity_constraint_violation';
end
$$;

-- Statement triggers of a parent do not fire for statements that name the partition, so both have them;
-- "always" keeps them on under session_replication_role = replica.
create trigger refuse_change before update or delete or truncate on ledger.events
    for each statement execute function ledger.refuse_change_v1();
create trigger refuse_change before update or delete or truncate on ledger.events_default
    for each statement execute function ledger.refuse_change_v1();
alter table ledger.events enable always trigger refuse_change;
alter table ledger.events_default enable always trigger refuse_change;

create table ledger.snapshots (
    stream text collate "C" primary key,
    version bigint not null,
    hash bytea not null,
    schema text not null,
    state bytea not null,
    saved_at timestamptz not null default now()
);

comment on table ledger.snapshots is 'Saved folds; a cache that may be emptied at any time.';

grant usage on schema ledger to foldline_registry, foldline_scheduler, foldline_recorder;
grant select on ledger.events, ledger.migrations to foldline_registry, foldline_scheduler, foldline_recorder;
-- Neither transaction nor number: the place in the global order is not a writer's to choose.
grant insert (stream, version, id, type, time, payload, meta, hash) on ledger.events
    to foldline_registry, foldline_scheduler, foldline_recorder;
grant usage on sequence ledger.event_number to foldline_registry, foldline_scheduler, foldline_recorder;
grant select, insert, update on ledger.snapshots to foldline_registry, foldline_scheduler, foldline_recorder;
