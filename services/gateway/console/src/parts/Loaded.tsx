// A query's three faces: loading, failed, there.
import { Skeleton, Stack } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { ProblemAlert } from "../problems/ProblemAlert";

interface Props<T> {
  query: UseQueryResult<T>;
  /** What is being done, for the error's title. */
  doing: string;
  children: (data: T) => ReactNode;
}

export function Loaded<T>({ query, doing, children }: Props<T>) {
  if (query.data !== undefined) {
    return (
      <>
        {query.isError && (
          <ProblemAlert error={query.error} doing={doing} onRetry={() => void query.refetch()} />
        )}
        {children(query.data)}
      </>
    );
  }
  if (query.isError)
    return <ProblemAlert error={query.error} doing={doing} onRetry={() => void query.refetch()} />;
  return (
    <Stack gap="sm" role="status" aria-label="Loading">
      <Skeleton height={28} />
      <Skeleton height={28} />
      <Skeleton height={28} width="60%" />
    </Stack>
  );
}
