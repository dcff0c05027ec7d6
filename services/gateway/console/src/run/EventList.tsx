// The events of a run; each can be chosen to see the run as of it.
import { Badge, Group, Stack, Text, UnstyledButton, VisuallyHidden } from "@mantine/core";
import { useEffect, useRef } from "react";

import type { RecordedEvent } from "../api/foldline/api/event/v1/recorded_pb";
import { clockTime, date } from "../parts/moments";
import { detail, title } from "./events";
import classes from "./EventList.module.css";

interface Props {
  events: readonly RecordedEvent[];
  /** Version shown by the graph. */
  shown: number;
  onShow: (version: number) => void;
  /** Verdict on the hash chain, once it was asked for. */
  chain: { ok: boolean; error: string } | undefined;
}

export function EventList({ events, shown, onShow, chain }: Props) {
  const list = useRef<HTMLOListElement>(null);
  useEffect(() => {
    list.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  }, [shown]);
  return (
    <Stack gap="xs">
      <Group gap="xs">
        <Text size="sm" c="dimmed">
          Choose an event to see the graph as of it.
        </Text>
        {chain && (
          <Badge color={chain.ok ? "green" : "red"} variant="light" tt="none" title={chain.error}>
            {chain.ok ? "hash chain holds" : chain.error}
          </Badge>
        )}
      </Group>
      <ol ref={list} className={classes.list} aria-label="Events">
        {events.map((event) => (
          <li key={String(event.version)}>
            <Row event={event} current={Number(event.version) === shown} onShow={onShow} />
          </li>
        ))}
      </ol>
    </Stack>
  );
}

function Row({
  event,
  current,
  onShow,
}: {
  event: RecordedEvent;
  current: boolean;
  onShow: (version: number) => void;
}) {
  const time = date(event.time);
  const about = detail(event);
  return (
    <UnstyledButton
      className={classes.row}
      aria-current={current ? "step" : undefined}
      onClick={() => onShow(Number(event.version))}
    >
      <span className={classes.version}>
        <VisuallyHidden>Event </VisuallyHidden>
        {String(event.version)}
      </span>
      <span className={classes.time}>{time && clockTime(time)}</span>
      <span className={classes.words}>
        <span>{title(event)}</span> <span className={classes.detail}>{about}</span>
      </span>
    </UnstyledButton>
  );
}
