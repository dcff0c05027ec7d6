// End a subscription, after a question.
import { Button, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import type { Asset } from "../api/foldline/api/registry/v1/gallery_service_pb";
import { Confirm } from "../parts/Confirm";
import { announceDone } from "../problems/announce";
import { gallery, until } from "../session/clients";

export function UnsubscribeButton({ workspace, asset }: { workspace: string; asset: Asset }) {
  const queries = useQueryClient();
  const [asking, setAsking] = useState(false);
  const end = useMutation({
    mutationFn: () =>
      gallery.unsubscribe({ workspace, publisher: asset.publisher, asset: asset.name }, until()),
    onSuccess: async () => {
      setAsking(false);
      await queries.invalidateQueries({ queryKey: [workspace, "asset"] });
      await queries.invalidateQueries({ queryKey: [workspace, "assets"] });
      announceDone("Unsubscribed.");
    },
  });
  return (
    <>
      <Button variant="default" onClick={() => setAsking(true)}>
        Unsubscribe
      </Button>
      <Confirm
        opened={asking}
        onClose={() => setAsking(false)}
        title={`Unsubscribe from ${asset.publisher}/${asset.name}?`}
        action="End subscription"
        color="red"
        busy={end.isPending}
        error={end.error}
        onConfirm={() => end.mutate()}
      >
        <Text size="sm">
          What was imported stays and keeps working. New versions can be imported only after subscribing
          again.
        </Text>
      </Confirm>
    </>
  );
}
