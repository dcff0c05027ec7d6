// The frame of a page: title for people and for the browser tab, actions, content.
import { Group, Stack, Text, Title } from "@mantine/core";
import { type ReactNode, useEffect } from "react";

interface Props {
  title: string;
  /** Small line above the title: where we are. */
  trail?: ReactNode;
  /** Beside the title. */
  badges?: ReactNode;
  /** Below the title. */
  lead?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

export function Page({ title, trail, badges, lead, actions, children }: Props) {
  useEffect(() => {
    document.title = `${title} – Foldline`;
  }, [title]);
  return (
    <Stack gap="lg">
      <Group justify="space-between" align="flex-end" gap="sm">
        <Stack gap={2}>
          {trail && (
            <Text size="sm" c="dimmed" component="div">
              {trail}
            </Text>
          )}
          <Group gap="sm">
            <Title order={1} size="h2" className="anywhere">
              {title}
            </Title>
            {badges}
          </Group>
          {lead && (
            <Text c="dimmed" size="sm" component="div">
              {lead}
            </Text>
          )}
        </Stack>
        <Group gap="xs">{actions}</Group>
      </Group>
      {children}
    </Stack>
  );
}
