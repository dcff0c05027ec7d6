import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";

import { WatchRunResponseSchema } from "../api/foldline/api/recorder/v1/recorder_service_pb";
import { apply, counts, newest, NOTHING } from "./state";

const first = create(WatchRunResponseSchema, {
  run: { runId: "r", status: "running", version: 2n },
  steps: [
    { name: "train", status: "running" },
    { name: "tell", status: "waiting" },
  ],
  events: [{ version: 1n }, { version: 2n }],
});
const later = create(WatchRunResponseSchema, {
  run: { runId: "r", status: "running", version: 3n },
  steps: [{ name: "train", status: "completed" }],
  events: [{ version: 2n }, { version: 3n }],
});

test("changed steps replace what was known, the others stay", () => {
  const state = apply(apply(NOTHING, first), later);

  expect([...state.steps.values()].map(({ name, status }) => [name, status])).toEqual([
    ["train", "completed"],
    ["tell", "waiting"],
  ]);
});

test("an event that comes twice is kept once", () => {
  const state = apply(apply(NOTHING, first), later);

  expect(state.events.map(({ version }) => version)).toEqual([1n, 2n, 3n]);
  expect(newest(state)).toBe(3n);
});

test("steps are counted by status", () => {
  expect(Object.fromEntries(counts(apply(NOTHING, first).steps.values()))).toEqual({
    running: 1,
    waiting: 1,
  });
});
