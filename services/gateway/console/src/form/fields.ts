// A form's fields from the JSON Schema of a release's parameters, and what a person's input means. Pure.
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

import type { Parameter } from "../api/foldline/api/workflow/v1/workflow_pb";
import { inline, plain } from "../parts/values";

export type Kind = "integer" | "number" | "text" | "switch" | "choice" | "json";

export interface Field {
  name: string;
  label: string;
  help: string;
  kind: Kind;
  required: boolean;
  default: JsonValue | undefined;
  minimum: number | undefined;
  maximum: number | undefined;
  choices: JsonValue[];
}

/** What is set, by parameter; a parameter that is missing takes its default. */
export type Values = Record<string, JsonValue>;

const KINDS: Record<string, Kind> = {
  integer: "integer",
  number: "number",
  string: "text",
  boolean: "switch",
};

export function fieldsOf(schema: JsonObject | undefined): Field[] {
  const properties = object(schema?.properties);
  const required = Array.isArray(schema?.required) ? schema.required : [];
  return Object.entries(properties)
    .map(([name, property]) => ({
      place: Number(object(property)["x-order"] ?? 0),
      name,
      property: object(property),
    }))
    .sort((a, b) => a.place - b.place)
    .map(({ name, property }) => fieldOf(name, property, required.includes(name)));
}

function fieldOf(name: string, property: JsonObject, required: boolean): Field {
  const choices = Array.isArray(property.enum) ? property.enum : [];
  return {
    name,
    label: typeof property.title === "string" ? property.title : name,
    help: typeof property.description === "string" ? property.description : "",
    kind: choices.length > 0 ? "choice" : (KINDS[String(property.type)] ?? "json"),
    required,
    default: property.default,
    minimum: typeof property.minimum === "number" ? property.minimum : undefined,
    maximum: typeof property.maximum === "number" ? property.maximum : undefined,
    choices,
  };
}

const PARAMETER_KINDS: Record<string, Kind> = {
  int: "integer",
  float: "number",
  str: "text",
  bool: "switch",
};

/** The field of a parameter that is asked for during a run. */
export function fieldOfParameter(parameter: Parameter): Field {
  const choices = parameter.choices.map(plain);
  return {
    name: parameter.name,
    label: parameter.title || parameter.name,
    help: parameter.description,
    kind: choices.length > 0 ? "choice" : (PARAMETER_KINDS[parameter.type] ?? "json"),
    required: parameter.default === undefined,
    default: parameter.default === undefined ? undefined : plain(parameter.default),
    minimum: parameter.minimum,
    maximum: parameter.maximum,
    choices,
  };
}

/** "0 to 1", "at least 3", "at most 9"; empty where there is no bound. */
export function bounds(field: Field): string {
  const { minimum, maximum } = field;
  if (minimum !== undefined && maximum !== undefined) return `${minimum} to ${maximum}`;
  if (minimum !== undefined) return `at least ${minimum}`;
  return maximum === undefined ? "" : `at most ${maximum}`;
}

/** The sentence below a field's label. */
export function hint(field: Field): string {
  const parts = [
    field.help,
    bounds(field),
    field.default === undefined ? "" : `default: ${inline(field.default)}`,
  ];
  return parts.filter((part) => part !== "").join(" · ");
}

/** What is wrong with the value before the server is asked; the server has the last word. */
export function problemOf(field: Field, value: JsonValue | undefined): string | undefined {
  if (value === undefined) return field.required ? "A value is needed." : undefined;
  if (field.kind !== "integer" && field.kind !== "number") return undefined;
  if (typeof value !== "number") return "A number is needed.";
  if (field.kind === "integer" && !Number.isInteger(value)) return "A whole number is needed.";
  const tooLow = field.minimum !== undefined && value < field.minimum;
  const tooHigh = field.maximum !== undefined && value > field.maximum;
  return tooLow || tooHigh ? `Must be ${bounds(field)}.` : undefined;
}

export function problemsOf(fields: Field[], values: Values): Record<string, string> {
  const found = fields.map((field) => [field.name, problemOf(field, values[field.name])] as const);
  return Object.fromEntries(
    found.filter((entry): entry is readonly [string, string] => entry[1] !== undefined),
  );
}

export function sameValues(a: Values, b: Values): boolean {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((name) => inline(a[name]) === inline(b[name]));
}

function object(value: JsonValue | undefined): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}
