import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";

import { describe, isPassing } from "./problem";

/** google.rpc.ErrorInfo as a server sends it. */
function errorInfo(reason: string, metadata: Record<string, string>) {
  const writer = new BinaryWriter();
  writer.tag(1, 2).string(reason).tag(2, 2).string("foldline");
  for (const [key, value] of Object.entries(metadata)) {
    writer.tag(3, 2).fork().tag(1, 2).string(key).tag(2, 2).string(value).join();
  }
  return { type: "google.rpc.ErrorInfo", value: writer.finish() };
}

test("an error of the server keeps its words, reason and problems by parameter", () => {
  const error = new ConnectError("parameter seed is -1, but must be at least 0", Code.InvalidArgument);
  error.details = [errorInfo("INVALID_PARAMETERS", { "parameter seed": "must be at least 0", other: "x" })];

  const problem = describe(error);

  expect(problem.message).toBe("parameter seed is -1, but must be at least 0");
  expect(problem.reason).toBe("INVALID_PARAMETERS");
  expect(problem.parameters).toEqual({ seed: "must be at least 0" });
  expect(problem.advice).not.toBe("");
});

test("every code has a title and advice", () => {
  const codes = Object.values(Code).filter((code): code is Code => typeof code === "number");

  for (const code of codes) {
    const { title, advice } = describe(new ConnectError("words", code));
    expect([title, advice]).not.toContain("");
  }
});

test("a server that cannot be reached is asked again, a refusal is not", () => {
  expect(isPassing(new TypeError("Failed to fetch"))).toBe(true);
  expect(isPassing(new ConnectError("no", Code.PermissionDenied))).toBe(false);
});
