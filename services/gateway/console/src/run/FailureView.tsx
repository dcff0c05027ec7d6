// Why an attempt, a step or a run failed.
import { Alert, Stack, Text } from "@mantine/core";
import { IconX } from "@tabler/icons-react";

import type { Failure } from "../api/foldline/api/failure/v1/failure_pb";
import classes from "./FailureView.module.css";

const ADVICE: Record<string, string> = {
  user: "The step itself failed: its traceback and log say where. Correct it and release again, or start with other values.",
  invalid: "Values or outputs do not fit: compare them with what the step declares.",
  timeout: "The step took longer than its time-out allows.",
  stopped: "The run was stopped.",
  lost: "The executor vanished. This does not use up the step's attempts.",
  infrastructure:
    "The platform failed, not the step. This does not use up the step's attempts; ask your operator if it stays.",
};

export function FailureView({ failure, title }: { failure: Failure; title: string }) {
  const ending =
    failure.signal > 0
      ? `ended by signal ${failure.signal}`
      : failure.exitCode > 0
        ? `exit code ${failure.exitCode}`
        : "";
  const words = [failure.errorClass, failure.reason, ending].filter((word) => word !== "").join(" · ");
  return (
    <Alert
      color="red"
      icon={<IconX aria-hidden />}
      title={title}
      role="group"
      aria-label={title}
      classNames={{ body: classes.body }}
    >
      <Stack gap="xs">
        <Text size="sm" className="anywhere" fw={500}>
          {failure.message}
        </Text>
        <Text size="xs" opacity={0.85}>
          {words}
        </Text>
        {failure.traceback !== "" && (
          // Focusable, so that the keyboard can scroll it.
          <pre className={classes.traceback} tabIndex={0} aria-label="Traceback">
            {failure.traceback}
          </pre>
        )}
        {ADVICE[failure.kind] && <Text size="sm">{ADVICE[failure.kind]}</Text>}
      </Stack>
    </Alert>
  );
}
