-- How far the read models are; other replicas wait here until this transaction ends.
select position from registry.views where singleton for update
