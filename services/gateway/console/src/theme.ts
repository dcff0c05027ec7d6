// Colours and defaults of the whole console.
import { createTheme } from "@mantine/core";

export const theme = createTheme({
  primaryColor: "cyan",
  primaryShade: { light: 8, dark: 7 },
  autoContrast: true,
  defaultRadius: "md",
  cursorType: "pointer",
  headings: { fontWeight: "650" },
  components: {
    Paper: { defaultProps: { withBorder: true, shadow: "xs" } },
    Card: { defaultProps: { withBorder: true } },
    Modal: { defaultProps: { centered: true } },
    Tooltip: { defaultProps: { openDelay: 300 } },
  },
});
