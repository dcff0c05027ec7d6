import { expect, test } from "vitest";

import { ago, duration, size } from "./moments";

test("durations are as exact as they are short", () => {
  expect([412, 3_250, 250_000, 7_500_000].map(duration)).toEqual([
    "412 ms",
    "3.3 s",
    "4 min 10 s",
    "2 h 5 min",
  ]);
});

test("the past is told in words", () => {
  const now = new Date("2026-01-01T12:00:00Z");
  const before = (seconds: number) => ago(new Date(now.getTime() - seconds * 1000), now);

  expect([2, 30, 200, 7_300].map(before)).toEqual([
    "just now",
    "30 seconds ago",
    "3 minutes ago",
    "2 hours ago",
  ]);
});

test("sizes have a unit that fits", () => {
  expect([12n, 8_512n, 200_000_000n].map(size)).toEqual(["12 B", "8.5 kB", "200.0 MB"]);
});
