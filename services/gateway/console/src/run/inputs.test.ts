import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";

import { RunStepSchema } from "../api/foldline/api/recorder/v1/recorder_service_pb";
import { StepSchema } from "../api/foldline/api/workflow/v1/workflow_pb";
import { inputFacts } from "./inputs";

const number = (value: number) => ({ kind: { case: "numberValue" as const, value } });

test("each input tells its value and where it came from", () => {
  const step = create(StepSchema, {
    inputs: {
      rate: { source: { case: "parameter", value: "rate" } },
      loss: { source: { case: "output", value: { step: "train", name: "metrics", path: ["losses", "1"] } } },
      model: { source: { case: "output", value: { step: "train", name: "model" } } },
      labels: { source: { case: "output", value: { step: "label", name: "labels" } } },
    },
  });
  const losses = { kind: { case: "listValue" as const, value: { values: [number(0.5), number(NaN)] } } };
  const metrics = { kind: { case: "structValue" as const, value: { fields: { losses } } } };
  const train = create(RunStepSchema, {
    outputs: {
      metrics: { type: "json", value: metrics },
      model: { type: "model", digest: "sha256:0123456789abcdef" },
    },
  });

  const facts = inputFacts(step, { rate: 0.1 }, new Map([["train", train]]));

  expect(Object.fromEntries(facts)).toEqual({
    rate: "0.1 (parameter rate)",
    loss: "NaN (train.metrics.losses.1)",
    model: "train.model: model 0123456789ab",
    labels: "label.labels (not there yet)",
  });
});
