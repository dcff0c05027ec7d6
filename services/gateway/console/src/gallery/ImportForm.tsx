// Make an independent workflow of a subscribed asset's version.
import { Button, Select, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useNavigate } from "react-router";

import type { Asset } from "../api/foldline/api/registry/v1/gallery_service_pb";
import { announceDone } from "../problems/announce";
import { describe } from "../problems/problem";
import { ProblemAlert } from "../problems/ProblemAlert";
import { gallery, until } from "../session/clients";
import { SubscribeForm } from "./SubscribeForm";

export function ImportForm({ workspace, asset }: { workspace: string; asset: Asset }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [version, setVersion] = useState(asset.versions[0]?.version ?? "");
  const [workflow, setWorkflow] = useState(asset.name);
  const [region, setRegion] = useState("local");
  const make = useMutation({
    mutationFn: () =>
      gallery.importAsset(
        {
          workspace,
          publisher: asset.publisher,
          asset: asset.name,
          version,
          workflow: workflow.trim(),
          region: region.trim(),
        },
        until(),
      ),
    onSuccess: async (reply) => {
      await queries.invalidateQueries({ queryKey: [workspace, "workflows"] });
      const name = reply.workflow?.name ?? workflow.trim();
      announceDone(`Imported as ${name}.`);
      void navigate(`/w/${workspace}/workflows/${name}`);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    make.mutate();
  };
  // New terms of a newer version: the subscription has to be renewed first.
  const termsChanged = make.isError && describe(make.error).reason === "AGREEMENTS_NOT_ACCEPTED";
  return (
    <Stack>
      <form onSubmit={submit} aria-label="Import">
        <Stack>
          <Text size="sm" c="dimmed">
            Makes a workflow of your own in workspace {workspace}. Later versions do not change it.
          </Text>
          <Select
            label="Version"
            data={asset.versions.map((one) => one.version)}
            value={version}
            allowDeselect={false}
            onChange={(chosen) => setVersion(chosen ?? version)}
          />
          <TextInput
            label="Name of the workflow"
            description="A letter first, then letters, digits, _ and -"
            value={workflow}
            onChange={(event) => setWorkflow(event.currentTarget.value)}
            required
          />
          <TextInput
            label="Region"
            description="Where its runs execute"
            value={region}
            onChange={(event) => setRegion(event.currentTarget.value)}
            required
          />
          {make.isError && <ProblemAlert error={make.error} doing="Importing" />}
          <Button type="submit" loading={make.isPending} disabled={workflow.trim() === ""}>
            Import
          </Button>
        </Stack>
      </form>
      {termsChanged && <SubscribeForm workspace={workspace} asset={asset} />}
    </Stack>
  );
}
