// Nothing here yet, and how to change that.
import { Center, Code, Paper, Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";

interface Props {
  title: string;
  children?: ReactNode;
  /** A command that fills the list. */
  command?: string;
}

export function Empty({ title, children, command }: Props) {
  return (
    <Paper p="xl">
      <Center>
        <Stack align="center" gap="xs" maw={520}>
          <Text fw={600}>{title}</Text>
          {children && (
            <Text size="sm" c="dimmed" ta="center" component="div">
              {children}
            </Text>
          )}
          {command && <Code block>{command}</Code>}
        </Stack>
      </Center>
    </Paper>
  );
}
