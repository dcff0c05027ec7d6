// What surrounds every page: logo, navigation, workspace, light or dark, sign out.
import {
  ActionIcon,
  Anchor,
  AppShell,
  Group,
  Select,
  Text,
  Tooltip,
  useComputedColorScheme,
  useMantineColorScheme,
} from "@mantine/core";
import { IconLogout, IconMoon, IconSun } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, NavLink, Outlet, useNavigate } from "react-router";

import { until, workspaces } from "../session/clients";
import { signOut } from "../session/token";
import { useWorkspace } from "./params";
import classes from "./Shell.module.css";

export function Shell() {
  const workspace = useWorkspace();
  return (
    <AppShell header={{ height: { base: 100, sm: 56 } }} padding={{ base: "md", md: "xl" }}>
      <a href="#content" className="skip-link">
        Skip to content
      </a>
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" gap="xs">
          <Group gap="lg" wrap="nowrap">
            <Anchor
              component={Link}
              to={`/w/${workspace}/workflows`}
              underline="never"
              c="inherit"
              aria-label="Foldline"
            >
              <Group gap="xs" wrap="nowrap">
                <img src="/foldline.svg" alt="" width={26} height={26} />
                <Text fw={700} visibleFrom="sm">
                  Foldline
                </Text>
              </Group>
            </Anchor>
            <nav aria-label="Main" className={classes.navigation}>
              <NavLink to={`/w/${workspace}/workflows`}>Workflows</NavLink>
              <NavLink to={`/w/${workspace}/runs`}>Runs</NavLink>
              <NavLink to={`/w/${workspace}/gallery`}>Gallery</NavLink>
            </nav>
          </Group>
          <Group gap="xs" wrap="nowrap">
            <WorkspaceSelect current={workspace} />
            <SchemeButton />
            <Tooltip label="Sign out">
              <ActionIcon
                variant="subtle"
                color="gray"
                size="lg"
                aria-label="Sign out"
                onClick={() => signOut()}
              >
                <IconLogout size={18} aria-hidden />
              </ActionIcon>
            </Tooltip>
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Main id="content" tabIndex={-1} className={classes.main}>
        <Outlet key={workspace} />
      </AppShell.Main>
    </AppShell>
  );
}

function WorkspaceSelect({ current }: { current: string }) {
  const navigate = useNavigate();
  const query = useQuery({
    queryKey: ["workspaces"],
    queryFn: ({ signal }) => workspaces.listWorkspaces({}, until(signal)),
    staleTime: 60_000,
  });
  const names = new Set([current, ...(query.data?.workspaces.map((workspace) => workspace.name) ?? [])]);
  return (
    <Select
      aria-label="Workspace"
      size="sm"
      w={{ base: 120, sm: 180 }}
      data={[...names].sort()}
      value={current}
      allowDeselect={false}
      onChange={(name) => name !== null && void navigate(`/w/${name}/workflows`)}
    />
  );
}

function SchemeButton() {
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme("light") === "dark";
  const label = dark ? "Switch to light colours" : "Switch to dark colours";
  return (
    <Tooltip label={label}>
      <ActionIcon
        variant="subtle"
        color="gray"
        size="lg"
        aria-label={label}
        onClick={() => setColorScheme(dark ? "light" : "dark")}
      >
        {dark ? <IconSun size={18} aria-hidden /> : <IconMoon size={18} aria-hidden />}
      </ActionIcon>
    </Tooltip>
  );
}
