// Stop a run, after a question.
import { Button, Text, TextInput } from "@mantine/core";
import { IconHandStop } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";

import type { Run } from "../api/foldline/api/recorder/v1/recorder_service_pb";
import { Confirm } from "../parts/Confirm";
import { announceDone } from "../problems/announce";
import { scheduler, until } from "../session/clients";

export function StopButton({ workspace, run }: { workspace: string; run: Run }) {
  const [asking, setAsking] = useState(false);
  const [reason, setReason] = useState("");
  const stop = useMutation({
    mutationFn: () =>
      scheduler.stopRun({ workspace, runId: run.runId, reason: reason || "stopped in the console" }, until()),
    onSuccess: () => {
      setAsking(false);
      announceDone("The run is being stopped.");
    },
  });
  return (
    <>
      <Button
        color="red"
        variant="light"
        leftSection={<IconHandStop size={16} aria-hidden />}
        disabled={run.status === "stopping"}
        onClick={() => setAsking(true)}
      >
        {run.status === "stopping" ? "Stopping…" : "Stop"}
      </Button>
      <Confirm
        opened={asking}
        onClose={() => setAsking(false)}
        title="Stop this run?"
        action="Stop run"
        color="red"
        busy={stop.isPending}
        error={stop.error}
        onConfirm={() => stop.mutate()}
      >
        <Text size="sm">
          Running steps are asked to end, and killed when they do not. What is finished stays in the record. A
          stopped step can be retried.
        </Text>
        <TextInput
          label="Reason"
          description="For the record"
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
        />
      </Confirm>
    </>
  );
}
