// A run: live graph, one step in detail, its events, and the same as of any event.
import { Alert, Grid, Paper, Skeleton, Stack, Tabs, Text } from "@mantine/core";
import { IconHistory } from "@tabler/icons-react";
import { keepPreviousData, useQuery, type UseQueryResult } from "@tanstack/react-query";
import { useState } from "react";
import { useSearchParams } from "react-router";

import type { Graph } from "../api/foldline/api/workflow/v1/workflow_pb";
import { Legend } from "../graph/Legend";
import { StepGraph } from "../graph/StepGraph";
import { Ago } from "../parts/Ago";
import { shortId } from "../parts/digests";
import { Elapsed } from "../parts/Elapsed";
import { Page } from "../parts/Page";
import { hasEnded } from "../parts/statuses";
import { StatusBadge } from "../parts/StatusBadge";
import { there } from "../parts/there";
import { TextLink } from "../parts/TextLink";
import { ProblemAlert } from "../problems/ProblemAlert";
import { EventList } from "../run/EventList";
import { RunPanel } from "../run/RunPanel";
import { counts } from "../run/state";
import { StepPanel } from "../run/StepPanel";
import { StopButton } from "../run/StopButton";
import { TimeTravel } from "../run/TimeTravel";
import { useShownRun, type Shown } from "../run/shown";
import { type Watched, useWatchedRun } from "../run/watch";
import { recorder, until } from "../session/clients";
import { useParam, useWorkspace } from "./params";
import classes from "./RunPage.module.css";

export function RunPage() {
  const workspace = useWorkspace();
  const runId = useParam("run");
  return <OneRun key={`${workspace}/${runId}`} workspace={workspace} runId={runId} />;
}

function OneRun({ workspace, runId }: { workspace: string; runId: string }) {
  const watched = useWatchedRun(workspace, runId);
  const graph = useQuery({
    queryKey: [workspace, "graph", runId],
    queryFn: async ({ signal }) => there((await recorder.getRun({ workspace, runId }, until(signal))).graph),
    staleTime: Infinity, // fixed when the run is created
  });
  const { run } = watched.state;
  const trail = (
    <>
      <TextLink to={`/w/${workspace}/runs`}>Runs</TextLink>
      {run && (
        <>
          {" / "}
          <TextLink to={`/w/${workspace}/workflows/${run.workflow}`}>{run.workflow}</TextLink>
          {run.parent && (
            <>
              {" / "}
              <TextLink
                to={`/w/${workspace}/runs/${run.parent.runId}?step=${encodeURIComponent(run.parent.step)}`}
              >
                {run.parent.step} of {shortId(run.parent.runId)}
              </TextLink>
            </>
          )}
        </>
      )}
    </>
  );
  return (
    <Page
      title={`Run ${shortId(run?.runId ?? runId)}`}
      trail={trail}
      badges={run && <StatusBadge status={run.status} of="run" size="lg" />}
      lead={
        run && (
          <>
            Started <Ago time={run.createTime} /> by {run.startedBy},{" "}
            {hasEnded(run.status) ? "took" : "running for"} <Elapsed from={run.createTime} to={run.endTime} />
          </>
        )
      }
      actions={run && !hasEnded(run.status) && <StopButton workspace={workspace} run={run} />}
    >
      <Connection watched={watched} />
      <Content workspace={workspace} graph={graph} watched={watched} />
    </Page>
  );
}

function Content({
  workspace,
  graph,
  watched,
}: {
  workspace: string;
  graph: UseQueryResult<Graph>;
  watched: Watched;
}) {
  if (watched.connection === "refused") return null; // said above
  if (graph.isError) {
    return (
      <ProblemAlert error={graph.error} doing="Loading the graph" onRetry={() => void graph.refetch()} />
    );
  }
  if (watched.state.run === undefined || graph.data === undefined) {
    return <Skeleton height={420} role="status" aria-label="Loading" />;
  }
  return <Record workspace={workspace} graph={graph.data} watched={watched} />;
}

