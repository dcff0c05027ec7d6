// Everything about one step of a run: state, inputs, outputs, attempts, failure, log.
import { Code, Group, Select, Stack, Tabs, Text, Title } from "@mantine/core";
import { useState } from "react";

import type { Attempt, Children, RunStep } from "../api/foldline/api/recorder/v1/recorder_service_pb";
import type { Command, Graph, Step } from "../api/foldline/api/workflow/v1/workflow_pb";
import { Elapsed } from "../parts/Elapsed";
import { type Fact, Facts } from "../parts/Facts";
import { date, moment, size } from "../parts/moments";
import { StatusBadge } from "../parts/StatusBadge";
import { TextLink } from "../parts/TextLink";
import { ArtifactView } from "./ArtifactView";
import { FailureView } from "./FailureView";
import { inputFacts } from "./inputs";
import { LogView } from "./LogView";
import { SeriesView } from "./SeriesView";
import { WaitPanel } from "./WaitPanel";

interface Props {
  workspace: string;
  runId: string;
  declared: Step;
  state: RunStep;
  graph: Graph;
  /** Nothing can be answered: it is an earlier state, or the run has ended. */
  past: boolean;
  parameters: Record<string, unknown>;
  steps: ReadonlyMap<string, RunStep>;
}

export function StepPanel({ workspace, runId, declared, state, graph, past, parameters, steps }: Props) {
  const [tab, setTab] = useState<string | null>("overview");
  const newest = state.attempts.at(-1);
  const hasLog = ["function", "command"].includes(declared.kind) && newest !== undefined;
  const outputs = Object.entries(state.outputs);
  return (
    <Stack gap="sm" component="section" aria-label={`Step ${declared.name}`}>
      <Group gap="sm">
        <Title order={2} size="h4" className="anywhere">
          {declared.title || declared.name}
        </Title>
        <StatusBadge status={state.status} of="step" />
      </Group>
      {declared.description && (
        <Text size="sm" c="dimmed">
          {declared.description}
        </Text>
      )}
      {!past && (
        <WaitPanel workspace={workspace} runId={runId} declared={declared} state={state} graph={graph} />
      )}
      <Tabs
        value={(tab === "log" || tab === "metrics") && !hasLog ? "overview" : tab}
        onChange={setTab}
        keepMounted={false}
      >
        <Tabs.List mb="sm">
          <Tabs.Tab value="overview">Overview</Tabs.Tab>
          <Tabs.Tab value="outputs">Outputs ({outputs.length})</Tabs.Tab>
          <Tabs.Tab value="metrics" disabled={!hasLog}>
            Metrics
          </Tabs.Tab>
          <Tabs.Tab value="log" disabled={!hasLog}>
            Log
          </Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="overview">
          <Stack>
            {state.failure && (
              <FailureView failure={state.failure} title={`Step ${declared.name} ${state.status}`} />
            )}
            <Facts facts={stepFacts(declared, state)} />
            {state.children && (
              <TextLink to={`/w/${workspace}/runs?inside=${runId}`}>The runs inside it</TextLink>
            )}
            <Section
              title="Inputs"
              facts={inputFacts(declared, parameters, steps)}
              none="This step has no inputs."
            />
            <Attempts attempts={state.attempts} settled={state.failure !== undefined} />
          </Stack>
        </Tabs.Panel>
        <Tabs.Panel value="outputs">
          <Stack gap="sm">
            {outputs.length === 0 && <Text c="dimmed">No outputs yet.</Text>}
            {outputs.map(([output, artifact]) => (
              <ArtifactView
                key={output}
                name={output}
                artifact={artifact}
                place={{ workspace, runId, step: declared.name, output }}
              />
            ))}
          </Stack>
        </Tabs.Panel>
        <Tabs.Panel value="metrics">
          {newest && (
            <SeriesView
              place={{ workspace, runId, step: declared.name, attempt: newest.number }}
              live={newest.status === "running"}
            />
          )}
        </Tabs.Panel>
        <Tabs.Panel value="log">
          {newest && (
            <AttemptLog workspace={workspace} runId={runId} step={declared.name} attempts={state.attempts} />
          )}
        </Tabs.Panel>
      </Tabs>
    </Stack>
  );
}

