// A status as a badge: icon, colour and word.
import { Badge } from "@mantine/core";

import { lookOfRun, lookOfStep } from "./statuses";
import classes from "./StatusBadge.module.css";

interface Props {
  status: string;
  of: "run" | "step";
  size?: string;
}

export function StatusBadge({ status, of, size = "md" }: Props) {
  const look = of === "run" ? lookOfRun(status) : lookOfStep(status);
  const Icon = look.icon;
  return (
    <Badge
      color={look.color}
      variant="light"
      size={size}
      tt="none"
      title={look.meaning}
      leftSection={<Icon size={13} aria-hidden className={look.moving ? classes.moving : undefined} />}
    >
      {status}
    </Badge>
  );
}
