// What was noted of an artifact for people to see: the first rows of a table, facts of an array, the head of a file.
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { Code, ScrollArea, Skeleton, Stack, Table } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { type Fact, Facts } from "../parts/Facts";
import { inline } from "../parts/values";
import { ProblemAlert } from "../problems/ProblemAlert";
import { recorder, until } from "../session/clients";
import type { ArtifactPlace } from "../session/downloads";
import { plain } from "./plain";

/** Shown in a way of their own, or in the artifact's summary. */
const APART = new Set(["kind", "columns", "head", "text", "thumbnail"]);

export function PreviewView({ digest, place }: { digest: string; place: ArtifactPlace }) {
  const query = useQuery({
    queryKey: ["artifact preview", digest, place],
    queryFn: async ({ signal }) => (await recorder.getArtifactPreview(place, until(signal))).preview ?? {},
    staleTime: Infinity, // content-addressed
  });
  if (query.isError) return <ProblemAlert error={query.error} doing="Loading the preview" />;
  if (query.data === undefined) return <Skeleton height={60} />;
  const { columns, head, text } = query.data;
  return (
    <Stack gap="xs">
      <Head columns={list(columns)} rows={list(head)} />
      {typeof text === "string" && text !== "" && (
        <ScrollArea.Autosize mah={260} type="auto">
          <Code block>{text.split("\n").map(plain).join("\n")}</Code>
        </ScrollArea.Autosize>
      )}
      <Facts facts={factsOf(query.data)} />
    </Stack>
  );
}

/** The first rows of a table. */
function Head({ columns, rows }: { columns: JsonValue[]; rows: JsonValue[] }) {
  if (rows.length === 0) return null;
  return (
    <ScrollArea.Autosize mah={320} type="auto">
      <Table withTableBorder withColumnBorders fz="xs" verticalSpacing={2}>
        <Table.Thead>
          <Table.Tr>
            {columns.map((column, place) => (
              <Table.Th key={place} title={text(field(column, "type"))}>
                {plain(text(field(column, "name")))}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row, number) => (
            <Table.Tr key={number}>
              {list(row).map((cell, place) => (
                <Table.Td key={place}>{plain(text(cell))}</Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </ScrollArea.Autosize>
  );
}

function factsOf(preview: JsonObject): Fact[] {
  return Object.entries(preview)
    .filter(([name]) => !APART.has(name))
    .map(([name, value]): Fact => [name.replaceAll("_", " "), plain(inline(value))]);
}

function list(value: JsonValue | undefined): JsonValue[] {
  return Array.isArray(value) ? value : [];
}

function field(value: JsonValue, name: string): JsonValue | undefined {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? value[name] : undefined;
}

function text(value: JsonValue | undefined): string {
  return value === null || value === undefined ? "" : inline(value);
}
