// The run as a whole: facts, values it ran with, results.
import { Anchor, Stack, Title } from "@mantine/core";
import { Link } from "react-router";

import type { Run } from "../api/foldline/api/recorder/v1/recorder_service_pb";
import type { Graph } from "../api/foldline/api/workflow/v1/workflow_pb";
import { shortDigest } from "../parts/digests";
import { Elapsed } from "../parts/Elapsed";
import { type Fact, Facts } from "../parts/Facts";
import { date, moment } from "../parts/moments";
import { inline } from "../parts/values";
import { ArtifactView } from "./ArtifactView";
import { FailureView } from "./FailureView";

export function RunPanel({ run, graph }: { run: Run; graph: Graph }) {
  const parameters = Object.entries(run.parameters ?? {}).sort(([a], [b]) => a.localeCompare(b));
  const outputs = Object.entries(run.outputs);
  return (
    <Stack>
      {run.failure && <FailureView failure={run.failure} title="The run failed" />}
      <Facts facts={runFacts(run)} />
      {parameters.length > 0 && (
        <Stack gap={4}>
          <Title order={2} size="h6">
            Parameters
          </Title>
          <Facts facts={parameters.map(([name, value]): Fact => [name, inline(value)])} />
        </Stack>
      )}
      {outputs.length > 0 && (
        <Stack gap="sm">
          <Title order={2} size="h6">
            Results
          </Title>
          {outputs.map(([name, artifact]) => (
            <ArtifactView key={name} name={name} artifact={artifact} place={placeOf(run, graph, name)} />
          ))}
        </Stack>
      )}
    </Stack>
  );
}

function runFacts(run: Run): Fact[] {
  const start = date(run.createTime);
  const end = date(run.endTime);
  const facts: Fact[] = [
    ["run", <code key="run">{run.runId}</code>],
    [
      "workflow",
      <Anchor key="workflow" component={Link} to={`/w/${run.workspace}/workflows/${run.workflow}`} size="sm">
        {run.workflow}
      </Anchor>,
    ],
    [
      "release",
      <code key="release" title={run.release}>
        {shortDigest(run.release)}
      </code>,
    ],
    ["region", run.region],
    ["started by", run.startedBy],
    ["started", start && moment(start)],
    ["ended", end && moment(end)],
    ["took", <Elapsed key="took" from={run.createTime} to={run.endTime} />],
    ["version", String(run.version)],
  ];
  return facts.filter(([, value]) => value !== undefined && value !== "");
}

/** A result is some step's output; its content is fetched from there. */
function placeOf(run: Run, graph: Graph, name: string) {
  const source = graph.outputs[name]?.source;
  if (source?.case !== "output" || source.value.path.length > 0) return undefined;
  return { workspace: run.workspace, runId: run.runId, step: source.value.step, output: source.value.name };
}
