// What waits for a person in the runs of the workspace; nothing where nothing does.
import { Paper, Table, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { Ago } from "../parts/Ago";
import { TextLink } from "../parts/TextLink";
import { ProblemAlert } from "../problems/ProblemAlert";
import { recorder, until } from "../session/clients";

const REFRESH_MS = 5_000;

export function Todos({ workspace }: { workspace: string }) {
  const query = useQuery({
    queryKey: [workspace, "todos"],
    queryFn: async ({ signal }) => (await recorder.listTodos({ workspace }, until(signal))).todos,
    refetchInterval: REFRESH_MS,
  });
  if (query.isError) {
    return <ProblemAlert error={query.error} doing="Loading what waits for people" />;
  }
  if (query.data === undefined || query.data.length === 0) return null;
  return (
    <Paper p="xs">
      <Title order={2} size="h5" px="xs">
        Waits for a person
      </Title>
      <Table verticalSpacing="xs" aria-label="Waits for a person">
        <Table.Tbody>
          {query.data.map((todo) => (
            <Table.Tr key={`${todo.runId}/${todo.step}`}>
              <Table.Td>
                <TextLink to={`/w/${workspace}/runs/${todo.runId}?step=${encodeURIComponent(todo.step)}`}>
                  {todo.workflow}: {todo.title || todo.step}
                </TextLink>
              </Table.Td>
              <Table.Td className="anywhere">{todo.prompt || todo.kind}</Table.Td>
              <Table.Td>{todo.assignee}</Table.Td>
              <Table.Td>
                <Ago time={todo.since} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Paper>
  );
}
