// The workflows of the workspace: what is ready, what is missing, how the newest run went.
import { Anchor, Badge, Paper, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import type { Workflow } from "../api/foldline/api/registry/v1/workflow_service_pb";
import { Empty } from "../parts/Empty";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { TextLink } from "../parts/TextLink";
import { until, workflows } from "../session/clients";
import { NewestRun, type RecentRuns, useRecentRuns } from "./NewestRun";
import { useWorkspace } from "./params";
import { Todos } from "./Todos";

const REFRESH_MS = 5_000;
const PAGE_SIZE = 200;

export function WorkflowsPage() {
  const workspace = useWorkspace();
  const query = useQuery({
    queryKey: [workspace, "workflows"],
    queryFn: ({ signal }) => listAll(workspace, signal),
    refetchInterval: REFRESH_MS,
  });
  return (
    <Page title="Workflows" lead={`Released workflows of workspace ${workspace}: configure, start, watch`}>
      <Todos workspace={workspace} />
      <Loaded query={query} doing="Loading the workflows">
        {(found) =>
          found.length === 0 ? (
            <Empty title="No workflow yet" command="foldline release examples/digits/digits.py">
              Release one from its Python file, or{" "}
              <TextLink to={`/w/${workspace}/gallery`}>import one from the gallery</TextLink>.
            </Empty>
          ) : (
            <Paper p="xs">
              <WorkflowsTable workspace={workspace} workflows={found} />
            </Paper>
          )
        }
      </Loaded>
    </Page>
  );
}

async function listAll(workspace: string, signal: AbortSignal): Promise<Workflow[]> {
  const found: Workflow[] = [];
  let pageToken = "";
  do {
    const page = await workflows.listWorkflows({ workspace, pageSize: PAGE_SIZE, pageToken }, until(signal));
    found.push(...page.workflows);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return found;
}

function WorkflowsTable({ workspace, workflows }: { workspace: string; workflows: Workflow[] }) {
  const recent = useRecentRuns(workspace);
  return (
    <Table.ScrollContainer minWidth={640}>
      <Table verticalSpacing="sm" highlightOnHover aria-label="Workflows">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Workflow</Table.Th>
            <Table.Th>Release</Table.Th>
            <Table.Th>Configuration</Table.Th>
            <Table.Th>Newest run</Table.Th>
            <Table.Th>Region</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {workflows.map((workflow) => (
            <Row key={workflow.name} workflow={workflow} recent={recent} />
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Row({ workflow, recent }: { workflow: Workflow; recent: RecentRuns }) {
  const address = `/w/${workflow.workspace}/workflows/${workflow.name}`;
  return (
    <Table.Tr>
      <Table.Td>
        <Stack gap={0}>
          <Anchor component={Link} to={address} fw={600}>
            {workflow.name}
          </Anchor>
          <Text size="xs" c="dimmed">
            {workflow.title}
            {workflow.source &&
              ` (from ${workflow.source.publisher}/${workflow.source.asset} ${workflow.source.version})`}
          </Text>
        </Stack>
      </Table.Td>
      <Table.Td className="number">#{workflow.releaseNumber}</Table.Td>
      <Table.Td>
        <Readiness missing={workflow.missing} />
      </Table.Td>
      <Table.Td>
        <NewestRun workspace={workflow.workspace} workflow={workflow.name} recent={recent} />
      </Table.Td>
      <Table.Td>{workflow.region}</Table.Td>
    </Table.Tr>
  );
}

export function Readiness({ missing }: { missing: string[] }) {
  if (missing.length === 0) {
    return (
      <Badge color="green" variant="light" tt="none">
        ready to start
      </Badge>
    );
  }
  return (
    <Badge color="orange" variant="light" tt="none" title={`Not set: ${missing.join(", ")}`}>
      needs {missing.join(", ")}
    </Badge>
  );
}
