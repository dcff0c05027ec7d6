-- Does every event come from this cluster's past? Transaction ids of another cluster would break the order.
select coalesce(
    (select last.transaction from ledger.events as last order by last.transaction desc, last.number desc limit 1)
        < pg_snapshot_xmax(pg_current_snapshot()),
    true
) as fits
