-- How far the read models are.
select position from registry.views where singleton
