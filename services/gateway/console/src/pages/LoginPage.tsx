// Sign in with a token.
import { Alert, Button, Center, Code, Group, Paper, PasswordInput, Stack, Text, Title } from "@mantine/core";
import { type FormEvent, useEffect, useState } from "react";

import { farewellReason, signIn } from "../session/token";

export function LoginPage() {
  const [token, setToken] = useState("");
  const reason = farewellReason();
  useEffect(() => {
    document.title = "Sign in – Foldline";
  }, []);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (token.trim() !== "") signIn(token);
  };
  return (
    <Center mih="100vh" p="md" component="main">
      <Paper p="xl" w="100%" maw={460} shadow="sm">
        <form onSubmit={submit}>
          <Stack>
            <Group gap="sm">
              <img src="/foldline.svg" alt="" width={34} height={34} />
              <Title order={1} size="h3">
                Sign in to Foldline
              </Title>
            </Group>
            {reason !== "" && (
              <Alert color="orange" role="alert" title="Please sign in again">
                {reason}
              </Alert>
            )}
            <PasswordInput
              label="Token"
              description="Kept in this browser tab only, until you close it."
              placeholder="eyJ…"
              value={token}
              onChange={(event) => setToken(event.currentTarget.value)}
              autoComplete="off"
              autoFocus
              required
            />
            <Button type="submit" disabled={token.trim() === ""}>
              Sign in
            </Button>
            <Text size="sm" c="dimmed">
              On your own machine, <Code>foldline up</Code> and <Code>foldline status</Code> print an address
              that signs you in. Elsewhere, ask an administrator of your workspace for a token.
            </Text>
          </Stack>
        </form>
      </Paper>
    </Center>
  );
}
