// What the colours and icons of the graph mean, and how many steps have each.
import { Group, Text, ThemeIcon, VisuallyHidden } from "@mantine/core";

import { STEP_STATUSES } from "../parts/statuses";

export function Legend({ counts }: { counts: ReadonlyMap<string, number> }) {
  return (
    <Group gap="md" role="list" aria-label="Legend">
      {Object.entries(STEP_STATUSES).map(([status, look]) => {
        const Icon = look.icon;
        const count = counts.get(status) ?? 0;
        return (
          <Group key={status} gap={6} role="listitem" title={look.meaning}>
            <ThemeIcon size={18} radius="sm" variant="light" color={look.color}>
              <Icon size={13} aria-hidden />
            </ThemeIcon>
            <Text
              size="xs"
              className="number"
              c={count === 0 ? "dimmed" : undefined}
              fw={count === 0 ? 400 : 600}
            >
              {status} {count > 0 ? count : <VisuallyHidden>0</VisuallyHidden>}
            </Text>
          </Group>
        );
      })}
    </Group>
  );
}
