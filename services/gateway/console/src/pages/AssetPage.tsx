// An asset of the gallery: versions, what it does, agreements, subscribe, import.
import { Badge, Grid, Group, Paper, Stack, Table, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import type { Asset, GetAssetResponse } from "../api/foldline/api/registry/v1/gallery_service_pb";
import { ImportForm } from "../gallery/ImportForm";
import { SubscribeForm } from "../gallery/SubscribeForm";
import { UnsubscribeButton } from "../gallery/UnsubscribeButton";
import { StepGraph } from "../graph/StepGraph";
import { Ago } from "../parts/Ago";
import { shortDigest } from "../parts/digests";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { Prose } from "../parts/Prose";
import { TextLink } from "../parts/TextLink";
import { gallery, until } from "../session/clients";
import { useParam, useWorkspace } from "./params";

export function AssetPage() {
  const workspace = useWorkspace();
  const publisher = useParam("publisher");
  const name = useParam("asset");
  const query = useQuery({
    queryKey: [workspace, "asset", publisher, name],
    queryFn: ({ signal }) => gallery.getAsset({ workspace, publisher, asset: name }, until(signal)),
  });
  return (
    <Loaded query={query} doing={`Loading ${publisher}/${name}`}>
      {(answer) =>
        answer.asset && (
          <OneAsset
            key={answer.asset.versions[0]?.version}
            workspace={workspace}
            asset={answer.asset}
            answer={answer}
          />
        )
      }
    </Loaded>
  );
}

interface Props {
  workspace: string;
  asset: Asset;
  answer: GetAssetResponse;
}

function OneAsset({ workspace, asset, answer }: Props) {
  const graph = answer.release?.graph;
  // A publisher needs no subscription to what is its own.
  const mayImport = asset.subscribed || asset.publisher === workspace;
  return (
    <Page
      title={asset.title || asset.name}
      trail={<TextLink to={`/w/${workspace}/gallery`}>Gallery</TextLink>}
      badges={
        <>
          <Badge color="gray" variant="light" tt="none">
            {asset.visibility}
          </Badge>
          {asset.subscribed && (
            <Badge color="green" variant="light" tt="none">
              subscribed
            </Badge>
          )}
        </>
      }
      lead={`${asset.publisher}/${asset.name}`}
      actions={asset.subscribed && <UnsubscribeButton workspace={workspace} asset={asset} />}
    >
      <Grid gap="md">
        <Grid.Col span={{ base: 12, lg: 7 }}>
          <Stack>
            <Paper p="md" component="section" aria-labelledby="versions">
              <Title order={2} size="h4" mb="sm" id="versions">
                Versions
              </Title>
              <Versions asset={asset} />
            </Paper>
            <Paper p="md" component="section" aria-labelledby="about">
              <Title order={2} size="h4" mb="sm" id="about">
                What it does
              </Title>
              <Stack>
                <Prose>
                  {answer.release?.docs || graph?.description || "The author wrote nothing about it."}
                </Prose>
                {graph && <StepGraph graph={graph} height={380} />}
              </Stack>
            </Paper>
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, lg: 5 }}>
          <Paper p="md" component="section" aria-labelledby="use">
            <Title order={2} size="h4" mb="sm" id="use">
              {mayImport ? "Import" : "Subscribe"}
            </Title>
            {mayImport ? (
              <ImportForm workspace={workspace} asset={asset} />
            ) : (
              <SubscribeForm workspace={workspace} asset={asset} />
            )}
          </Paper>
        </Grid.Col>
      </Grid>
    </Page>
  );
}

function Versions({ asset }: { asset: Asset }) {
  return (
    <Table aria-label="Versions" verticalSpacing="xs">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Version</Table.Th>
          <Table.Th>Published</Table.Th>
          <Table.Th>Notes</Table.Th>
          <Table.Th>Release</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {asset.versions.map((version, place) => (
          <Table.Tr key={version.version}>
            <Table.Td>
              <Group gap={6} wrap="nowrap">
                {version.version}
                {place === 0 && (
                  <Badge size="xs" variant="light" tt="none">
                    newest
                  </Badge>
                )}
              </Group>
            </Table.Td>
            <Table.Td>
              <Ago time={version.publishTime} />
            </Table.Td>
            <Table.Td className="anywhere">{version.notes || "–"}</Table.Td>
            <Table.Td>
              <code title={version.release}>{shortDigest(version.release)}</code>
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
