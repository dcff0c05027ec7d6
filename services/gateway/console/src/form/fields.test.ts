import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";

import { ParameterSchema } from "../api/foldline/api/workflow/v1/workflow_pb";
import { bounds, type Field, fieldOfParameter, fieldsOf, hint, problemOf, sameValues } from "./fields";

const schema = {
  type: "object",
  properties: {
    seed: { type: "integer", default: 7, minimum: 0, "x-order": 1 },
    accept_at: {
      type: "number",
      title: "Accept at",
      description: "Least accuracy",
      minimum: 0,
      maximum: 1,
      "x-order": 0,
    },
    kernel: { type: "string", enum: ["rbf", "poly"], default: "rbf", "x-order": 2 },
    extra: { "x-order": 3 },
  },
  required: ["accept_at"],
};

function field(name: string): Field {
  const found = fieldsOf(schema).find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`no field ${name}`);
  return found;
}

describe("fieldsOf", () => {
  test("fields stand in the order of the declaration", () => {
    expect(fieldsOf(schema).map(({ name }) => name)).toEqual(["accept_at", "seed", "kernel", "extra"]);
  });

  test("types decide the kind, choices before types", () => {
    expect(fieldsOf(schema).map(({ kind }) => kind)).toEqual(["number", "integer", "choice", "json"]);
  });

  test("only what has no default is required", () => {
    expect(fieldsOf(schema).map(({ required }) => required)).toEqual([true, false, false, false]);
  });

  test("a workflow without parameters has no fields", () => {
    expect(fieldsOf(undefined)).toEqual([]);
  });
});

test("a parameter that a run asks for has the field that it has in the configuration", () => {
  const rate = create(ParameterSchema, {
    name: "rate",
    type: "float",
    maximum: 1,
    default: { kind: { case: "numberValue", value: 0.5 } },
  });

  expect(fieldOfParameter(rate)).toMatchObject({ kind: "number", required: false, default: 0.5, maximum: 1 });
  expect(fieldOfParameter(create(ParameterSchema, { name: "any", type: "json" }))).toMatchObject({
    label: "any",
    kind: "json",
    required: true,
  });
});

test("the hint names help, bounds and default", () => {
  expect(hint(field("accept_at"))).toBe("Least accuracy · 0 to 1");
  expect(hint(field("seed"))).toBe("at least 0 · default: 7");
  expect(bounds(field("kernel"))).toBe("");
});

describe("problemOf", () => {
  test("a required field without a value is a problem, an optional one is not", () => {
    expect(problemOf(field("accept_at"), undefined)).toBe("A value is needed.");
    expect(problemOf(field("seed"), undefined)).toBeUndefined();
  });

  test("bounds are inclusive", () => {
    expect(problemOf(field("accept_at"), 1)).toBeUndefined();
    expect(problemOf(field("accept_at"), 1.01)).toBe("Must be 0 to 1.");
  });

  test("an integer has no fraction", () => {
    expect(problemOf(field("seed"), 1.5)).toBe("A whole number is needed.");
  });
});

test("values are the same whatever the order of their names", () => {
  expect(sameValues({ a: 1, b: [1] }, { b: [1], a: 1 })).toBe(true);
  expect(sameValues({ a: 1 }, {})).toBe(false);
});
