// Live log of an attempt. Only the lines in sight are drawn, so a hundred thousand of them cost nothing.
import { Button, Checkbox, Group, Stack, Text, TextInput } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { useEffect, useMemo, useRef, useState } from "react";

import type { LogLine } from "../api/foldline/api/recorder/v1/recorder_service_pb";
import { clockTime, date } from "../parts/moments";
import { announceFailure } from "../problems/announce";
import { ProblemAlert } from "../problems/ProblemAlert";
import { download, logPath } from "../session/downloads";
import { useLog } from "./log";
import classes from "./LogView.module.css";
import { plain } from "./plain";

interface Props {
  workspace: string;
  runId: string;
  step: string;
  attempt: number;
}

const LINE_HEIGHT = 19;
const MARGIN_LINES = 20;

export function LogView(props: Props) {
  const log = useLog(props.workspace, props.runId, props.step, props.attempt);
  const [words, setWords] = useState("");
  const [following, setFollowing] = useState(true);
  const lines = useMemo(() => matching(log.lines, words), [log.lines, words]);
  const save = () => {
    const path = logPath(props.workspace, props.runId, props.step, props.attempt);
    download(props.workspace, path).catch((error: unknown) => announceFailure("Downloading the log", error));
  };
  return (
    <Stack gap="xs">
      <Group justify="space-between" gap="xs">
        <TextInput
          aria-label="Search the log"
          placeholder="Search"
          size="xs"
          value={words}
          onChange={(event) => setWords(event.currentTarget.value)}
        />
        <Group gap="sm">
          <Text size="xs" c="dimmed" className="number" role="status">
            {words === "" ? `${log.lines.length} lines` : `${lines.length} of ${log.lines.length} lines`}
            {log.live ? ", live" : ""}
          </Text>
          <Checkbox
            size="xs"
            label="Follow"
            checked={following}
            onChange={(event) => setFollowing(event.currentTarget.checked)}
          />
          <Button
            size="compact-xs"
            variant="default"
            leftSection={<IconDownload size={13} aria-hidden />}
            onClick={save}
          >
            Download log
          </Button>
        </Group>
      </Group>
      {log.error != null && <ProblemAlert error={log.error} doing="Reading the log" />}
      {log.missing !== "" && (
        <Text size="xs" c="orange" role="note">
          {log.missing}
        </Text>
      )}
      {log.lines.length > 0 && log.lines[0]!.number > 1n && (
        <Text size="xs" c="dimmed" role="note">
          The newest lines; the download has all of them.
        </Text>
      )}
      <Lines
        lines={lines}
        ranked={log.ranks > 1}
        following={following}
        label={`Log of ${props.step}, attempt ${props.attempt}`}
        empty={log.live ? "No output yet." : "No output."}
      />
    </Stack>
  );
}

interface LinesProps {
  lines: readonly LogLine[];
  ranked: boolean;
  following: boolean;
  label: string;
  empty: string;
}

function Lines({ lines, ranked, following, label, empty }: LinesProps) {
  const frame = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  useEffect(() => {
    if (following) frame.current?.scrollTo({ top: frame.current.scrollHeight });
  }, [following, lines]);
  const height = frame.current?.clientHeight ?? 360;
  const first = Math.max(0, Math.floor(top / LINE_HEIGHT) - MARGIN_LINES);
  const last = Math.ceil((top + height) / LINE_HEIGHT) + MARGIN_LINES;
  return (
    // Focusable, so that the keyboard can scroll it.
    <div
      ref={frame}
      className={classes.frame}
      role="log"
      aria-label={label}
      tabIndex={0}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
    >
      {lines.length === 0 && <span className={classes.empty}>{empty}</span>}
      <div style={{ height: lines.length * LINE_HEIGHT }} className={classes.paper}>
        <div style={{ transform: `translateY(${first * LINE_HEIGHT}px)` }}>
          {lines.slice(first, last).map((line) => (
            <Line key={String(line.number)} line={line} ranked={ranked} />
          ))}
        </div>
      </div>
    </div>
  );
}

function Line({ line, ranked }: { line: LogLine; ranked: boolean }) {
  const time = date(line.time);
  return (
    <div className={classes.line} data-stream={line.stream} title={line.stream}>
      <span className={classes.number}>{String(line.number)}</span>
      <span className={classes.time}>{time && clockTime(time)}</span>
      {ranked && <span className={classes.time}>{line.stream === "system" ? "" : line.rank}</span>}
      <span>{plain(line.text)}</span>
    </div>
  );
}

function matching(lines: readonly LogLine[], words: string): readonly LogLine[] {
  const wanted = words.toLowerCase();
  return wanted === "" ? lines : lines.filter((line) => plain(line.text).toLowerCase().includes(wanted));
}
