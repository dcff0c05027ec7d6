-- Which schedulers there are. Each keeps one row alive; a partition whose owner is not among the living is
-- free. (Before, every partition had an expiry of its own: sixteen rows to renew instead of one.)
create table scheduler.members (
    name        text        primary key,
    expires_at  timestamptz not null
);

alter table scheduler.partitions drop column expires_at;
