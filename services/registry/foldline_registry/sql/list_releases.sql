-- $1 digests
select state from registry.releases where release = any ($1)
