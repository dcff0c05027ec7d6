// All runs of the workspace.
import { Button, Group, Paper, Select } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useSearchParams } from "react-router";

import { Empty } from "../parts/Empty";
import { shortId } from "../parts/digests";
import { Page } from "../parts/Page";
import { RunsTable } from "../parts/RunsTable";
import { TextLink } from "../parts/TextLink";
import { ProblemAlert } from "../problems/ProblemAlert";
import { recorder, until } from "../session/clients";
import { useWorkspace } from "./params";

const STATUSES = ["created", "running", "paused", "stopping", "ending", "completed", "failed", "stopped"];
const REFRESH_MS = 5_000;

export function RunsPage() {
  const workspace = useWorkspace();
  const [search, setSearch] = useSearchParams();
  const status = search.get("status") ?? "";
  const parentRunId = search.get("inside") ?? "";
  const query = useInfiniteQuery({
    queryKey: [workspace, "runs", "all", status, parentRunId],
    queryFn: ({ pageParam, signal }) =>
      recorder.listRuns(
        { workspace, status, parentRunId, pageToken: pageParam, pageSize: 50 },
        until(signal),
      ),
    initialPageParam: "",
    getNextPageParam: (page) => page.nextPageToken || undefined,
    refetchInterval: REFRESH_MS,
  });
  const runs = query.data?.pages.flatMap((page) => page.runs) ?? [];
  return (
    <Page
      title="Runs"
      lead={
        parentRunId ? (
          <>
            Inside steps of run{" "}
            <TextLink to={`/w/${workspace}/runs/${parentRunId}`}>{shortId(parentRunId)}</TextLink>, newest
            first
          </>
        ) : (
          "Every run that somebody started in this workspace, newest first"
        )
      }
      actions={
        <Select
          aria-label="Status"
          placeholder="Any status"
          data={STATUSES}
          value={status || null}
          clearable
          onChange={(chosen) =>
            setSearch({
              ...(parentRunId && { inside: parentRunId }),
              ...(chosen && { status: chosen }),
            })
          }
        />
      }
    >
      {query.isError && (
        <ProblemAlert error={query.error} doing="Loading the runs" onRetry={() => void query.refetch()} />
      )}
      {query.isSuccess && runs.length === 0 && (
        <Empty title={status ? `No run is ${status}` : "No run yet"}>
          Open a workflow, set its parameters and start it.
        </Empty>
      )}
      {runs.length > 0 && (
        <Paper p="xs">
          <RunsTable runs={runs} withWorkflow />
        </Paper>
      )}
      {query.hasNextPage && (
        <Group justify="center">
          <Button
            variant="default"
            loading={query.isFetchingNextPage}
            onClick={() => void query.fetchNextPage()}
          >
            Show older runs
          </Button>
        </Group>
      )}
    </Page>
  );
}
