// How long something took, or has been taking so far.
import type { Timestamp } from "@bufbuild/protobuf/wkt";

import { date, duration } from "./moments";
import { useNow } from "./now";

export function Elapsed({ from, to }: { from: Timestamp | undefined; to: Timestamp | undefined }) {
  const start = date(from);
  const end = date(to);
  const now = useNow(start !== undefined && end === undefined ? 1_000 : null);
  if (start === undefined) return <>–</>;
  return <span className="number">{duration((end ?? now).getTime() - start.getTime())}</span>;
}
