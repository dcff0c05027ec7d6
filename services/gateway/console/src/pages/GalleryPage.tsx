// The gallery: what this workspace may see and subscribe to.
import { Anchor, Badge, Button, Card, Group, SimpleGrid, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";

import type { Asset } from "../api/foldline/api/registry/v1/gallery_service_pb";
import { Ago } from "../parts/Ago";
import { Empty } from "../parts/Empty";
import { Page } from "../parts/Page";
import { ProblemAlert } from "../problems/ProblemAlert";
import { gallery, until } from "../session/clients";
import { useWorkspace } from "./params";

const TYPING_MS = 250;

export function GalleryPage() {
  const workspace = useWorkspace();
  const [words, setWords] = useState("");
  const [wanted] = useDebouncedValue(words.trim(), TYPING_MS);
  const query = useInfiniteQuery({
    queryKey: [workspace, "assets", wanted],
    queryFn: ({ pageParam, signal }) =>
      gallery.listAssets({ workspace, query: wanted, pageToken: pageParam, pageSize: 60 }, until(signal)),
    initialPageParam: "",
    getNextPageParam: (page) => page.nextPageToken || undefined,
  });
  const assets = query.data?.pages.flatMap((page) => page.assets) ?? [];
  return (
    <Page
      title="Gallery"
      lead="Released workflows that others publish: subscribe, import, configure, start"
      actions={
        <TextInput
          type="search"
          aria-label="Search the gallery"
          placeholder="Search"
          w={260}
          value={words}
          onChange={(event) => setWords(event.currentTarget.value)}
        />
      }
    >
      {query.isError && (
        <ProblemAlert error={query.error} doing="Loading the gallery" onRetry={() => void query.refetch()} />
      )}
      {query.isSuccess && assets.length === 0 && <Nothing searched={wanted !== ""} />}
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} role="list" aria-label="Assets">
        {assets.map((asset) => (
          <AssetCard key={`${asset.publisher}/${asset.name}`} workspace={workspace} asset={asset} />
        ))}
      </SimpleGrid>
      {query.hasNextPage && (
        <Group justify="center">
          <Button
            variant="default"
            loading={query.isFetchingNextPage}
            onClick={() => void query.fetchNextPage()}
          >
            Show more
          </Button>
        </Group>
      )}
    </Page>
  );
}

function Nothing({ searched }: { searched: boolean }) {
  if (searched)
    return (
      <Empty title="Nothing has these words">Search for other words of the name, title or publisher.</Empty>
    );
  return (
    <Empty title="The gallery is empty" command="foldline gallery publish WORKFLOW --visibility public">
      Nothing is published for this workspace yet. A released workflow is published with:
    </Empty>
  );
}

function AssetCard({ workspace, asset }: { workspace: string; asset: Asset }) {
  const newest = asset.versions[0];
  return (
    <Card role="listitem" p="md">
      <Stack gap="xs" h="100%">
        <Group justify="space-between" wrap="nowrap" align="flex-start">
          <Anchor
            component={Link}
            to={`/w/${workspace}/gallery/${asset.publisher}/${asset.name}`}
            fw={600}
            className="anywhere"
          >
            {asset.title || asset.name}
          </Anchor>
          <Badge variant="light" tt="none" style={{ flex: "none" }}>
            {newest?.version ?? "no version"}
          </Badge>
        </Group>
        <Text size="sm" c="dimmed">
          {asset.publisher}/{asset.name}
        </Text>
        <Text size="sm" lineClamp={3} flex={1}>
          {newest?.notes}
        </Text>
        <Group gap="xs">
          {asset.subscribed && (
            <Badge color="green" variant="light" tt="none">
              subscribed
            </Badge>
          )}
          <Badge color="gray" variant="light" tt="none">
            {asset.visibility}
          </Badge>
          <Text size="xs" c="dimmed">
            <Ago time={newest?.publishTime} />
          </Text>
        </Group>
      </Stack>
    </Card>
  );
}
