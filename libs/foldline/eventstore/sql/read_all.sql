-- A page of the global order, up to the horizon below which no transaction is still running (docs/adr/0003).
-- Always at least one row, for horizon and last; its other columns are null where there is no event.
-- `last` is the transaction of the last event that is committed, null in an empty ledger.
-- `held` tells that committed events wait beyond the horizon for a transaction that has not ended.
-- $1 transaction and $2 number to start behind, $3 limit, $4 types (null: all)
select
    horizon.transaction as horizon,
    last.transaction as last,
    coalesce(last.transaction >= horizon.transaction, false) as held,
    page.*
from (select pg_snapshot_xmin(pg_current_snapshot()) as transaction) as horizon
left join lateral (
    select any_event.transaction
    from ledger.events as any_event
    order by any_event.transaction desc, any_event.number desc
    limit 1
) as last on true
left join lateral (
    select
        event.transaction, event.number, event.stream, event.version, event.id::text as id, event.type,
        event.time, event.payload, event.meta, event.hash
    from ledger.events as event
    where (event.transaction, event.number) > ($1::xid8, $2::bigint)
        and event.transaction < horizon.transaction
        and ($4::text[] is null or event.type = any ($4::text[]))
    order by event.transaction, event.number
    limit $3
) as page on true
order by page.transaction, page.number
