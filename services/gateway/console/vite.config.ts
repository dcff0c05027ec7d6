// How the console is built: into the Python package, so that the wheel carries it.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../foldline_gateway/static",
    emptyOutDir: true,
    // light-dark() in CSS, as Mantine needs it too.
    target: ["chrome125", "firefox128", "safari17.5"],
    chunkSizeWarningLimit: 1500,
  },
});
