// "3 minutes ago", kept current, with the exact time on hover.
import type { Timestamp } from "@bufbuild/protobuf/wkt";

import { ago, date, moment } from "./moments";
import { useNow } from "./now";

export function Ago({ time }: { time: Timestamp | undefined }) {
  const now = useNow(10_000);
  const then = date(time);
  if (then === undefined) return <>–</>;
  return (
    <time dateTime={then.toISOString()} title={moment(then)}>
      {ago(then, now)}
    </time>
  );
}
