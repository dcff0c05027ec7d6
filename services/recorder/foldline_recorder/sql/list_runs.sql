-- A page of a workspace's runs, newest first.
-- $1 workspace, $2 workflow (empty: every), $3 status (empty: every), $4 transaction and $5 number to start behind
-- (null: from the newest), $6 limit, $7 run that they are inside of (empty: those that somebody started)
select transaction, number, run
from recorder.runs
where workspace = $1
    and parent = $7
    and ($2 = '' or workflow = $2)
    and ($3 = '' or status = $3)
    and ($4::xid8 is null or (transaction, number) < ($4::xid8, $5::bigint))
order by transaction desc, number desc
limit $6
