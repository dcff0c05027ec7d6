// Start a run, after showing what exactly would run.
import type { JsonValue } from "@bufbuild/protobuf";
import { Alert, Button, ScrollArea, Stack, Table, Text } from "@mantine/core";
import { IconPlayerPlay } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";

import { Confirm } from "../parts/Confirm";
import { Loaded } from "../parts/Loaded";
import { inline } from "../parts/values";
import { scheduler, until, workflows } from "../session/clients";
import { type Field, sameValues, type Values } from "./fields";

interface Props {
  workspace: string;
  workflow: string;
  fields: Field[];
  saved: Values;
  /** What the form shows; what differs from the saved counts for this run only. */
  values: Values;
  releaseNumber: number;
}

export function StartButton({ workspace, workflow, fields, saved, values, releaseNumber }: Props) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [asking, setAsking] = useState(false);
  // Chosen when the question is asked: pressing the button twice starts one run.
  const [requestId, setRequestId] = useState("");
  const once = forThisRun(fields, saved, values);
  const plan = useQuery({
    queryKey: [workspace, "plan", workflow, requestId],
    queryFn: ({ signal }) => workflows.resolveRun({ workspace, workflow, values: once }, until(signal)),
    enabled: asking,
    retry: false,
  });
  const start = useMutation({
    mutationFn: () => scheduler.startRun({ workspace, workflow, values: once, requestId }, until()),
    onSuccess: ({ runId }) => {
      void queries.invalidateQueries({ queryKey: [workspace, "runs"] });
      void navigate(`/w/${workspace}/runs/${runId}`);
    },
  });
  const ask = () => {
    start.reset();
    setRequestId(crypto.randomUUID());
    setAsking(true);
  };
  return (
    <>
      <Button leftSection={<IconPlayerPlay size={16} aria-hidden />} onClick={ask}>
        Start
      </Button>
      <Confirm
        opened={asking}
        onClose={() => setAsking(false)}
        title={`Start ${workflow}?`}
        action="Start run"
        busy={start.isPending}
        disabled={!plan.isSuccess}
        error={start.error}
        onConfirm={() => start.mutate()}
      >
        {!sameValues(saved, values) && (
          <Alert color="orange" title="Not saved">
            The values of this form count for this run only; the saved configuration stays as it is.
          </Alert>
        )}
        <Loaded query={plan} doing="Checking the values">
          {(resolved) => (
            <Plan
              fields={fields}
              parameters={resolved.parameters ?? {}}
              releaseNumber={releaseNumber}
              region={resolved.region}
            />
          )}
        </Loaded>
      </Confirm>
    </>
  );
}

/** Saved values that were cleared in the form must count as their defaults. */
function forThisRun(fields: Field[], saved: Values, values: Values): Values {
  const cleared = fields.filter(
    (field) => field.name in saved && !(field.name in values) && field.default !== undefined,
  );
  return {
    ...Object.fromEntries(cleared.map((field) => [field.name, field.default as JsonValue])),
    ...values,
  };
}

interface PlanProps {
  fields: Field[];
  parameters: Values;
  releaseNumber: number;
  region: string;
}

function Plan({ fields, parameters, releaseNumber, region }: PlanProps) {
  return (
    <Stack gap="xs">
      <Text size="sm">
        Release #{releaseNumber} runs in region {region}
        {fields.length > 0 ? " with these values:" : "."}
      </Text>
      {fields.length > 0 && (
        <ScrollArea.Autosize mah={320}>
          <Table aria-label="Values" verticalSpacing={4}>
            <Table.Tbody>
              {fields.map((field) => (
                <Table.Tr key={field.name}>
                  <Table.Th scope="row" fw={500}>
                    {field.label}
                  </Table.Th>
                  <Table.Td className="anywhere number">{inline(parameters[field.name])}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </ScrollArea.Autosize>
      )}
    </Stack>
  );
}
