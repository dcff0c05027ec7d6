// What the services always set, although proto3 calls every message field optional.

export function there<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("the server's answer is incomplete");
  return value;
}
