// Content of artifacts and logs, over the gateway's plain HTTP routes.
import { currentToken } from "./token";

export interface ArtifactPlace {
  workspace: string;
  runId: string;
  step: string;
  output: string;
}

export function artifactPath(place: ArtifactPlace): string {
  const parts = [place.workspace, place.runId, place.step, place.output];
  return `/artifacts/${parts.map(encodeURIComponent).join("/")}`;
}

export function logPath(workspace: string, runId: string, step: string, attempt: number): string {
  return `/logs/${[workspace, runId, step].map(encodeURIComponent).join("/")}?attempt=${attempt}`;
}

/** The content itself, for previews of moderate size. */
export async function fetchContent(path: string, signal: AbortSignal): Promise<Blob> {
  const response = await fetch(path, { signal, headers: { Authorization: `Bearer ${currentToken()}` } });
  if (!response.ok) throw await refusal(response);
  return response.blob();
}

/** Hand the file to the browser's own download: any size, nothing held in memory here. */
export async function download(workspace: string, path: string): Promise<void> {
  const response = await fetch(`/session/${encodeURIComponent(workspace)}`, {
    method: "POST",
    headers: { Authorization: `Bearer ${currentToken()}` },
  });
  if (!response.ok) throw await refusal(response);
  const link = document.createElement("a");
  link.href = path;
  link.download = "";
  link.click();
}

async function refusal(response: Response): Promise<Error> {
  const body: unknown = await response.json().catch(() => null);
  const message = typeof body === "object" && body !== null && "message" in body ? String(body.message) : "";
  return new Error(message || `The server answered ${response.status} ${response.statusText}.`);
}
