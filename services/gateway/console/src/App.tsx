// Providers and addresses.
import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { useEffect } from "react";
import { BrowserRouter, Navigate, Route, Routes } from "react-router";

import { AssetPage } from "./pages/AssetPage";
import { GalleryPage } from "./pages/GalleryPage";
import { Landing } from "./pages/Landing";
import { LoginPage } from "./pages/LoginPage";
import { NotFoundPage } from "./pages/NotFoundPage";
import { RunPage } from "./pages/RunPage";
import { RunsPage } from "./pages/RunsPage";
import { Shell } from "./pages/Shell";
import { WorkflowPage } from "./pages/WorkflowPage";
import { WorkflowsPage } from "./pages/WorkflowsPage";
import { isPassing } from "./problems/problem";
import { useToken } from "./session/token";
import { contrast, theme } from "./theme";

const RETRIES = 3;

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (failures, error) => failures < RETRIES && isPassing(error),
      staleTime: 2_000,
    },
  },
});

export function App() {
  return (
    <MantineProvider theme={theme} cssVariablesResolver={contrast} defaultColorScheme="auto">
      <Notifications position="bottom-right" />
      <QueryClientProvider client={queries}>
        <BrowserRouter>
          <Pages />
        </BrowserRouter>
      </QueryClientProvider>
    </MantineProvider>
  );
}

function Pages() {
  const token = useToken();
  useEffect(() => {
    if (token === "") queries.clear();
  }, [token]);
  if (token === "") return <LoginPage />;
  return (
    <Routes>
      <Route path="/" element={<Landing />} />
      <Route path="/w/:workspace" element={<Shell />}>
        <Route index element={<Navigate to="workflows" replace />} />
        <Route path="workflows" element={<WorkflowsPage />} />
        <Route path="workflows/:workflow" element={<WorkflowPage />} />
        <Route path="runs" element={<RunsPage />} />
        <Route path="runs/:run" element={<RunPage />} />
        <Route path="gallery" element={<GalleryPage />} />
        <Route path="gallery/:publisher/:asset" element={<AssetPage />} />
        <Route path="*" element={<NotFoundPage />} />
      </Route>
      <Route path="*" element={<NotFoundPage />} />
    </Routes>
  );
}
