// An error as people see it: what happened, what the server said, what to do, and a button where trying helps.
import { Alert, Button, Group, Stack, Text } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";

import { describe } from "./problem";

interface Props {
  error: unknown;
  /** What was being done, e.g. "Loading the runs". */
  doing?: string;
  onRetry?: () => void;
}

export function ProblemAlert({ error, doing, onRetry }: Props) {
  const problem = describe(error);
  return (
    <Alert
      color="red"
      icon={<IconAlertTriangle aria-hidden />}
      role="alert"
      title={doing ? `${doing}: ${problem.title}` : problem.title}
    >
      <Stack gap="xs" align="flex-start">
        <Text size="sm" style={{ overflowWrap: "anywhere" }}>
          {problem.message}
        </Text>
        <Group gap="sm">
          <Text size="sm" opacity={0.85}>
            {problem.advice}
          </Text>
          {onRetry && (
            <Button size="compact-sm" variant="light" color="red" onClick={onRetry}>
              Try again
            </Button>
          )}
        </Group>
      </Stack>
    </Alert>
  );
}
