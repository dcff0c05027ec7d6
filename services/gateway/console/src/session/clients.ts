// Typed clients for every service behind the gateway. The token goes with each call; a refused one signs out.
import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";

import { RecorderService } from "../api/foldline/api/recorder/v1/recorder_service_pb";
import { GalleryService } from "../api/foldline/api/registry/v1/gallery_service_pb";
import { WorkflowService } from "../api/foldline/api/registry/v1/workflow_service_pb";
import { WorkspaceService } from "../api/foldline/api/registry/v1/workspace_service_pb";
import { SchedulerService } from "../api/foldline/api/scheduler/v1/scheduler_service_pb";
import { currentToken, signOut } from "./token";

const DEADLINE_MS = 30_000;

const authorize: Interceptor = (next) => async (request) => {
  const token = currentToken();
  request.header.set("Authorization", `Bearer ${token}`);
  try {
    return await next(request);
  } catch (error) {
    const refused = error instanceof ConnectError && error.code === Code.Unauthenticated;
    if (refused && token === currentToken()) signOut(error.rawMessage);
    throw error;
  }
};

const transport = createConnectTransport({
  baseUrl: window.location.origin,
  useBinaryFormat: true, // JSON has no NaN, and metrics of real training runs do
  interceptors: [authorize],
});

export const workspaces = createClient(WorkspaceService, transport);
export const workflows = createClient(WorkflowService, transport);
export const gallery = createClient(GalleryService, transport);
export const scheduler = createClient(SchedulerService, transport);
export const recorder = createClient(RecorderService, transport);

/** Options of every unary call: it ends with the page's interest in it, and in any case some day. */
export function until(signal?: AbortSignal) {
  return { signal, timeoutMs: DEADLINE_MS };
}
