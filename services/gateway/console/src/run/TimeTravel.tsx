// A slider over the events of a run: the graph shows the run as of the chosen one.
import { ActionIcon, Button, Group, Slider, Stack, Text } from "@mantine/core";
import { IconChevronLeft, IconChevronRight, IconPlayerTrackNext } from "@tabler/icons-react";

import type { RecordedEvent } from "../api/foldline/api/event/v1/recorded_pb";
import { clockTime, date } from "../parts/moments";
import { detail, title } from "./events";

interface Props {
  events: readonly RecordedEvent[];
  /** Version shown. */
  shown: number;
  /** undefined: back to the newest. */
  onShow: (version: number | undefined) => void;
  /** The newest is shown, and stays so when more come. */
  atNewest: boolean;
}

export function TimeTravel({ events, shown, onShow, atNewest }: Props) {
  const last = Number(events.at(-1)?.version ?? 0n);
  const event = events.find((candidate) => Number(candidate.version) === shown);
  const time = date(event?.time);
  const show = (version: number) => onShow(version >= last ? undefined : Math.max(1, version));
  return (
    <Stack gap={6} role="group" aria-label="Time travel">
      <Group gap="xs" wrap="nowrap">
        <ActionIcon
          variant="default"
          aria-label="Previous event"
          disabled={shown <= 1}
          onClick={() => show(shown - 1)}
        >
          <IconChevronLeft size={16} aria-hidden />
        </ActionIcon>
        <Slider
          flex={1}
          min={1}
          max={Math.max(2, last)}
          step={1}
          value={Math.max(1, shown)}
          disabled={last < 2}
          label={null}
          thumbLabel="Event"
          thumbProps={{ "aria-valuetext": event ? `Event ${shown} of ${last}: ${title(event)}` : undefined }}
          onChange={show}
        />
        <ActionIcon
          variant="default"
          aria-label="Next event"
          disabled={shown >= last}
          onClick={() => show(shown + 1)}
        >
          <IconChevronRight size={16} aria-hidden />
        </ActionIcon>
        <Button
          size="compact-sm"
          variant={atNewest ? "light" : "filled"}
          disabled={atNewest}
          leftSection={<IconPlayerTrackNext size={14} aria-hidden />}
          onClick={() => onShow(undefined)}
        >
          Newest
        </Button>
      </Group>
      <Text size="sm" c="dimmed" className="number anywhere" aria-live="polite">
        {!atNewest && (
          <Text span c="violet" fw={600} inherit>
            As it was, not as it is now.{" "}
          </Text>
        )}
        Event {shown} of {last}
        {event && `: ${title(event)}${detail(event) ? ` · ${detail(event)}` : ""}`}
        {time && ` · ${clockTime(time)}`}
      </Text>
    </Stack>
  );
}
