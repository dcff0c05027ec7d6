-- Runs inside steps of other runs, and what waits for people.

alter table recorder.runs
    add column parent text collate "C" not null default '',
    add column todos text not null default '[]',
    add column oldest_todo timestamptz;

comment on column recorder.runs.parent is 'Run that this one is a part of; empty for a run that somebody started.';
comment on column recorder.runs.todos is 'Array of foldline.api.recorder.v1.Todo as JSON, oldest first. In the row, so that it is always of the row''s version.';
comment on column recorder.runs.oldest_todo is 'Since when the first of the todos waits; null for none.';

-- A run may have thousands of others inside it: lists and the finding of runs that somebody started skip them.
drop index recorder.runs_newest;
drop index recorder.runs_newest_of_workflow;
create index runs_newest on recorder.runs (workspace, parent, transaction desc, number desc);
create index runs_newest_of_workflow on recorder.runs (workspace, parent, workflow, transaction desc, number desc);
create index runs_started on recorder.runs (workspace, run_id) where parent = '';
create index runs_with_todos on recorder.runs (workspace, oldest_todo) where oldest_todo is not null;
