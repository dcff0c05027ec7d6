-- Wake whoever follows the ledger.
select pg_notify('foldline_ledger', '')
