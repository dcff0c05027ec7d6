// Runs as a table, newest first.
import { Anchor, Table } from "@mantine/core";
import { Link } from "react-router";

import type { Run } from "../api/foldline/api/recorder/v1/recorder_service_pb";
import { Ago } from "./Ago";
import { shortId } from "./digests";
import { Elapsed } from "./Elapsed";
import { StatusBadge } from "./StatusBadge";

interface Props {
  runs: Run[];
  /** Show which workflow each is of. */
  withWorkflow?: boolean;
}

export function RunsTable({ runs, withWorkflow = false }: Props) {
  return (
    <Table.ScrollContainer minWidth={520}>
      <Table verticalSpacing="xs" highlightOnHover aria-label="Runs">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Run</Table.Th>
            {withWorkflow && <Table.Th>Workflow</Table.Th>}
            <Table.Th>Status</Table.Th>
            <Table.Th>Steps</Table.Th>
            <Table.Th>Started</Table.Th>
            <Table.Th>Took</Table.Th>
            <Table.Th>By</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {runs.map((run) => (
            <Row key={run.runId} run={run} withWorkflow={withWorkflow} />
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Row({ run, withWorkflow }: { run: Run; withWorkflow: boolean }) {
  const home = `/w/${run.workspace}`;
  return (
    <Table.Tr>
      <Table.Td>
        <Anchor
          component={Link}
          to={`${home}/runs/${run.runId}`}
          ff="monospace"
          size="sm"
          title={run.runId}
          aria-label={`Run ${shortId(run.runId)}, id ${run.runId}`}
        >
          {shortId(run.runId)}
        </Anchor>
      </Table.Td>
      {withWorkflow && (
        <Table.Td>
          <Anchor component={Link} to={`${home}/workflows/${run.workflow}`} size="sm">
            {run.workflow}
          </Anchor>
        </Table.Td>
      )}
      <Table.Td>
        <StatusBadge status={run.status} of="run" />
      </Table.Td>
      <Table.Td className="number">{progress(run)}</Table.Td>
      <Table.Td>
        <Ago time={run.createTime} />
      </Table.Td>
      <Table.Td>
        <Elapsed from={run.createTime} to={run.endTime} />
      </Table.Td>
      <Table.Td className="anywhere">{run.startedBy}</Table.Td>
    </Table.Tr>
  );
}

/** "4 of 6": steps with an end, of all. */
function progress(run: Run): string {
  const counts = Object.entries(run.stepCounts);
  const sum = (chosen: typeof counts) => chosen.reduce((total, [, count]) => total + count, 0);
  const done = counts.filter(([status]) => ["completed", "skipped"].includes(status));
  return `${sum(done)} of ${sum(counts)}`;
}
