// An address that leads nowhere.
import { Anchor, Container } from "@mantine/core";
import { Link } from "react-router";

import { Empty } from "../parts/Empty";
import { Page } from "../parts/Page";

export function NotFoundPage() {
  return (
    <Container py="xl">
      <Page title="No such page">
        <Empty title="There is nothing at this address">
          <Anchor component={Link} to="/">
            Go to your workflows
          </Anchor>
        </Empty>
      </Page>
    </Container>
  );
}
