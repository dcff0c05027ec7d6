// Short messages in the corner: done, or failed and why.
import { notifications } from "@mantine/notifications";

import { describe } from "./problem";

export function announceDone(message: string): void {
  notifications.show({ message, color: "green" });
}

export function announceFailure(doing: string, error: unknown): void {
  const problem = describe(error);
  notifications.show({
    title: `${doing}: ${problem.title}`,
    message: `${problem.message} ${problem.advice}`,
    color: "red",
    autoClose: 10_000,
  });
}
