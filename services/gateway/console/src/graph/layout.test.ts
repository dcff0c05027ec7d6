import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";

import { GraphSchema } from "../api/foldline/api/workflow/v1/workflow_pb";
import { dependencies } from "./edges";
import { layout, NODE_HEIGHT, path } from "./layout";

const output = (step: string) => ({ source: { case: "output" as const, value: { step, name: "output" } } });

const graph = create(GraphSchema, {
  steps: [
    { name: "train", kind: "function" },
    {
      name: "accept",
      kind: "condition",
      condition: { op: "and", terms: [{ op: ">", left: output("train"), right: output("train") }] },
    },
    {
      name: "deploy",
      kind: "function",
      inputs: { model: output("train") },
      guards: [{ step: "accept", branch: true }],
      after: ["train"],
    },
    { name: "tell", kind: "function", after: ["deploy"] },
  ],
});

describe("dependencies", () => {
  test("data, guards and order are told apart, and order is dropped where data flows anyway", () => {
    const found = dependencies(graph).map(({ from, to, kind, label }) => [from, to, kind, label]);

    expect(found).toEqual([
      ["train", "accept", "data", "output"],
      ["train", "deploy", "data", "output"],
      ["accept", "deploy", "guard", "yes"],
      ["deploy", "tell", "after", ""],
    ]);
  });
});

test("a merge depends on all its branches, a condition on metrics, a loop on nothing of its own", () => {
  const merged = create(GraphSchema, {
    steps: [
      { name: "left", kind: "function" },
      { name: "right", kind: "function" },
      {
        name: "both",
        kind: "repeat",
        inputs: {
          model: {
            source: {
              case: "merge",
              value: {
                outputs: [
                  { step: "left", name: "output" },
                  { step: "right", name: "output" },
                ],
              },
            },
          },
        },
        repeat: { until: { op: ">", left: output(""), right: output("") } },
      },
      {
        name: "tell",
        kind: "function",
        skipWhen: {
          op: ">",
          left: { source: { case: "metric", value: { step: "both", name: "accuracy" } } },
        },
      },
    ],
  });

  const found = dependencies(merged).map(({ from, to, label }) => [from, to, label]);

  expect(found).toEqual([
    ["left", "both", "output"],
    ["right", "both", "output"],
    ["both", "tell", "accuracy"],
  ]);
});

describe("layout", () => {
  test("later steps stand below the ones they need", () => {
    const { places } = layout(graph);
    const tops = ["train", "accept", "deploy", "tell"].map((name) => places.get(name)?.y ?? Number.NaN);

    for (const [place, top] of tops.slice(1).entries()) {
      expect(top).toBeGreaterThan((tops[place] ?? Number.NaN) + NODE_HEIGHT);
    }
  });

  test("the same graph gives the same picture", () => {
    expect(layout(graph)).toEqual(layout(graph));
  });

  test("every edge has a path", () => {
    for (const line of layout(graph).lines) expect(path(line.points)).toMatch(/^M .* L /);
  });
});