function stepFacts(declared: Step, state: RunStep): Fact[] {
  const start = date(state.startTime);
  const end = date(state.endTime);
  const code = declared.function && `${declared.function.module}.${declared.function.name}`;
  const facts: Fact[] = [
    ["name", declared.name],
    ["kind", code ? `${declared.kind} ${code}` : declared.kind],
    ["runs", declared.command && <Code block>{programOf(declared.command)}</Code>],
    ["image", declared.command?.image],
    ["ranks", declared.ranks > 1 ? String(declared.ranks) : undefined],
    ["note", state.note],
    ["inside", state.children && inside(state.children)],
    ["reused from", state.reusedFrom],
    ...Object.entries(state.metrics).map(([name, value]): Fact => [`metric ${name}`, String(value)]),
    ["started", start && moment(start)],
    ["ended", end && moment(end)],
    ["took", start && <Elapsed from={state.startTime} to={state.endTime} />],
  ];
  return facts.filter(([, value]) => value !== undefined && value !== "");
}

/** What a command runs, as a person would type it. */
function programOf({ line, script, arguments: words }: Command): string {
  return line || script || words.map((word) => (/^[\w./:=@%+-]+$/.test(word) ? word : `'${word}'`)).join(" ");
}

/** "120 of 250 items, 3 failed". */
function inside({ items, total, succeeded, failed }: Children): string {
  const whole = items > 0 ? `${items} items` : `${total} runs`;
  return `${succeeded + failed} of ${whole}${failed > 0 ? `, ${failed} failed` : ""}`;
}

function Section({ title, facts, none }: { title: string; facts: Fact[]; none: string }) {
  return (
    <Stack gap={4}>
      <Title order={3} size="h6">
        {title}
      </Title>
      {facts.length === 0 ? (
        <Text size="sm" c="dimmed">
          {none}
        </Text>
      ) : (
        <Facts facts={facts} />
      )}
    </Stack>
  );
}

function Attempts({ attempts, settled }: { attempts: Attempt[]; settled: boolean }) {
  if (attempts.length === 0) return null;
  return (
    <Stack gap="xs">
      <Title order={3} size="h6">
        Attempts
      </Title>
      {attempts.map((attempt) => (
        <Stack key={attempt.number} gap={4}>
          <Facts facts={attemptFacts(attempt)} />
          {/* The last failure of a failed step is shown above already. */}
          {attempt.failure && !(settled && attempt.number === attempts.length) && (
            <FailureView failure={attempt.failure} title={`Attempt ${attempt.number} failed`} />
          )}
        </Stack>
      ))}
    </Stack>
  );
}

function attemptFacts(attempt: Attempt): Fact[] {
  const facts: Fact[] = [
    [`attempt ${attempt.number}`, attempt.status],
    ["executor", attempt.executor === "" ? undefined : <code key="executor">{attempt.executor}</code>],
    ["took", attempt.startTime && <Elapsed from={attempt.startTime} to={attempt.endTime} />],
    ["peak memory", attempt.maxRssBytes > 0n ? size(attempt.maxRssBytes) : undefined],
    [
      "progress",
      attempt.fraction > 0 ? `${Math.round(attempt.fraction * 100)} % ${attempt.message}` : undefined,
    ],
    ["log lines", attempt.logLines > 0n ? String(attempt.logLines) : undefined],
  ];
  return facts.filter(([, value]) => value !== undefined);
}

interface AttemptLogProps {
  workspace: string;
  runId: string;
  step: string;
  attempts: Attempt[];
}

function AttemptLog({ workspace, runId, step, attempts }: AttemptLogProps) {
  const newest = attempts.at(-1)?.number ?? 1;
  const [chosen, setChosen] = useState<number>();
  const attempt = chosen ?? newest;
  return (
    <Stack gap="xs">
      {attempts.length > 1 && (
        <Select
          label="Attempt"
          size="xs"
          w={220}
          allowDeselect={false}
          data={attempts.map(({ number, status }) => ({
            value: String(number),
            label: `${number} (${status})`,
          }))}
          value={String(attempt)}
          onChange={(value) => setChosen(Number(value))}
        />
      )}
      <LogView workspace={workspace} runId={runId} step={step} attempt={attempt} />
    </Stack>
  );
}
