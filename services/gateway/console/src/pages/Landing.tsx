// "/": to the first workspace that the token opens.
import { Button, Container } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Navigate } from "react-router";

import { Empty } from "../parts/Empty";
import { Loaded } from "../parts/Loaded";
import { until, workspaces } from "../session/clients";
import { signOut } from "../session/token";

export function Landing() {
  const query = useQuery({
    queryKey: ["workspaces"],
    queryFn: ({ signal }) => workspaces.listWorkspaces({}, until(signal)),
  });
  return (
    <Container py="xl" component="main">
      <Loaded query={query} doing="Looking up your workspaces">
        {(answer) => {
          const first =
            answer.workspaces.find((workspace) => workspace.name === "default") ?? answer.workspaces[0];
          if (first !== undefined) return <Navigate to={`/w/${first.name}/workflows`} replace />;
          return (
            <Empty title="Your token opens no workspace">
              <p>Ask an administrator for a token of a workspace.</p>
              <Button onClick={() => signOut()}>Sign in with another token</Button>
            </Empty>
          );
        }}
      </Loaded>
    </Container>
  );
}
