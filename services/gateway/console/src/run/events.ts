// Events of a run in few words. Pure.
import type { RecordedEvent } from "../api/foldline/api/event/v1/recorded_pb";

/** "AttemptStarted" → "Attempt started". */
export function title(event: RecordedEvent): string {
  const words = event.type.replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The step that it is about; empty for facts about the whole run. */
export function stepOf(event: RecordedEvent): string {
  return typeof event.data?.step === "string" ? event.data.step : "";
}

/** What tells this event from others of its type. */
export function detail(event: RecordedEvent): string {
  const data = event.data ?? {};
  const parts = [stepOf(event)];
  if (typeof data.attempt === "number" && data.attempt > 1) parts.push(`attempt ${data.attempt}`);
  if (typeof data.explanation === "string") parts.push(data.explanation);
  else if (typeof data.reason === "string") parts.push(data.reason);
  if (typeof data.failure === "object" && data.failure !== null && "message" in data.failure)
    parts.push(String(data.failure.message));
  return parts.filter((part) => part !== "").join(" · ");
}
