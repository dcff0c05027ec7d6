-- $1 workspace, $2 name of the last workflow of the page before ('' for none), $3 rows
select workflows.state as workflow, releases.state as release
from registry.workflows
join registry.releases using (release)
where workflows.workspace = $1 and workflows.workflow > $2
order by workflows.workflow
limit $3
