// The configuration of a workflow: a form made of its parameters' schema.
import { Button, Group, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";

import { announceDone } from "../problems/announce";
import { describe } from "../problems/problem";
import { ProblemAlert } from "../problems/ProblemAlert";
import { until, workflows } from "../session/clients";
import { type Field, problemsOf, sameValues, type Values } from "./fields";
import { ParameterField } from "./ParameterField";

interface Props {
  workspace: string;
  workflow: string;
  fields: Field[];
  /** What is saved. */
  saved: Values;
  /** What the form shows. */
  values: Values;
  onChange: (values: Values) => void;
}

export function ConfigurationForm({ workspace, workflow, fields, saved, values, onChange }: Props) {
  const queries = useQueryClient();
  const [touched, setTouched] = useState<ReadonlySet<string>>(new Set());
  const save = useMutation({
    mutationFn: () => workflows.configureWorkflow({ workspace, workflow, values, replace: true }, until()),
    onSuccess: async () => {
      setTouched(new Set());
      await queries.invalidateQueries({ queryKey: [workspace, "workflow", workflow] });
      announceDone("Configuration saved.");
    },
  });
  const here = problemsOf(fields, values);
  const there = save.isError ? describe(save.error).parameters : {};
  const changed = !sameValues(saved, values);
  const set = (field: Field, value: Values[string] | undefined) => {
    const { [field.name]: _dropped, ...others } = values;
    setTouched(new Set([...touched, field.name]));
    if (save.isError) save.reset();
    onChange(value === undefined ? others : { ...others, [field.name]: value });
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  if (fields.length === 0)
    return <Text c="dimmed">This workflow has no parameters: it can be started as it is.</Text>;
  return (
    <form onSubmit={submit} noValidate aria-label="Configuration">
      <Stack>
        {fields.map((field) => (
          <ParameterField
            key={field.name}
            field={field}
            value={values[field.name]}
            error={there[field.name] ?? (touched.has(field.name) ? here[field.name] : undefined)}
            onChange={(value) => set(field, value)}
          />
        ))}
        {save.isError && <ProblemAlert error={save.error} doing="Saving the configuration" />}
        <Group>
          <Button type="submit" variant="default" loading={save.isPending} disabled={!changed}>
            Save
          </Button>
          {changed && (
            <>
              <Button variant="subtle" color="gray" onClick={() => onChange(saved)}>
                Discard changes
              </Button>
              <Text size="sm" c="dimmed">
                There are changes that are not saved.
              </Text>
            </>
          )}
        </Group>
      </Stack>
    </form>
  );
}
