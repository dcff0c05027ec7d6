// A series of numbers as a line. The recorder has thinned it out.
import type { MetricBucket, MetricSeries } from "../api/foldline/api/recorder/v1/recorder_service_pb";

export const WIDTH = 240;
export const HEIGHT = 48;

type Course = Pick<MetricBucket, "min" | "max" | "last">;

/** Points of an SVG polyline: each bucket by its least and greatest value, so that no peak is lost. */
export function courseOf(buckets: readonly Course[]): string {
  const shown = buckets.filter(({ min, max }) => Number.isFinite(min) && Number.isFinite(max));
  if (shown.length === 0) return "";
  const low = Math.min(...shown.map(({ min }) => min));
  const high = Math.max(...shown.map(({ max }) => max));
  const x = (place: number) => (shown.length === 1 ? WIDTH / 2 : (place / (shown.length - 1)) * WIDTH);
  const y = (value: number) => (high === low ? HEIGHT / 2 : HEIGHT - ((value - low) / (high - low)) * HEIGHT);
  const point = (place: number, value: number) => `${x(place).toFixed(1)},${y(value).toFixed(1)}`;
  return shown
    .flatMap(({ min, max, last }, place) =>
      min === max ? [point(place, last)] : [point(place, min), point(place, max), point(place, last)],
    )
    .join(" ");
}

/** "loss", "loss of rank 2", "progress". */
export function titleOf({ kind, name, rank }: Pick<MetricSeries, "kind" | "name" | "rank">): string {
  return `${kind === "progress" ? kind : name}${rank > 0 ? ` of rank ${rank}` : ""}`;
}
