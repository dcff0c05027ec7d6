// Colours and defaults of the whole console.
import { createTheme, type CSSVariablesResolver } from "@mantine/core";

export const theme = createTheme({
  primaryColor: "cyan",
  primaryShade: 9,
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

const COLORS = ["blue", "cyan", "grape", "gray", "green", "orange", "red", "violet", "yellow"];

/** Mantine's own choices have too little contrast for small text (WCAG AA asks for 4.5 to 1). */
export const contrast: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-dimmed": "var(--mantine-color-gray-7)",
    "--mantine-color-error": "var(--mantine-color-red-9)",
    "--mantine-color-placeholder": "var(--mantine-color-gray-6)",
    ...Object.fromEntries(COLORS.map((color) => [`--mantine-color-${color}-light-color`, darker(color)])),
  },
  dark: {
    "--mantine-color-dimmed": "var(--mantine-color-dark-1)",
    "--mantine-color-error": "var(--mantine-color-red-5)",
    "--mantine-color-placeholder": "var(--mantine-color-dark-2)",
  },
});

function darker(color: string): string {
  return `color-mix(in srgb, var(--mantine-color-${color}-9), black 40%)`;
}
