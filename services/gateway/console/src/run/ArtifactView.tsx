// One artifact: what it is, a preview where there can be one, download.
import { Badge, Button, Code, Group, Image, Paper, ScrollArea, Skeleton, Stack, Text } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import type { Artifact } from "../api/foldline/api/event/v1/artifact_pb";
import { shortDigest } from "../parts/digests";
import { type Fact, Facts } from "../parts/Facts";
import { size } from "../parts/moments";
import { inline, plain, pretty } from "../parts/values";
import { announceFailure } from "../problems/announce";
import { ProblemAlert } from "../problems/ProblemAlert";
import { type ArtifactPlace, artifactPath, download, fetchContent } from "../session/downloads";
import { PreviewView } from "./PreviewView";

interface Props {
  name: string;
  artifact: Artifact;
  /** Where it can be fetched; undefined where only the record is shown. */
  place: ArtifactPlace | undefined;
}

const LARGEST_JSON_PREVIEW = 256 * 1024;
const LARGEST_IMAGE_PREVIEW = 16 * 1024 * 1024;

export function ArtifactView({ name, artifact, place }: Props) {
  const save = (from: ArtifactPlace) => {
    download(from.workspace, artifactPath(from)).catch((error: unknown) =>
      announceFailure("Downloading", error),
    );
  };
  return (
    <Paper p="sm" component="section" aria-label={`Output ${name}`}>
      <Stack gap="xs">
        <Group justify="space-between" wrap="nowrap">
          <Group gap="xs">
            <Text fw={600} size="sm">
              {name}
            </Text>
            <Badge variant="default" size="sm" tt="none">
              {artifact.type}
            </Badge>
          </Group>
          {place && (
            <Button
              size="compact-xs"
              variant="default"
              leftSection={<IconDownload size={13} aria-hidden />}
              onClick={() => save(place)}
              aria-label={`Download ${name}`}
            >
              Download
            </Button>
          )}
        </Group>
        <Preview name={name} artifact={artifact} place={place} />
        <Facts facts={factsOf(artifact)} />
      </Stack>
    </Paper>
  );
}

function Preview({ name, artifact, place }: Props) {
  if (artifact.value !== undefined) return <Json value={plain(artifact.value)} />;
  if (place === undefined) return null;
  if (artifact.encoding === "png" && artifact.sizeBytes <= LARGEST_IMAGE_PREVIEW)
    return <Picture name={name} digest={artifact.digest} place={place} />;
  if (artifact.encoding === "json" && artifact.sizeBytes <= LARGEST_JSON_PREVIEW)
    return <FetchedJson digest={artifact.digest} place={place} />;
  return <PreviewView digest={artifact.digest} place={place} />;
}

function Json({ value }: { value: unknown }) {
  return (
    <ScrollArea.Autosize mah={260} type="auto">
      <Code block>{pretty(value)}</Code>
    </ScrollArea.Autosize>
  );
}

function FetchedJson({ digest, place }: { digest: string; place: ArtifactPlace }) {
  const query = useContent(digest, place);
  const text = useQuery({
    queryKey: ["artifact text", digest],
    queryFn: async () => (await query.data?.text()) ?? "",
    enabled: query.data !== undefined,
  });
  if (query.isError) return <ProblemAlert error={query.error} doing="Loading the preview" />;
  if (text.data === undefined) return <Skeleton height={60} />;
  return (
    <ScrollArea.Autosize mah={260} type="auto">
      <Code block>{text.data}</Code>
    </ScrollArea.Autosize>
  );
}

function Picture({ name, digest, place }: { name: string; digest: string; place: ArtifactPlace }) {
  const query = useContent(digest, place);
  const [address, setAddress] = useState<string>();
  useEffect(() => {
    if (query.data === undefined) return;
    const made = URL.createObjectURL(query.data);
    setAddress(made);
    return () => URL.revokeObjectURL(made);
  }, [query.data]);
  if (query.isError) return <ProblemAlert error={query.error} doing="Loading the picture" />;
  if (address === undefined) return <Skeleton height={180} />;
  return <Image src={address} alt={`Picture ${name}`} fit="contain" mah={420} radius="sm" bg="white" />;
}

function useContent(digest: string, place: ArtifactPlace) {
  return useQuery({
    queryKey: ["artifact", digest],
    queryFn: ({ signal }) => fetchContent(artifactPath(place), signal),
    staleTime: Infinity, // content-addressed
  });
}

function factsOf(artifact: Artifact): Fact[] {
  const summary = Object.entries(artifact.summary ?? {}).map(([key, value]): Fact => [key, inline(value)]);
  return [
    ...summary,
    ["size", size(artifact.sizeBytes)],
    ["encoding", artifact.encoding],
    [
      "digest",
      <code key="digest" title={artifact.digest}>
        {shortDigest(artifact.digest)}
      </code>,
    ],
  ];
}
