// A question before something that cannot be taken back.
import { Button, Group, Modal, Stack } from "@mantine/core";
import type { ReactNode } from "react";

import { ProblemAlert } from "../problems/ProblemAlert";

interface Props {
  opened: boolean;
  onClose: () => void;
  title: string;
  children: ReactNode;
  action: string;
  color?: string;
  onConfirm: () => void;
  busy: boolean;
  disabled?: boolean;
  error?: unknown;
}

export function Confirm(props: Props) {
  return (
    <Modal
      opened={props.opened}
      onClose={props.onClose}
      title={props.title}
      size="lg"
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <Stack>
        {props.children}
        {props.error != null && <ProblemAlert error={props.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={props.onClose}>
            Cancel
          </Button>
          <Button
            color={props.color}
            loading={props.busy}
            disabled={props.disabled}
            onClick={props.onConfirm}
            data-autofocus
          >
            {props.action}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
