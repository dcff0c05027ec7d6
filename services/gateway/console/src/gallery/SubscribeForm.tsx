// Subscribe to an asset: read and accept its agreements.
import { Button, Checkbox, Paper, ScrollArea, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";

import type { Asset } from "../api/foldline/api/registry/v1/gallery_service_pb";
import { Prose } from "../parts/Prose";
import { announceDone } from "../problems/announce";
import { ProblemAlert } from "../problems/ProblemAlert";
import { gallery, until } from "../session/clients";

export function SubscribeForm({ workspace, asset }: { workspace: string; asset: Asset }) {
  const queries = useQueryClient();
  const [accepted, setAccepted] = useState<string[]>([]);
  const subscribe = useMutation({
    mutationFn: () =>
      gallery.subscribe(
        { workspace, publisher: asset.publisher, asset: asset.name, accept: accepted },
        until(),
      ),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: [workspace, "asset"] });
      await queries.invalidateQueries({ queryKey: [workspace, "assets"] });
      announceDone("Subscribed.");
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    subscribe.mutate();
  };
  const open = asset.agreements.filter((agreement) => !accepted.includes(agreement.name));
  return (
    <form onSubmit={submit} aria-label="Subscribe">
      <Stack>
        <Text size="sm" c="dimmed">
          {asset.agreements.length === 0
            ? "There is nothing to agree to."
            : "Read and accept each of these texts:"}
        </Text>
        <Checkbox.Group value={accepted} onChange={setAccepted} aria-label="Agreements">
          <Stack>
            {asset.agreements.map((agreement) => (
              <Paper key={agreement.name} p="sm">
                <Stack gap="xs">
                  <ScrollArea.Autosize
                    mah={180}
                    viewportProps={{ tabIndex: 0, "aria-label": `Text of ${agreement.name}` }}
                  >
                    <Prose>{agreement.text}</Prose>
                  </ScrollArea.Autosize>
                  <Checkbox value={agreement.name} label={`I accept “${agreement.name}”`} />
                </Stack>
              </Paper>
            ))}
          </Stack>
        </Checkbox.Group>
        {subscribe.isError && <ProblemAlert error={subscribe.error} doing="Subscribing" />}
        <Button type="submit" loading={subscribe.isPending} disabled={open.length > 0}>
          Subscribe
        </Button>
      </Stack>
    </form>
  );
}
