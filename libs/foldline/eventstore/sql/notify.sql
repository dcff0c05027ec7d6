-- Wake whoever follows the ledger.
-- $1 types of the events that were committed, as a JSON array; empty: any
select pg_notify('foldline_ledger', $1)
