// The course of every metric of an attempt, and of its progress.
import { Group, Skeleton, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import type { MetricSeries } from "../api/foldline/api/recorder/v1/recorder_service_pb";
import { ProblemAlert } from "../problems/ProblemAlert";
import { recorder } from "../session/clients";
import { courseOf, HEIGHT, titleOf, WIDTH } from "./series";

const REFRESH_MS = 5_000;
const BUCKETS = 120;

interface SeriesPlace {
  workspace: string;
  runId: string;
  step: string;
  attempt: number;
}

async function readSeries(place: SeriesPlace, signal: AbortSignal): Promise<MetricSeries[]> {
  const found: MetricSeries[] = [];
  for await (const { series } of recorder.readMetrics({ ...place, buckets: BUCKETS }, { signal })) {
    if (series) found.push(series);
  }
  return found;
}

/** `live`: more may come. */
export function SeriesView({ place, live }: { place: SeriesPlace; live: boolean }) {
  const query = useQuery({
    queryKey: ["series", place],
    queryFn: ({ signal }) => readSeries(place, signal),
    refetchInterval: live ? REFRESH_MS : false,
  });
  if (query.isError) return <ProblemAlert error={query.error} doing="Loading the metrics" />;
  if (query.data === undefined) return <Skeleton height={60} />;
  if (query.data.length === 0) return <Text c="dimmed">No metrics yet.</Text>;
  return (
    <Stack gap="sm">
      {query.data.map((series) => (
        <Stack key={titleOf(series)} gap={2}>
          <Group justify="space-between" wrap="nowrap">
            <Text size="sm" fw={600} className="anywhere">
              {titleOf(series)}
            </Text>
            <Text size="xs" c="dimmed">
              {String(series.whole?.points ?? 0n)} points{series.incomplete ? ", some are missing" : ""}
            </Text>
          </Group>
          <svg
            viewBox={`-2 -2 ${WIDTH + 4} ${HEIGHT + 4}`}
            width="100%"
            height={HEIGHT + 12}
            preserveAspectRatio="none"
            role="img"
            aria-label={`Course of ${titleOf(series)}`}
          >
            <polyline
              points={courseOf(series.buckets)}
              fill="none"
              stroke="var(--mantine-primary-color-filled)"
              strokeWidth={1.5}
              vectorEffect="non-scaling-stroke"
            />
          </svg>
          <Text size="xs" c="dimmed">
            last {number(series.whole?.last)}, least {number(series.whole?.min)}, greatest{" "}
            {number(series.whole?.max)}
          </Text>
        </Stack>
      ))}
    </Stack>
  );
}

function number(value: number | undefined): string {
  return value === undefined ? "" : String(Number(value.toPrecision(6)));
}
