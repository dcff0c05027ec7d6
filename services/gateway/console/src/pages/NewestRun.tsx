// How the newest run of each workflow went. One question answers for most of them; only a workflow that has not
// run for long needs one of its own, and that is asked rarely.
import { Anchor, Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import type { Run } from "../api/foldline/api/recorder/v1/recorder_service_pb";
import { Ago } from "../parts/Ago";
import { StatusBadge } from "../parts/StatusBadge";
import { recorder, until } from "../session/clients";

/** Newest run by workflow; undefined until they are known. */
export type RecentRuns = ReadonlyMap<string, Run> | undefined;

const REFRESH_MS = 5_000;
const RARELY_MS = 60_000;
const RECENT = 200;

export function useRecentRuns(workspace: string): RecentRuns {
  const query = useQuery({
    queryKey: [workspace, "runs", "recent"],
    queryFn: async ({ signal }) =>
      (await recorder.listRuns({ workspace, pageSize: RECENT }, until(signal))).runs,
    refetchInterval: REFRESH_MS,
  });
  // Newest first, and the last entry of a key counts: so from the end.
  return query.data && new Map([...query.data].reverse().map((run) => [run.workflow, run]));
}

interface Props {
  workspace: string;
  workflow: string;
  recent: RecentRuns;
}

export function NewestRun({ workspace, workflow, recent }: Props) {
  const query = useQuery({
    queryKey: [workspace, "runs", "newest", workflow],
    queryFn: ({ signal }) => recorder.listRuns({ workspace, workflow, pageSize: 1 }, until(signal)),
    enabled: recent !== undefined && !recent.has(workflow),
    refetchInterval: RARELY_MS,
  });
  const run = recent?.get(workflow) ?? query.data?.runs[0];
  if (run === undefined) {
    return (
      <Text size="sm" c="dimmed">
        {query.isError ? "not known" : query.isSuccess ? "never run" : "…"}
      </Text>
    );
  }
  return (
    <Group gap="xs" wrap="nowrap">
      <Anchor
        component={Link}
        to={`/w/${workspace}/runs/${run.runId}`}
        underline="never"
        aria-label={`Newest run of ${workflow}: ${run.status}`}
      >
        <StatusBadge status={run.status} of="run" />
      </Anchor>
      <Text size="sm" c="dimmed">
        <Ago time={run.createTime} />
      </Text>
    </Group>
  );
}
