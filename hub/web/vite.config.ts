import { defineConfig } from "vite";

// `cargo build` runs this with its own output folder, see ../build.rs.
export default defineConfig({
  base: "./",
  build: {
    // The page's policy allows no inline content, so nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    // `npx vite` beside a hub on its default port.
    proxy: { "/hub": { target: "http://127.0.0.1:8080", ws: true } },
  },
});
