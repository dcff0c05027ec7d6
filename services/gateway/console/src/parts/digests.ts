// Ids and digests, short enough to read.

/** The end of a UUIDv7: its beginning is the time, alike for runs of one day. */
export function shortId(id: string): string {
  return id.length > 12 ? id.slice(-8) : id;
}

export function shortDigest(digest: string): string {
  return digest.replace(/^sha256:/, "").slice(0, 12);
}
