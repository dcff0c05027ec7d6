// Ids and digests, short enough to read.

/** The end of a UUIDv7: its beginning is the time, alike for runs of one day. Of a run inside a step its place, too. */
export function shortId(id: string): string {
  const [started = "", ...place] = id.split(".");
  return [started.length > 12 ? started.slice(-8) : started, ...place].join(".");
}

export function shortDigest(digest: string): string {
  return digest.replace(/^sha256:/, "").slice(0, 12);
}