function Connection({ watched }: { watched: Watched }) {
  if (watched.connection === "refused")
    return <ProblemAlert error={watched.error} doing="Watching the run" />;
  if (watched.connection !== "broken") return null;
  return (
    <Alert color="orange" role="status" title="Not live at the moment">
      The connection to the platform broke; it is tried again by itself. What you see is the last known state.
    </Alert>
  );
}

interface RecordProps {
  workspace: string;
  graph: Graph;
  watched: Watched;
}

function Record({ workspace, graph, watched }: RecordProps) {
  const [search, setSearch] = useSearchParams();
  const chosen = search.get("step") ?? undefined;
  const [tab, setTab] = useState<string | null>(chosen === undefined ? "run" : "step");
  const [version, setVersion] = useState<number>();
  const shown = useShownRun(workspace, watched.state, version);
  const choose = (step: string) => {
    setSearch({ step }, { replace: true });
    setTab("step");
  };
  return (
    <Grid gap="md">
      <Grid.Col span={{ base: 12, lg: 7 }}>
        <Paper p="md" className={classes.beside}>
          <Stack gap="md">
            <Legend counts={counts(shown.steps.values())} />
            <StepGraph
              graph={graph}
              steps={shown.steps}
              chosen={chosen}
              onChoose={choose}
              past={shown.past}
              height={500}
            />
            <TimeTravel
              events={watched.state.events}
              shown={shown.version}
              atNewest={version === undefined}
              onShow={setVersion}
            />
            {shown.error != null && <ProblemAlert error={shown.error} doing="Replaying the run" />}
          </Stack>
        </Paper>
      </Grid.Col>
      <Grid.Col span={{ base: 12, lg: 5 }}>
        <Paper p="md">
          <Tabs value={tab} onChange={setTab} keepMounted={false}>
            <Tabs.List mb="md">
              <Tabs.Tab value="run">Run</Tabs.Tab>
              <Tabs.Tab value="step">Step</Tabs.Tab>
              <Tabs.Tab value="events" leftSection={<IconHistory size={14} aria-hidden />}>
                Events ({watched.state.events.length})
              </Tabs.Tab>
            </Tabs.List>
            <Tabs.Panel value="run">
              <RunPanel run={shown.run} graph={graph} />
            </Tabs.Panel>
            <Tabs.Panel value="step">
              <ChosenStep workspace={workspace} graph={graph} shown={shown} chosen={chosen} />
            </Tabs.Panel>
            <Tabs.Panel value="events">
              <Events workspace={workspace} watched={watched} shown={shown} onShow={setVersion} />
            </Tabs.Panel>
          </Tabs>
        </Paper>
      </Grid.Col>
    </Grid>
  );
}

function ChosenStep({
  workspace,
  graph,
  shown,
  chosen,
}: {
  workspace: string;
  graph: Graph;
  shown: Shown;
  chosen: string | undefined;
}) {
  const declared = graph.steps.find((step) => step.name === chosen);
  const state = chosen === undefined ? undefined : shown.steps.get(chosen);
  if (declared === undefined || state === undefined)
    return <Text c="dimmed">Choose a step in the graph to see its inputs, outputs and log.</Text>;
  return (
    <StepPanel
      key={declared.name}
      workspace={workspace}
      runId={shown.run.runId}
      declared={declared}
      state={state}
      graph={graph}
      past={shown.past || hasEnded(shown.run.status)}
      parameters={shown.run.parameters ?? {}}
      steps={shown.steps}
    />
  );
}

function Events({
  workspace,
  watched,
  shown,
  onShow,
}: {
  workspace: string;
  watched: Watched;
  shown: Shown;
  onShow: (version: number) => void;
}) {
  const { events, run } = watched.state;
  const runId = run?.runId ?? "";
  const verdict = useQuery({
    queryKey: [workspace, "chain", runId, events.length],
    queryFn: ({ signal }) => recorder.listHistory({ workspace, runId, pageSize: 10_000 }, until(signal)),
    placeholderData: keepPreviousData,
    staleTime: Infinity,
  });
  const chain = verdict.data && { ok: verdict.data.chainOk, error: verdict.data.chainError };
  return <EventList events={events} shown={shown.version} onShow={onShow} chain={chain} />;
}
