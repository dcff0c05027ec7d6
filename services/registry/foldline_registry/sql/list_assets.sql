-- $1 workspace that asks, $2 words that must all occur, $3 and $4 publisher and name of the last asset of the
-- page before ('' for none), $5 rows
select
    assets.state,
    exists (
        select
        from registry.subscriptions
        where subscriptions.workspace = $1
            and subscriptions.publisher = assets.publisher
            and subscriptions.asset = assets.asset
            and subscriptions.is_active
    ) as subscribed
from registry.assets
where (
        assets.publisher = $1
        or assets.visibility = 'public'
        or (assets.visibility = 'group' and $1 = any (assets.workspaces))
    )
    and not exists (select from unnest($2::text[]) as word where strpos(assets.words, word) = 0)
    and (assets.publisher, assets.asset) > ($3, $4)
order by assets.publisher, assets.asset
limit $5
