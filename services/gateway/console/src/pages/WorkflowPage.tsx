// A workflow: configure it, start it, see its runs and what it consists of.
import { Badge, Grid, Paper, Stack, Tabs, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import type { Release, Workflow } from "../api/foldline/api/registry/v1/workflow_service_pb";
import { ConfigurationForm } from "../form/ConfigurationForm";
import { fieldsOf, type Values } from "../form/fields";
import { StartButton } from "../form/StartButton";
import { StepGraph } from "../graph/StepGraph";
import { Empty } from "../parts/Empty";
import { Facts } from "../parts/Facts";
import { shortDigest } from "../parts/digests";
import { Loaded } from "../parts/Loaded";
import { date, moment } from "../parts/moments";
import { Page } from "../parts/Page";
import { Prose } from "../parts/Prose";
import { RunsTable } from "../parts/RunsTable";
import { there } from "../parts/there";
import { TextLink } from "../parts/TextLink";
import { recorder, until, workflows } from "../session/clients";
import { useParam, useWorkspace } from "./params";
import { Readiness } from "./WorkflowsPage";

const REFRESH_MS = 5_000;

export function WorkflowPage() {
  const workspace = useWorkspace();
  const name = useParam("workflow");
  const workflow = useQuery({
    queryKey: [workspace, "workflow", name],
    queryFn: async ({ signal }) =>
      there((await workflows.getWorkflow({ workspace, workflow: name }, until(signal))).workflow),
    refetchInterval: REFRESH_MS,
  });
  const digest = workflow.data?.release;
  const release = useQuery({
    queryKey: [workspace, "release", name, digest],
    queryFn: async ({ signal }) =>
      there(
        (await workflows.getRelease({ workspace, workflow: name, release: digest }, until(signal))).release,
      ),
    enabled: digest !== undefined,
    staleTime: Infinity, // immutable
  });
  return (
    <Loaded query={workflow} doing={`Loading workflow ${name}`}>
      {(found) => (
        <Loaded query={release} doing="Loading its release">
          {(content) => (
            <OneWorkflow key={`${workspace}/${name}/${content.digest}`} workflow={found} release={content} />
          )}
        </Loaded>
      )}
    </Loaded>
  );
}

function OneWorkflow({ workflow, release }: { workflow: Workflow; release: Release }) {
  const saved: Values = workflow.values ?? {};
  const [edited, setEdited] = useState<Values>();
  const values = edited ?? saved;
  const fields = fieldsOf(release.parametersSchema);
  const home = { workspace: workflow.workspace, workflow: workflow.name };
  return (
    <Page
      title={workflow.title || workflow.name}
      trail={<TextLink to={`/w/${workflow.workspace}/workflows`}>Workflows</TextLink>}
      badges={
        <>
          <Badge variant="default" tt="none">
            release #{workflow.releaseNumber}
          </Badge>
          <Readiness missing={workflow.missing} />
        </>
      }
      lead={release.graph?.description}
      actions={
        <StartButton
          {...home}
          fields={fields}
          saved={saved}
          values={values}
          releaseNumber={workflow.releaseNumber}
        />
      }
    >
      <Grid gap="md">
        <Grid.Col span={{ base: 12, lg: 5 }}>
          <Paper p="md" component="section" aria-labelledby="configuration">
            <Title order={2} size="h4" mb="sm" id="configuration">
              Configuration
            </Title>
            <ConfigurationForm {...home} fields={fields} saved={saved} values={values} onChange={setEdited} />
          </Paper>
        </Grid.Col>
        <Grid.Col span={{ base: 12, lg: 7 }}>
          <Paper p="md">
            <Tabs defaultValue="runs" keepMounted={false}>
              <Tabs.List mb="md">
                <Tabs.Tab value="runs">Runs</Tabs.Tab>
                <Tabs.Tab value="graph">Graph</Tabs.Tab>
                <Tabs.Tab value="about">About</Tabs.Tab>
              </Tabs.List>
              <Tabs.Panel value="runs">
                <Runs {...home} />
              </Tabs.Panel>
              <Tabs.Panel value="graph">{release.graph && <StepGraph graph={release.graph} />}</Tabs.Panel>
              <Tabs.Panel value="about">
                <About workflow={workflow} release={release} />
              </Tabs.Panel>
            </Tabs>
          </Paper>
        </Grid.Col>
      </Grid>
    </Page>
  );
}

function Runs({ workspace, workflow }: { workspace: string; workflow: string }) {
  const query = useQuery({
    queryKey: [workspace, "runs", "of", workflow],
    queryFn: ({ signal }) => recorder.listRuns({ workspace, workflow, pageSize: 50 }, until(signal)),
    refetchInterval: REFRESH_MS,
  });
  return (
    <Loaded query={query} doing="Loading the runs">
      {({ runs }) =>
        runs.length === 0 ? (
          <Empty title="Not run yet">Set the parameters and start it.</Empty>
        ) : (
          <RunsTable runs={runs} />
        )
      }
    </Loaded>
  );
}

function About({ workflow, release }: { workflow: Workflow; release: Release }) {
  const created = date(release.createTime);
  const origin =
    workflow.source && `${workflow.source.publisher}/${workflow.source.asset} ${workflow.source.version}`;
  return (
    <Stack>
      <Facts
        facts={[
          ["name", workflow.name],
          [
            "release",
            <code key="release" title={release.digest}>
              {shortDigest(release.digest)}
            </code>,
          ],
          ["released", created ? moment(created) : "–"],
          ["region", workflow.region],
          ["imported from", origin ?? "released in this workspace"],
        ]}
      />
      <Prose>{release.docs || "The author wrote nothing about this release."}</Prose>
    </Stack>
  );
}
