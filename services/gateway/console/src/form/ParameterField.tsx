// One parameter of the configuration form.
import type { JsonValue } from "@bufbuild/protobuf";
import { Anchor, JsonInput, NumberInput, Select, Switch, TextInput } from "@mantine/core";
import { useState } from "react";

import { inline, pretty } from "../parts/values";
import { type Field, hint } from "./fields";

interface Props {
  field: Field;
  /** undefined: not set, the default holds. */
  value: JsonValue | undefined;
  error: string | undefined;
  onChange: (value: JsonValue | undefined) => void;
}

export function ParameterField({ field, value, error, onChange }: Props) {
  const common = {
    label: field.label,
    description: <Hint field={field} isSet={value !== undefined} onReset={() => onChange(undefined)} />,
    error,
    withAsterisk: field.required,
    inputWrapperOrder: ["label", "description", "input", "error"] as (
      "label" | "description" | "input" | "error"
    )[],
  };
  const placeholder = field.default === undefined ? undefined : inline(field.default);
  switch (field.kind) {
    case "integer":
    case "number":
      return (
        <NumberInput
          {...common}
          value={typeof value === "number" ? value : ""}
          placeholder={placeholder}
          allowDecimal={field.kind === "number"}
          step={stepOf(field)}
          startValue={typeof field.default === "number" ? field.default : field.minimum}
          onChange={(given) => onChange(numberOf(given))}
        />
      );
    case "switch":
      return (
        <Switch
          label={common.label}
          description={common.description}
          error={error}
          checked={(value ?? field.default ?? false) === true}
          onChange={(event) => onChange(event.currentTarget.checked)}
        />
      );
    case "choice":
      return (
        <Select
          {...common}
          data={field.choices.map((choice) => ({ value: inline(choice), label: inline(choice) }))}
          value={value === undefined ? null : inline(value)}
          placeholder={placeholder}
          clearable
          onChange={(chosen) => onChange(field.choices.find((choice) => inline(choice) === chosen))}
        />
      );
    case "json":
      return <JsonField {...common} placeholder={placeholder} value={value} onChange={onChange} />;
    default:
      return (
        <TextInput
          {...common}
          value={typeof value === "string" ? value : ""}
          placeholder={placeholder}
          onChange={(event) => onChange(event.currentTarget.value || undefined)}
        />
      );
  }
}

function Hint({ field, isSet, onReset }: { field: Field; isSet: boolean; onReset: () => void }) {
  return (
    <>
      {hint(field)}
      {isSet && field.default !== undefined && (
        <>
          {" · "}
          <Anchor
            component="button"
            type="button"
            size="xs"
            onClick={onReset}
            aria-label={`Use the default of ${field.label}`}
          >
            use the default
          </Anchor>
        </>
      )}
    </>
  );
}

type JsonProps = Omit<React.ComponentProps<typeof JsonInput>, "value" | "onChange"> & {
  value: JsonValue | undefined;
  onChange: (value: JsonValue | undefined) => void;
};

/** Text that is not JSON yet stays in the field and is not passed on. */
function JsonField({ value, onChange, error, ...rest }: JsonProps) {
  const [draft, setDraft] = useState<string>();
  const change = (text: string) => {
    const parsed = parse(text);
    setDraft(parsed === undefined && text.trim() !== "" ? text : undefined);
    if (parsed !== undefined || text.trim() === "") onChange(parsed);
  };
  return (
    <JsonInput
      {...rest}
      autosize
      minRows={2}
      value={draft ?? (value === undefined ? "" : pretty(value))}
      error={draft === undefined ? error : "This is not JSON yet."}
      onChange={change}
    />
  );
}

function parse(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}

function numberOf(given: number | string): JsonValue | undefined {
  const number = typeof given === "number" ? given : Number.parseFloat(given);
  return Number.isNaN(number) ? undefined : number;
}

function stepOf(field: Field): number {
  if (field.kind === "integer") return 1;
  const range = (field.maximum ?? 10) - (field.minimum ?? 0);
  return range <= 1 ? 0.01 : range <= 10 ? 0.1 : 1;
}
