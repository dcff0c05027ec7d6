// What a step waits for from a person, and the buttons and fields to give it.
import { Alert, Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { IconUser } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import type { RunStep } from "../api/foldline/api/recorder/v1/recorder_service_pb";
import type { Graph, Step, Wait } from "../api/foldline/api/workflow/v1/workflow_pb";
import { type Field, fieldOfParameter, problemsOf, type Values } from "../form/fields";
import { ParameterField } from "../form/ParameterField";
import { date, moment } from "../parts/moments";
import { ProblemAlert } from "../problems/ProblemAlert";
import { scheduler, until } from "../session/clients";

interface Props {
  workspace: string;
  runId: string;
  declared: Step;
  state: RunStep;
  graph: Graph;
}

type Answer =
  | { case: "approved"; value: boolean }
  | { case: "choice"; value: string }
  | { case: "values"; value: Values };

export function WaitPanel({ workspace, runId, declared, state, graph }: Props) {
  const queries = useQueryClient();
  const step = declared.name;
  const done = { onSuccess: () => queries.invalidateQueries({ queryKey: [workspace, "todos"] }) };
  const answer = useMutation({
    mutationFn: ({ given, comment }: { given: Answer; comment: string }) =>
      scheduler.answerWait({ workspace, runId, step, answer: given, comment }, until()),
    ...done,
  });
  const provide = useMutation({
    mutationFn: (values: Values) => scheduler.provideParameters({ workspace, runId, values }, until()),
    ...done,
  });
  const retry = useMutation({
    mutationFn: () => scheduler.retrySteps({ workspace, runId, steps: [step] }, until()),
    ...done,
  });
  const error = answer.error ?? provide.error ?? retry.error;
  const { wait } = declared;
  if (state.status === "awaiting" && wait !== undefined) {
    return (
      <Frame title={wait.prompt || "This step waits for an answer"} error={error}>
        {wait.assignee && <Text size="sm">Only {wait.assignee} may answer.</Text>}
        {state.deadline && <Text size="sm">Until {moment(date(state.deadline) ?? new Date())}.</Text>}
        <Question
          wait={wait}
          busy={answer.isPending}
          onAnswer={(given, comment) => answer.mutate({ given, comment })}
        />
      </Frame>
    );
  }
  if (state.status === "asking") {
    const asked = graph.parameters.filter(({ name }) => state.asked.includes(name)).map(fieldOfParameter);
    return (
      <Frame title={`This step needs ${state.asked.join(", ")}`} error={error}>
        <Form fields={asked} action="Give the values" busy={provide.isPending} onDone={provide.mutate} />
      </Frame>
    );
  }
  if (state.status !== "held") return null;
  return (
    <Frame title="This step is held" error={error}>
      <Text size="sm">{state.note}</Text>
      <Group>
        <Button loading={retry.isPending} onClick={() => retry.mutate()}>
          Run it once more
        </Button>
      </Group>
    </Frame>
  );
}

function Frame({ title, error, children }: { title: string; error: unknown; children: React.ReactNode }) {
  return (
    <Alert color="grape" icon={<IconUser aria-hidden />} title={title}>
      <Stack gap="sm">
        {children}
        {error != null && <ProblemAlert error={error} doing="Answering" />}
      </Stack>
    </Alert>
  );
}

interface QuestionProps {
  wait: Wait;
  busy: boolean;
  onAnswer: (given: Answer, comment: string) => void;
}

function Question({ wait, busy, onAnswer }: QuestionProps) {
  const [comment, setComment] = useState("");
  if (wait.kind === "event") return <Text size="sm">It goes on with the event {wait.event}.</Text>;
  const say = (given: Answer) => onAnswer(given, comment);
  return (
    <Stack gap="sm">
      <TextInput
        label="Comment"
        size="xs"
        value={comment}
        onChange={(event) => setComment(event.currentTarget.value)}
      />
      {wait.kind === "values" && (
        <Form
          fields={wait.fields.map(fieldOfParameter)}
          action="Answer"
          busy={busy}
          onDone={(value) => say({ case: "values", value })}
        />
      )}
      {wait.kind === "approve" && (
        <Group>
          <Button color="green" loading={busy} onClick={() => say({ case: "approved", value: true })}>
            Approve
          </Button>
          <Button
            color="red"
            variant="light"
            loading={busy}
            onClick={() => say({ case: "approved", value: false })}
          >
            Reject
          </Button>
        </Group>
      )}
      {wait.kind === "choose" && (
        <Group>
          {wait.choices.map((value) => (
            <Button key={value} variant="light" loading={busy} onClick={() => say({ case: "choice", value })}>
              {value}
            </Button>
          ))}
        </Group>
      )}
    </Stack>
  );
}

interface FormProps {
  fields: Field[];
  action: string;
  busy: boolean;
  onDone: (values: Values) => void;
}

function Form({ fields, action, busy, onDone }: FormProps) {
  const [values, setValues] = useState<Values>({});
  const problems = problemsOf(fields, values);
  return (
    <Stack gap="sm">
      {fields.map((field) => (
        <ParameterField
          key={field.name}
          field={field}
          value={values[field.name]}
          error={field.name in values ? problems[field.name] : undefined}
          onChange={(value) => setValues((known) => withValue(known, field.name, value))}
        />
      ))}
      <Group>
        <Button loading={busy} disabled={Object.keys(problems).length > 0} onClick={() => onDone(values)}>
          {action}
        </Button>
      </Group>
    </Stack>
  );
}

function withValue(known: Values, name: string, value: Values[string] | undefined): Values {
  const { [name]: _, ...rest } = known;
  return value === undefined ? rest : { ...rest, [name]: value };
}
