// google.protobuf.Value as plain JavaScript. Not toJson: that refuses NaN, which metrics may well be.
import type { Value } from "@bufbuild/protobuf/wkt";

export type Plain = null | boolean | number | string | Plain[] | { [key: string]: Plain };

export function plain(value: Value | undefined): Plain {
  const kind = value?.kind;
  switch (kind?.case) {
    case "boolValue":
    case "numberValue":
    case "stringValue":
      return kind.value;
    case "listValue":
      return kind.value.values.map(plain);
    case "structValue":
      return Object.fromEntries(Object.entries(kind.value.fields).map(([key, field]) => [key, plain(field)]));
    default:
      return null;
  }
}

/** One line for tables; strings without quotes. */
export function inline(value: unknown): string {
  if (typeof value === "string" || typeof value === "number") return String(value);
  return JSON.stringify(value, special) ?? "";
}

/** Several lines, for reading. */
export function pretty(value: unknown): string {
  return JSON.stringify(value, special, 2) ?? "";
}

function special(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}
